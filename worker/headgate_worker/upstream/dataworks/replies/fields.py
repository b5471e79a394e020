"""Read members of a JSON object that can't be trusted.

Absent and null are the same. What is there must have the right type and a sensible value; anything else raises
MalformedReply with the path of the member. The SDK's response models check nothing and hide what they can't read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from google.protobuf import timestamp_pb2

from headgate_worker.upstream.dataworks.dates import LAST_MILLIS

MAX_ID = 2**63 - 1
TEXT_LENGTH = 4096
"""Characters that an ordinary text member may have."""

LIST_LENGTH = 10_000
"""Items that a list may have; pages ask for 500 at most, and a backfill has fewer dates by far."""

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False}


class MalformedDataWorksReply(Exception):
    """A reply that can't be used; `field` names the member at fault, such as "WorkflowInstance.Id"."""

    def __init__(self, field: str) -> None:
        super().__init__(f"the reply's {field} is missing or makes no sense")
        self.field = field


class Members:
    """One JSON object of a reply, and where in the reply it stands."""

    __slots__ = ("_data", "_path")

    def __init__(self, data: Mapping[str, Any], path: str = "") -> None:
        self._data = data
        self._path = path

    def path(self, name: str) -> str:
        """Where `name` stands in the whole reply."""
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str, *, null: bool = False) -> bool:
        """Whether the member is there; one that is null counts only with `null`."""
        return name in self._data and (null or self._data[name] is not None)

    def member(self, name: str) -> Members:
        """An object that must be there."""
        value = self._data.get(name)
        if not isinstance(value, dict):
            raise MalformedDataWorksReply(self.path(name))
        return Members(value, self.path(name))

    def members(self, name: str) -> list[Members]:
        """A list of objects; empty when absent."""
        rows = self._list(name)
        if not all(isinstance(row, dict) for row in rows):
            raise MalformedDataWorksReply(self.path(name))
        return [Members(row, f"{self.path(name)}[{index}]") for index, row in enumerate(rows)]

    def text(self, name: str, *, length: int = TEXT_LENGTH) -> str:
        """A text of at most `length` characters; empty when absent. Broken surrogates become question marks."""
        value = self._data.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > length:
            raise MalformedDataWorksReply(self.path(name))
        return value if value.isascii() else value.encode("utf-8", "replace").decode()

    def needed_text(self, name: str, *, length: int = TEXT_LENGTH) -> str:
        """A text that must be there and not be empty."""
        value = self.text(name, length=length)
        if not value:
            raise MalformedDataWorksReply(self.path(name))
        return value

    def boolean(self, name: str) -> bool:
        """A boolean that must be there; "true" and "false" as text are taken too, older calls answer so."""
        value = self._data.get(name)
        found = _BOOLEANS.get(value.lower()) if isinstance(value, str) else value
        if not isinstance(found, bool):
            raise MalformedDataWorksReply(self.path(name))
        return found

    def count(self, name: str, *, most: int = MAX_ID) -> int:
        """A whole number, 0 to `most`; 0 when absent."""
        return self._whole(name, self._data.get(name), most)

    def needed_id(self, name: str) -> int:
        """An id, 1 to 2**63-1, that must be there."""
        value = self.count(name)
        if value == 0:
            raise MalformedDataWorksReply(self.path(name))
        return value

    def ids(self, name: str) -> tuple[int, ...]:
        """A list of ids, each once, in the order they came in; empty when absent."""
        found = [self._whole(name, value, MAX_ID) for value in self._list(name)]
        if 0 in found:
            raise MalformedDataWorksReply(self.path(name))
        return tuple(dict.fromkeys(found))

    def millis(self, name: str) -> int:
        """A time in milliseconds since 1970, before year 10000; 0 when absent."""
        return self.count(name, most=LAST_MILLIS)

    def time(self, name: str) -> timestamp_pb2.Timestamp | None:
        """A time, None when absent. 0 counts as absent: that is how a time that has not come may be written."""
        millis = self.millis(name)
        if millis == 0:
            return None
        seconds, rest = divmod(millis, 1000)
        return timestamp_pb2.Timestamp(seconds=seconds, nanos=rest * 1_000_000)

    def _list(self, name: str) -> list[Any]:
        value = self._data.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > LIST_LENGTH:
            raise MalformedDataWorksReply(self.path(name))
        return value

    def _whole(self, name: str, value: object, most: int) -> int:
        if type(value) is int and 0 <= value <= most:
            return value
        if value is None:
            return 0
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            value = int(value)
        if type(value) is not int or not 0 <= value <= most:
            raise MalformedDataWorksReply(self.path(name))
        return value
