"""How a run will go: its course, and the faults that bend it."""

from datetime import date

from headgate_emulator.faults import FailRun
from tests.emulator.worlds import NOW, backfill, created, statuses, world_of


def test_the_course_passes_through_every_status_that_has_a_span() -> None:
    world = world_of(wait_time_seconds=1, condition_seconds=1, wait_resource_seconds=1, checking_seconds=1)
    first, _ = created(world, backfill())
    world.start([first], NOW)

    seen = [statuses(world, at)[0] for at in (0, 1, 2, 3, 13, 14)]

    assert seen == ["WaitTime", "CheckingCondition", "WaitResource", "Running", "Checking", "Success"]
    assert world.instances[0].run.started_at == NOW + 3000


def test_a_failing_date_fails_once() -> None:
    world = world_of(FailRun(biz_date=date(2025, 2, 6)), auto_start="any_end")
    world.start(created(world, backfill(3)), NOW)

    assert statuses(world, 30) == ["Success", "Failure", "Success"]
