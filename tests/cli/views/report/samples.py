"""Reports as the views of the command line are given them, of every kind of date."""

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.code_pb2 import ALREADY_EXISTS
from google.rpc.status_pb2 import Status

from headgate import pb
from tests.server.reports.logs import Log, at, both_succeeded, row, seen

HOSTILE = "<script>alert('x')</script> | \x1b[31m =cmd"


def good() -> pb.JobReport:
    """Two dates that succeeded once each, and upstream says so."""
    return both_succeeded().report(seen(row(11), row(12, index=1)))


def mixed() -> pb.JobReport:
    """Six dates: tried again, failed, left alone, not run, of someone else, by dry run."""
    of = Log(6, reprocess=pb.REPROCESS_MISSING_ONLY)
    of.operation(
        pb.OPERATION_OUTCOME_CONFIRMED,
        pb.EVENT_TYPE_OPERATION_CHANGED,
        attempts=1,
        operation_id="OP-1",
        upstream_request_ids=["C-1"],
    )
    of.run(0, pb.RUN_STATE_FAILED, 11, started_time=at(10), finished_time=at(70))
    of.run(0, pb.RUN_STATE_FAILED, failure_digest=pb.FailureDigest(task_name="load orders"))
    of.again(0)
    of.succeed(0, 21)
    of.run(1, pb.RUN_STATE_FAILED, 12, upstream_status="Failure", started_time=at(10), finished_time=at(15))
    error = Status(code=ALREADY_EXISTS, message="instance 7 exists, Success")
    of.run(2, pb.RUN_STATE_SKIPPED, 7, upstream_status="Success", error=error)
    of.run(3, pb.RUN_STATE_SKIPPED, error=Status(code=9, message=HOSTILE))
    of.succeed(4, 15)
    of.succeed(5, 16)
    of.run(5, pb.RUN_STATE_SUCCEEDED, dry_run_tasks=["export"])
    of.say(pb.JobEvent(type=pb.EVENT_TYPE_WARNING, message=HOSTILE))
    of.end(pb.JOB_STATE_FAILED)
    rows = [row(11, "Failure"), row(21), row(12, "Failure", 1), row(7, index=2), row(15, index=4), row(16, index=5)]
    other = row(50, "Running", 4, create_user="2003", modify_user="2004", started_time=at(300))
    return of.report(seen(*rows, other))


def year() -> pb.JobReport:
    """A year in ten lanes: a date that failed and was tried again, one that failed twice, one that was stopped."""
    of = Log(365)
    for index in range(365):
        begin = index // 10 * 600 + index % 10 * 7
        began, ended = at(begin), at(begin + 500 + index * 37 % 90)
        by = pb.STARTED_BY_HEADGATE if index < 10 else pb.STARTED_BY_UPSTREAM
        if index in (100, 200):
            _run(of, index, pb.RUN_STATE_FAILED, 5_000 + index, began, ended, by)
            of.again(index)
        if index == 200:
            _run(of, index, pb.RUN_STATE_FAILED, 6_000 + index, at(23_000), at(23_040), by)
        elif index == 300:
            of.run(index, pb.RUN_STATE_STOPPED, 1_000 + index, stopped_by=pb.STOPPED_BY_OPERATOR)
        elif index == 100:
            _run(of, index, pb.RUN_STATE_SUCCEEDED, 1_000 + index, at(22_500), at(22_900), by)
        else:
            _run(of, index, pb.RUN_STATE_SUCCEEDED, 1_000 + index, began, ended, by)
    return of.end(pb.JOB_STATE_FAILED).report()


def _run(
    of: Log,
    index: int,
    state: pb.RunState.ValueType,
    instance_id: int,
    began: Timestamp,
    ended: Timestamp,
    by: pb.StartedBy.ValueType,
) -> None:
    status = "Success" if state == pb.RUN_STATE_SUCCEEDED else "Failure"
    call = f"REQUEST-{instance_id}"
    given = {"upstream_status": status, "started_by": by, "started_time": began, "finished_time": ended}
    of.run(index, state, instance_id, call, **given)
