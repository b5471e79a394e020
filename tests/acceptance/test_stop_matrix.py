"""Who stopped a date x when that was read x how upstream starts children: states, starter, stopper and the job's end.

A backfill of three dates, one after the other, with HALT. The second date is the one that is stopped, or fails; for the
halt itself it is the first. What each cell comes to stands in `TABLE`. However slow or lost a stop is, what is told is
compared with what really happened.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Final

import pytest

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_worker.core.model.calls import Call, ListTasks, StopInstances
from headgate_worker.core.model.view import Policy
from tests.acceptance.virtual import Fixed, World, backfill, days, rules
from tests.simulator.chance import Blow, Fate
from tests.simulator.upstream import ENDED, FAILURE, NOT_RUN, RUNNING, SUCCESS, Instance

pytestmark = pytest.mark.slow

OTHER: Final = "jobs/other"
MODES: Final = ("success_only", "any_end", "never")


def _cancel(mode: pb.CancelMode.ValueType) -> Callable[[World, Instance], None]:
    return lambda world, _: world.cancel(mode)


def _nothing(world: World, one: Instance) -> None:
    """The job's own halt: the first date has been made to fail."""


def _fail(world: World, one: Instance) -> None:
    if one.status == RUNNING:
        world.cloud.end(one, FAILURE)


WHO: Final[dict[str, Callable[[World, Instance], None]]] = {
    "this job's halt": _nothing,
    "cancel, stop": _cancel(pb.CANCEL_MODE_STOP),
    "cancel, drain": _cancel(pb.CANCEL_MODE_DRAIN),
    "cancel, detach": _cancel(pb.CANCEL_MODE_DETACH),
    "another job": lambda world, one: world.stop_as(OTHER, one),
    "another job, reply lost": lambda world, one: world.stop_as(OTHER, one, is_answered=False),
    "console, with ModifyUser": lambda world, one: world.stop_in_console(one, shows_user=True),
    "console, without": lambda world, one: world.stop_in_console(one, shows_user=False),
    "nobody, it fails": _fail,
}


def _waits(world: World) -> bool:
    return world.job.runs[1].state == pb.RUN_STATE_BLOCKED and world.instance(0).status == RUNNING


def _begun_unread(world: World) -> bool:
    return bool(world.cloud.instances) and world.instance(1).status == RUNNING


def _runs(world: World) -> bool:
    return world.job.runs[1].state == pb.RUN_STATE_RUNNING


def _ended_unread(world: World) -> bool:
    return bool(world.cloud.instances) and world.instance(1).status in ENDED


def _made(world: World) -> bool:
    return bool(world.cloud.instances)


WHEN: Final[dict[str, Callable[[World], bool]]] = {
    "parent's end unread": _made,
    "waits": _waits,
    "begun, start unread": _begun_unread,
    "runs": _runs,
    "ended, end unread": _ended_unread,
}


def lived(mode: str, who: str, when: str, *, chance: Fixed | None = None, **fields: object) -> World:
    """One cell: until the moment, what is done then, and all that follows."""
    upstream = rules(auto_start=(mode,), **fields)
    world = World(backfill(3), rules=upstream, policy=Policy(digest_ms=8_000), chance=chance)
    world.cloud.fails = frozenset(days(1)) if who == "this job's halt" else frozenset()
    world.run(WHEN[when])
    WHO[who](world, world.instance(1))
    return world.run()


def told(world: World) -> str:
    """Of each date its state, who started it and who stopped it; and the job's state."""
    cells = []
    for run in world.job.runs:
        state = pb.RunState.Name(run.state).removeprefix("RUN_STATE_").lower()
        started = pb.StartedBy.Name(run.started_by).removeprefix("STARTED_BY_").lower()
        stopped = pb.StoppedBy.Name(run.stopped_by).removeprefix("STOPPED_BY_").lower()
        by = [word for word in (started, stopped and f"/{stopped}") if "unspecified" not in word]
        cells.append(f"{state}({''.join(by)})" if by else state)
    return " ".join(cells) + " " + pb.JobState.Name(world.job.state).removeprefix("JOB_STATE_")


