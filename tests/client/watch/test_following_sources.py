"""What of a stream over many things is news, and where the next stream begins."""

from typing import Any

import pytest

from headgate import pb
from headgate_client.watch import following_sources
from headgate_client.watch.following_sources import JobsSource, RowsSource


def event(job: str, revision: int, token: str = "") -> pb.WatchJobResponse:
    return pb.WatchJobResponse(job=job, revision=revision, resume_token=token, event=pb.JobEvent(revision=revision))


def jobs_source(opened: list[str], token: str = "") -> JobsSource:
    def open_at(at: str) -> Any:
        opened.append(at)

    return JobsSource(open_at, token)


def test_the_next_stream_begins_after_the_last_token() -> None:
    opened: list[str] = []
    source = jobs_source(opened, "given")

    source.open()
    source.is_news(event("jobs/a", 1, "t1"))
    source.is_news(event("jobs/a", 2))
    source.open()
    source.forget()
    source.open()

    assert opened == ["given", "t1", ""]


def test_an_event_is_news_once_and_jobs_have_revisions_of_their_own() -> None:
    source = jobs_source([])

    found = [source.is_news(event(*what)) for what in (("a", 1), ("b", 1), ("a", 1), ("a", 3), ("a", 2))]

    assert found == [True, True, False, True, False]
    source.forget()
    assert source.is_news(event("a", 1))


def test_a_sign_of_life_is_news_and_a_message_of_no_job_is_none() -> None:
    source = jobs_source([])

    assert source.is_news(pb.WatchJobResponse(progress=pb.Progress()))
    assert not source.is_news(pb.WatchJobResponse(resume_token="t"))


def test_jobs_heard_of_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_sources, "_REMEMBERED_JOBS", 2)
    source = jobs_source([])
    for job in "abc":
        source.is_news(event(job, 1))

    assert source.is_news(event("a", 1)) and not source.is_news(event("c", 1))


def test_rows_are_news_when_they_change_and_what_has_no_row_always_is() -> None:
    def row_of(message: pb.WatchWorkflowInstancesResponse) -> Any:
        row = message.workflow_instance
        return (row.id, row) if message.HasField("workflow_instance") else None

    source: Any = RowsSource(lambda: None, row_of)  # type: ignore[arg-type, return-value]  # it opens nothing here
    running, ended = (
        pb.WatchWorkflowInstancesResponse(workflow_instance=pb.WorkflowInstance(id=7, status=status))
        for status in (pb.WORKFLOW_INSTANCE_STATUS_RUNNING, pb.WORKFLOW_INSTANCE_STATUS_SUCCESS)
    )
    life = pb.WatchWorkflowInstancesResponse(progress=pb.Progress())

    assert [source.is_news(message) for message in (running, running, ended, life, life)] == [
        True, False, True, True, True,
    ]  # fmt: skip
    source.forget()
    assert source.is_news(ended)
