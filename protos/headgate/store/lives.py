"""The lives of a job id: what lies between the acceptance of a job and its deletion, known by the job's uid.

An id may be used again when its job is gone. Whatever was written down about the job before, such as the record of a
request or a right that was checked, holds for that life only. Jobs that were accepted by versions without the fields
"uid" and "conn" beside them are asked themselves: both stand among the first bytes of a job.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from headgate.scripts import loader

PREFIX_BYTES: Final = 512
"""How much of a job, or of its first event, is read to find uid and connection."""


class LifeKeys(NamedTuple):
    """KEYS of `life.lua`."""

    job: str
    log: str


class LifeArguments(NamedTuple):
    """ARGV of `life.lua`: none."""


SCRIPT: Final = loader.load("life", LifeKeys, LifeArguments, constants={"PREFIX_BYTES": PREFIX_BYTES})
"""Which life a job id has now, by one command, whether there is a job or not."""

_UID: Final = 2
_CONNECTION: Final = 7
_JOB_OF_EVENT: Final = 5


class Life(NamedTuple):
    """One life of a job id.

    Args:
        uid: the job's uid.
        connection: the job's connection.
    """

    uid: str
    connection: str


def parse(raw: Sequence[bytes | None]) -> Life | None:
    """What the script answered; None when there is no such job."""
    if raw[0] is not None:
        return Life(raw[0].decode(), (raw[1] or b"").decode())
    if len(raw) < 4:
        return None
    return of_prefix(raw[2]) if raw[2] is not None else _of_event(raw[3] or b"")


def of_prefix(job: bytes) -> Life:
    """The life of a job, by the job's first bytes."""
    found = {number: value for number, value in _texts(job) if number <= _CONNECTION}
    return Life(found.get(_UID, b"").decode(), found.get(_CONNECTION, b"").decode())


def _of_event(event: bytes) -> Life:
    return of_prefix(next((value for number, value in _texts(event) if number == _JOB_OF_EVENT), b""))


def _texts(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The members of a message that have a length, by number; the last one may be cut off."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        if tag & 7 == 2:
            length, at = _varint(raw, at)
            yield tag >> 3, raw[at : at + length]
            at += length
        elif tag & 7 == 0:
            _, at = _varint(raw, at)
        else:
            return  # neither a job nor an event begins so


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(raw):
        value |= (raw[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if raw[at - 1] < 0x80:
            break
    return value, at
