"""Endpoint of EnOS, and credentials for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from headgate_worker.upstream.http.bounds import HttpBounds

Generation = Literal["v2.0", "v2.1"]

BASES: dict[Generation, str] = {"v2.0": "/dataflow-batch-service/v2.0", "v2.1": "/batch-processing-service/v2.1"}
"""Base path of each generation of the API."""

_ENDPOINT = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+/?")
_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")
_BASE = re.compile(r"(/[A-Za-z0-9._-]+)+")


@dataclass(frozen=True, slots=True)
class EnosSettings(HttpBounds):
    """How to reach an EnOS organisation.

    Args:
        endpoint: address of the API gateway, http(s)://host[:port].
        app_key: access key of the application.
        app_secret: its secret; never shown.
        user_id: EnOS user that calls.
        org_id: organisation of that user.
        generation: which API; v2.0 has no trigger from a task.
        base: base path instead of the generation's own; empty takes that.
        trigger_zone: zone of printed trigger times, see `zone_of`; empty when it is not known, which leaves
            trigger_time_utc absent. Seed 004 prints trigger times in local time and starts in UTC.
        run_zone: the same for printed start and end times.
        first_page: number of the first page of a search: 0 in newer, 1 in older texts.

    Raises:
        ValueError: the endpoint, the base path, a zone or a number makes no sense, or something needed is empty.
    """

    endpoint: str
    app_key: str
    app_secret: str = field(repr=False)
    user_id: str
    org_id: str
    generation: Generation = "v2.1"
    base: str = ""
    trigger_zone: str = ""
    run_zone: str = ""
    first_page: Literal[0, 1] = 0

    def __post_init__(self) -> None:
        if not _ENDPOINT.fullmatch(self.endpoint):
            raise ValueError(f"not an EnOS endpoint: {self.endpoint!r}; give http(s)://host or http(s)://host:port")
        if self.generation not in BASES or (self.base and not _BASE.fullmatch(self.base)):
            raise ValueError(f"not an EnOS API: {self.generation!r} {self.base!r}; give v2.0 or v2.1")
        if not all((self.app_key, self.app_secret, self.user_id, self.org_id)):
            raise ValueError("EnOS needs an app key, an app secret, a user id and an organisation id")
        if self.first_page not in (0, 1):
            raise ValueError("first_page is 0 or 1")
        self.check_bounds()
        for name in (self.trigger_zone, self.run_zone):
            zone_of(name)

    @property
    def base_path(self) -> str:
        """What every path begins with."""
        return self.base or BASES[self.generation]


def zone_of(name: str) -> tzinfo | None:
    """The zone of an IANA name, "UTC", or an offset such as "+08:00"; None for the empty text.

    Raises:
        ValueError: there is no such zone.
    """
    if not name:
        return None
    if name == "UTC":
        return UTC
    if match := _OFFSET.fullmatch(name):
        hours = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-hours if match[1] == "-" else hours)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"not a time zone: {name!r}; give a name such as Asia/Shanghai, or +08:00") from None
