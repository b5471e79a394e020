"""Which dates a backfill holds while it is active, so that no other one runs them too. Judged per date.

Two backfills overlap on a date when connection, project, environment and root tasks are the same: those are its target.
The commit that accepts a backfill takes its dates, all or none, and so does one that runs dates again; the commit that
ends it gives them back. With QUEUE_AFTER a backfill is accepted into the line of its target instead, holding nothing,
and the commit by which a worker begins it takes the dates. In line the earlier one comes first: dates that a backfill
in line wants are taken for all that came later, or are not in line. So no two backfills wait for each other, and none
waits for ever while those before it end, which their deadlines see to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from headgate import pb
from headgate.backfill import dates
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.scripts import loader
from headgate.store import connection_names, keys

HOLDING: Final = frozenset({pb.OVERLAP_UNSPECIFIED, pb.OVERLAP_REJECT, pb.OVERLAP_JOIN, pb.OVERLAP_QUEUE_AFTER})
"""Policies under which a backfill holds its dates; with ALLOW it neither holds nor minds."""

MOST_WAITING: Final = 32
"""Backfills that may wait in the line of one target: each commit that takes dates there looks at all of them."""

TAKE: Final = "take"
"""Take the dates, or change nothing."""

JOIN: Final = "join"
"""Take the dates, or join the one other backfill that has them all."""

QUEUE: Final = "queue"
"""Get in line."""

_MODES: Final[Mapping[pb.Overlap.ValueType, str]] = {pb.OVERLAP_JOIN: JOIN, pb.OVERLAP_QUEUE_AFTER: QUEUE}

CONSTANTS: Final = {"TERMINAL": [str(int(state)) for state in sorted(JOB_TERMINAL)]}
"""What scripts that ask whether a job is active must be given."""


class DateLineKeys(NamedTuple):
    """KEYS of `date_line.lua`: holders, line and wants of a target, and the same under its connection's other name."""

    dates: str
    line: str
    wants: str
    other_dates: str
    other_line: str
    other_wants: str


class DateLineArguments(NamedTuple):
    """ARGV of `date_line.lua`: who waits, what the keys of jobs begin with, and the days, with commas between."""

    job_id: str
    job_prefix: str
    days: str


LINE_SCRIPT: Final = loader.load("date_line", DateLineKeys, DateLineArguments, constants=CONSTANTS)
"""Which jobs have dates that a job waits for; answers as `parse_taken` reads it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Dates that a job holds or wants.

    Args:
        connection: the job's connection.
        work: what else makes its target.
        days: the dates, as "yyyymmdd".
        mode: how to get them.
    """

    connection: str
    work: str
    days: tuple[str, ...]
    mode: str = TAKE

    @property
    def key(self) -> str:
        """Hash of date to holder, under the connection's name as the job has it."""
        return keys.dates(_target(self.connection, self.work))

    def keys(self, default: str = "") -> DateLineKeys:
        """Hash of date to holder, the line as a sorted set of job ids, and the hash of what each of those wants.

        Then the same under the other name of the connection, of which `default` is the default one.
        """
        name, other = connection_names.both(self.connection, default)
        first = _keys(_target(name, self.work))
        return DateLineKeys(*first, *(first if other == name else _keys(_target(other, self.work))))


def _keys(target: str) -> tuple[str, str, str]:
    return keys.dates(target), keys.dates_line(target), keys.dates_wants(target)


NO_KEYS: Final = DateLineKeys(*2 * _keys("none"))
"""Keys of a job that holds nothing."""


@dataclass(frozen=True, slots=True)
class Overlapping:
    """Other active backfills hold some of the dates; nothing was written. `taken` maps "yyyymmdd" to a job id."""

    taken: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Joined:
    """Another active backfill has all of the dates and is joined; nothing was written but the request's record.

    Args:
        uid: the other job's; empty where a server accepted it that keeps no uid beside a job.
    """

    job_id: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class LineFull:
    """So many backfills wait for dates of the same target that no more are taken; nothing was written."""

    waiting: int


def hold_of(job: pb.Job) -> Hold | None:
    """What the job holds while it is active; None when it holds nothing."""
    if job.WhichOneof("spec") != "backfill" or job.backfill.overlap not in HOLDING:
        return None
    days = {dates.compact(run.biz_date) for run in job.runs if run.HasField("biz_date")}
    return Hold(job.connection, _work(job.backfill), tuple(sorted(days)))


def hold_of_new(connection: str, spec: pb.BackfillSpec, days: Iterable[date]) -> Hold | None:
    """What a backfill that is submitted takes, joins or waits for; None when it holds nothing.

    Args:
        connection: the job's connection.
        spec: its spec.
        days: its dates, oldest first, each once.
    """
    if spec.overlap not in HOLDING:
        return None
    wanted = tuple(day.isoformat().replace("-", "") for day in days)
    return Hold(connection, _work(spec), wanted, _MODES.get(spec.overlap, TAKE))


def waits(job: pb.Job) -> bool:
    """Whether the job is in line for its dates: no worker may begin it before it has them."""
    queued = job.WhichOneof("spec") == "backfill" and job.backfill.overlap == pb.OVERLAP_QUEUE_AFTER
    return queued and not job.HasField("start_time") and job.state not in JOB_TERMINAL


def parse_taken(raw: bytes) -> dict[str, str]:
    """Which job has which date, "yyyymmdd" to job id, as the scripts answer it."""
    return dict(pair.split(":") for pair in raw.decode().split(",") if pair)


def line_arguments(job_id: str, hold: Hold) -> DateLineArguments:
    """ARGV of LINE_SCRIPT; `job_id` is empty for one that is not in line."""
    return DateLineArguments(job_id, keys.job(""), ",".join(hold.days))


def target(connection: str, spec: pb.BackfillSpec) -> str:
    """What a backfill works on, whatever its dates and its name are, as `keys.digest`."""
    return _target(connection, _work(spec))


def _work(spec: pb.BackfillSpec) -> str:
    properties = spec.default_run_properties
    tasks = sorted(properties.root_task_ids) or sorted(properties.include_task_ids)
    return f"{spec.project_id}\n{spec.env_type}\n{tasks}"


def _target(connection: str, work: str) -> str:
    return keys.digest(f"{connection}\n{work}".encode())
