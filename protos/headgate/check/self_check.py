"""Whether what is kept of a job is what it has to be: the fold of its log, in the indexes of its state, with its dates.

The comparison is pure; an adapter gives the reads. Row and indexes are read in one moment, the log after that, which
only grows. A job may move on in between, so what is found counts only if a second look finds it, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from google.protobuf.message import DecodeError, Message

from headgate import pb
from headgate.backfill import dates
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TERMINAL, RUN_TERMINAL, IllegalTransition
from headgate.scripts import loader
from headgate.store import date_claims, keys, snapshot

EVENTS_AT_ONCE: Final = 50
"""Events that are read and folded before something else has its turn."""

MOST_FINDINGS: Final = 50
"""Most findings about one job."""

COLUMNS: Final = ("rev", "st", "uid", "bad", "snap", "lb", "seq", "conn")
"""What is read of a job's hash."""

STATES: Final = tuple(state for state in pb.JobState.values() if state != pb.JOB_STATE_UNSPECIFIED)


class CheckKeys(NamedTuple):
    """KEYS of `check_job.lua`; then come the indexes of all states, in the order of STATES."""

    job: str
    log: str
    jobs: str
    due: str
    expiring: str
    damaged: str


class CheckArguments(NamedTuple):
    """ARGV of `check_job.lua`; then come COLUMNS."""

    job_id: str


SCRIPT: Final = loader.load("check_job", CheckKeys, CheckArguments)
"""Reads what is kept of a job, and where it stands in the indexes."""


def script_keys(job_id: str) -> tuple[str, ...]:
    """KEYS of SCRIPT."""
    own = CheckKeys(keys.job(job_id), keys.log(job_id), keys.JOBS, keys.DUE, keys.EXPIRING, keys.DAMAGED)
    return (*own, *map(keys.state, STATES))


def script_arguments(job_id: str) -> tuple[str, ...]:
    """ARGV of SCRIPT."""
    return (*CheckArguments(job_id), *COLUMNS)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it has to be.

    Args:
        subject: what it is about: a field of the job such as "runs[3].state", "log", "event 7", or an index.
        said: one line for people, without payloads.
    """

    subject: str
    said: str


class CheckReads(Protocol):
    """Port: the reads that a check needs."""

    async def row(self, job_id: str) -> Sequence[Any]:
        """What SCRIPT answers."""

    async def events(self, job_id: str, first: int, last: int) -> Sequence[bytes]:
        """The events at positions from 0, both ends included."""

    async def holders(self, key: str, days: Sequence[str]) -> Sequence[bytes | None]:
        """The holder of each day, by the hash of that key; None for a day without one."""


@dataclass(frozen=True, slots=True)
class JobCheck:
    """What a check came to.

    Args:
        findings: what is not as it has to be.
        events: how many events were read for it.
        exists: whether there is anything of the job.
    """

    findings: tuple[Finding, ...]
    events: int
    exists: bool


async def check(reads: CheckReads, job_id: str) -> JobCheck:
    """Check a job. What it raises is what the reads raise."""
    first = await _look(reads, job_id)
    if not first.findings:
        return first
    again = await _look(reads, job_id)
    lasting = tuple(finding for finding in first.findings if finding in again.findings)
    return JobCheck(lasting, first.events + again.events, again.exists)


async def _look(reads: CheckReads, job_id: str) -> JobCheck:
    kept = Kept.parse(job_id, await reads.row(job_id))
    if not kept.exists:
        return JobCheck(tuple(kept.orphaned()), 0, exists=False)
    replay = Replay()
    end = min(kept.length, kept.revision)
    for at in range(0, end, EVENTS_AT_ONCE):
        replay.add(await reads.events(job_id, at, min(at + EVENTS_AT_ONCE, end) - 1))
    hold = date_claims.hold_of(replay.job) if replay.job is not None else None
    holders: Mapping[str, str] = {}
    if hold is not None:
        found = await reads.holders(hold.key, hold.days)
        holders = {day: keys.text(name) for day, name in zip(hold.days, found, strict=True) if name is not None}
    findings = [*kept.compared(replay), *_dates(job_id, replay.job, hold, holders)]
    return JobCheck(tuple(findings[:MOST_FINDINGS]), end, exists=True)


class Replay:
    """The fold of a log as far as it was read; `add` takes its events in order."""

    def __init__(self) -> None:
        self.job: pb.Job | None = None
        """The job so far; None when nothing was read, or once the log could not be folded any more."""
        self.findings: list[Finding] = []
        self.bytes = 0
        self._revision = 0

    def add(self, events: Sequence[bytes]) -> None:
        """Fold the next events."""
        for raw in events:
            self._revision += 1
            self.bytes += len(raw)
            if not self.findings:
                self._fold(raw)

    def _fold(self, raw: bytes) -> None:
        where = f"event {self._revision}"
        try:
            event = pb.JobEvent.FromString(raw)
        except DecodeError:
            self._break(Finding(where, "can't be read"))
            return
        if event.revision != self._revision:
            self._break(Finding(where, f"says that it is event {event.revision}"))
            return
        try:
            if self.job is None:
                self.job = event_log.fold(None, event)
            else:
                event_log.advance(self.job, event)
        except (event_log.BrokenLog, IllegalTransition) as error:
            self._break(Finding(where, str(error)))

    def _break(self, finding: Finding) -> None:
        self.findings.append(finding)
        self.job = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a job.

    Args:
        job_id: the job.
        columns: COLUMNS of its hash; None for what is not there.
        length: of its log; -1 where its key is no list.
        first: the first event of the log.
        scores: in the indexes of all jobs, of due, expiring and damaged ones; None where it is not there.
        in_states: the states whose index has it, with its score there.
    """

    job_id: str
    columns: Mapping[str, bytes | None]
    length: int
    first: bytes | None
    scores: Mapping[str, float | None]
    in_states: Mapping[pb.JobState.ValueType, float]

    @classmethod
    def parse(cls, job_id: str, raw: Sequence[Any]) -> Kept:
        """What SCRIPT has answered."""
        columns, length, first, scores, in_states = raw
        found = zip(STATES, in_states, strict=True)
        return cls(
            job_id,
            {name: value or None for name, value in zip(COLUMNS, columns, strict=True)},
            int(length),
            first or None,
            {
                name: float(score) if score else None
                for name, score in zip(("jobs", "due", "expiring", "damaged"), scores, strict=True)
            },
            {state: float(score) for state, score in found if score},
        )

    @property
    def exists(self) -> bool:
        """Whether there is a job at all."""
        return any(value is not None for value in self.columns.values()) or self.length > 0

    @property
    def revision(self) -> int:
        """The job's revision; 0 where it is none."""
        return _number(self.columns["rev"])

    def orphaned(self) -> Iterator[Finding]:
        """Indexes that name a job which is not there."""
        for name, score in self.scores.items():
            if score is not None:
                yield Finding(f"index {name}", "names a job that is not there")
        for state in self.in_states:
            yield Finding(f"index of {_state(state)}", "names a job that is not there")

    def compared(self, replay: Replay) -> Iterator[Finding]:
        """What is not as the log has it."""
        if self.length != self.revision or self.length <= 0:
            said = "is no list" if self.length < 0 else f"has {self.length} events"
            yield Finding("log", f"{said}, and the job is at revision {self.revision}")
        yield from replay.findings
        if replay.job is not None and replay.job.revision == self.revision:
            yield from self._columns(replay)
            yield from self._job(replay.job)
            yield from self._indexes(replay.job.state)

    def _columns(self, replay: Replay) -> Iterator[Finding]:
        job = replay.job or pb.Job()
        expected = {"st": str(int(job.state)), "uid": job.uid, "conn": job.connection, "lb": str(replay.bytes)}
        for name, value in expected.items():
            kept = self.columns[name]
            absent = kept is None and (not value or name != "st")  # jobs of earlier versions lack the others
            if not absent and kept != value.encode():
                yield Finding(f"column {name}", "is not what the log makes")

    def _job(self, job: pb.Job) -> Iterator[Finding]:
        try:
            kept = snapshot.job_of(self.columns["snap"], self.first)
        except DecodeError:
            kept = None
        if kept is None:
            yield Finding("snapshot", "can't be read")
            return
        for path in differences(kept, job):
            yield Finding(path, "is not what the log makes")

    def _indexes(self, state: pb.JobState.ValueType) -> Iterator[Finding]:
        is_bad, number = self.columns["bad"] is not None, self.columns["seq"]
        ends = state in JOB_TERMINAL
        expected = {"jobs": True, "due": not ends and not is_bad, "expiring": ends, "damaged": is_bad}
        for name, wanted in expected.items():
            if is_bad and name in ("due", "expiring"):
                continue
            if (self.scores[name] is not None) != wanted:
                yield Finding(f"index {name}", "lacks the job" if wanted else "has the job and should not")
        for other in STATES:
            if (other in self.in_states) != (other == state):
                said = "lacks the job" if other == state else "has the job and should not"
                yield Finding(f"index of {_state(other)}", said)
        places = {"jobs": self.scores["jobs"], _state(state): self.in_states.get(state)}
        for name, score in places.items():
            if score is not None and number is not None and score != _number(number):
                yield Finding(f"index {name}", "has the job in another place than its number of acceptance")


