"""The small pure values: dates, ids, clock, statuses, groups, quota, nonces, faults, ledger."""

import json
from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_emulator.clock import Clock
from headgate_emulator.dataworks.dates import business_date, days, midnight_ms
from headgate_emulator.dataworks.errors import ApiError
from headgate_emulator.dataworks.groups import parents_of
from headgate_emulator.dataworks.ids import IdSource
from headgate_emulator.dataworks.nonces import Nonces
from headgate_emulator.dataworks.quota import EDITIONS, Limits, QuotaMeter
from headgate_emulator.dataworks.runs import Failure, Phase, Plan, Run, again, begin, end, proceed
from headgate_emulator.dataworks.signing import MAX_SKEW_MS
from headgate_emulator.dataworks.statuses import MOVES, TERMINAL, IllegalMove, Status, check_move
from headgate_emulator.fault_book import MAX_FAULTS, FaultBook, TooManyFaults
from headgate_emulator.faults import FailRun, LostReply, MalformedReply
from headgate_emulator.ledger import MAX_TEXT, Ledger, LedgerRow
from headgate_emulator.spoil import spoil

DAY = date(2025, 2, 5)


def test_a_business_date_is_midnight_in_utc_plus_8() -> None:
    assert midnight_ms(DAY) == 1738684800000


@given(st.dates(date(1971, 1, 1), date(2100, 1, 1)), st.integers(0, 86_399_999))
def test_every_moment_of_a_day_is_that_day(day: date, offset: int) -> None:
    assert business_date(midnight_ms(day) + offset) == day


def test_days_include_both_ends_and_may_be_none() -> None:
    assert days(DAY, date(2025, 2, 7)) == [DAY, date(2025, 2, 6), date(2025, 2, 7)]
    assert days(DAY, date(2025, 2, 4)) == []


def test_ids_look_like_the_seeds_and_repeat_with_the_seed() -> None:
    one, other = IdSource(Random(7)), IdSource(Random(7))

    assert [one.instance_id(), one.instance_id()] == [1000341554601, 1000341554605]
    assert one.operation_id() == other.operation_id()
    request = one.request_id()
    assert request == other.request_id() == request.upper()
    assert (len(request), request[14]) == (36, "5")


def test_preset_ids_come_first() -> None:
    ids = IdSource(Random(1))

    ids.preset(instance_ids=[5], operation_ids=["op"], request_ids=["req"])
    ids.restart(100, 10)

    assert [ids.instance_id(), ids.instance_id(), ids.instance_id()] == [5, 100, 110]
    assert (ids.operation_id(), ids.request_id()) == ("op", "req")
    assert ids.operation_id() != "op"


def test_the_clock_scales_jumps_and_stands_still() -> None:
    wall = [1_000]
    clock = Clock(lambda: wall[0], start_ms=50_000, scale=10)

    wall[0] = 1_100
    assert clock.now_ms() == 51_000
    clock.advance(2)
    assert clock.now_ms() == 53_000
    clock.rescale(0)
    wall[0] = 9_000
    assert (clock.now_ms(), clock.wall_ms(), clock.paced_ms()) == (53_000, 9_000, 11_000)


def test_the_clock_never_goes_back() -> None:
    wall = [1_000]
    clock = Clock(lambda: wall[0])

    wall[0] = 10

    assert clock.now_ms() == 1_000
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="backwards"):
        clock.rescale(-1)


@pytest.mark.parametrize("old", Status)
@pytest.mark.parametrize("new", Status)
def test_every_pair_of_statuses_moves_as_the_table_says(old: Status, new: Status) -> None:
    if new in MOVES[old]:
        check_move(old, new)
        return
    with pytest.raises(IllegalMove):
        check_move(old, new)


def test_nothing_follows_an_end_and_everything_else_has_one() -> None:
    for status in Status:
        assert (MOVES[status] == frozenset()) == (status in TERMINAL)


def test_a_run_takes_its_phases_in_order() -> None:
    phases = (Phase(Status.WAIT_TIME, 5), Phase(Status.WAIT_RESOURCE, 5), Phase(Status.RUNNING, 5))
    run = begin(Run(), Plan(phases, Failure("t", "log")), 100)
    seen = [run.status]

    while run.due_at is not None:
        run = proceed(run, run.due_at)
        seen.append(run.status)

    assert seen == [Status.WAIT_TIME, Status.WAIT_RESOURCE, Status.RUNNING, Status.FAILURE]
    assert (run.started_at, run.finished_at, again(run).number) == (110, 115, 2)


def test_a_run_that_has_not_begun_or_has_ended_does_not_move() -> None:
    with pytest.raises(IllegalMove):
        proceed(Run(), 1)
    with pytest.raises(IllegalMove):
        end(end(begin(Run(), Plan((Phase(Status.RUNNING, 1),)), 0), Status.FAILURE, 1), Status.SUCCESS, 2)


def test_chains_wait_for_the_date_n_before_and_batches_for_the_batch_before() -> None:
    assert parents_of([1, 2, 3], 1, "chains") == {1: (), 2: (1,), 3: (2,)}
    assert parents_of([1, 2, 3, 4, 5], 2, "chains") == {1: (), 2: (), 3: (1,), 4: (2,), 5: (3,)}
    assert parents_of([1, 2, 3, 4, 5], 2, "batches") == {1: (), 2: (), 3: (1, 2), 4: (1, 2), 5: (3, 4)}


