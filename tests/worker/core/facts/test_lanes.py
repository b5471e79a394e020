"""Lanes: what may begin beside what runs, so that no more dates run side by side than were asked for."""

from __future__ import annotations

from typing import Any

import pytest

from headgate import pb
from headgate_worker.core.facts.lanes import free, held
from headgate_worker.core.model.calls import StartInstances
from headgate_worker.core.rules.starting import start
from tests.worker.core.building import acted, committed, confirmed, job, row, spec, view

RUNNING, BLOCKED, CREATED = pb.RUN_STATE_RUNNING, pb.RUN_STATE_BLOCKED, pb.RUN_STATE_CREATED
SUCCEEDED = pb.RUN_STATE_SUCCEEDED


def _waits(number: int, parent: int, **fields: int) -> pb.InstanceRun:
    return row(number, BLOCKED, blocked_by_id=100 + parent, **fields)


def _ahead(number: int, state: pb.RunState.ValueType = CREATED, **fields: int) -> pb.InstanceRun:
    return row(number, state, operation_index=1, **fields)


def _spec(width: int, **fields: object) -> pb.BackfillSpec:
    made = spec(9, **fields)
    made.default_run_properties.parallelism = width
    return made


def _job(*runs: pb.InstanceRun, width: int = 2, **fields: Any) -> pb.Job:
    """The first create has the dates 0 to 3, the second one 4 to 8."""
    operations = [confirmed(0, 1, 2, 3), confirmed(4, 5, 6, 7, 8, index=1)]
    return job(*runs, operations=operations, backfill=_spec(width, **fields))


LATER = [_ahead(n) for n in range(4, 9)]
OVER = [row(n, SUCCEEDED) for n in range(3)]


@pytest.mark.parametrize(
    ("runs", "lanes"),
    [
        ([], 0),
        ([row(0, RUNNING)], 1),
        ([row(0, RUNNING), _waits(1, 0), _waits(2, 1)], 1),
        ([row(0, RUNNING), row(1, RUNNING), _waits(2, 0), _waits(3, 1)], 2),
        # Two that wait for the same one may run side by side once it has ended.
        ([row(0, RUNNING), _waits(1, 0), _waits(2, 0)], 2),
        # A parent that has ended holds nobody back.
        ([_waits(1, 0), _waits(2, 0)], 2),
    ],
)
def test_a_chain_holds_one_lane(runs: list[pb.InstanceRun], lanes: int) -> None:
    assert held(runs) == lanes


def test_a_lane_is_free_once_a_chain_of_the_create_before_has_ended() -> None:
    assert free(_job(*OVER, row(3, RUNNING), *LATER), 0) == 1
    assert free(_job(*OVER, row(3, RUNNING), _ahead(4, RUNNING), *LATER[1:]), 0) == 0
    assert free(_job(*OVER[:2], row(2, RUNNING), row(3, CREATED), *LATER), 0) == 0  # it is to be started any moment


def test_a_whole_chain_of_the_next_create_is_started_on_a_free_lane() -> None:
    """Two side by side: of the dates 4 to 8 each waits for the one two places before it."""
    of = view(_job(*OVER, row(3, RUNNING), *LATER))

    act = acted(start(of))

    assert act.call == StartInstances((104, 106, 108))
    assert committed(of, act).operations[1].HasField("early_start_time")


def test_that_a_create_has_begun_early_is_recorded_once() -> None:
    of = _job(*OVER, row(3, RUNNING), *LATER, width=3)
    of.operations[1].early_start_time.FromMilliseconds(1)

    act = acted(start(view(of)))

    assert act.call == StartInstances((104, 107, 105, 108))
    assert not act.drafts


def test_nothing_is_started_ahead_while_every_lane_is_held() -> None:
    busy = [*OVER[:2], row(2, RUNNING), row(3, RUNNING)]

    assert start(view(_job(*busy, *LATER))) is None


def test_what_is_left_of_a_chain_under_way_needs_no_lane() -> None:
    runs = [*OVER, row(3, RUNNING), _ahead(4, RUNNING), *LATER[1:]]

    assert acted(start(view(_job(*runs)))).call == StartInstances((106, 108))


def test_a_create_that_made_other_instances_than_it_was_asked_for_waits_for_its_turn() -> None:
    of = _job(*OVER, row(3, RUNNING), *LATER)
    of.operations[1].workflow_instance_ids.append(999)
    of.runs.add(index=9, operation_index=1, state=pb.RUN_STATE_UNRESOLVED, attempt=1)

    assert start(view(of)) is None


@pytest.mark.parametrize(
    "fields", [{"max_attempts_per_date": 2}, {"start_mode": pb.START_MODE_UPSTREAM}, {"on_failure": pb.ON_FAILURE_HALT}]
)
def test_dates_that_keep_their_order_are_not_started_ahead(fields: dict[str, Any]) -> None:
    of = view(_job(*OVER, row(3, RUNNING), *LATER, **fields))

    assert (start(of) is None) is ("on_failure" not in fields)
