"""What callers were once promised still holds: the API of today against that of every commit before."""

import copy
import subprocess

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from tests.architecture.api_lines import git, history, lost, ours, published, published_at


def is_whole() -> bool:
    """Whether this is a checkout with all of its history."""
    try:
        return git("rev-parse", "--is-shallow-repository").strip() == b"false"
    except (OSError, subprocess.CalledProcessError):
        return False


needs_history = pytest.mark.skipif(not is_whole(), reason="no checkout with its whole history: nothing to compare with")


@needs_history
@pytest.mark.parametrize("commit", history() if is_whole() else [])
def test_nothing_that_was_promised_is_gone(commit: str) -> None:
    assert not lost(ours(published_at(commit)), published()), "removed, renamed or renumbered without `reserved`"


@needs_history
def test_the_history_is_not_empty() -> None:
    assert len(history()) > 20


def without_a_field() -> tuple[list[FileDescriptorProto], FileDescriptorProto]:
    files = copy.deepcopy(published())
    file = next(file for file in files if file.name == "headgate/v1/job.proto")
    job = next(message for message in file.message_type if message.name == "Job")
    del job.field[1]
    return files, file


def test_a_field_that_is_removed_is_noticed() -> None:
    files, _ = without_a_field()

    assert lost(published(), files) == ["field headgate.v1.Job.uid = 2: string"]


def test_a_field_that_is_given_up_needs_number_and_name() -> None:
    files, file = without_a_field()
    job = next(message for message in file.message_type if message.name == "Job")
    job.reserved_range.add(start=2, end=3)
    assert lost(published(), files) == ["field headgate.v1.Job.uid = 2: string"]

    job.reserved_name.append("uid")
    assert not lost(published(), files)


def test_another_type_is_noticed() -> None:
    files = copy.deepcopy(published())
    file = next(file for file in files if file.name == "headgate/v1/job.proto")
    job = next(message for message in file.message_type if message.name == "Job")
    job.field[3].type = job.field[3].TYPE_STRING

    assert lost(published(), files) == ["field headgate.v1.Job.revision = 4: int64"]
