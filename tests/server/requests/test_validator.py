"""Bad requests: each is refused with every wrong field named, cheaply, and before anything reaches the store."""

import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from headgate import pb
from headgate.backfill import dates
from headgate.reasons import Reason
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.status import describe
from headgate_server.requests import validator
from tests.server.requests.test_pattern_words import fields, rules_of
from tests.server.world import DAY, World, backfill, fields_of, ranges, reason_of, status_of

PROPERTIES = "spec.default_run_properties"


def complaints(request: Message) -> set[str]:
    try:
        validator.check(request)
    except Refused as refused:
        assert refused.reason.name == "FIELD_INVALID"
        return fields_of(describe(refused))
    return set()


def spoiled(change: Callable[[pb.BackfillSpec], Any]) -> pb.CreateBackfillRequest:
    request = backfill()
    change(request.spec)
    return request


def set_(path: str, value: Any) -> Callable[[pb.BackfillSpec], None]:
    def change(spec: pb.BackfillSpec) -> None:
        *parents, last = path.split(".")
        message: Any = spec
        for parent in parents:
            message = getattr(message, parent)
        setattr(message, last, value)

    return change


def add_dates(*found: Date) -> Callable[[pb.BackfillSpec], Any]:
    return lambda spec: spec.biz_dates.add(start_biz_date=found[0], end_biz_date=found[-1])


def only_dates(start: date, end: date) -> Callable[[pb.BackfillSpec], None]:
    def change(spec: pb.BackfillSpec) -> None:
        del spec.biz_dates[:]
        spec.biz_dates.add(start_biz_date=dates.to_message(start), end_biz_date=dates.to_message(end))

    return change


def both(*changes: Callable[[pb.BackfillSpec], Any]) -> Callable[[pb.BackfillSpec], Any]:
    return lambda spec: [change(spec) for change in changes]


FEBRUARY_30 = Date(year=2025, month=2, day=30)

BAD_BACKFILLS: dict[str, tuple[Callable[[pb.BackfillSpec], Any], set[str]]] = {
    "parallelism 0": (set_("default_run_properties.parallelism", 0), {f"{PROPERTIES}.parallelism"}),
    "parallelism 11": (set_("default_run_properties.parallelism", 11), {f"{PROPERTIES}.parallelism"}),
    "no parallelism": (
        lambda spec: spec.default_run_properties.ClearField("parallelism"),
        {PROPERTIES},
    ),
    "eight thousand dates": (only_dates(date(2000, 1, 1), date(2021, 12, 31)), {"spec.biz_dates"}),
    "one date too many": (only_dates(DAY, DAY + timedelta(days=1_100)), {"spec.biz_dates"}),
    "end before start": (
        only_dates(DAY, DAY - timedelta(days=1)),
        {"spec.biz_dates[0].end_biz_date"},
    ),
    "no dates": (lambda spec: spec.ClearField("biz_dates"), {"spec.biz_dates"}),
    "no root": (
        lambda spec: spec.default_run_properties.ClearField("root_task_ids"),
        {f"{PROPERTIES}.root_task_ids", PROPERTIES},
    ),
    "two roots": (
        lambda spec: spec.default_run_properties.root_task_ids.append(7),
        {f"{PROPERTIES}.root_task_ids"},
    ),
    "negative ids": (
        both(
            set_("project_id", -1),
            set_("workflow_id", -5),
            lambda spec: spec.default_run_properties.include_task_ids.extend([1, -2]),
        ),
        {"spec.project_id", "spec.workflow_id", f"{PROPERTIES}.include_task_ids[1]"},
    ),
    "control characters": (
        both(set_("name", "a\x01b"), set_("comment", "a\x00b")),
        {"spec.name", "spec.comment"},
    ),
    "no name": (set_("name", ""), {"spec.name"}),
    "a date that does not exist": (
        add_dates(FEBRUARY_30),
        {"spec.biz_dates[2].start_biz_date", "spec.biz_dates[2].end_biz_date"},
    ),
    "an excluded date that does not exist": (
        lambda spec: spec.exclude_biz_dates.append(FEBRUARY_30),
        {"spec.exclude_biz_dates[0]"},
    ),
    "half a date": (
        add_dates(Date(year=2025)),
        {"spec.biz_dates[2].start_biz_date", "spec.biz_dates[2].end_biz_date"},
    ),
    "nothing left": (
        lambda spec: spec.exclude_biz_dates.extend([dates.to_message(DAY), dates.to_message(DAY + timedelta(days=1))]),
        {"spec.biz_dates"},
    ),
    "only half of a window": (set_("start_time", "08:00:00"), {"spec.end_time"}),
    "a chain with a root": (
        set_("default_run_properties.mode", pb.BACKFILL_MODE_CHAIN),
        {f"{PROPERTIES}.root_task_ids", f"{PROPERTIES}.include_task_ids"},
    ),
    "an excluded date that is half a date": (
        lambda spec: spec.exclude_biz_dates.append(Date(year=2025)),
        {"spec.exclude_biz_dates[0]"},
    ),
    "a date before our time": (only_dates(date(1999, 12, 31), DAY), {"spec.biz_dates[0].start_biz_date"}),
}