TABLE: Final[dict[tuple[str, str], tuple[str, str, str]]] = {
    ("this job's halt", "parent's end unread"): (
        "failed(headgate) skipped skipped FAILED",
        "failed(headgate) succeeded(upstream) skipped FAILED",
        "failed(headgate) skipped skipped FAILED",
    ),
    ("cancel, stop", "waits"): (
        "stopped(headgate/headgate) stopped(/headgate) stopped(/headgate) CANCELLED",
        "stopped(headgate/headgate) stopped(/headgate) stopped(/headgate) CANCELLED",
        "stopped(headgate/headgate) stopped(/headgate) stopped(/headgate) CANCELLED",
    ),
    ("cancel, stop", "begun, start unread"): (
        "succeeded(headgate) stopped(upstream/headgate) stopped(/headgate) CANCELLED",
        "succeeded(headgate) stopped(upstream/headgate) stopped(/headgate) CANCELLED",
        "succeeded(headgate) stopped(headgate/headgate) stopped(/headgate) CANCELLED",
    ),
    ("cancel, stop", "runs"): (
        "succeeded(headgate) stopped(upstream/headgate) stopped(/headgate) CANCELLED",
        "succeeded(headgate) stopped(upstream/headgate) stopped(/headgate) CANCELLED",
        "succeeded(headgate) stopped(headgate/headgate) stopped(/headgate) CANCELLED",
    ),
    ("cancel, stop", "ended, end unread"): (
        "succeeded(headgate) succeeded(upstream) stopped(upstream/headgate) CANCELLED",
        "succeeded(headgate) succeeded(upstream) stopped(upstream/headgate) CANCELLED",
        "succeeded(headgate) succeeded(headgate) stopped(/headgate) CANCELLED",
    ),
    ("cancel, drain", "waits"): (
        "succeeded(headgate) stopped(/headgate) stopped(/headgate) CANCELLED",
        "succeeded(headgate) stopped(/headgate) stopped(/headgate) CANCELLED",
        "succeeded(headgate) stopped(/headgate) stopped(/headgate) CANCELLED",
    ),
    ("cancel, drain", "begun, start unread"): (
        "succeeded(headgate) succeeded(upstream) stopped(/headgate) CANCELLED",
        "succeeded(headgate) succeeded(upstream) stopped(/headgate) CANCELLED",
        "succeeded(headgate) succeeded(headgate) stopped(/headgate) CANCELLED",
    ),
    ("cancel, drain", "runs"): (
        "succeeded(headgate) succeeded(upstream) stopped(/headgate) CANCELLED",
        "succeeded(headgate) succeeded(upstream) stopped(/headgate) CANCELLED",
        "succeeded(headgate) succeeded(headgate) stopped(/headgate) CANCELLED",
    ),
    ("cancel, drain", "ended, end unread"): (
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) CANCELLED",
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) CANCELLED",
        "succeeded(headgate) succeeded(headgate) stopped(/headgate) CANCELLED",
    ),
    ("cancel, detach", "waits"): (
        "unresolved(headgate) unresolved unresolved CANCELLED",
        "unresolved(headgate) unresolved unresolved CANCELLED",
        "unresolved(headgate) unresolved unresolved CANCELLED",
    ),
    ("cancel, detach", "begun, start unread"): (
        "unresolved(headgate) unresolved unresolved CANCELLED",
        "unresolved(headgate) unresolved unresolved CANCELLED",
        "succeeded(headgate) unresolved(headgate) unresolved CANCELLED",
    ),
    ("cancel, detach", "runs"): (
        "succeeded(headgate) unresolved(upstream) unresolved CANCELLED",
        "succeeded(headgate) unresolved(upstream) unresolved CANCELLED",
        "succeeded(headgate) unresolved(headgate) unresolved CANCELLED",
    ),
    ("cancel, detach", "ended, end unread"): (
        "succeeded(headgate) unresolved(upstream) unresolved CANCELLED",
        "succeeded(headgate) unresolved(upstream) unresolved CANCELLED",
        "succeeded(headgate) unresolved(headgate) unresolved CANCELLED",
    ),
    ("another job", "waits"): (
        "succeeded(headgate) succeeded(headgate) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(headgate) SUCCEEDED",
    ),
    ("another job", "begun, start unread"): (
        "succeeded(headgate) stopped(upstream/another_job) skipped FAILED",
        "succeeded(headgate) stopped(upstream/another_job) succeeded(upstream) FAILED",
        "succeeded(headgate) stopped(headgate/another_job) skipped FAILED",
    ),
    ("another job", "runs"): (
        "succeeded(headgate) stopped(upstream/another_job) skipped FAILED",
        "succeeded(headgate) stopped(upstream/another_job) succeeded(upstream) FAILED",
        "succeeded(headgate) stopped(headgate/another_job) skipped FAILED",
    ),
    ("another job", "ended, end unread"): (
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(headgate) SUCCEEDED",
    ),
    ("another job, reply lost", "waits"): (
        "succeeded(headgate) succeeded(headgate) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(headgate) SUCCEEDED",
    ),
    ("another job, reply lost", "begun, start unread"): (
        "succeeded(headgate) stopped(upstream/another_job) skipped FAILED",
        "succeeded(headgate) stopped(upstream/another_job) succeeded(upstream) FAILED",
        "succeeded(headgate) stopped(headgate/another_job) skipped FAILED",
    ),
    ("another job, reply lost", "runs"): (
        "succeeded(headgate) stopped(upstream/another_job) skipped FAILED",
        "succeeded(headgate) stopped(upstream/another_job) succeeded(upstream) FAILED",
        "succeeded(headgate) stopped(headgate/another_job) skipped FAILED",
    ),
    ("another job, reply lost", "ended, end unread"): (
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(headgate) SUCCEEDED",
    ),
    ("console, with ModifyUser", "waits"): (
        "succeeded(headgate) succeeded(headgate) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(headgate) SUCCEEDED",
    ),
    ("console, with ModifyUser", "begun, start unread"): (
        "succeeded(headgate) failed skipped FAILED",
        "succeeded(headgate) failed succeeded(upstream) FAILED",
        "succeeded(headgate) stopped(headgate/operator) skipped FAILED",
    ),
    ("console, with ModifyUser", "runs"): (
        "succeeded(headgate) stopped(upstream/operator) skipped FAILED",
        "succeeded(headgate) stopped(upstream/operator) succeeded(upstream) FAILED",
        "succeeded(headgate) stopped(headgate/operator) skipped FAILED",
    ),
    ("console, with ModifyUser", "ended, end unread"): (
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(headgate) SUCCEEDED",
    ),
    ("console, without", "waits"): (
        "succeeded(headgate) succeeded(headgate) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(headgate) SUCCEEDED",
    ),
    ("console, without", "begun, start unread"): (
        "succeeded(headgate) failed(upstream) skipped FAILED",
        "succeeded(headgate) failed(upstream) succeeded(upstream) FAILED",
        "succeeded(headgate) failed(headgate) skipped FAILED",
    ),
    ("console, without", "runs"): (
        "succeeded(headgate) failed(upstream) skipped FAILED",
        "succeeded(headgate) failed(upstream) succeeded(upstream) FAILED",
        "succeeded(headgate) failed(headgate) skipped FAILED",
    ),
    ("console, without", "ended, end unread"): (
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(headgate) SUCCEEDED",
    ),
    ("nobody, it fails", "waits"): (
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(headgate) SUCCEEDED",
    ),
    ("nobody, it fails", "begun, start unread"): (
        "succeeded(headgate) failed(upstream) skipped FAILED",
        "succeeded(headgate) failed(upstream) succeeded(upstream) FAILED",
        "succeeded(headgate) failed(headgate) skipped FAILED",
    ),
    ("nobody, it fails", "runs"): (
        "succeeded(headgate) failed(upstream) skipped FAILED",
        "succeeded(headgate) failed(upstream) succeeded(upstream) FAILED",
        "succeeded(headgate) failed(headgate) skipped FAILED",
    ),
    ("nobody, it fails", "ended, end unread"): (
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(upstream) succeeded(upstream) SUCCEEDED",
        "succeeded(headgate) succeeded(headgate) succeeded(headgate) SUCCEEDED",
    ),
}
"""By who stopped and when: what each of `MODES` comes to, in the words of `told`."""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("who", "when"), TABLE)
def test_each_cell_is_told_as_it_is(who: str, when: str, mode: str) -> None:
    world = lived(mode, who, when)

    assert told(world) == TABLE[who, when][MODES.index(mode)]
    others = {run.stopped_by_job for run in world.job.runs if run.stopped_by == pb.STOPPED_BY_ANOTHER_JOB}
    assert others <= {OTHER}
    check_truth(world)


