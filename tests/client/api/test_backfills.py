"""Plans of backfills, and how long a client waits for one."""

import pytest

from headgate import pb
from headgate_client.api.submitting import LOOK_UP_SECONDS
from tests.client.scripted import OPTIONS, Running


@pytest.mark.parametrize(
    ("reprocess", "more"),
    [
        (pb.REPROCESS_ALL, 0.0),
        (pb.REPROCESS_MISSING_ONLY, LOOK_UP_SECONDS),
        (pb.REPROCESS_MISSING_AND_FAILED, LOOK_UP_SECONDS),
    ],
)
async def test_a_plan_that_looks_dates_up_is_waited_for_longer(
    running: Running, reprocess: pb.Reprocess.ValueType, more: float
) -> None:
    spec = pb.BackfillSpec(name="orders", reprocess=reprocess)

    await running.client.backfills.plan(spec, connection="eu")

    wanted = OPTIONS.timeout + more
    assert wanted - 9 < running.script.seconds_left < wanted + 5  # gRPC rounds a deadline up on its way
    assert running.script.calls == [("PlanBackfill", pb.PlanBackfillRequest(spec=spec, connection="eu"))]
