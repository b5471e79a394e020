"""Reading instances: which one next, and what a read says. Only the frontier is read: started, and not ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from headgate import pb
from headgate.job.lifecycle import RUN_FRONTIER, RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core.facts import attribution, batch_reads, poll_schedule
from headgate_worker.core.facts.job_kinds import NAMED, newest_first
from headgate_worker.core.facts.runs import IDLE, NOT_STARTED, by_instance, differs, observe
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import (
    Failure,
    FailureKind,
    GetInstance,
    InstancePage,
    ListInstances,
    OutcomeOf,
    Reply,
    StopRecord,
)
from headgate_worker.core.model.steps import Act, Change, Step, run_with, runs_changed
from headgate_worker.core.model.view import Hints, View, once
from headgate_worker.core.rules import blocked_runs, diagnosis
from headgate_worker.core.rules import cancelling as cancelling_rules
from headgate_worker.core.rules.blocked_runs import Look
from headgate_worker.core.rules.run_end import ended, is_old_run
from headgate_worker.core.rules.starting import released, restart
from headgate_worker.core.rules.stopping import cancelling, wants_end, wants_ends


@once
def looks(view: View) -> tuple[Look, ...]:
    """What is to be read or probed, and from when on; runs for which nothing is to be done are left out."""
    return tuple(_looks(view))


def _looks(view: View) -> Iterator[Look]:
    rows, left = by_instance(view.job), [run for run in view.runs if run.state not in RUN_TERMINAL]
    left = [run for run in left if run.workflow_instance_id]
    ends = wants_ends(view)
    ending = [run for run in left if run.state in IDLE and _is_ending(view, run, ends=ends)]
    for run in _first_to_end(view, left, ending):
        yield _foreign_parent(view, run, rows) or _own(view, run)
    yield from _last_looks(view, ending)
    for run in left:
        if run not in ending:
            found = _look(view, run, rows.get(run.blocked_by_id) if run.blocked_by_id else None)
            if found is not None:
                yield found


def _first_to_end(view: View, left: list[pb.InstanceRun], ending: list[pb.InstanceRun]) -> list[pb.InstanceRun]:
    """Which of the runs that are not to run any more may be read now.

    What runs may release what waits, and what waits the next, so they are read in the order in which they would run,
    once nothing runs. Of instances that others made the order is not known: all are read, and `run_end` compares.
    """
    if not ending or any(run.state in RUN_FRONTIER for run in left):
        return []
    if view.kind in NAMED:
        return ending
    in_order = ending[::-1] if newest_first(view.job) else ending
    waiting_for = {run.workflow_instance_id for run in ending}
    return [next((run for run in in_order if run.blocked_by_id not in waiting_for), in_order[0])]


def _last_looks(view: View, ending: list[pb.InstanceRun]) -> Iterator[Look]:
    """One look at each run that was stopped before it ran, where a cancel is about to need a person for its parent."""
    if not any(run.state in RUN_FRONTIER for run in view.runs):
        return
    for run in ending:
        at_ms = cancelling_rules.last_look_ms(view, run)
        if at_ms is not None and view.hints.idle_at_ms.get(run.index, 0) < at_ms:
            yield at_ms, Act(call=GetInstance(run.workflow_instance_id), subject=run.index)


def _foreign_parent(view: View, run: pb.InstanceRun, rows: Mapping[int, pb.InstanceRun]) -> Look | None:
    """The look at a parent that is none of the job's: it may release the child for as long as it has not ended."""
    if view.kind not in NAMED or run.state != pb.RUN_STATE_BLOCKED or run.blocked_by_id in rows:
        return None
    return blocked_runs.look(view, run, None) if run.blocked_by_id else None


def _own(view: View, run: pb.InstanceRun) -> Look:
    return view.hints.poll_at_ms.get(run.index, 0), Act(call=GetInstance(run.workflow_instance_id), subject=run.index)


def _look(view: View, run: pb.InstanceRun, parent: pb.InstanceRun | None) -> Look | None:
    if run.state in RUN_FRONTIER:
        return _own(view, run)
    if run.state == pb.RUN_STATE_BLOCKED:
        return blocked_runs.look(view, run, parent)
    return _own(view, run) if view.kind == "create" else None  # its start is not this job's


def _is_ending(view: View, run: pb.InstanceRun, *, ends: bool) -> bool:
    """Whether an idle run is read only to see that it will not run any more."""
    return cancelling(view) or run.HasField("stop_time") or (ends and wants_end(view, run))


def read(view: View) -> Step | None:
    """Do what is due, the most overdue first."""
    due = min(looks(view), key=lambda look: look[0], default=None)
    if due is None or due[0] > view.now_ms:
        return None
    return batch_reads.batch(view, due[1]) or _shareable(view, due[1])


def _shareable(view: View, act: Act) -> Act:
    """The act, content with what others have read of an instance since this job knew it last.

    Only where an answer of then says the same as one of now: what runs may have ended since, and then it has ended.
    What is NotRun may have been started, so that is always read anew.
    """
    run = view.runs[act.subject] if act.subject >= 0 and not act.drafts else None
    if run is None or not isinstance(act.call, GetInstance):
        return act
    own = act.call.id == run.workflow_instance_id
    known_ms = view.hints.read_at_ms.get(run.index, 0)
    if not known_ms or own is not (run.state == pb.RUN_STATE_RUNNING):
        return act
    acted_ms = (view.hints.asked_at_ms.get(run.index, 0), view.hints.stop_asked_ms.get(run.index, 0))
    return replace(act, since_ms=max(known_ms, *acted_ms, run.stop_time.ToMilliseconds()) + 1)


