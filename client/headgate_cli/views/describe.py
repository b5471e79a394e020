"""Put jobs, runs, events and instances into words and rows. Pure: messages in, text out."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from rich.text import Text

from headgate import pb
from headgate.backfill import end_forecast
from headgate.process.wait_bounds import WaitBounds
from headgate_cli.input.enums import plain
from headgate_cli.views.output import clean

JOB_COLUMNS = ("JOB", "STATE", "KIND", "RUNS", "CREATED", "LABELS")
RUN_COLUMNS = ("BIZ DATE", "INSTANCE", "STATE", "DETAIL")
EVENT_COLUMNS = ("REV", "TIME", "EVENT", "JOB", "WHAT HAPPENED")
INSTANCE_COLUMNS = ("ID", "BIZ DATE", "STATUS", "TYPE", "STARTED", "FINISHED", "NAME")
CAUSE_COLUMNS = ("CAUSE", "ABOUT", "SINCE", "UNTIL", "WHAT")

_LOG_LINES = 10

_STYLES = {
    "succeeded": "green",
    "success": "green",
    "failed": "bold red",
    "failure": "bold red",
    "unresolved": "bold red",
    "needs attention": "bold magenta",
    "running": "cyan",
    "starting": "cyan",
    "blocked": "yellow",
    "cancelling": "yellow",
    "cancelled": "yellow",
    "stopped": "yellow",
    "skipped": "dim",
    "paused": "yellow",
}


_EXPECTED_WORDS = {
    pb.RUN_STATE_CREATED: "NotRun",
    pb.RUN_STATE_STARTING: "NotRun",
    pb.RUN_STATE_RUNNING: "Running",
    pb.RUN_STATE_SUCCEEDED: "Success",
    pb.RUN_STATE_FAILED: "Failure",
}
_STOPPERS = {pb.STOPPED_BY_OPERATOR: "stopped by somebody else"}
_STARTERS = {
    pb.STARTED_BY_UPSTREAM: "started by DataWorks",
    pb.STARTED_BY_OPERATOR: "started by somebody else",
}


def styled(word: str) -> Text:
    """Return a state's word in its colour."""
    return Text(word, style=_STYLES.get(word.lower(), ""))


def job_state(job: pb.Job | pb.JobEvent) -> str:
    """Return where a job stands, in plain words."""
    return plain(job.state, pb.JobState, "JOB_STATE_")


def run_state(run: pb.InstanceRun) -> str:
    """Return where a run stands, in plain words."""
    return plain(run.state, pb.RunState, "RUN_STATE_")


def event_kind(event: pb.JobEvent) -> str:
    """Return what kind of thing happened, in plain words."""
    return plain(event.type, pb.EventType, "EVENT_TYPE_")


def day(date: Date) -> str:
    """Return a business date such as "2025-02-05"; empty if it is not known."""
    return f"{date.year:04}-{date.month:02}-{date.day:02}" if date.year else ""


def clock(moment: Timestamp) -> str:
    """Return the local time of day with tenths, such as "09:30:01.5"; empty if absent."""
    return _local(moment).strftime("%H:%M:%S.%f")[:-5] if moment.seconds else ""


def when(moment: Timestamp) -> str:
    """Return the local date and time, such as "2025-02-08 21:43:21"; empty if absent."""
    return _local(moment).strftime("%Y-%m-%d %H:%M:%S") if moment.seconds else ""


def forecast_line(found: pb.JobForecast) -> str:
    """Return when a job ends, such as "done about 2025-02-09 04:10, by 04:55 at the latest in nine of ten cases"."""
    middle, late = _local(found.p50_end_time), _local(found.p90_end_time)
    form = "%H:%M" if late.date() == middle.date() else "%Y-%m-%d %H:%M"
    said = f"done about {middle:%Y-%m-%d %H:%M}, by {late.strftime(form)} at the latest in nine of ten cases"
    return f"{said}; {found.left_dates} dates left, by {found.succeeded_dates} that succeeded"


def end_said(job: pb.Job, now: float, width: int) -> str:
    """Return when a backfill that runs ends, as of `now` in seconds since 1970; empty where that is not known."""
    found = end_forecast.forecast(job, int(now * 1000), WaitBounds())
    if found is None:
        return ""
    middle, late = (f"{_local(moment):%H:%M:%S}" for moment in (found.p50_end_time, found.p90_end_time))
    said = f"done about {middle}, by {late} in nine of ten cases"
    return said if len(said) <= width else f"done about {middle}, or {late}"


def _local(moment: Timestamp) -> datetime:
    return moment.ToDatetime(tzinfo=UTC).astimezone()


def kind(job: pb.Job) -> str:
    """Return what was asked for, such as "backfill"."""
    return (job.WhichOneof("spec") or "").replace("_", " ")


def subject(job: pb.Job) -> str:
    """Return what a job is about in a few words, such as "backfill orders, 2 runs"."""
    spec = getattr(job, job.WhichOneof("spec") or "", None)
    name = clean(getattr(spec, "name", "") or "")
    runs = f", {len(job.runs)} runs" if job.runs else ""
    return f"{kind(job)} {name}".strip() + runs


def job_line(job: pb.Job) -> Text:
    """Return a job in one line."""
    return Text.assemble((job.name, "bold"), " ", styled(job_state(job)), f" {subject(job)}")


