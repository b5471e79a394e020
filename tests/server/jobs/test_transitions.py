"""Cancel, pause and resume: which states allow them, and the event each makes."""

import pytest

from headgate import pb
from headgate.job import event_log
from headgate.reasons import Reason
from headgate_server.errors.exceptions import Refused
from headgate_server.jobs import transitions
from headgate_server.jobs.new_job import SubmitContext, new_job
from tests.server.world import backfill

CHANCE = SubmitContext(1_700_000_000_123, bytes(range(24)))


STATES = [state for state in pb.JobState.values() if state]


@pytest.mark.parametrize("state", STATES)
def test_cancel_pause_and_resume_follow_the_life_cycle(state: pb.JobState.ValueType) -> None:
    job = new_job(backfill(), CHANCE).job
    job.state = state
    steps: list[tuple[transitions.Decision, object]] = [
        (transitions.cancel, pb.CancelJobRequest(reason="why")),
        (transitions.pause, pb.PauseJobRequest()),
        (transitions.resume, pb.ResumeJobRequest()),
    ]
    for decide, request in steps:
        try:
            event = decide(job, request, "me", 5)
        except Refused as refused:
            assert refused.reason is Reason.STATE_CONFLICT
        else:
            assert event is None or event_log.fold(job, event).revision == 2


def test_a_cancel_is_recorded_with_its_mode() -> None:
    job = new_job(backfill(), CHANCE).job

    event = transitions.cancel(job, pb.CancelJobRequest(reason="why"), "me", 5)

    assert event is not None
    after = event_log.fold(job, event)
    assert (after.state, after.cancel.mode) == (pb.JOB_STATE_CANCELLING, pb.CANCEL_MODE_STOP)
    assert (after.cancel.actor, after.cancel.reason) == ("me", "why")
    assert transitions.cancel(after, pb.CancelJobRequest(), "me", 6) is None
