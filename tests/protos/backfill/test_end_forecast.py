"""When a backfill will end, by its own dates so far."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.backfill import dates
from headgate.backfill.end_forecast import forecast
from headgate.process.wait_bounds import WaitBounds
from tests.acceptance.virtual import BEGIN_MS, FIRST, backfill

WAITS = WaitBounds()


def told(job: pb.Job, now_ms: int) -> tuple[int, int]:
    found = forecast(job, now_ms, WAITS)
    assert found is not None
    return found.p50_end_time.ToMilliseconds(), found.p90_end_time.ToMilliseconds()


def job_of(*runs: pb.InstanceRun, **fields: object) -> pb.Job:
    job = pb.Job(name="jobs/x", state=pb.JOB_STATE_RUNNING, backfill=backfill(1, parallelism=2, **fields))
    job.runs.extend(runs)
    for index, run in enumerate(job.runs):
        run.index = index
    return job


def done(start_s: float, took_s: float, state: pb.RunState.ValueType = pb.RUN_STATE_SUCCEEDED) -> pb.InstanceRun:
    run = pb.InstanceRun(state=state, workflow_instance_id=5, attempt=1, biz_date=dates.to_message(FIRST))
    run.started_time.FromMilliseconds(BEGIN_MS + int(start_s * 1000))
    run.finished_time.FromMilliseconds(BEGIN_MS + int((start_s + took_s) * 1000))
    return run


def planned(count: int) -> list[pb.InstanceRun]:
    return [pb.InstanceRun(state=pb.RUN_STATE_PLANNED, attempt=1) for _ in range(count)]


def seconds(job: pb.Job, now_s: float) -> tuple[float, float]:
    middle, late = told(job, BEGIN_MS + int(now_s * 1000))
    return (middle - BEGIN_MS) / 1000 - now_s, (late - BEGIN_MS) / 1000 - now_s


def test_nothing_is_told_where_nothing_is_known_or_a_person_decides() -> None:
    job = job_of(done(0, 60), *planned(5))
    assert forecast(job, BEGIN_MS + 60_000, WAITS) is not None
    assert forecast(job_of(*planned(5)), BEGIN_MS, WAITS) is None
    for state in set(pb.JobState.values()) - {pb.JOB_STATE_RUNNING}:
        job.state = pb.JobState.ValueType(state)
        assert forecast(job, BEGIN_MS + 60_000, WAITS) is None
    assert forecast(pb.Job(state=pb.JOB_STATE_RUNNING, runs=job.runs), BEGIN_MS, WAITS) is None


def test_equal_dates_end_as_they_come_and_more_of_them_make_it_surer() -> None:
    few = seconds(job_of(*(done(60 * n, 60) for n in range(2)), *planned(20)), 120)
    many = seconds(job_of(*(done(60 * (n // 2), 60) for n in range(80)), *planned(20)), 2_400)

    assert many[0] == pytest.approx(600, rel=0.1)
    assert (many[1] - many[0]) < (few[1] - few[0])


def test_failures_with_further_tries_are_counted_and_a_past_pause_hardly() -> None:
    dates_ = [done(60 * (n // 2), 60) for n in range(40)]
    paused = [done(60 * (n // 2) + (7_200 if n >= 20 else 0), 60) for n in range(40)]
    failing = [*dates_[:-4], *(done(1_080, 30, pb.RUN_STATE_FAILED) for _ in range(4))]
    fields = {"max_attempts_per_date": 3, "on_failure": pb.ON_FAILURE_CONTINUE}

    plain, _ = seconds(job_of(*dates_, *planned(40), **fields), 1_200)
    after_pause, _ = seconds(job_of(*paused, *planned(40), **fields), 8_400)
    tried, _ = seconds(job_of(*failing, *planned(40), **fields), 1_200)

    assert after_pause == pytest.approx(plain, rel=0.1)
    assert tried > plain + 60


def test_weekends_that_take_longer_are_told_apart() -> None:
    def of(weekend: bool, run: pb.InstanceRun) -> pb.InstanceRun:
        run.biz_date.CopyFrom(dates.to_message(FIRST.replace(day=1 if weekend else 3)))  # 2025-02-01 is a Saturday
        return run

    took = [300 if n % 4 == 0 else 100 for n in range(40)]
    runs = [of(n % 4 == 0, done(sum(took[:n]), took[n])) for n in range(40)]
    left = [of(True, run) for run in planned(20)], [of(False, run) for run in planned(20)]

    late, soon = (seconds(job_of(*runs, *rest), sum(took))[0] for rest in left)

    assert late == pytest.approx(3 * soon, rel=0.15)


RUNS = st.lists(
    st.builds(
        lambda state, start, took, blocked, day: _random_run(state, start, took, blocked, day),
        st.sampled_from([state for state in pb.RunState.values() if state]),
        st.integers(-10, 100_000),
        st.integers(-5, 50_000),
        st.integers(0, 30),
        st.integers(0, 20),
    ),
    max_size=30,
)


def _random_run(state: pb.RunState.ValueType, start: int, took: int, blocked: int, day: int) -> pb.InstanceRun:
    run = done(start, took, state)
    run.workflow_instance_id, run.blocked_by_id = day + 1, blocked
    run.retries = day % 3
    return run


@given(RUNS, st.integers(-1_000, 200_000), st.integers(0, 3), st.sampled_from(pb.OnFailure.values()))
def test_whatever_the_rows_say_the_times_are_in_order(
    runs: list[pb.InstanceRun], now_s: int, tries: int, on_failure: pb.OnFailure.ValueType
) -> None:
    job = job_of(*runs, max_attempts_per_date=tries, on_failure=on_failure)
    found = forecast(job, BEGIN_MS + now_s * 1000, WAITS)

    if found is not None:
        times = found.forecast_time, found.p50_end_time, found.p90_end_time
        assert [time.ToMilliseconds() for time in times] == sorted(time.ToMilliseconds() for time in times)
        assert found == forecast(job, BEGIN_MS + now_s * 1000, WAITS), "nothing is drawn"
