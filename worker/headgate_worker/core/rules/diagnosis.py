"""Looking into a run that has ended: which task failed and what its log says, or which tasks only seemed to succeed.

That a run has ended is committed as soon as it is read, and whatever follows from it is decided at once. What is found
out here changes its row a second time. Nothing waits for it but the end of the job, and that only until a time: where
the cloud gives no answer by then, or the quota no room, the job ends without it. It costs two reads a failure of a
workflow instance, one of a flow, and one a success.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import (
    Call,
    Failure,
    FailureKind,
    GetTaskLog,
    ListTasks,
    OutcomeOf,
    TaskFilter,
    TaskPage,
)
from headgate_worker.core.model.event_text import label
from headgate_worker.core.model.flow_calls import FlowTaskLog, GetFlowTaskLog
from headgate_worker.core.model.log_tail import tail
from headgate_worker.core.model.steps import Act, Change, Step, run_with, runs_changed
from headgate_worker.core.model.view import Hints, Inquiry, View

TAIL_BYTES: Final = 4 * 1024
SHORT_TAIL_BYTES: Final = 512
FULL_TAILS: Final = 32
"""Most bytes of a log's end, and of each after that many on one job: a job with a digest on each of its 1,000 dates
takes 0.8 MB. `record_size` shortens what makes a job larger than that."""

NAME_LENGTH: Final = 256
DRY_NAME_LENGTH: Final = 64
MOST_NAMES: Final = 5
"""Characters of a failing task's name, and of one that ran dry; and how many of these stand on one row."""

ROWS: Final = 50
"""Tasks that are asked for: the first that failed, or those that ran dry, are among them."""

FLOW_LOG_BYTES: Final = 1024 * 1024
"""What is asked of a flow's log: no page says which end of a longer one is given, so all of an ordinary one is read."""

MOST_TRIES: Final = 3
"""Calls that may bring nothing before an inquiry is given up."""

_WORKING: Final = frozenset({pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED})
_AGAIN: Final = frozenset({FailureKind.THROTTLED, FailureKind.TRANSIENT, FailureKind.AMBIGUOUS})
_FAILURE, _SUCCESS, _SKIP = "Failure", "Success", "Skip"
"""DataWorks' words for the status of a task, and for a recurrence that makes a dry run of it."""


def opened(view: View, row: pb.InstanceRun, seen: pb.WorkflowInstance, hints: Hints) -> Hints:
    """The hints once a run was read: with an inquiry if that was an end which is to be looked into."""
    wait_ms = _wait_ms(view, row, seen) if view.kind != "stop" else 0
    project_id = seen.project_id or _project_id(view)
    day_ms = seen.biz_date_millis or _day_ms(row)
    if not (wait_ms and project_id and day_ms):
        return hints
    return _with(view, row, Inquiry(view.now_ms + wait_ms, project_id=project_id, day_ms=day_ms), hints)


def _with(view: View, row: pb.InstanceRun, inquiry: Inquiry, hints: Hints) -> Hints:
    left = {index: one for index, one in hints.inquiries.items() if view.now_ms < one.until_ms}
    return replace(hints, inquiries=left).inquire(row.index, inquiry)


def _wait_ms(view: View, row: pb.InstanceRun, seen: pb.WorkflowInstance) -> int:
    if seen.status == pb.WORKFLOW_INSTANCE_STATUS_FAILURE and row.state == pb.RUN_STATE_FAILED:
        return view.policy.digest_ms
    if row.state == pb.RUN_STATE_SUCCEEDED:
        return view.policy.dry_run_ms
    return 0


def _project_id(view: View) -> int:
    spec = getattr(view.job, view.kind) if view.kind else None
    return int(getattr(spec, "project_id", 0))


def _day_ms(row: pb.InstanceRun) -> int:
    return dates.midnight_millis(dates.from_message(row.biz_date)) if row.HasField("biz_date") else 0