class DiesAfterStop(Fixed):
    """The worker dies when the first stop was executed, before anything is known of it."""

    def __init__(self) -> None:
        super().__init__()
        self._stop_sent, self._died = False, False

    def fate(self, call: Call, now_ms: int) -> Fate:
        """All calls are fine."""
        self._stop_sent |= isinstance(call, StopInstances)
        return super().fate(call, now_ms)

    def blow(self, now_ms: int, point: str) -> Blow:
        """One death."""
        if not self._stop_sent or self._died or point != "answered":
            return Blow.NONE
        self._died = True
        return Blow.DEATH


TROUBLES: Final[dict[str, Callable[[], Fixed]]] = {
    "none": Fixed,
    "request lost": lambda: Fixed(0, {(StopInstances, 1): Fate.LOST_REQUEST}),
    "reply lost": lambda: Fixed(0, {(StopInstances, 1): Fate.LOST_REPLY}),
    "applied late": lambda: Fixed(0, {(StopInstances, 1): Fate.APPLIED_LATE}),
    "worker dies": DiesAfterStop,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_however_a_stop_goes_what_is_told_is_right_or_absent(trouble: str, mode: str) -> None:
    """At once, or late and then also for what never ran."""
    for (who, when), (stop_ms, fails) in product(TABLE, ((0, False), (90_000, True))):
        world = lived(mode, who, when, chance=TROUBLES[trouble](), stop_ms=stop_ms, stop_not_run_fails=fails)
        assert world.job.state in JOB_TERMINAL, (who, when, stop_ms, fails)
        check_truth(world, who, when, stop_ms, fails)


def check_truth(world: World, *cell: object) -> None:
    """Whether each row says what happened to its instance, or nothing."""
    asked = {call.workflow_instance_id for _, call in world.ledger.calls if isinstance(call, ListTasks)}
    for run, one in zip(world.job.runs, world.made(), strict=True):
        if run.state == pb.RUN_STATE_UNRESOLVED:
            continue  # the job has let go of it
        assert run.started_by in (pb.STARTED_BY_UNSPECIFIED, STARTERS.get(one.started_by)), cell
        assert (run.state, run.stopped_by) in ends(one), cell
        assert one.id not in asked or run.state == pb.RUN_STATE_FAILED, cell


STARTERS: Final = {"job": pb.STARTED_BY_HEADGATE, "upstream": pb.STARTED_BY_UPSTREAM}
_NOBODY: Final = pb.STOPPED_BY_UNSPECIFIED


def ends(one: Instance) -> set[tuple[int, int]]:
    """What a row may say of its instance: states, and who stopped it."""
    own: set[tuple[int, int]] = {(pb.RUN_STATE_SKIPPED, _NOBODY), (pb.RUN_STATE_STOPPED, pb.STOPPED_BY_HEADGATE)}
    if not one.run_number and (one.status == NOT_RUN or one.ended_by == "job"):
        return own
    if one.status == SUCCESS:
        return {(pb.RUN_STATE_SUCCEEDED, _NOBODY)}
    if not one.ended_by:
        return {(pb.RUN_STATE_FAILED, _NOBODY)}
    if one.ended_by == "operator":
        return {(pb.RUN_STATE_FAILED, _NOBODY), (pb.RUN_STATE_STOPPED, pb.STOPPED_BY_OPERATOR)}
    by = pb.STOPPED_BY_HEADGATE if one.ended_by == "job" else pb.STOPPED_BY_ANOTHER_JOB
    return {(pb.RUN_STATE_STOPPED, by)}