def _dates(
    job_id: str, job: pb.Job | None, hold: date_claims.Hold | None, holders: Mapping[str, str]
) -> Iterator[Finding]:
    if job is None or hold is None:
        return
    if job.state in JOB_TERMINAL:
        kept = [day for day, holder in holders.items() if holder == job_id]
        if kept:
            yield Finding("dates", f"{len(kept)} are still held, though the job has ended; the first is {kept[0]}")
    elif not date_claims.waits(job):
        wanted = {dates.compact(run.biz_date) for run in job.runs if run.state not in RUN_TERMINAL}
        lost = sorted(day for day in wanted if holders.get(day) != job_id)
        if lost:
            yield Finding("dates", f"{len(lost)} are not held, though the job runs them; the first is {lost[0]}")


def differences(kept: Message, wanted: Message, path: str = "") -> Iterator[str]:
    """The fields in which two messages of a type differ, as paths such as "runs[3].state"."""
    for field in kept.DESCRIPTOR.fields:
        name = f"{path}.{field.name}" if path else field.name
        one, other = getattr(kept, field.name), getattr(wanted, field.name)
        if field.is_repeated:
            yield from _in_rows(one, other, name)
        elif field.message_type is None:
            if one != other or (field.has_presence and kept.HasField(field.name) != wanted.HasField(field.name)):
                yield name
        elif kept.HasField(field.name) != wanted.HasField(field.name):
            yield name
        elif one != other:
            yield from differences(one, other, name)


def _in_rows(kept: Any, wanted: Any, name: str) -> Iterator[str]:
    if kept == wanted:
        return
    if len(kept) != len(wanted) or isinstance(kept, Mapping) or not all(isinstance(row, Message) for row in kept):
        yield name
        return
    for at, (one, other) in enumerate(zip(kept, wanted, strict=True)):
        if one != other:
            yield from differences(one, other, f"{name}[{at}]")


def _state(state: pb.JobState.ValueType) -> str:
    return pb.JobState.Name(state).removeprefix("JOB_STATE_")


def _number(raw: bytes | None) -> int:
    return int(raw) if raw is not None and raw.isdigit() and len(raw) < 19 else 0
