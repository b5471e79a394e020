"""The picture of a job, drawn from a recorded log at several revisions and widths."""

import pytest

from headgate import pb
from headgate_cli.views.timeline import Timeline, after_event, after_snapshot, bar, ordered, worked

FIRST, SECOND = 1000341554601, 1000341554605


def run(
    index: int,
    state: pb.RunState.ValueType,
    instance: int = 0,
    blocked_by_id: int = 0,
    started_by: pb.StartedBy.ValueType = pb.STARTED_BY_UNSPECIFIED,
) -> pb.InstanceRun:
    row = pb.InstanceRun(
        index=index,
        state=state,
        workflow_instance_id=instance,
        blocked_by_id=blocked_by_id,
        started_by=started_by,
    )
    row.biz_date.year, row.biz_date.month, row.biz_date.day = 2025, 2, 5 + index
    return row


def event(revision: int, second: int, *runs: pb.InstanceRun) -> pb.JobEvent:
    found = pb.JobEvent(revision=revision, type=pb.EVENT_TYPE_RUN_CHANGED, state=pb.JOB_STATE_RUNNING, runs=runs)
    found.event_time.seconds = 1_739_022_200 + second
    return found


def log() -> list[pb.JobEvent]:
    """A backfill of two dates: created after 2 s, the second one held back until the first one ended."""
    planned = [run(0, pb.RUN_STATE_PLANNED), run(1, pb.RUN_STATE_PLANNED)]
    accepted = event(1, 0)
    accepted.type = pb.EVENT_TYPE_ACCEPTED
    accepted.job.CopyFrom(pb.Job(name="jobs/orders", backfill=pb.BackfillSpec(name="orders"), runs=planned))
    ended = event(7, 18, run(1, pb.RUN_STATE_SUCCEEDED, SECOND, started_by=pb.STARTED_BY_UPSTREAM))
    ended.state = pb.JOB_STATE_SUCCEEDED
    return [
        accepted,
        event(2, 2, run(0, pb.RUN_STATE_CREATED, FIRST), run(1, pb.RUN_STATE_CREATED, SECOND)),
        event(
            3,
            4,
            run(0, pb.RUN_STATE_STARTING, FIRST),
            run(1, pb.RUN_STATE_BLOCKED, SECOND, blocked_by_id=FIRST),
        ),
        event(4, 6, run(0, pb.RUN_STATE_RUNNING, FIRST)),
        event(5, 10, run(0, pb.RUN_STATE_SUCCEEDED, FIRST)),
        event(6, 12, run(1, pb.RUN_STATE_RUNNING, SECOND, started_by=pb.STARTED_BY_UPSTREAM)),
        ended,
    ]


def timeline(revision: int) -> Timeline:
    line = Timeline()
    for item in log()[:revision]:
        line = after_event(line, item)
    return line


def bars(revision: int, width: int) -> list[str]:
    line = timeline(revision)
    return [bar(lane, line.begin, line.last, width).plain for lane in ordered(line)]


@pytest.mark.parametrize(
    ("revision", "width", "drawn"),
    [
        (4, 6, ["····▒▒", "····░░"]),
        (5, 10, ["····██████", "····░░░░░░"]),
        (7, 18, ["····██████        ", "····░░░░░░░░██████"]),
        (7, 9, ["··███    ", "··░░░░███"]),
        (1, 4, ["····", "····"]),
    ],
)
def test_bars_at_a_revision_and_a_width(revision: int, width: int, drawn: list[str]) -> None:
    assert bars(revision, width) == drawn


def test_an_ended_run_is_drawn_in_the_colour_of_its_end() -> None:
    line = timeline(7)
    styles = [span.style for span in bar(ordered(line)[0], line.begin, line.last, 18).spans]

    assert "green" in styles and "cyan" not in styles


def test_the_time_a_run_worked_leaves_out_its_waiting() -> None:
    line = timeline(7)

    assert [worked(lane, line.last) for lane in ordered(line)] == [6.0, 6.0]


def test_from_a_snapshot_the_times_of_upstream_are_drawn() -> None:
    job = pb.Job(name="jobs/orders", runs=[run(0, pb.RUN_STATE_SUCCEEDED, FIRST)])
    job.create_time.seconds, job.update_time.seconds = 100, 110
    job.runs[0].started_time.seconds, job.runs[0].finished_time.seconds = 104, 108

    line = after_snapshot(job)

    assert bar(ordered(line)[0], line.begin, line.last, 10).plain == "····████  "
