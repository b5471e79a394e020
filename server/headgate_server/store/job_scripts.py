"""Sides in Python of the scripts by which a server reads jobs; `scripts/` has their texts."""

from __future__ import annotations

from typing import Final, NamedTuple

from headgate.scripts import loader

PACKAGE: Final = "headgate_server.store.scripts"
"""Where the scripts of a server are."""


class NoArguments(NamedTuple):
    """ARGV of a script that has none."""


class NoKeys(NamedTuple):
    """KEYS of a script whose keys are all of one kind."""


class JobKeys(NamedTuple):
    """KEYS of `load_job.lua` and of `read_log.lua`."""

    job: str
    log: str


LOAD: Final = loader.load("load_job", JobKeys, NoArguments, package=PACKAGE)
"""Reads a job: the columns, the first event of its log when it has no snapshot, and whether anything is there."""


class ReadLogArguments(NamedTuple):
    """ARGV of `read_log.lua`: the first position, most events and bytes; then come columns of the job."""

    first: int
    most_events: int
    most_bytes: int


READ_LOG: Final = loader.load("read_log", JobKeys, ReadLogArguments, package=PACKAGE)
"""Reads a part of a log: the columns, its length, the part, the last event, and whether anything is there."""

READ_CONNECTIONS: Final = loader.load("read_connections", NoKeys, NoArguments, package=PACKAGE)
"""Reads the connections of the jobs whose keys it gets: a name, or nothing, for each."""


class CountKeys(NamedTuple):
    """KEYS of `count_members.lua`: members of this set are left out; then come the sets that are counted."""

    excluded: str


COUNT: Final = loader.load("count_members", CountKeys, NoArguments, package=PACKAGE)
"""Counts the members of sorted sets that are in no other."""
