"""What the server and its quota are shown as."""

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_cli.actions.admin import _finding_row, _quota_row


def test_a_bucket_without_a_limit_says_so() -> None:
    assert _quota_row(pb.QuotaBucket(metric="read", available=True, daily_used=7))[:6] == (
        "read",
        "no limit",
        "no limit",
        "now",
        "7",
        "no limit",
    )


def test_a_bucket_that_is_spent_names_its_next_slot() -> None:
    bucket = pb.QuotaBucket(
        metric="write\x1b", limit_per_second=5, current_per_second=4.9876, daily_limit=100, daily_used=100
    )
    bucket.next_slot_time.CopyFrom(Timestamp(seconds=1_739_019_600))
    row = _quota_row(bucket)

    assert row[:3] == ("write\\x1b", "5", "4.99") and row[3] not in ("now", "") and row[5] == "100"


def test_a_finding_names_its_job_by_its_id_and_steers_no_terminal() -> None:
    found = pb.JobFinding(job="jobs/orders", subject="log\x1b", description="has 2 events")

    assert _finding_row(found) == ("orders", "log\\x1b", "has 2 events")
