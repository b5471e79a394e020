"""What a decision is made from: the job, the worker's hints, the time, jitter, and the policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, TypeVar

from headgate import pb
from headgate.process.child_release import UNKNOWN, ChildRelease

Fact = TypeVar("Fact")
"""What `once` works out."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Numbers that decisions use, all in ms. Set once per worker process.

    Args:
        poll_min_ms: shortest time between two reads of an instance.
        poll_max_ms: longest time between two reads of an instance that runs and may end now.
        poll_far_ms: longest time between two reads of one that is not expected to end yet; poll_max_ms if that is more.
        poll_idle_ms: longest time between two reads of an instance that does not run and may be started by others.
        poll_share: next read after this share of the time it has been running, when its end can't be expected.
        backoff_min_ms: first wait after a failed call.
        backoff_max_ms: longest wait after failed calls.
        adopt_grace_ms: how long a child may stay NotRun after its parent's end before it is started.
        start_grace_ms: how long a started instance may stay NotRun before the start is repeated, and how long a start
            whose reply was lost may still take effect.
        refusal_grace_ms: how long an instance whose start was refused may stay NotRun before the start is repeated.
        start_attempts: how often one instance is started at most.
        idle_settle_ms: how long after the last end of a run an instance that was stopped and is NotRun counts as such.
        stop_again_ms: how long after a stop that was refused it is asked for again.
        settle_ms: how long after an intent a search that finds nothing is repeated before a person is asked.
        resend_absent: whether a create of which a settled search finds nothing is sent again instead.
        clock_error_ms: how far upstream's clock is behind ours at most, if all is well.
        clock_skew_ms: how far it may be behind if not: an instance that may be ours only then is a doubt.
        stop_watchdog_ms: how long a cancel may stay unconfirmed before a person is asked.
        retry_min_ms: how long a date that has failed waits at least until it is tried again, the first time.
        retry_max_ms: how long it waits at most; the wait doubles from one try to the next.
        batch: most instance ids in one start or stop.
        digest_ms: for how long a failed run is looked into at most, and its job's end waits for that; 0 is not at all.
        dry_run_ms: the same for a run that succeeded, and may have tasks that did nothing.
    """

    poll_min_ms: int = 1_000
    poll_max_ms: int = 15_000
    poll_far_ms: int = 180_000
    poll_idle_ms: int = 60_000
    poll_share: float = 0.2
    backoff_min_ms: int = 1_000
    backoff_max_ms: int = 60_000
    adopt_grace_ms: int = 90_000
    start_grace_ms: int = 60_000
    refusal_grace_ms: int = 10_000
    start_attempts: int = 3
    idle_settle_ms: int = 5_000
    stop_again_ms: int = 30_000
    settle_ms: int = 180_000
    resend_absent: bool = False
    clock_error_ms: int = 5_000
    clock_skew_ms: int = 300_000
    stop_watchdog_ms: int = 600_000
    retry_min_ms: int = 30_000
    retry_max_ms: int = 600_000
    batch: int = 100
    digest_ms: int = 0
    dry_run_ms: int = 0


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a survey has found of one date so far.

    Args:
        instance_id: its latest instance; 0 when none was found.
        status: upstream's own word for that instance's status.
        leave: the date is left alone for it.
        next_page: upstream's page to read next, from 1; 0 once the date is done.
    """

    instance_id: int = 0
    status: str = ""
    leave: bool = False
    next_page: int = 1


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is being found out about a run that has ended.

    Args:
        until_ms: the job's end waits for it until then.
        at_ms: no call for it before.
        tries: calls that brought nothing.
        project_id: workspace of its instance; 0 for flows.
        day_ms: business date of its instance; 0 for flows.
        task_id: instance of the task that failed, as text; empty while unknown.
        run_number: which run of that task.
        task_name: its name.
    """

    until_ms: int
    at_ms: int = 0
    tries: int = 0
    project_id: int = 0
    day_ms: int = 0
    task_id: str = ""
    run_number: int = 0
    task_name: str = ""


@dataclass(frozen=True, slots=True)
class Hints:
    """Scratch of the worker between ticks, stored beside the job. Losing it changes timing only.

    Args:
        failures: failed calls in a row.
        retry_at_ms: no call upstream before this.
        poll_at_ms: run index to the time of its next read.
        operation_poll_at_ms: time of the next look at an asynchronous create, or of the next search.
        starts: run index to how often it was started.
        asked_at_ms: run index to when it was last started.
        slot_class: class of the call that a slot of the quota is held for; empty when none is.
        slot_at_ms: time of that slot.
        slot_epoch: epoch of that slot.
        queues_since_ms: since when the next call has asked for a slot and got none; 0 when it has not.
        waits_since_ms: since when the next call waits for a slot and that is not on the bill yet; 0 when none does.
        stops_lost: indexes of runs whose stop was sent and not answered: one that ends in Failure then was stopped.
        modify_users: run index to ModifyUser of its instance while it ran, where that is not its creator, and
            when that was first read.
        read_at_ms: run index to when its instance was last known, for those that are read again and again.
        parents_doubted: indexes of blocked runs for whose ended parent upstream waits all the same: it may run again.
        absent: indexes of runs whose instance the last read did not find; a second one in a row is believed.
        projects: run index to the project of its instance, where a list may ask for it; see `batch_reads`.
        found: business date in ms to the instance ids that the present search has found.
        survey: run index to what the survey has found of its date.
        inquiries: run index to what is being found out about its end; losing it loses the diagnosis.
    """

    failures: int = 0
    retry_at_ms: int = 0
    poll_at_ms: Mapping[int, int] = field(default_factory=dict)
    operation_poll_at_ms: int = 0
    starts: Mapping[int, int] = field(default_factory=dict)
    asked_at_ms: Mapping[int, int] = field(default_factory=dict)
    idle_at_ms: Mapping[int, int] = field(default_factory=dict)
    place_at_ms: int = 0
    stop_asked_ms: Mapping[int, int] = field(default_factory=dict)
    found: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    survey: Mapping[int, Sighting] = field(default_factory=dict)
    inquiries: Mapping[int, Inquiry] = field(default_factory=dict)
    slot_class: str = ""
    slot_at_ms: int = 0
    slot_epoch: int = 0
    waits_since_ms: int = 0
    queues_since_ms: int = 0
    read_at_ms: Mapping[int, int] = field(default_factory=dict)
    stops_lost: frozenset[int] = frozenset()
    absent: frozenset[int] = frozenset()
    projects: Mapping[int, int] = field(default_factory=dict)
    parents_doubted: frozenset[int] = frozenset()
    modify_users: Mapping[int, tuple[str, int]] = field(default_factory=dict)

    def modified(self, run_index: int, user: str, at_ms: int) -> Hints:
        """The hints with who changed a run's instance last while it ran, and when that was first read."""
        return replace(self, modify_users={**self.modify_users, run_index: (user, at_ms)})

    def project(self, run_index: int, project_id: int) -> Hints:
        """The hints with the project of a run's instance; see `batch_reads`."""
        return replace(self, projects={**self.projects, run_index: project_id})

    def looked(self, run_index: int, known_ms: int, next_ms: int) -> Hints:
        """The hints with when a run's instance, or its parent's, was as it is known now, and with its next read."""
        reads, polls = {**self.read_at_ms, run_index: known_ms}, {**self.poll_at_ms, run_index: next_ms}
        return replace(self, read_at_ms=reads, poll_at_ms=polls, absent=self.absent - {run_index})

    def poll(self, run_index: int, at_ms: int) -> Hints:
        """The hints with the next read of a run set."""
        return replace(self, poll_at_ms={**self.poll_at_ms, run_index: at_ms})

    def started(self, run_index: int, at_ms: int) -> Hints:
        """The hints with one more start of a run."""
        starts = {**self.starts, run_index: self.starts.get(run_index, 0) + 1}
        return replace(self, starts=starts).asked(run_index, at_ms)

    def doubted(self, run_index: int) -> Hints:
        """The hints with a blocked run whose parent is to be read before anything is concluded from its end."""
        return replace(self, parents_doubted=self.parents_doubted | {run_index})

    def cleared(self, run_index: int) -> Hints:
        """The hints with a blocked run whose parent is known as it is."""
        return replace(self, parents_doubted=self.parents_doubted - {run_index})

    def unstarted(self, run_index: int) -> Hints:
        """The hints with a run's starts not counted: they could not have had an effect."""
        return replace(self, starts=_without(self.starts, run_index))

    def asked(self, run_index: int, at_ms: int) -> Hints:
        """The hints with the time from which a run's start is waited for."""
        return replace(self, asked_at_ms={**self.asked_at_ms, run_index: at_ms})

    def idle(self, run_index: int, at_ms: int) -> Hints:
        """The hints with a run that was just read NotRun."""
        return replace(self, idle_at_ms={**self.idle_at_ms, run_index: at_ms})

    def stop_refused(self, run_index: int, at_ms: int) -> Hints:
        """The hints with a refused stop of a run."""
        return replace(self, stop_asked_ms={**self.stop_asked_ms, run_index: at_ms})

    def forget(self, run_index: int) -> Hints:
        """The hints without a run that has ended."""
        return replace(
            self,
            poll_at_ms=_without(self.poll_at_ms, run_index),
            starts=_without(self.starts, run_index),
            asked_at_ms=_without(self.asked_at_ms, run_index),
            idle_at_ms=_without(self.idle_at_ms, run_index),
            stop_asked_ms=_without(self.stop_asked_ms, run_index),
            read_at_ms=_without(self.read_at_ms, run_index),
            projects=_without(self.projects, run_index),
            modify_users=_without(self.modify_users, run_index),
            stops_lost=self.stops_lost - {run_index},
            parents_doubted=self.parents_doubted - {run_index},
            absent=self.absent - {run_index},
        )

    def inquire(self, run_index: int, inquiry: Inquiry | None) -> Hints:
        """The hints with what is being found out about a run; None when nothing is any more."""
        others = {key: value for key, value in self.inquiries.items() if key != run_index}
        return replace(self, inquiries=others if inquiry is None else {**others, run_index: inquiry})

    def slot(self, klass: str, at_ms: int, epoch: int = 0) -> Hints:
        """The hints with a slot of the quota held; "" and 0 when it is used."""
        since_ms = self.waits_since_ms if klass else 0
        return replace(self, slot_class=klass, slot_at_ms=at_ms, slot_epoch=epoch, waits_since_ms=since_ms)

    def settled(self) -> Hints:
        """The hints after a call that brought an answer."""
        if not self.failures and not self.retry_at_ms:
            return self
        return replace(self, failures=0, retry_at_ms=0)


