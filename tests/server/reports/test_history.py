"""The instances of each date by a job's log."""

from __future__ import annotations

from headgate import pb
from headgate_server.reports.job_report import report
from tests.server.reports.logs import NOW_MS, Log, at, both_succeeded, kinds


def test_a_date_that_failed_and_succeeded_then_has_run_to_success_once() -> None:
    of = Log()
    of.succeed(0, 11)
    of.run(1, pb.RUN_STATE_FAILED, 12, upstream_status="Failure", finished_time=at(50))
    of.again(1)
    of.succeed(1, 13)
    made = of.end().report()

    assert kinds(made) == []
    told = [(one.workflow_instance_id, one.attempt, one.state) for one in made.dates[1].instances]
    assert told == [(12, 1, pb.RUN_STATE_FAILED), (13, 2, pb.RUN_STATE_SUCCEEDED)]


def test_a_log_without_its_beginning_shows_nothing() -> None:
    of = both_succeeded()
    history = of.history(first=4)
    history.gaps.append("the log begins at revision 4")

    made = report(of.job, history, None, now_ms=NOW_MS)

    assert kinds(made) == ["LOG_INCOMPLETE"]
    assert [len(day.instances) for day in made.dates] == [1, 1]
