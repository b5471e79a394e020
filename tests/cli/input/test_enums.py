"""Words that people type and read, and the enums of the API."""

from headgate import pb
from headgate_cli.input.enums import plain


def test_a_value_newer_than_the_program_is_its_number() -> None:
    assert plain(pb.JOB_STATE_NEEDS_ATTENTION, pb.JobState, "JOB_STATE_") == "needs attention"
    assert plain(99, pb.JobState, "JOB_STATE_") == "99"
