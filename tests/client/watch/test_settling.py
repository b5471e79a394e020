"""Where a watch has come to a stand: by what was yielded, and by the job as it stands."""

import pytest

from headgate import pb
from headgate_client import EventItem, ProgressItem, SnapshotItem
from headgate_client.watch.settling import Settling

RUNNING, ATTENTION, DONE = pb.JOB_STATE_RUNNING, pb.JOB_STATE_NEEDS_ATTENTION, pb.JOB_STATE_SUCCEEDED


def event(revision: int, state: pb.JobState.ValueType) -> EventItem:
    return EventItem(revision, pb.JobEvent(revision=revision, state=state))


def job(revision: int, state: pb.JobState.ValueType) -> pb.Job:
    return pb.Job(revision=revision, state=state)


@pytest.mark.parametrize(
    ("present", "reached"),
    [(job(4, ATTENTION), True), (job(5, RUNNING), False), (job(6, ATTENTION), False), (job(6, DONE), False)],
)
def test_a_need_of_a_person_counts_while_it_is_the_last_word(present: pb.Job, reached: bool) -> None:
    settling = Settling()
    settling.saw(event(4, ATTENTION))

    assert settling.is_in_doubt and settling.is_reached(present) is reached
    assert settling.is_in_doubt is reached  # what lies in the past by then is not asked about again


def test_a_running_job_is_not_asked_about() -> None:
    settling = Settling()
    settling.saw(event(4, RUNNING))
    settling.saw(ProgressItem(4, pb.Progress()))

    assert not settling.is_in_doubt


def test_a_watch_that_begins_behind_the_last_event_asks_at_the_first_sign_of_life() -> None:
    settling = Settling()
    settling.saw(ProgressItem(7, pb.Progress()))

    assert settling.is_in_doubt and settling.is_reached(job(7, ATTENTION))


def test_revisions_of_a_lost_history_say_nothing_of_the_next_one() -> None:
    settling = Settling()
    settling.saw(event(40, ATTENTION))
    assert not settling.is_reached(job(50, RUNNING))
    settling.saw(SnapshotItem(30, job(30, ATTENTION), reset=True))

    assert settling.is_in_doubt and settling.is_reached(job(30, ATTENTION))