@pytest.mark.parametrize("name", BAD_BACKFILLS)
def test_a_bad_backfill_is_refused_with_every_field_named(name: str) -> None:
    change, wanted = BAD_BACKFILLS[name]

    found = complaints(spoiled(change))

    assert {path.removesuffix(".needs_root") for path in found} >= wanted - {PROPERTIES}
    assert found


def test_a_good_backfill_passes() -> None:
    assert complaints(backfill()) == set()


def test_all_complaints_come_at_once() -> None:
    changes = [
        change for name, (change, _) in BAD_BACKFILLS.items() if name in ("parallelism 11", "negative ids", "no name")
    ]

    found = complaints(spoiled(both(*changes)))

    assert found >= {"spec.project_id", "spec.name", f"{PROPERTIES}.parallelism", "spec.workflow_id"}


def test_three_years_of_dates_pass_in_any_order_and_overlap() -> None:
    request = backfill()
    del request.spec.biz_dates[:]
    days = [DAY + timedelta(days=number) for number in range(1_100)]
    request.spec.biz_dates.extend(ranges(*reversed(days)))
    request.spec.biz_dates[0].start_biz_date.CopyFrom(dates.to_message(DAY))

    assert complaints(request) == set()


HOSTILE: dict[str, Callable[[pb.BackfillSpec], Any]] = {
    "a 3 MB name": set_("name", "x" * 1_000_000),
    "a 3 MB name of control characters": set_("name", "\x01" * 3_000_000),
    "eight thousand ranges": lambda spec: spec.biz_dates.extend(ranges(*[DAY] * 8_000)),
    "eight thousand wrong ranges": lambda spec: spec.biz_dates.extend([pb.DateRange()] * 8_000),
    "a thousand centuries": lambda spec: spec.biz_dates.extend(
        [pb.DateRange(start_biz_date=Date(year=2000, month=1, day=1), end_biz_date=Date(year=2099, month=12, day=31))]
        * 1_000
    ),
    "two hundred thousand tasks": lambda spec: spec.default_run_properties.include_task_ids.extend(range(200_000)),
    "a label of 1 MB": lambda spec: spec.default_run_properties.data_source_name_mappings.update(
        {f"k{number}": "v" * 100 for number in range(10_000)}
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_backfill_is_refused_cheaply(name: str) -> None:
    request = spoiled(HOSTILE[name])

    started = time.process_time()
    found = complaints(request)

    assert found
    assert time.process_time() - started < 0.5


def test_at_most_a_hundred_complaints_are_told() -> None:
    request = backfill()
    request.spec.biz_dates.extend([pb.DateRange()] * 900)

    with pytest.raises(Refused) as caught:
        validator.check(request)

    assert "and 99 more" in caught.value.message
    assert describe(caught.value).ByteSize() < 6_000


OTHERS: dict[str, tuple[Message, set[str]]] = {
    "no ids": (pb.StartWorkflowInstancesRequest(spec=pb.StartWorkflowInstancesSpec()), {"spec.ids"}),
    "no spec": (pb.StartWorkflowInstancesRequest(), {"spec"}),
    "a negative id": (pb.StopWorkflowInstancesRequest(spec=pb.StopWorkflowInstancesSpec(ids=[1, -1])), {"spec.ids[1]"}),
    "the same id twice": (pb.StopWorkflowInstancesRequest(spec=pb.StopWorkflowInstancesSpec(ids=[1, 1])), {"spec.ids"}),
    "a stop until started": (
        pb.StopWorkflowInstancesRequest(spec=pb.StopWorkflowInstancesSpec(ids=[1]), until=pb.UNTIL_STARTED),
        {"until"},
    ),
    "a rerun without ids to its end": (
        pb.RerunWorkflowInstancesRequest(
            spec=pb.RerunWorkflowInstancesSpec(project_id=1, workflow_id=1), until=pb.UNTIL_FINISHED
        ),
        {"until"},
    ),
    "half a window of times": (
        pb.RerunWorkflowInstancesRequest(
            spec=pb.RerunWorkflowInstancesSpec(project_id=1, workflow_id=1, start_trigger_time={"seconds": 5})  # type: ignore[arg-type]
        ),
        {"spec.end_trigger_time"},
    ),
    "a window of times that ends before it begins": (
        pb.RerunWorkflowInstancesRequest(
            spec=pb.RerunWorkflowInstancesSpec(
                project_id=1,
                workflow_id=1,
                start_trigger_time={"seconds": 5},  # type: ignore[arg-type]
                end_trigger_time={"seconds": 4},  # type: ignore[arg-type]
            )
        ),
        {"spec.end_trigger_time"},
    ),
    "a rerun of a date that does not exist": (
        pb.RerunWorkflowInstancesRequest(
            spec=pb.RerunWorkflowInstancesSpec(project_id=1, workflow_id=1, biz_date=FEBRUARY_30)
        ),
        {"spec.biz_date"},
    ),
    "a list of too many dates": (
        pb.ListWorkflowInstancesRequest(
            project_id=1,
            biz_dates=[
                pb.DateRange(
                    start_biz_date=Date(year=2020, month=1, day=1), end_biz_date=Date(year=2024, month=1, day=1)
                )
            ],
        ),
        {"biz_dates"},
    ),
    "a list of dates back to front": (
        pb.ListWorkflowInstancesRequest(
            project_id=1,
            biz_dates=[
                pb.DateRange(
                    start_biz_date=Date(year=2024, month=1, day=2), end_biz_date=Date(year=2024, month=1, day=1)
                )
            ],
        ),
        {"biz_dates[0].end_biz_date"},
    ),
    "a plan without dates, tasks and a whole window": (
        pb.PlanBackfillRequest(
            spec=pb.BackfillSpec(
                project_id=1,
                name="n",
                start_time="08:00:00",
                biz_dates=[pb.DateRange(start_biz_date=FEBRUARY_30, end_biz_date=FEBRUARY_30)],
                default_run_properties=pb.DefaultRunProperties(parallelism=1),
            )
        ),
        {
            "spec.biz_dates[0].start_biz_date",
            "spec.biz_dates[0].end_biz_date",
            "spec.end_time",
            "spec.default_run_properties",
        },
    ),
    "a name that is none": (pb.GetJobRequest(name="jobs/Not A Job"), {"name"}),
    "nothing to run": (pb.RunJobRequest(), {"request"}),
    "a wrong job to run": (pb.RunJobRequest(backfill=spoiled(set_("name", ""))), {"backfill.spec.name"}),
    "a run that is only a check": (pb.RunJobRequest(backfill=backfill(validate_only=True)), {"backfill.validate_only"}),
    "a wrong label": (
        backfill(options=pb.JobOptions(labels={"Not A Key": "x"})),
        {'options.labels["Not A Key"]'},
    ),
    "a page of less than nothing": (pb.ListJobsRequest(page_size=-1), {"page_size"}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_bad_request_is_refused_with_its_field_named(name: str) -> None:
    request, wanted = OTHERS[name]

    assert complaints(request) == wanted


@pytest.mark.parametrize(
    "name", ["parallelism 0", "eight thousand dates", "end before start", "two roots", "negative ids"]
)
async def test_a_bad_backfill_never_reaches_the_store(world: World, name: str) -> None:
    change, wanted = BAD_BACKFILLS[name]
    before = await world.redis.dbsize()

    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(spoiled(change))

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(status_of(caught.value)) >= wanted
    assert await world.redis.dbsize() <= before + 1  # the probe's own key


@pytest.mark.parametrize("call", ["CreateBackfill", "RunJob", "StopWorkflowInstances"])
async def test_a_request_is_checked_once(world: World, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    checked: list[Message] = []
    check = validator.check

    def counted(request: Message) -> None:
        checked.append(request)
        check(request)

    monkeypatch.setattr(validator, "check", counted)
    if call == "CreateBackfill":
        await world.backfills.CreateBackfill(backfill())
    elif call == "RunJob":
        async for _ in world.jobs.RunJob(pb.RunJobRequest(backfill=backfill())):
            break
    else:
        await world.instances.StopWorkflowInstances(
            pb.StopWorkflowInstancesRequest(spec=pb.StopWorkflowInstancesSpec(ids=[1]))
        )

    assert len(checked) == 1


async def test_a_name_that_makes_a_request_too_large_is_named(world: World) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(spoiled(set_("name", "x" * 800_000)))

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(status_of(caught.value)) == {"spec.name"}


@pytest.mark.parametrize(("seconds", "nanos"), [(60, -1), (60, 2**31 - 1), (0, -(2**31))])
async def test_a_span_that_is_none_is_named(world: World, seconds: int, nanos: int) -> None:
    """Protobuf and the bounds of the field let it through, and the job could not be shown as JSON by anybody."""
    request = backfill()
    request.options.deadline.seconds, request.options.deadline.nanos = max(1, seconds), nanos

    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(request)

    assert fields_of(status_of(caught.value)) == {"options.deadline"}


@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x12\x02\xff\xfe"])
async def test_a_message_that_can_not_be_parsed_is_said_to_be_malformed(world: World, raw: bytes) -> None:
    call: Any = world.channel.unary_unary("/headgate.v1.BackfillService/CreateBackfill")

    with pytest.raises(grpc.RpcError) as caught:
        await call(raw)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value) == "MESSAGE_MALFORMED"


def test_what_can_not_be_the_name_of_a_connection_is_refused() -> None:
    validator.check(pb.GetWorkflowInstanceRequest(id=1, connection="elsewhere"))
    with pytest.raises(Refused) as caught:
        validator.check(pb.GetWorkflowInstanceRequest(id=1, connection="Not A Name"))
    assert caught.value.reason is Reason.FIELD_INVALID


ENUMS_OF_OTHERS = {"google.protobuf.Value"}


def test_every_enum_of_a_request_takes_only_values_that_there_are() -> None:
    loose = []
    for field in fields():
        if field.enum_type is None or field.containing_type.full_name in ENUMS_OF_OTHERS:
            continue
        rules = rules_of(field)
        found = rules.repeated.items.enum if field.is_repeated else rules.enum
        loose += [] if found.defined_only else [f"{field.containing_type.full_name}.{field.name}"]

    assert loose == []
