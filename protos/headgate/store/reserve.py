"""Writes into a store whose memory is used up, for those that bring work to its end.

Redis refuses a script's command for want of memory only while the script has written nothing, so a script that first
takes something away may write afterwards, if only a field that is not there (tried on Redis and Valkey). What
makes new work must not do so.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from headgate.scripts import loader


class PutKeys(NamedTuple):
    """KEYS of `put.lua`."""

    name: str


class PutArguments(NamedTuple):
    """ARGV of `put.lua`: the value of the string, and for how long it is kept."""

    value: bytes | str
    life_ms: int


PUT_SCRIPT: Final = loader.load("put", PutKeys, PutArguments)
"""Sets a string for a time."""


class PutFieldsKeys(NamedTuple):
    """KEYS of `put_fields.lua`."""

    hash: str


class PutFieldsArguments(NamedTuple):
    """ARGV of `put_fields.lua`: for how long the hash is kept; then come fields and values."""

    life_ms: int


PUT_FIELDS_SCRIPT: Final = loader.load("put_fields", PutFieldsKeys, PutFieldsArguments)
"""Sets fields of a hash, and how long it is kept from now on."""


class HeartbeatKeys(NamedTuple):
    """KEYS of `heartbeat.lua`."""

    workers: str


class HeartbeatArguments(NamedTuple):
    """ARGV of `heartbeat.lua`: which worker lives, when, and how old a heartbeat may be."""

    worker: str
    now_ms: int
    oldest_ms: int


HEARTBEAT_SCRIPT: Final = loader.load("heartbeat", HeartbeatKeys, HeartbeatArguments)
"""Records that a worker lives, and forgets those whose last heartbeat is too old."""