def _without(times: Mapping[int, Fact], run_index: int) -> Mapping[int, Fact]:
    return {key: value for key, value in times.items() if key != run_index} if run_index in times else times


@dataclass(frozen=True, slots=True)
class View:
    """Everything a decision may look at.

    Args:
        job: the job as it stands; never changed by a decision.
        hints: the worker's scratch.
        now_ms: the store's clock.
        jitter: a random number, 0 <= jitter < 1.
        policy: the numbers.
        marked: another job gave its instances the name of this one's first (commit.NameClaim).
        release: after which ends of a parent upstream begins children by itself, as far as that is remembered.
        runs: the job's runs, taken out once: each pass over the job itself would wrap every row anew.
        kind: which kind of job it is: the name of the spec that is set, such as "backfill".
        known: what `once` has worked out.
    """

    job: pb.Job
    hints: Hints
    now_ms: int
    jitter: float = 0.5
    policy: Policy = Policy()
    marked: bool = False
    release: ChildRelease = UNKNOWN
    runs: tuple[pb.InstanceRun, ...] = field(init=False, repr=False, compare=False)
    kind: str = field(init=False, repr=False, compare=False)
    known: dict[Callable[[View], Any], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "runs", tuple(self.job.runs))
        object.__setattr__(self, "kind", self.job.WhichOneof("spec") or "")
        object.__setattr__(self, "known", {})


def once(work_out: Callable[[View], Fact]) -> Callable[[View], Fact]:
    """A fact that many rules ask for and that takes a pass over all rows: it is worked out once for each view."""

    @wraps(work_out)
    def fact(view: View) -> Fact:
        if work_out not in view.known:
            view.known[work_out] = work_out(view)
        known: Fact = view.known[work_out]
        return known

    return fact
