"""The worker's hints as they are stored: JSON, a letter for each that says something. A table, read both ways. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from typing import Any, Final

from headgate_worker.core.model.view import Hints, Inquiry, Sighting


@dataclass(frozen=True, slots=True)
class _Kind:
    """How hints of one kind are written, and read again from what may be anything."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _as_it_is(value: Any) -> Any:
    return value


def _map_of(write: Callable[[Any], Any], read: Callable[[Any], Any]) -> _Kind:
    """By run index or date; JSON has only texts for keys."""
    return _Kind(
        lambda found: {str(key): write(value) for key, value in found.items()},
        lambda found: {int(key): read(value) for key, value in found.items()},
    )


def _sighting(stored: Any) -> Sighting:
    instance_id, status, leave, next_page = stored
    return Sighting(int(instance_id), str(status), bool(leave), int(next_page))


def _inquiry(stored: Any) -> Inquiry:
    *numbers, task_id, run_number, task_name = stored
    until_ms, at_ms, tries, project_id, day_ms = map(int, numbers)
    return Inquiry(until_ms, at_ms, tries, project_id, day_ms, str(task_id), int(run_number), str(task_name))


_NUMBER: Final = _Kind(_as_it_is, int)
_TEXT: Final = _Kind(_as_it_is, str)
_INDEXES: Final = _Kind(sorted, lambda found: frozenset(map(int, found)))
_NUMBERS: Final = _map_of(_as_it_is, int)

_STORED: Final[tuple[tuple[str, str, _Kind], ...]] = (
    ("f", "failures", _NUMBER),
    ("r", "retry_at_ms", _NUMBER),
    ("p", "poll_at_ms", _NUMBERS),
    ("o", "operation_poll_at_ms", _NUMBER),
    ("q", "slot_class", _TEXT),
    ("t", "slot_at_ms", _NUMBER),
    ("te", "slot_epoch", _NUMBER),
    ("w", "waits_since_ms", _NUMBER),
    ("k", "queues_since_ms", _NUMBER),
    ("e", "read_at_ms", _NUMBERS),
    ("j", "projects", _NUMBERS),
    ("z", "stops_lost", _INDEXES),
    ("d", "parents_doubted", _INDEXES),
    ("b", "absent", _INDEXES),
    ("u", "modify_users", _map_of(list, lambda found: (str(found[0]), int(found[1])))),
    ("s", "starts", _NUMBERS),
    ("a", "asked_at_ms", _NUMBERS),
    ("i", "idle_at_ms", _NUMBERS),
    ("l", "place_at_ms", _NUMBER),
    ("x", "stop_asked_ms", _NUMBERS),
    ("m", "found", _map_of(list, lambda ids: tuple(map(int, ids)))),
    ("v", "survey", _map_of(astuple, _sighting)),
    ("n", "inquiries", _map_of(astuple, _inquiry)),
)
"""Letter, hint and kind. A letter keeps its meaning: workers of neighbouring versions read each other's."""

_JSON: Final = json.JSONEncoder(separators=(",", ":"))


def encode_hints(hints: Hints) -> bytes:
    """The hints as they are stored."""
    plain = {letter: kind.write(value) for letter, name, kind in _STORED if (value := getattr(hints, name))}
    return _JSON.encode(plain).encode()


def decode_hints(raw: bytes) -> Hints:
    """The hints as they were stored; fresh ones where the bytes are not hints, since they are only hints."""
    try:
        return _parse(json.loads(raw)) if raw else Hints()
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return Hints()


def _parse(plain: Mapping[str, Any]) -> Hints:
    known: dict[str, Any] = {name: kind.read(plain[letter]) for letter, name, kind in _STORED if letter in plain}
    return Hints(**known)