def next_look_ms(view: View) -> int | None:
    """When the next run is to be looked at; None when none is."""
    return min((at_ms for at_ms, _ in looks(view)), default=None)


def absorb_read(view: View, subject: int, call: GetInstance, outcome: OutcomeOf[pb.WorkflowInstance]) -> Change:
    """What a read of a run's instance, or of its parent, says."""
    run = view.runs[subject]
    if run.state in RUN_TERMINAL:
        return Change((), view.hints.settled())
    if isinstance(outcome, Failure):
        return _unreadable(view, run, call, outcome)
    seen = outcome.body
    if call.id != run.workflow_instance_id:
        return _parent_read(view, run, seen, outcome.at_ms or view.now_ms)
    return _own_read(view, run, outcome, seen)


def absorb_batch(view: View, call: ListInstances, outcome: OutcomeOf[InstancePage]) -> Change:
    """What a list says of instances that run."""
    return batch_reads.absorb_batch(view, call, outcome, _look_again)


def _own_read(view: View, run: pb.InstanceRun, reply: Reply[pb.WorkflowInstance], seen: pb.WorkflowInstance) -> Change:
    known_ms, row = reply.at_ms or view.now_ms, _row(view, run, seen, reply.stops)
    drafts = (runs_changed(row, message=_what(run, row)),) if differs(run, row) else ()
    hints = batch_reads.noted(view, row, seen, diagnosis.opened(view, row, seen, _next(view, row, known_ms)))
    hints = attribution.noted(row, seen, known_ms, hints)
    idle = seen.status in NOT_STARTED and row.state not in _OVER
    return Change(drafts, hints.idle(run.index, known_ms) if idle else hints)


def _row(view: View, run: pb.InstanceRun, seen: pb.WorkflowInstance, stops: tuple[StopRecord, ...]) -> pb.InstanceRun:
    if is_old_run(view, seen):
        return ended(view, run, seen)
    stopper = attribution.stopper(view, run, seen, stops)
    row = observe(run, seen, started_by=attribution.starter(view, run, seen), stopper=stopper)
    if row.state == pb.RUN_STATE_STARTING and seen.status in NOT_STARTED and not run.HasField("stop_time"):
        row = restart(view, row)
    if run.state in IDLE and row.state == pb.RUN_STATE_RUNNING:
        # It has begun all the same: what is to be stopped is asked again, and the record of the stop has its end.
        row = run_with(row, stop_time=None)
    return ended(view, row, seen)


_OVER: Final = RUN_TERMINAL | {pb.RUN_STATE_PLANNED}
"""Run states in which nothing more is expected of the instance that was read; PLANNED: the date waits for another."""


def _what(run: pb.InstanceRun, row: pb.InstanceRun) -> str:
    if row.state == pb.RUN_STATE_PLANNED:
        return f"instance {run.workflow_instance_id} was called back before it ran; its date runs after the failed one"
    return f"instance {row.workflow_instance_id} is {row.upstream_status or 'in an unknown status'}"


def _next(view: View, row: pb.InstanceRun, known_ms: int) -> Hints:
    return view.hints.settled().forget(row.index) if row.state in _OVER else _look_again(view, row, known_ms)


def _look_again(view: View, run: pb.InstanceRun, known_ms: int) -> Hints:
    """The hints with the next look, an interval after what is known: jobs that share an instance fall in step."""
    hints = view.hints.settled()
    if run.index not in hints.asked_at_ms:
        hints = hints.asked(run.index, known_ms)
    next_ms = poll_schedule.next_poll_ms(replace(view, hints=hints, now_ms=known_ms), run)
    return hints.looked(run.index, known_ms, next_ms)


def _parent_read(view: View, run: pb.InstanceRun, seen: pb.WorkflowInstance, known_ms: int) -> Change:
    if seen.status not in (pb.WORKFLOW_INSTANCE_STATUS_SUCCESS, pb.WORKFLOW_INSTANCE_STATUS_FAILURE):
        hints = _look_again(view, run, known_ms)
        return Change((), hints.unstarted(run.index) if run.index in hints.parents_doubted else hints)
    return _parent_ended(view, run, f"parent {seen.id} has ended")


def _parent_ended(view: View, run: pb.InstanceRun, said: str) -> Change:
    hints = view.hints.settled().poll(run.index, view.now_ms)
    if run.state != pb.RUN_STATE_BLOCKED:
        return Change((), hints)
    row = released(view, run)
    over = row.state in RUN_TERMINAL
    return Change((runs_changed(row, message=said),), hints.forget(run.index) if over else hints.cleared(run.index))


def _unreadable(view: View, run: pb.InstanceRun, call: GetInstance, failure: Failure) -> Change:
    hints = poll_schedule.after_failure(view, failure)
    if failure.kind is not FailureKind.NOT_FOUND:
        return Change((), hints)
    if run.index not in view.hints.absent:  # an answer that lost its rows on the way looks the same; it ends no run
        return Change((), replace(hints, absent=hints.absent | {run.index}))
    if call.id != run.workflow_instance_id:
        return _parent_ended(view, run, f"parent {call.id} is gone upstream")
    error = errors.status(Reason.INSTANCE_UNKNOWN, f"instance {call.id} is gone upstream: {failure.message}"[:1024])
    lost = run_with(run, state=pb.RUN_STATE_UNRESOLVED, error=error)
    return Change(
        (runs_changed(lost, message=f"instance {call.id} is gone upstream"),), view.hints.settled().forget(run.index)
    )
