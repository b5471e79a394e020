"""The rules of flow jobs, driven against the emulator's world without any I/O: virtual time, losses on request."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_emulator.enos.errors import EnosError
from headgate_emulator.enos.operations import OPERATIONS, Asked, body_of
from headgate_emulator.enos.rules import FlowRules
from headgate_emulator.enos.seeds import seed_instances
from headgate_emulator.enos.statuses import Status
from headgate_emulator.enos.world import FlowWorld, Trigger
from headgate_emulator.fault_book import FaultBook
from headgate_emulator.faults import FailRun, StuckStop
from headgate_worker.core.facts import stop_records
from headgate_worker.core.model.calls import Call, Failure, FailureKind, Outcome, Reply, StopRecord
from headgate_worker.core.model.flow_calls import CancelFlow, GetFlow, ListFlows, TriggerFlow
from headgate_worker.core.model.hints_codec import decode_hints, encode_hints
from headgate_worker.core.model.steps import Act, Wait, apply, timestamp
from headgate_worker.core.model.view import Hints, Policy, View
from headgate_worker.core.planner import absorb, plan
from headgate_worker.core.rules.flow.flows import Marker
from headgate_worker.upstream.enos import answers
from headgate_worker.upstream.enos.replies import EnosReplyContext, decode
from headgate_worker.upstream.enos.requests import prepare
from headgate_worker.upstream.enos.settings import EnosSettings, zone_of
from headgate_worker.upstream.http.connections import HttpReply

START_MS = 1_739_022_200_500
SETTINGS = EnosSettings(
    endpoint="http://h", app_key="k", app_secret="s", user_id="u", org_id="o", trigger_zone="+08:00", run_zone="UTC"
)
Loss = Callable[[Call], str]


def _nothing_lost(_: Call) -> str:
    return ""


@dataclass(slots=True)
class Drive:
    """One job, one EnOS, and a clock that jumps from look to look. `loss` says "request" or "reply" for a call."""

    job: pb.Job
    loss: Loss = _nothing_lost
    now_ms: int = START_MS
    hints: Hints = field(default_factory=Hints)
    events: list[pb.JobEvent] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    book: FaultBook = field(default_factory=FaultBook)
    world: FlowWorld = field(init=False)
    policy: Policy = field(default_factory=Policy)
    stops: list[StopRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = FlowWorld(FlowRules(user_id="u", org_id="o"), self.book, seed_instances())
        self.job.deadline_time.CopyFrom(timestamp(START_MS + 86_400_000))

    def view(self) -> View:
        return View(self.job, decode_hints(encode_hints(self.hints)), self.now_ms, 0.5, self.policy)

    def step(self) -> bool:
        """One step; whether there is more to do."""
        step = plan(self.view())
        if isinstance(step, Act):
            self.commit(step.drafts)
            if step.call is not None:
                change = absorb(self.view(), step, self.ask(step.call))
                self.commit(change.drafts)
                self.hints = change.hints
        elif isinstance(step, Wait):
            assert step.until_ms > self.now_ms
            self.now_ms = step.until_ms
        return self.job.state not in JOB_TERMINAL | {pb.JOB_STATE_NEEDS_ATTENTION}

    def run(self, until: Callable[[Drive], bool] = lambda _: False) -> pb.Job:
        for _ in range(2_000):
            if until(self) or not self.step():
                return self.job
        raise AssertionError("no end in sight")

    def commit(self, drafts: tuple[pb.JobEvent, ...]) -> None:
        self.job, events = apply(self.job, drafts, now_ms=self.now_ms)
        self.events += events

    def ask(self, call: Call) -> Outcome:
        self.calls.append(call)
        self.stops += [StopRecord(self.job.name, self.now_ms) for _ in stop_records.stopped_ids(call)]
        lost = self.loss(call)
        kind = FailureKind.AMBIGUOUS if isinstance(call, TriggerFlow) else FailureKind.TRANSIENT
        if lost != "request":
            outcome = self.answer(call)
            if isinstance(outcome, Reply) and stop_records.recorded_for(call, outcome):
                outcome = replace(outcome, stops=tuple(self.stops))
        return Failure(kind, "connection_lost", "lost") if lost else outcome

    def answer(self, call: Call) -> Outcome:
        prepared = prepare(call, SETTINGS)
        name = prepared.path.rpartition("/")[2], prepared.query["action"]
        try:
            data = OPERATIONS[name].call(self.world, Asked(prepared.query, body_of(prepared.body)), self.now_ms)
            body: dict[str, Any] = {"code": 0, "msg": "OK", "data": data}
        except EnosError as error:
            body = {"code": error.code, "msg": error.message}
        answer = HttpReply(200, "application/json", None, "", json.dumps(body).encode())
        reading = EnosReplyContext(timestamp(self.now_ms), (zone_of("+08:00"), zone_of("UTC")))
        return answers.outcome(call, answer, decode(answer.body), reading)

    def cancel(self, mode: pb.CancelMode.ValueType = pb.CANCEL_MODE_STOP) -> None:
        record = pb.CancelRecord(actor="me", mode=mode, request_time=timestamp(self.now_ms))
        draft = pb.JobEvent(type=pb.EVENT_TYPE_CANCEL_REQUESTED, state=pb.JOB_STATE_CANCELLING, cancel=record)
        self.commit((draft,))

    def made(self) -> list[Any]:
        return self.world.instances[2:]

    def sent(self, kind: type) -> int:
        return sum(isinstance(call, kind) for call in self.calls)


def trigger_job(trigger_ms: int = 0, **spec: Any) -> pb.Job:
    job = pb.Job(name="jobs/t", state=pb.JOB_STATE_QUEUED, revision=1, until=pb.UNTIL_FINISHED)
    job.trigger_flow.CopyFrom(pb.TriggerFlowSpec(flow_id=2809, **spec))
    if trigger_ms:
        job.trigger_flow.trigger_time.CopyFrom(timestamp(trigger_ms))
    job.runs.add(index=0, state=pb.RUN_STATE_PLANNED, attempt=1, operation_index=-1)
    return job


def cancel_job(instance_id: str) -> pb.Job:
    job = pb.Job(name="jobs/c", state=pb.JOB_STATE_QUEUED, revision=1, until=pb.UNTIL_FINISHED)
    job.cancel_flow_instance.flow_instance_id = instance_id
    job.runs.add(index=0, state=pb.RUN_STATE_CREATED, attempt=1, operation_index=-1, flow_instance_id=instance_id)
    return job


def lose(kind: type, how: str, times: int = 1) -> Loss:
    left = SimpleNamespace(times=times)

    def loss(call: Call) -> str:
        if isinstance(call, kind) and left.times:
            left.times -= 1
            return how
        return ""

    return loss


def test_a_flow_is_triggered_once_and_followed_to_its_end() -> None:
    drive = Drive(trigger_job())

    job = drive.run()

    assert (job.state, job.runs[0].state) == (pb.JOB_STATE_SUCCEEDED, pb.RUN_STATE_SUCCEEDED)
    assert job.runs[0].flow_instance_id == drive.made()[0].id
    assert (drive.sent(TriggerFlow), drive.sent(ListFlows)) == (1, 1)
    assert job.operations[0].outcome == pb.OPERATION_OUTCOME_CONFIRMED
    assert job.runs[0].finished_time.ToMilliseconds() == drive.made()[0].end_ms // 1000 * 1000


def test_the_intent_is_on_record_before_the_call() -> None:
    drive = Drive(trigger_job())
    drive.run(lambda one: one.sent(TriggerFlow) == 1)

    intended = [event for event in drive.events if event.operations]
    assert [event.operations[0].outcome for event in intended[:2]] == [
        pb.OPERATION_OUTCOME_NOT_SENT,
        pb.OPERATION_OUTCOME_INTENDED,
    ]
    assert Marker.parse(intended[1].operations[0].marker) == Marker(2809, START_MS - 500)


def test_a_lost_reply_is_found_again() -> None:
    drive = Drive(trigger_job(), loss=lose(TriggerFlow, "reply"))

    job = drive.run()

    assert job.state == pb.JOB_STATE_SUCCEEDED
    assert (len(drive.made()), drive.sent(TriggerFlow)) == (1, 1)
    assert job.operations[0].outcome == pb.OPERATION_OUTCOME_ADOPTED
    assert any(event.type == pb.EVENT_TYPE_RECONCILED for event in drive.events)


def test_a_lost_request_asks_a_person_and_is_never_sent_again() -> None:
    drive = Drive(trigger_job(), loss=lose(TriggerFlow, "request"))

    job = drive.run()

    assert job.state == pb.JOB_STATE_NEEDS_ATTENTION
    assert drive.sent(TriggerFlow) == 1
    assert drive.now_ms >= START_MS + drive.policy.settle_ms


def test_an_instance_that_shows_late_is_still_found() -> None:
    drive = Drive(trigger_job(), loss=lose(TriggerFlow, "reply"))
    drive.world.rules = replace(drive.world.rules, search_lag_seconds=60)

    assert drive.run().state == pb.JOB_STATE_SUCCEEDED
    assert drive.sent(TriggerFlow) == 1


def test_an_instance_that_was_there_before_is_not_taken_for_ours() -> None:
    drive = Drive(trigger_job(START_MS), loss=lose(TriggerFlow, "request"))
    other = drive.world.trigger(Trigger(flow_id=2809, trigger_ms=START_MS), START_MS)

    job = drive.run()

    assert job.state == pb.JOB_STATE_NEEDS_ATTENTION
    assert Marker.parse(job.operations[0].marker).others == (other,)


def test_without_a_time_of_its_own_a_trigger_avoids_the_second_of_another() -> None:
    drive = Drive(trigger_job())
    drive.world.trigger(Trigger(flow_id=2809, trigger_ms=START_MS - 500), START_MS)

    job = drive.run()

    assert job.state == pb.JOB_STATE_SUCCEEDED
    assert Marker.parse(job.operations[0].marker).trigger_ms == START_MS + 500


def test_a_trigger_that_provably_was_not_executed_is_sent_again() -> None:
    drive = Drive(trigger_job())
    drive.loss = lose(ListFlows, "request", 2)

    assert drive.run().state == pb.JOB_STATE_SUCCEEDED
    assert drive.sent(ListFlows) == 3


def test_a_refused_trigger_fails_the_job() -> None:
    drive = Drive(trigger_job(from_task_id=5))

    job = drive.run()

    assert (job.state, job.runs[0].state) == (pb.JOB_STATE_FAILED, pb.RUN_STATE_FAILED)
    assert job.operations[0].outcome == pb.OPERATION_OUTCOME_REFUSED
    assert "62102" in job.runs[0].error.message


def test_a_failed_flow_names_its_task() -> None:
    drive = Drive(trigger_job())
    drive.book.add([FailRun(task_name="tass")])

    job = drive.run()

    assert job.state == pb.JOB_STATE_FAILED
    assert "task tass" in job.error.message


@pytest.mark.parametrize("state", [pb.RUN_STATE_STARTING, pb.RUN_STATE_RUNNING])
def test_a_cancelled_trigger_job_cancels_its_instance(state: pb.RunState.ValueType) -> None:
    drive = Drive(trigger_job())
    drive.world.rules = replace(drive.world.rules, run_seconds=3600)
    drive.run(lambda one: one.job.runs[0].state == state)
    drive.cancel()

    job = drive.run()

    assert (job.state, job.runs[0].state) == (pb.JOB_STATE_CANCELLED, pb.RUN_STATE_STOPPED)
    assert drive.made()[0].status is Status.CANCEL


def test_a_cancel_after_a_lost_reply_finds_the_instance_first() -> None:
    drive = Drive(trigger_job(), loss=lose(TriggerFlow, "reply"))
    drive.world.rules = replace(drive.world.rules, run_seconds=3600)
    drive.run(lambda one: one.sent(TriggerFlow) == 1)
    drive.cancel()

    assert drive.run().state == pb.JOB_STATE_CANCELLED
    assert drive.made()[0].status is Status.CANCEL


def test_a_cancel_before_anything_was_sent_sends_nothing() -> None:
    drive = Drive(trigger_job())
    drive.cancel()

    job = drive.run()

    assert (job.state, job.runs[0].state) == (pb.JOB_STATE_CANCELLED, pb.RUN_STATE_SKIPPED)
    assert not drive.calls


def test_a_drain_waits_and_a_detach_does_not() -> None:
    for mode, state in (
        (pb.CANCEL_MODE_DRAIN, pb.RUN_STATE_SUCCEEDED),
        (pb.CANCEL_MODE_DETACH, pb.RUN_STATE_UNRESOLVED),
    ):
        drive = Drive(trigger_job())
        drive.run(lambda one: one.job.runs[0].state == pb.RUN_STATE_RUNNING)
        drive.cancel(mode)
        job = drive.run()
        assert (job.state, job.runs[0].state) == (pb.JOB_STATE_CANCELLED, state)
        assert not drive.sent(CancelFlow)


def test_a_cancel_that_never_settles_asks_a_person() -> None:
    drive = Drive(trigger_job())
    drive.book.add([StuckStop()])
    drive.run(lambda one: one.job.runs[0].state == pb.RUN_STATE_RUNNING)
    drive.cancel()

    assert drive.run().state == pb.JOB_STATE_NEEDS_ATTENTION


def test_a_cancel_job_cancels_and_sees_the_end() -> None:
    drive = Drive(cancel_job(""))
    instance_id = drive.world.trigger(Trigger(flow_id=2809, trigger_ms=START_MS), START_MS)
    drive.job = Drive(cancel_job(instance_id)).job

    job = drive.run()

    assert (job.state, job.runs[0].state) == (pb.JOB_STATE_SUCCEEDED, pb.RUN_STATE_STOPPED)
    assert job.runs[0].HasField("stop_time")


@pytest.mark.parametrize(
    ("instance_id", "state", "run"),
    [
        ("2809-20190808093200", pb.JOB_STATE_SUCCEEDED, pb.RUN_STATE_SUCCEEDED),
        ("2438-201907261239", pb.JOB_STATE_FAILED, pb.RUN_STATE_UNRESOLVED),
        ("1-1", pb.JOB_STATE_FAILED, pb.RUN_STATE_UNRESOLVED),
    ],
    ids=["it has ended already", "it can't be cancelled", "there is none"],
)
def test_a_cancel_that_is_refused(instance_id: str, state: Any, run: Any) -> None:
    job = Drive(cancel_job(instance_id)).run()

    assert (job.state, job.runs[0].state) == (state, run)


def test_a_cancel_job_that_is_cancelled_first_asks_nothing() -> None:
    drive = Drive(cancel_job("2809-20190808093200"))
    drive.cancel()

    assert drive.run().state == pb.JOB_STATE_CANCELLED
    assert not drive.calls


def test_an_unknown_status_is_followed_on() -> None:
    drive = Drive(trigger_job())
    strange = {"status": 77, "statusDesc": "PONDERING"}

    def look_strange(one: Drive) -> bool:
        for made in one.made():
            one.world._instances[made.id] = replace(made, printed=strange if one.sent(GetFlow) < 5 else {})
        return False

    job = drive.run(look_strange)

    assert job.state == pb.JOB_STATE_SUCCEEDED
    assert any(run.upstream_status == "PONDERING" for event in drive.events for run in event.runs)


def test_reads_come_less_often_the_longer_it_runs() -> None:
    drive = Drive(trigger_job())
    drive.world.rules = replace(drive.world.rules, run_seconds=3600)

    assert drive.run().state == pb.JOB_STATE_SUCCEEDED
    assert drive.sent(GetFlow) < 300


@pytest.mark.parametrize("others", [(), ("a-1",), ("a-1", "b-2")])
def test_markers_are_read_as_they_are_written(others: tuple[str, ...]) -> None:
    marker = Marker(2809, 1_739_022_200_500, others)

    assert Marker.parse(str(marker)) == marker