@given(st.integers(0, 40), st.integers(1, 10), st.sampled_from(["chains", "batches"]))
def test_parents_always_come_earlier_so_no_group_can_lock_up(size: int, width: int, topology: Any) -> None:
    parents = parents_of(range(size), width, topology)

    assert all(parent < child for child, found in parents.items() for parent in found)
    assert sum(not found for found in parents.values()) == min(size, width)


def refused(meter: QuotaMeter, *, writes: bool = False, at: int = 0) -> str:
    try:
        meter.admit(writes=writes, paced_ms=at, now_ms=at)
    except ApiError as error:
        return error.refusal.code
    return ""


def test_rates_are_counted_by_class_and_second() -> None:
    meter = QuotaMeter(Limits(read_qps=2, write_qps=1))

    assert [refused(meter) for _ in range(3)] == ["", "", "Throttling.User"]
    assert [refused(meter, writes=True) for _ in range(2)] == ["", "Throttling.User"]
    assert refused(meter, at=1000) == ""


def test_the_basic_edition_allows_five_a_second_and_a_hundred_a_day() -> None:
    meter = QuotaMeter(EDITIONS["basic"])

    answers = [refused(meter, writes=bool(n % 2), at=n * 200) for n in range(101)]

    assert answers == [""] * 100 + ["Throttling.Api.Risk"]
    assert refused(meter, at=86_400_000) == ""


def test_a_refused_rate_may_carry_a_hint_and_the_old_status() -> None:
    meter = QuotaMeter(Limits(total_qps=0, status=400, retry_after_ms=250))

    with pytest.raises(ApiError) as caught:
        meter.admit(writes=True, paced_ms=0, now_ms=0)

    assert (caught.value.refusal.status, caught.value.refusal.retry_after_ms) == (400, 250)


def test_nonces_are_remembered_as_long_as_they_can_be_replayed() -> None:
    nonces = Nonces()

    nonces.use("a", 0)
    nonces.use("b", MAX_SKEW_MS)
    assert nonces.used("a") and nonces.used("b")

    nonces.use("c", 2 * MAX_SKEW_MS + 1)
    assert not nonces.used("a") and nonces.used("b")


def test_a_fault_strikes_as_often_as_it_says() -> None:
    book = FaultBook([LostReply(action="Create*", count=2)])

    struck = [book.take(LostReply, lambda fault: fault.matches("CreateWorkflowInstances")) for _ in range(3)]

    assert [fault is not None for fault in struck] == [True, True, False]
    assert book.rows() == []


def test_a_fault_that_does_not_match_is_kept() -> None:
    book = FaultBook([FailRun(biz_date=DAY), FailRun(name="etl_*")])

    assert book.take(LostReply, lambda _: True) is None
    assert book.take(FailRun, lambda fault: fault.matches(date(2025, 1, 1), "report")) is None
    assert book.take(FailRun, lambda fault: fault.matches(DAY, "report")) == FailRun(biz_date=DAY)
    assert [armed.fault for armed in book.rows()] == [FailRun(name="etl_*")]


def test_the_book_is_bounded_and_an_overfull_order_adds_nothing() -> None:
    book = FaultBook([LostReply()])

    with pytest.raises(TooManyFaults):
        book.add([LostReply()] * MAX_FAULTS)

    assert len(book.rows()) == 1


def row(action: str = "A", **params: str) -> LedgerRow:
    return LedgerRow(
        at_ms=1, action=action, params=params, access_key="k", protocol="RPC1", status=200, code="",
        request_id="r", applied=True,
    )  # fmt: skip


def test_the_ledger_numbers_its_rows_and_drops_the_oldest() -> None:
    ledger = Ledger(2)

    for action in ("A", "B", "A"):
        ledger.write(row(action))

    assert [one.seq for one in ledger] == [2, 3]
    assert (ledger.total, len(ledger)) == (3, 2)
    assert [one.seq for one in ledger.rows(action="A")] == [3]
    assert [one.seq for one in ledger.rows(after=2)] == [3]


def test_the_ledger_cuts_long_parameters() -> None:
    assert len(Ledger(1).write(row(Name="x" * 100_000)).params["Name"]) == MAX_TEXT


def test_spoilt_replies_are_spoilt_in_the_way_they_say() -> None:
    body = {"RequestId": "R", "List": [1], "Flag": True, "Deep": {"Id": 7, "Name": "n"}}

    wrong = json.loads(spoil(body, MalformedReply(shape="wrong_types")).body)
    assert wrong == {"RequestId": 4711, "List": {"0": "1"}, "Flag": "true", "Deep": {"Id": "7", "Name": 4711}}
    assert json.loads(spoil(body, MalformedReply(shape="missing_members")).body) == {"RequestId": "R"}
    assert json.loads(spoil(body, MalformedReply(shape="not_object")).body) == [body]
    cut = spoil(body, MalformedReply(shape="cut"))
    assert len(cut.body) < cut.promised
    assert len(spoil(body, MalformedReply(shape="huge", megabytes=1)).body) > 1 << 20