def opened_flow(view: View, row: pb.InstanceRun, task: pb.TaskInstanceGraph | None, hints: Hints) -> Hints:
    """The hints once a flow's run was read failed; `task` is the one that its graph shows to have failed."""
    if task is None or not task.task_inst_id or not view.policy.digest_ms or view.kind != "trigger_flow":
        return hints
    until_ms = view.now_ms + view.policy.digest_ms
    inquiry = Inquiry(until_ms, task_id=task.task_inst_id, task_name=task.task_name[:NAME_LENGTH])
    return _with(view, row, inquiry, hints)


def _open(view: View) -> Iterator[tuple[pb.InstanceRun, Inquiry]]:
    """Inquiries that the job's end still waits for. Its own deadline ends them too: no log makes a job late."""
    job = view.job
    if not view.hints.inquiries or job.state not in _WORKING:
        return
    if job.HasField("deadline_time") and view.now_ms >= job.deadline_time.ToMilliseconds():
        return
    for index, inquiry in view.hints.inquiries.items():
        if view.now_ms < inquiry.until_ms and index < len(view.runs) and _is_unknown(view.runs[index]):
            yield view.runs[index], inquiry


def _is_unknown(run: pb.InstanceRun) -> bool:
    if run.state == pb.RUN_STATE_FAILED:
        return not run.HasField("failure_digest")
    return run.state == pb.RUN_STATE_SUCCEEDED and not run.dry_run_tasks


def pending(view: View) -> bool:
    """Whether the job's end is to wait, since something is still being found out."""
    return next(_open(view), None) is not None


def inquire(view: View) -> Step | None:
    """Ask for what is due: first what is begun, then the one with the least time left."""
    due = [(run, inquiry) for run, inquiry in _open(view) if inquiry.at_ms <= view.now_ms]
    if not due:
        return None
    run, inquiry = min(due, key=lambda one: (not one[1].task_id, one[1].until_ms))
    return Act(call=_call(run, inquiry), subject=run.index, until_ms=inquiry.until_ms)


def times_ms(view: View) -> list[int]:
    """When the next call may go out, and when the job waits no longer, of everything that is being found out."""
    return [at_ms for _, inquiry in _open(view) for at_ms in (inquiry.at_ms, inquiry.until_ms) if at_ms]


def _call(run: pb.InstanceRun, inquiry: Inquiry) -> Call:
    if run.flow_instance_id:
        return GetFlowTaskLog(inquiry.task_id, FLOW_LOG_BYTES)
    if inquiry.task_id:
        return GetTaskLog(int(inquiry.task_id), inquiry.run_number)
    failed = run.state == pb.RUN_STATE_FAILED
    only = TaskFilter(status=_FAILURE) if failed else TaskFilter(status=_SUCCESS, trigger_recurrence=_SKIP)
    return ListTasks(
        inquiry.project_id,
        inquiry.day_ms,
        run.workflow_instance_id,
        page_size=ROWS,
        filter=only,
        sort_by="FinishedTime Asc" if failed else "Id Asc",
    )


def _subject(view: View, index: int) -> tuple[pb.InstanceRun, Inquiry] | None:
    """The run and the inquiry that an outcome is about; None when it has become something else meanwhile."""
    inquiry = view.hints.inquiries.get(index)
    if inquiry is None or view.job.state not in _WORKING or not _is_unknown(view.runs[index]):
        return None
    return view.runs[index], inquiry


def absorb_tasks(view: View, subject: int, outcome: OutcomeOf[TaskPage]) -> Change:
    """What a list of the run's tasks says: which one failed, or which ones did nothing."""
    found = _subject(view, subject)
    if found is None:
        return Change((), view.hints.inquire(subject, None))
    run, inquiry = found
    if isinstance(outcome, Failure):
        return _brought_nothing(view, run, inquiry, outcome)
    page = outcome.body
    if run.state == pb.RUN_STATE_SUCCEEDED:
        return _ran_dry(view, run, page)
    task = first_failed(page.tasks)
    if task is None:
        return _brought_nothing(view, run, inquiry, None)
    name = task.task_name[:NAME_LENGTH]
    known = replace(inquiry, task_id=str(task.id), run_number=task.run_number, task_name=name)
    return Change((), view.hints.settled().inquire(subject, known))


