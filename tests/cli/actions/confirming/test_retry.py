"""Which dates of an ended backfill run again, as typed."""

from datetime import date

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate_cli.actions.confirming.retry import RetryChoice, chosen_days, named_days
from headgate_cli.process.exit_codes import UsageFault

FIFTH, SIXTH, SEVENTH = (date(2025, 2, day) for day in (5, 6, 7))


def job(*states: pb.RunState.ValueType) -> pb.Job:
    days = (FIFTH, SIXTH, SEVENTH)
    runs = [pb.InstanceRun(index=n, state=state, biz_date=dates.to_message(days[n])) for n, state in enumerate(states)]
    return pb.Job(name="jobs/orders", state=pb.JOB_STATE_FAILED, runs=runs)


def test_a_range_is_its_dates_one_by_one() -> None:
    assert named_days(["2025-02-05..2025-02-06", "2025-02-07"]) == [FIFTH, SIXTH, SEVENTH] and named_days([]) == []


def test_without_a_choice_all_that_did_not_succeed_run_again() -> None:
    assert chosen_days(job(pb.RUN_STATE_FAILED), RetryChoice((), failed=False)) == []


def test_those_that_failed_are_not_those_that_were_stopped() -> None:
    found = job(pb.RUN_STATE_FAILED, pb.RUN_STATE_STOPPED, pb.RUN_STATE_SUCCEEDED)

    assert list(chosen_days(found, RetryChoice((), failed=True))) == [FIFTH]


@pytest.mark.parametrize(
    ("choice", "said"),
    [(RetryChoice(["2025-02-05"], failed=True), "leave --biz-dates out"), (RetryChoice((), failed=True), "has failed")],
)
def test_a_choice_that_makes_no_sense_is_told(choice: RetryChoice, said: str) -> None:
    with pytest.raises(UsageFault, match=said):
        chosen_days(job(pb.RUN_STATE_STOPPED), choice)