def job_row(job: pb.Job) -> Sequence[str | Text]:
    """Return a job as a row of JOB_COLUMNS."""
    labels = " ".join(f"{clean(key)}={clean(value)}" for key, value in sorted(job.labels.items()))
    done = f"{job.counts.succeeded}/{job.counts.total}" if job.counts.total else ""
    return (
        job.name.removeprefix("jobs/"),
        styled(job_state(job)),
        kind(job),
        done,
        when(job.create_time),
        labels,
    )


def run_row(run: pb.InstanceRun) -> Sequence[str | Text]:
    """Return a run as a row of RUN_COLUMNS."""
    return day(run.biz_date), instance(run), styled(run_state(run)), run_detail(run)


def run_line(run: pb.InstanceRun) -> str:
    """Return a run in a few words: date, instance, state, detail."""
    detail = run_detail(run)
    state = f"{run_state(run)}: {detail}" if detail else run_state(run)
    return " ".join(part for part in (day(run.biz_date), instance(run), state) if part)


def instance(run: pb.InstanceRun) -> str:
    """Return the id of a run's upstream instance, or of its task instance; empty while unknown."""
    return str(run.workflow_instance_id or run.task_instance_id or clean(run.flow_instance_id))


def run_detail(run: pb.InstanceRun) -> str:
    """Return what else there is to say of a run: whom it waits for, what went wrong, what is not as expected."""
    if run.state == pb.RUN_STATE_BLOCKED:
        return f"waits for parent {run.blocked_by_id}"
    if run.error.message:
        return clean(run.error.message)
    said = "" if run.upstream_status == _EXPECTED_WORDS.get(run.state) else clean(run.upstream_status)
    attempt = f"attempt {run.attempt}" if run.attempt > 1 else ""
    parts = (said, _blamed(run), _STARTERS.get(run.started_by, ""), _stopper(run), attempt)
    return ", ".join(part for part in parts if part)


def _stopper(run: pb.InstanceRun) -> str:
    if run.stopped_by_job:
        return f"stopped by {clean(run.stopped_by_job)}"
    return _STOPPERS.get(run.stopped_by, "")


def _blamed(run: pb.InstanceRun) -> str:
    if run.dry_run_tasks:
        return f"did nothing by dry run: {clean(', '.join(run.dry_run_tasks))}"
    return f"task {clean(run.failure_digest.task_name)} failed" if run.failure_digest.task_name else ""


def failure_lines(job: pb.Job) -> Iterator[str]:
    """Yield the ends of the logs of the tasks that failed."""
    for run in job.runs:
        digest = run.failure_digest
        if digest.log_tail:
            task = digest.task_instance_id or clean(digest.flow_task_instance_id)
            whose = day(run.biz_date) or instance(run)
            yield f"{whose} {clean(digest.task_name)} ({task}) ended its log with:"
            yield from (f"    {clean(line)}" for line in digest.log_tail.splitlines()[-_LOG_LINES:])


def event_row(event: pb.JobEvent) -> Sequence[str | Text]:
    """Return an event as a row of EVENT_COLUMNS."""
    return (
        str(event.revision),
        clock(event.event_time),
        event_kind(event),
        styled(job_state(event)),
        "; ".join(event_facts(event)),
    )


def event_line(event: pb.JobEvent) -> Text:
    """Return an event in one line."""
    head = f"#{event.revision:<3} {clock(event.event_time)}  "
    return Text.assemble((head, "dim"), f"{event_kind(event):<18} ", "; ".join(event_facts(event)))


def event_facts(event: pb.JobEvent) -> Sequence[str]:
    """Return what an event says, fact by fact: message, runs, operations, error."""
    facts = [*_facts(event)] or [f"the job is {job_state(event)}"]
    return [fact for index, fact in enumerate(facts) if not _is_said(fact, facts[index + 1 :])]


def _facts(event: pb.JobEvent) -> Iterator[str]:
    if event.message and not any(run.workflow_instance_id and instance(run) in event.message for run in event.runs):
        yield clean(event.message)
    if event.type == pb.EVENT_TYPE_ACCEPTED:
        yield subject(event.job)
    yield from (run_line(run) for run in event.runs)
    yield from (operation_fact(operation) for operation in event.operations)
    if event.error.message:
        yield clean(event.error.message)
    if event.type == pb.EVENT_TYPE_STATE_CHANGED and not event.message:
        yield f"the job is {job_state(event)}"


def _is_said(fact: str, later: Sequence[str]) -> bool:
    return any(other.startswith(fact) for other in later)


def operation_fact(operation: pb.UpstreamOperation) -> str:
    """Return what is known of a call upstream, in a few words."""
    outcome = plain(operation.outcome, pb.OperationOutcome, "OPERATION_OUTCOME_")
    number = f" {clean(operation.operation_id)}" if operation.operation_id else ""
    return f"{clean(operation.action)} {outcome}{number}"


def instance_row(found: pb.WorkflowInstance) -> Sequence[str | Text]:
    """Return a workflow instance as a row of INSTANCE_COLUMNS."""
    return (
        str(found.id),
        day(found.biz_date),
        styled(clean(found.status_raw)),
        clean(found.type_raw),
        when(found.started_time),
        when(found.finished_time),
        clean(found.name),
    )


def cause_row(cause: pb.Cause) -> Sequence[str | Text]:
    """Return a cause as a row of CAUSE_COLUMNS."""
    word = plain(cause.kind, pb.CauseKind, "CAUSE_KIND_")
    until = when(cause.expected_clear_time)
    if cause.HasField("deadline_time"):
        until = f"at most {when(cause.deadline_time)}"
    return word, clean(cause.subject), when(cause.since), until, clean(cause.description)
