"""Stopping: stop jobs, cancels and halts. Children before parents; nothing counts as stopped before it was read ended.

Stop is asynchronous upstream and leaves no status of its own, so the job remembers that it asked (`stop_time`). An
instance that was stopped before it ran may stay NotRun for ever: it is read once everything that could have released
it has ended, and what is NotRun then does not run any more.
"""

from __future__ import annotations

from dataclasses import replace

from headgate import pb
from headgate.job.lifecycle import RUN_FRONTIER, RUN_TERMINAL
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.facts.failures import FINAL_REFUSALS, may_be_executed
from headgate_worker.core.facts.job_kinds import newest_first
from headgate_worker.core.facts.runs import IDLE, by_instance, differs
from headgate_worker.core.model.calls import Failure, OutcomeOf, PerInstance, StopInstances
from headgate_worker.core.model.steps import Act, Change, Step, run_with, runs_changed, timestamp
from headgate_worker.core.model.view import Hints, View
from headgate_worker.core.rules import not_begun
from headgate_worker.core.rules.failure_policy import awaiting, calls_back, halted, halts


def cancelling(view: View) -> bool:
    """Whether a cancel was asked for and is not confirmed yet."""
    return view.job.state == pb.JOB_STATE_CANCELLING


def wants_ends(view: View) -> bool:
    """Whether there is a reason to stop anything at all."""
    return cancelling(view) or view.kind == "stop" or halted(view) or bool(awaiting(view))


def spares_what_runs(view: View) -> bool:
    """Whether only what has not begun is to be stopped: by a halt, a recall or a drain."""
    if cancelling(view):
        return view.job.cancel.mode == pb.CANCEL_MODE_DRAIN
    return view.kind != "stop"


def wants_end(view: View, run: pb.InstanceRun) -> bool:
    """Whether the run is to be stopped, be it asked already or not."""
    if run.state in RUN_TERMINAL or not run.workflow_instance_id:
        return False
    if cancelling(view):
        return _cancel_ends(view, run)
    if view.kind == "stop":
        return True
    if awaiting(view):
        return calls_back(view, run)
    return halted(view) and halts(view, run)


def _cancel_ends(view: View, run: pb.InstanceRun) -> bool:
    """Whether the job's cancel is about this run.

    A start job that is cancelled stops only what it may have started, and a stop or rerun job nothing that it did not
    touch. With DRAIN, children that wait are stopped too: upstream would start them when their parent ends.
    """
    if view.kind in ("start", "stop", "rerun") and run.state == pb.RUN_STATE_CREATED:
        return run.HasField("stop_time")
    return view.job.cancel.mode != pb.CANCEL_MODE_DRAIN or run.state in IDLE


def _due(view: View, run: pb.InstanceRun) -> bool:
    if run.HasField("stop_time") or not wants_end(view, run):
        return False
    if view.kind == "stop" and view.job.state != pb.JOB_STATE_RUNNING:
        return False
    refused_ms = view.hints.stop_asked_ms.get(run.index)
    return refused_ms is None or view.now_ms >= refused_ms + view.policy.stop_again_ms


def stop(view: View) -> Step | None:
    """Send the stop of everything that is to be stopped, in the order that runs last first: children before parents."""
    rows = [run for run in view.runs if _due(view, run)] if wants_ends(view) else []
    if not rows:
        return None
    if spares_what_runs(view):
        checked = not_begun.ready(view, rows)
        if isinstance(checked, Act):
            return checked
        rows = checked
    newest = newest_first(view.job)
    rows.sort(key=lambda run: (run.state in RUN_FRONTIER, run.index if newest else -run.index))
    ids = tuple(run.workflow_instance_id for run in rows)[: view.policy.batch]
    return Act(call=StopInstances(ids, comment=_comment(view)))


def again_ms(view: View) -> list[int]:
    """When refused stops are asked for again."""
    refused = view.hints.stop_asked_ms
    if not refused:
        return []
    return [
        refused[run.index] + view.policy.stop_again_ms
        for run in view.runs
        if run.index in refused and not run.HasField("stop_time") and wants_end(view, run)
    ]


def _comment(view: View) -> str:
    return view.job.stop.comment if view.kind == "stop" else view.job.cancel.reason


def absorb_stop(view: View, call: StopInstances, outcome: OutcomeOf[dict[int, PerInstance]]) -> Change:
    """Upstream's reply about each instance that was to be stopped. Whatever it is, the instance is read next."""
    if isinstance(outcome, Failure):
        if outcome.kind not in FINAL_REFUSALS:
            return Change((), _perhaps_sent(view, call, outcome))
        answer = PerInstance(success=False, message=f"{outcome.code}: {outcome.message}")
        return _answered(view, dict.fromkeys(call.ids, answer))
    body = outcome.body
    silence = PerInstance(success=False, message="")
    return _answered(view, {one: body.get(one, silence) for one in call.ids})


def _perhaps_sent(view: View, call: StopInstances, failure: Failure) -> Hints:
    """The hints after a stop that failed: it is asked for again, and may have been executed for all that."""
    hints = poll_schedule.after_failure(view, failure)
    if not may_be_executed(failure):
        return hints
    runs = by_instance(view.job)
    return replace(hints, stops_lost=hints.stops_lost | {runs[one].index for one in call.ids if one in runs})


def _answered(view: View, answers: dict[int, PerInstance]) -> Change:
    runs, hints, rows = by_instance(view.job), view.hints.settled(), []
    for instance_id, answer in answers.items():
        run = runs.get(instance_id)
        if run is None or run.state in RUN_TERMINAL:
            continue
        row = run_with(run, upstream_message=answer.message[:1024])
        if answer.success:
            row = run_with(row, stop_time=timestamp(view.now_ms))
        else:
            hints = hints.stop_refused(run.index, view.now_ms)
        rows += [row] if differs(run, row) else []
        hints = hints.poll(run.index, view.now_ms)
    accepted = sum(answer.success for answer in answers.values())
    said = f"stop accepted for {accepted} of {len(answers)} instances"
    return Change((runs_changed(*rows, message=said),) if rows else (), hints)