def first_failed(tasks: Iterable[pb.TaskInstance]) -> pb.TaskInstance | None:
    """The task instance that failed first; of one that ran several times, the latest run counts."""
    latest: dict[int, pb.TaskInstance] = {}
    for task in sorted(tasks, key=lambda one: one.run_number):
        latest[task.id] = task
    failed = [task for task in latest.values() if task.status == _FAILURE]
    return min(failed, key=_failing_order, default=None)


def _failing_order(task: pb.TaskInstance) -> tuple[bool, int, int]:
    known = next((name for name in ("finished_time", "started_time") if task.HasField(name)), None)
    return known is None, getattr(task, known).ToMilliseconds() if known else 0, task.id


def _ran_dry(view: View, run: pb.InstanceRun, page: TaskPage) -> Change:
    dry = [task for task in page.tasks if task.trigger_recurrence == _SKIP and task.status == _SUCCESS]
    hints = view.hints.settled().inquire(run.index, None)
    if not dry:
        return Change((), hints)
    names = [task.task_name[:DRY_NAME_LENGTH] or f"task {task.task_id}" for task in dry[:MOST_NAMES]]
    said = f"{label(run)} succeeded, but tasks of it were ended by dry run and did nothing: {', '.join(names)}"
    draft = pb.JobEvent(type=pb.EVENT_TYPE_WARNING, runs=[run_with(run, dry_run_tasks=names)], message=said[:1024])
    return Change((draft,), hints)


def absorb_log(view: View, subject: int, outcome: OutcomeOf[str | FlowTaskLog]) -> Change:
    """What the failing task's log says."""
    found = _subject(view, subject)
    if found is None:
        return Change((), view.hints.inquire(subject, None))
    run, inquiry = found
    if isinstance(outcome, Failure):
        return _brought_nothing(view, run, inquiry, outcome)
    body = outcome.body
    text = body.text if isinstance(body, FlowTaskLog) else body
    return _told(view, run, inquiry, *tail(text, _room(view)))


def _room(view: View) -> int:
    there = sum(run.HasField("failure_digest") for run in view.runs)
    return TAIL_BYTES if there < FULL_TAILS else SHORT_TAIL_BYTES


def _told(view: View, run: pb.InstanceRun, inquiry: Inquiry, log_tail: str, truncated: bool) -> Change:
    digest = pb.FailureDigest(task_name=inquiry.task_name, log_tail=log_tail, truncated=truncated)
    if run.flow_instance_id:
        digest.flow_task_instance_id = inquiry.task_id
    else:
        digest.task_instance_id = int(inquiry.task_id)
    said = f"{label(run)}: task {inquiry.task_name} ({inquiry.task_id}) failed"
    draft = runs_changed(run_with(run, failure_digest=digest), message=said)
    return Change((draft,), view.hints.settled().inquire(run.index, None))


def _may_do_better(failure: Failure) -> bool:
    return failure.kind in _AGAIN and failure.code != errors.TOO_LARGE


def _brought_nothing(view: View, run: pb.InstanceRun, inquiry: Inquiry, failure: Failure | None) -> Change:
    """Try again a little later, or give up; the digest of a known task then has no log.

    The job's other calls are not held back: a missing diagnosis delays nothing else.
    """
    tries = inquiry.tries + 1
    if tries < MOST_TRIES and (failure is None or _may_do_better(failure)):
        wait_ms = poll_schedule.backoff_ms(tries, view.jitter, view.policy)
        asked_ms = int((failure.retry_after_seconds or 0) * 1000) if failure else 0
        later = replace(inquiry, tries=tries, at_ms=view.now_ms + max(wait_ms, asked_ms))
        return Change((), view.hints.inquire(run.index, later))
    if inquiry.task_id:
        return _told(view, run, inquiry, "", False)
    return Change((), view.hints.inquire(run.index, None))
