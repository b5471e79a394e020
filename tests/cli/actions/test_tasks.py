"""What is asked for task instances, and how one is shown."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from headgate import pb
from headgate_cli.actions.tasks import TaskListing, _fields, _request, _row, _status, show_log
from headgate_cli.process.exit_codes import UsageFault
from headgate_cli.views.output import Printer

NOTHING = TaskListing(0, 0, "", "", "", "", "", "", 0, "", "")


def listing(**given: Any) -> TaskListing:
    return TaskListing(**{name: given.get(name, getattr(NOTHING, name)) for name in NOTHING.__slots__})


def test_an_instance_or_a_date_of_a_project_is_needed() -> None:
    for wrong in ({}, {"project_id": 1}, {"biz_date": "2025-02-05"}):
        with pytest.raises(UsageFault, match="INSTANCE"):
            _request(listing(**wrong), 10)
    assert _request(listing(workflow_instance_id=5), 10).workflow_instance_id == 5
    found = _request(listing(project_id=1, biz_date="2025-02-05"), 1_000)
    assert found.biz_date == Date(year=2025, month=2, day=5) and found.page_size == 500


def test_words_are_those_of_dataworks() -> None:
    assert _request(listing(workflow_instance_id=5, env_type="Prod"), 10).project_env == pb.ENV_TYPE_PROD
    with pytest.raises(UsageFault, match="--env-type"):
        _request(listing(workflow_instance_id=5, env_type="Stage"), 10)


def test_a_success_that_did_nothing_is_told_apart() -> None:
    assert _status(pb.TaskInstance(status="Success", trigger_recurrence="Skip")) == "Success (dry run)"
    assert _status(pb.TaskInstance(status="Success\x1b", trigger_recurrence="Normal")) == "Success\\x1b"
    assert _row(pb.TaskInstance(id=5))[-1] == ""


def test_a_field_that_is_set_is_a_line_in_its_own_form() -> None:
    task = pb.TaskInstance(
        id=5,
        task_name="load\x1b",
        workflow_instance_type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
        workflow_instance_type_raw="SupplementData",
        biz_date=Date(year=2025, month=2, day=5),
        biz_date_millis=1_738_684_800_000,
        started_time=Timestamp(seconds=1),
        tags=[pb.Tag(key="team", value="a"), pb.Tag(key="bare")],
        script_content="select 1",
    )
    found = [*_fields(task)]

    assert ("task_name", "load\\x1b") in found and ("biz_date", "2025-02-05") in found
    assert ("workflow_instance_type", "WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA") in found
    assert [value for name, value in found if name == "tags"] == ["team:a", "bare:"]
    assert not [name for name, _ in found if name in ("script_content", "biz_date_millis") or name.endswith("_raw")]


def test_a_value_newer_than_the_command_is_its_number() -> None:
    task = pb.TaskInstance.FromString(pb.TaskInstance(workflow_instance_type=99).SerializeToString())  # type: ignore[arg-type]

    assert [*_fields(task)] == [("workflow_instance_type", "99")]


def test_of_a_log_in_part_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    show_log("a\nb\x07\n", True, Printer())
    written = capsys.readouterr()
    show_log("a", False, Printer())

    assert written.out == "a\nb\\x07\n" and "--max-length" in written.err
    assert capsys.readouterr().err == ""
