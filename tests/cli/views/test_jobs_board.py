"""The board of all jobs: drawn from the feed alone, bounded, and quiet about control characters."""

from rich.console import Console

from headgate import pb
from headgate_cli.views import jobs_board
from headgate_cli.views.jobs_board import JobsBoard


def drawn(found: JobsBoard, *, width: int = 100, height: int = 20) -> list[str]:
    console = Console(width=width, height=height, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(found)
    return [line.rstrip() for line in capture.get().splitlines()]


def snapshot(name: str, state: pb.JobState.ValueType, revision: int = 3) -> pb.WatchJobResponse:
    job = pb.Job(name=f"jobs/{name}", state=state, revision=revision, backfill=pb.BackfillSpec())
    job.counts.total, job.counts.succeeded = 4, 1
    return pb.WatchJobResponse(job=job.name, revision=revision, snapshot=job)


def event(name: str, revision: int, **given: object) -> pb.WatchJobResponse:
    found = pb.JobEvent(revision=revision, **given)  # type: ignore[arg-type]
    found.event_time.FromSeconds(1_739_000_000)
    return pb.WatchJobResponse(job=f"jobs/{name}", revision=revision, event=found)


def test_what_goes_on_comes_before_what_has_ended() -> None:
    found = JobsBoard()
    assert drawn(found)[-1] == "waiting for the server"
    found.show(snapshot("early", pb.JOB_STATE_RUNNING))
    found.show(snapshot("late", pb.JOB_STATE_RUNNING))
    ends = [*[pb.RUN_STATE_SUCCEEDED] * 3, pb.RUN_STATE_FAILED]
    runs = [pb.InstanceRun(index=index, state=state) for index, state in enumerate(ends)]
    found.show(
        event("early", 4, type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_FAILED, message="1 of 4", runs=runs)
    )

    title, _, header, first, second = drawn(found)

    assert title.split() == ["2", "jobs", "failed", "1", "running", "1"]
    assert header.split()[:6] == ["job", "state", "kind", "runs", "failed", "rev"]
    assert first.split()[:5] == ["late", "running", "backfill", "1/4", "3"]
    assert second.split()[:6] == ["early", "failed", "backfill", "3/4", "1", "4"] and "1 of 4" in second


def test_a_job_first_heard_of_by_an_event_is_shown_as_far_as_it_is_known() -> None:
    found = JobsBoard()
    found.show(event("new", 7, type=pb.EVENT_TYPE_WARNING, state=pb.JOB_STATE_PAUSED, message="by\x1b[31m"))

    line = drawn(found)[3]

    assert line.split()[:3] == ["new", "paused", "7"] and "\\x1b[31m" in line


def test_it_remembers_and_shows_only_so_many() -> None:
    found = JobsBoard()
    found.show(snapshot("ended", pb.JOB_STATE_SUCCEEDED))
    for number in range(jobs_board.MOST_JOBS):
        found.show(snapshot(f"n{number}", pb.JOB_STATE_RUNNING))

    lines = drawn(found, height=12)

    assert lines[0].split()[0] == str(jobs_board.MOST_JOBS)
    assert len(lines) <= 12 and lines[-1] == f"and {jobs_board.MOST_JOBS - 7} more"
    assert not any("ended" in line for line in lines)


def test_it_fits_into_a_narrow_terminal() -> None:
    found = JobsBoard()
    found.show(snapshot("orders-2025", pb.JOB_STATE_NEEDS_ATTENTION))
    found.show(event("orders-2025", 4, type=pb.EVENT_TYPE_WARNING, state=pb.JOB_STATE_RUNNING, message="x" * 300))
    found.reconnecting("UNAVAILABLE", 1.5)

    lines = drawn(found, width=80)

    assert max(map(len, lines)) <= 80 and lines[-1] == "lost the stream (UNAVAILABLE); coming back in 1.5 s"
