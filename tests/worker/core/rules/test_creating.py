"""Intent before effect, and what is asked of upstream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.facts.create_windows import create_spec
from headgate_worker.core.model.calls import CreateInstances, ExecuteAdhoc, FailureKind, RerunInstances
from headgate_worker.core.model.view import View
from headgate_worker.core.rules.creating import create, instance_name
from tests.worker.core.building import (
    NOW_MS,
    absorbed,
    acted,
    cancel,
    committed,
    confirmed,
    day,
    failure,
    job,
    operation,
    row,
    spec,
    states,
    taken,
    view,
)


def _planned(count: int, **fields: object) -> View:
    return view(job(*(row(n, pb.RUN_STATE_PLANNED) for n in range(count)), backfill=spec(count, **fields)))


def test_the_intent_is_committed_with_the_exact_marker_before_the_call() -> None:
    of = _planned(2)
    act = acted(create(of))

    after = committed(of, act)
    assert states(after) == ["CREATING", "CREATING"]
    intended = after.operations[0]
    assert (intended.outcome, intended.marker, intended.attempts) == (pb.OPERATION_OUTCOME_INTENDED, "nightly", 1)
    assert isinstance(act.call, CreateInstances)
    assert act.call.spec.name == "nightly"
    assert act.call.spec.HasField("auto_start_enabled")
    assert not act.call.spec.auto_start_enabled
    assert list(act.call.spec.periods.biz_dates) == list(dates.to_ranges([day(0), day(1)]))


@pytest.mark.parametrize("outcome", [pb.OPERATION_OUTCOME_INTENDED, pb.OPERATION_OUTCOME_AMBIGUOUS])
def test_nothing_is_created_while_an_outcome_is_unknown(outcome: pb.OperationOutcome.ValueType) -> None:
    of = _planned(2)
    of.job.operations.append(operation(outcome, 5))

    assert create(of) is None


@pytest.mark.parametrize("state", [pb.JOB_STATE_PAUSED, pb.JOB_STATE_CANCELLING, pb.JOB_STATE_NEEDS_ATTENTION])
def test_nothing_is_created_unless_the_job_runs(state: pb.JobState.ValueType) -> None:
    of = _planned(2)
    of.job.state = state

    assert create(of) is None


def test_what_was_not_executed_is_intended_anew() -> None:
    runs = row(0, pb.RUN_STATE_CREATING), row(1, pb.RUN_STATE_PLANNED)
    of = view(job(*runs, operations=[operation(pb.OPERATION_OUTCOME_NOT_SENT, 0)]), now_ms=NOW_MS + 5)
    act = acted(create(of))

    intended = committed(of, act).operations[0]
    assert (intended.attempts, intended.intent_time.ToMilliseconds()) == (2, NOW_MS + 5)
    assert len(committed(of, act).operations) == 1


def _ended(of: pb.Job, call: CreateInstances) -> pb.Job:
    """The job when the dates of a create have run."""
    sent = set(dates.walk(call.spec.periods.biz_dates))
    after = pb.Job()
    after.CopyFrom(of)
    for run in after.runs:
        if dates.from_message(run.biz_date) in sent:
            run.state = pb.RUN_STATE_SUCCEEDED
    number = len(after.operations)
    after.operations.add(index=number, outcome=pb.OPERATION_OUTCOME_CONFIRMED)
    return after


@given(
    chosen=st.sets(st.integers(0, 60), min_size=1, max_size=40),
    window=st.integers(0, 8),
    order=st.sampled_from([pb.BACKFILL_ORDER_ASC, pb.BACKFILL_ORDER_DESC]),
)
def test_the_calls_of_a_backfill_send_each_date_once_within_the_window(
    chosen: set[int], window: int, order: pb.BackfillOrder.ValueType
) -> None:
    properties = pb.DefaultRunProperties(parallelism=1, order=order)
    runs = [row(n, pb.RUN_STATE_PLANNED) for n in sorted(chosen)]
    for index, run in enumerate(runs):
        run.index = index
    of = job(*runs, backfill=spec(1, max_created_ahead=window, default_run_properties=properties))

    sent: list[int] = []
    while (step := create(view(of))) is not None:
        call = acted(step).call
        assert isinstance(call, CreateInstances)
        days = [(one - day(0)).days for one in dates.walk(call.spec.periods.biz_dates)]
        assert len(call.spec.periods.biz_dates) <= dates.MAX_RANGES_PER_CALL
        assert len(days) <= (window or 60)
        sent += days if order == pb.BACKFILL_ORDER_ASC else sorted(days, reverse=True)
        of = _ended(of, call)

    assert sent == sorted(chosen, reverse=order == pb.BACKFILL_ORDER_DESC)


def test_the_fewest_calls_are_made_where_the_window_allows() -> None:
    of = job(*(row(2 * n, pb.RUN_STATE_PLANNED) for n in range(15)))
    for index, run in enumerate(of.runs):
        run.index = index
    calls = 0
    while (step := create(view(of))) is not None:
        call = acted(step).call
        assert isinstance(call, CreateInstances)
        of, calls = _ended(of, call), calls + 1

    assert calls == 3  # fifteen ranges, seven a call


def test_a_window_that_is_nearly_full_waits_until_it_is_half_empty() -> None:
    runs = [row(n, pb.RUN_STATE_RUNNING) for n in range(3)] + [row(n, pb.RUN_STATE_PLANNED) for n in range(3, 9)]
    of = view(job(*runs, operations=[confirmed(0, 1, 2)], backfill=spec(9, max_created_ahead=4)))
    assert create(of) is None

    of.job.runs[0].state = pb.RUN_STATE_SUCCEEDED
    call = acted(create(of)).call
    assert isinstance(call, CreateInstances)
    assert list(dates.walk(call.spec.periods.biz_dates)) == [day(3), day(4)]


def test_what_starts_itself_is_created_when_the_dates_before_have_ended() -> None:
    runs = row(0, pb.RUN_STATE_RUNNING), row(1, pb.RUN_STATE_PLANNED)
    chosen = spec(2, start_mode=pb.START_MODE_UPSTREAM)
    of = view(job(*runs, operations=[confirmed(0)], backfill=chosen))
    assert create(of) is None

    of.job.runs[0].state = pb.RUN_STATE_SUCCEEDED
    call = acted(create(of)).call
    assert isinstance(call, CreateInstances)
    assert call.spec.auto_start_enabled


@pytest.mark.parametrize("kind", [FailureKind.THROTTLED, FailureKind.FROZEN, FailureKind.TRANSIENT])
def test_a_call_that_was_surely_not_executed_is_sent_again(kind: FailureKind) -> None:
    of = _planned(1)
    act = acted(create(of))
    intended = view(committed(of, act))
    change = absorbed(intended, act.call or CreateInstances(pb.CreateWorkflowInstancesSpec()), failure(kind), 0)

    after = taken(intended, change)
    assert after.operations[0].outcome == pb.OPERATION_OUTCOME_NOT_SENT
    assert change.hints.retry_at_ms > NOW_MS


def test_a_lost_reply_is_ambiguous_and_a_refusal_final() -> None:
    of = _planned(1)
    act = acted(create(of))
    assert act.call is not None
    intended = view(committed(of, act))

    change = absorbed(intended, act.call, failure(FailureKind.AMBIGUOUS, request_id="r-7"), 0)
    assert [draft.message for draft in change.drafts] == ["CreateWorkflowInstances: code.ambiguous: so it is"]
    lost = taken(intended, change)
    assert lost.operations[0].outcome == pb.OPERATION_OUTCOME_AMBIGUOUS
    assert lost.operations[0].upstream_request_ids == ["r-7"]
    refused = taken(intended, absorbed(intended, act.call, failure(FailureKind.REFUSED), 0))
    assert refused.operations[0].outcome == pb.OPERATION_OUTCOME_REFUSED
    assert states(refused) == ["FAILED"]


def test_an_accepted_create_is_known_by_its_operation_id() -> None:
    of = _planned(1)
    act = acted(create(of))
    assert act.call is not None
    intended = view(committed(of, act))
    after = taken(intended, absorbed(intended, act.call, "op-1", 0))

    assert (after.operations[0].outcome, after.operations[0].operation_id) == (pb.OPERATION_OUTCOME_ACCEPTED, "op-1")


def test_an_answer_that_comes_after_a_cancel_is_still_recorded() -> None:
    of = view(job(row(0, pb.RUN_STATE_CREATING), operations=[operation(pb.OPERATION_OUTCOME_INTENDED, 0)], **cancel()))

    after = taken(of, absorbed(of, CreateInstances(pb.CreateWorkflowInstancesSpec()), "op-1", 0))
    assert after.operations[0].operation_id == "op-1"


def test_an_ad_hoc_run_is_executed_once_and_known_at_once() -> None:
    adhoc = pb.ExecuteAdhocWorkflowInstanceSpec(name="probe", project_id=1)
    of = view(job(row(0, pb.RUN_STATE_PLANNED), adhoc=adhoc))
    act = acted(create(of))
    assert act.call == ExecuteAdhoc(adhoc)

    intended = view(committed(of, act))
    after = taken(intended, absorbed(intended, ExecuteAdhoc(adhoc), 100, 0))
    assert list(after.operations[0].workflow_instance_ids) == [100]
    assert create(view(after)) is None


def test_a_rerun_is_sent_once() -> None:
    rerun = pb.RerunWorkflowInstancesSpec(ids=[100])
    of = view(job(row(0, pb.RUN_STATE_CREATED, operation_index=-1), rerun=rerun))
    act = acted(create(of))

    assert act.call == RerunInstances(rerun)
    assert states(committed(of, act)) == ["CREATED"]
    assert create(view(committed(of, act))) is None


@pytest.mark.parametrize(("name", "sent"), [("nightly", "nightly-hguid-of-t"), ("x" * 128, "x" * 117 + "-hguid-of-t")])
def test_where_another_job_has_the_name_this_one_sends_its_own(name: str, sent: str) -> None:
    plain = view(job(create=pb.CreateWorkflowInstancesSpec(name=name)))
    marked = View(plain.job, plain.hints, NOW_MS, marked=True)

    assert instance_name(plain) == name
    act = acted(create(marked))
    assert isinstance(act.call, CreateInstances)
    assert act.call.spec.name == sent == act.drafts[0].operations[0].marker
    assert plain.job.create.name == name


def test_every_field_of_a_backfill_reaches_its_create() -> None:
    shared = {f.name for f in pb.BackfillSpec.DESCRIPTOR.fields} & {
        f.name for f in pb.CreateWorkflowInstancesSpec.DESCRIPTOR.fields
    }
    chosen = spec(
        env_type=pb.ENV_TYPE_PROD,
        workflow_id=5,
        workflow_parameters="a=b",
        task_parameters="{}",
        comment="why",
        tags=[pb.Tag(key="k", value="v")],
        start_time="00:10:00",
        end_time="23:00:00",
    )
    chosen.extra["New"] = "x"
    sent = create_spec(chosen, "nightly", operation(pb.OPERATION_OUTCOME_INTENDED, 0).biz_dates)

    for name in shared - {"name"}:
        assert getattr(sent, name) == getattr(chosen, name), name
    assert (sent.periods.start_time, sent.periods.end_time) == ("00:10:00", "23:00:00")
    assert sent.type == pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA
