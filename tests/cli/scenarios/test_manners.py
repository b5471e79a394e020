"""The manners of a command in a shell: version, completion, a reader that has gone, questions before an end."""

import pytest

from headgate import pb
from tests.cli.processes import headgate
from tests.server.jobs.test_retry import ended
from tests.server.world import World, backfill

pytestmark = pytest.mark.slow


async def test_a_script_for_the_shell_is_shown() -> None:
    done = await headgate("--show-completion", "bash")

    assert done.status == 0 and "_HEADGATE_COMPLETE=complete_bash" in done.out


async def test_a_retry_whose_dates_others_have_is_told_what_it_can_do(world: World) -> None:
    job = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED, hold=True)
    request = backfill(job_id="other")
    request.spec.overlap = pb.OVERLAP_REJECT
    await world.backfills.CreateBackfill(request)

    done = await headgate("jobs", "retry", job.name, target=world.address)

    assert done.status == 5 and "(BACKFILL_OVERLAP)" in done.err and "--overlap" not in done.err
    assert "headgate watch other; or name other dates with --biz-dates." in done.err
