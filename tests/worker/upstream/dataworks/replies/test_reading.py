from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate_worker.core.model import calls
from headgate_worker.upstream.dataworks.replies.fields import MalformedDataWorksReply, Members
from headgate_worker.upstream.dataworks.replies.reading import DataWorksReplyContext, NothingThere, read
from tests.worker.upstream.dataworks.specs import FEBRUARY_5, FIRST, SECOND, adhoc_spec, seed_spec

NOW = DataWorksReplyContext(Timestamp(seconds=1739022300), "request")
CREATE = calls.CreateInstances(seed_spec())
ADHOC = calls.ExecuteAdhoc(adhoc_spec())
RERUN = calls.RerunInstances(pb.RerunWorkflowInstancesSpec())
RESULT, RERUN_RESULT = calls.GetCreateResult("op"), calls.GetRerunResult("op")
START = calls.StartInstances((FIRST, SECOND))
GET, LIST = calls.GetInstance(FIRST), calls.ListInstances(257880, FEBRUARY_5)
TASKS, TASK, LOG = calls.ListTasks(257880, FEBRUARY_5, FIRST), calls.GetTask(7), calls.GetTaskLog(7)

SEED_INSTANCE = {
    "BizDate": 1738684800000,
    "CreateTime": 1739022201000,
    "CreateUser": "200527038829996354",
    "EnvType": "Prod",
    "FinishedTime": 1739022338123,
    "Id": FIRST,
    "ModifyTime": 1739022338000,
    "ModifyUser": "200527038829996354",
    "Name": "devinTestSparkSQL20run1",
    "ProjectId": 257880,
    "StartedTime": 1739022265000,
    "Status": "Success",
    "Type": "SupplementData",
    "WorkflowId": 1,
}


def reply_to(call: calls.Call, **members: Any) -> Any:
    return read(call, Members(members), NOW)


def page(name: str, *rows: Any, total: Any = None) -> dict[str, Any]:
    return {"PagingInfo": {name: list(rows), "TotalCount": len(rows) if total is None else total}}


@pytest.mark.parametrize(
    ("call", "members", "field"),
    [
        (CREATE, {}, "OperationId"),
        (CREATE, {"OperationId": ""}, "OperationId"),
        (CREATE, {"OperationId": 5}, "OperationId"),
        (CREATE, {"OperationId": "x" * 257}, "OperationId"),
        (RERUN, {}, "OperationId"),
        (ADHOC, {}, "WorkflowInstanceId"),
        (ADHOC, {"WorkflowInstanceId": 0}, "WorkflowInstanceId"),
        (ADHOC, {"WorkflowInstanceId": "abc"}, "WorkflowInstanceId"),
        (RESULT, {}, "Result"),
        (RESULT, {"Result": "Created"}, "Result"),
        (RESULT, {"Result": {}}, "Result.Status"),
        (RESULT, {"Result": {"Status": "Created"}}, "Result.WorkflowInstanceIds"),
        (RESULT, {"Result": {"Status": "Created", "WorkflowInstanceIds": []}}, "Result.WorkflowInstanceIds"),
        (RESULT, {"Result": {"Status": "Created", "WorkflowInstanceIds": [1, None]}}, "Result.WorkflowInstanceIds"),
        (RESULT, {"Result": {"Status": "Created", "WorkflowInstanceIds": [0]}}, "Result.WorkflowInstanceIds"),
        (RESULT, {"Result": {"Status": "Created", "WorkflowInstanceIds": "1"}}, "Result.WorkflowInstanceIds"),
        (RERUN_RESULT, {"Result": {}}, "Result.Status"),
        (START, {}, "SuccessInfo"),
        (START, {"SuccessInfo": []}, "SuccessInfo"),
        (START, {"SuccessInfo": {str(FIRST): True}}, f"SuccessInfo.{FIRST}"),
        (START, {"SuccessInfo": {str(FIRST): {}}}, f"SuccessInfo.{FIRST}.Success"),
        (START, {"SuccessInfo": {str(FIRST): {"Success": 1}}}, f"SuccessInfo.{FIRST}.Success"),
        (START, {"SuccessInfo": {str(FIRST): {"Success": True, "Message": 5}}}, f"SuccessInfo.{FIRST}.Message"),
        (GET, {}, "WorkflowInstance"),
        (GET, {"WorkflowInstance": []}, "WorkflowInstance"),
        (GET, {"WorkflowInstance": {}}, "WorkflowInstance.Id"),
        (GET, {"WorkflowInstance": {"Id": SECOND}}, "WorkflowInstance.Id"),
        (GET, {"WorkflowInstance": {"Id": FIRST, "Tags": {}}}, "WorkflowInstance.Tags"),
        (GET, {"WorkflowInstance": {"Id": FIRST, "Tags": ["a"]}}, "WorkflowInstance.Tags"),
        (GET, {"WorkflowInstance": {"Id": FIRST, "Tags": [{"Key": 1}]}}, "WorkflowInstance.Tags[0].Key"),
        (LIST, {}, "PagingInfo"),
        (LIST, {"PagingInfo": {"WorkflowInstances": []}}, "PagingInfo.TotalCount"),
        (LIST, page("WorkflowInstances", total=-1), "PagingInfo.TotalCount"),
        (LIST, page("WorkflowInstances", total=1), "PagingInfo.WorkflowInstances"),
        (LIST, {"PagingInfo": {"TotalCount": 3}}, "PagingInfo.WorkflowInstances"),
        (LIST, page("WorkflowInstances", 5), "PagingInfo.WorkflowInstances"),
        (LIST, page("WorkflowInstances", {"Id": 1}, {"Name": "n"}), "PagingInfo.WorkflowInstances[1].Id"),
        (
            LIST,
            page("WorkflowInstances", {"Id": 1, "Status": "Running"}, {"Id": 1, "Status": "Success"}),
            "PagingInfo.WorkflowInstances",
        ),
        (LIST, page("WorkflowInstances", *[{"Id": 1}] * 10_001), "PagingInfo.WorkflowInstances"),
        (TASKS, page("TaskInstances", total=1), "PagingInfo.TaskInstances"),
        (TASKS, page("TaskInstances", {"Id": 1, "RunNumber": 2**31}), "PagingInfo.TaskInstances[0].RunNumber"),
        (TASK, {"TaskInstance": {"Id": 8}}, "TaskInstance.Id"),
        (LOG, {}, "TaskInstanceLog"),
        (LOG, {"TaskInstanceLog": ["line"]}, "TaskInstanceLog"),
    ],
)
def test_malformed_reply_names_the_member(call: calls.Call, members: dict[str, Any], field: str) -> None:
    with pytest.raises(MalformedDataWorksReply) as caught:
        read(call, Members(members), NOW)

    assert caught.value.field == field
    assert field in str(caught.value)


def test_reply_without_the_instance_may_mean_that_there_is_none() -> None:
    for call in (GET, TASK):
        with pytest.raises(NothingThere):
            reply_to(call)


@pytest.mark.parametrize(
    ("call", "result", "expected"),
    [
        (RESULT, {"Status": "Creating"}, calls.OperationResult(calls.OperationStatus.PENDING)),
        (RESULT, {"Status": "Pondering"}, calls.OperationResult(calls.OperationStatus.PENDING)),
        (
            RESULT,
            {"Status": "Created", "WorkflowInstanceIds": [SECOND, str(FIRST), SECOND]},
            calls.OperationResult(calls.OperationStatus.DONE, (SECOND, FIRST)),
        ),
        (
            RESULT,
            {"Status": "CreateFailure", "FailureMessage": "Non-existent TaskIDs: [1]"},
            calls.OperationResult(calls.OperationStatus.FAILED, failure_message="Non-existent TaskIDs: [1]"),
        ),
        (RERUN_RESULT, {"Status": "NotRun"}, calls.OperationResult(calls.OperationStatus.PENDING)),
        (RERUN_RESULT, {"Status": "Success"}, calls.OperationResult(calls.OperationStatus.DONE)),
        (
            RERUN_RESULT,
            {"Status": "Failure", "FailureMessage": "no"},
            calls.OperationResult(calls.OperationStatus.FAILED, failure_message="no"),
        ),
    ],
)
def test_operation_result(call: calls.Call, result: dict[str, Any], expected: calls.OperationResult) -> None:
    assert reply_to(call, Result=result) == expected


def test_start_says_it_for_each_id_that_was_asked_for() -> None:
    waiting = f"Because of parallelism config, wait for parent workflowInstance[{FIRST}] to finish"
    info = {
        str(FIRST): {"Success": True},
        str(SECOND): {"Success": "false", "Message": waiting},
        "99": {"Success": True},
        "x": "never looked at",
        "0" + str(FIRST): {"Success": False},
    }

    assert reply_to(START, SuccessInfo=info) == {
        FIRST: calls.PerInstance(success=True),
        SECOND: calls.PerInstance(success=False, message=waiting),
    }


def test_id_that_a_start_reply_leaves_out_is_left_out() -> None:
    assert reply_to(START, SuccessInfo={}) == {}


def test_same_row_twice_in_a_page_counts_once() -> None:
    found = reply_to(LIST, **page("WorkflowInstances", SEED_INSTANCE, SEED_INSTANCE))

    assert isinstance(found, calls.InstancePage)
    assert [row.id for row in found.instances] == [FIRST]


def test_page_beyond_the_last_is_empty() -> None:
    beyond = calls.ListInstances(257880, FEBRUARY_5, page_number=2)

    assert reply_to(beyond, **page("WorkflowInstances", total="100")) == calls.InstancePage((), 100)
    assert reply_to(LIST, PagingInfo={"TotalCount": 0}) == calls.InstancePage((), 0)


def test_runs_of_a_task_are_told_apart_by_number() -> None:
    found = reply_to(TASKS, **page("TaskInstances", {"Id": 7, "RunNumber": 1}, {"Id": 7, "RunNumber": 2}))

    assert isinstance(found, calls.TaskPage)
    assert [task.run_number for task in found.tasks] == [1, 2]


@pytest.mark.parametrize(("given", "text"), [("a\nb", "a\nb"), ("", ""), (None, "")])
def test_log_is_its_text(given: str | None, text: str) -> None:
    assert reply_to(LOG, TaskInstanceLog=given) == text


def test_ids_of_other_operations() -> None:
    assert reply_to(CREATE, OperationId="d860") == "d860"
    assert reply_to(RERUN, OperationId="d860") == "d860"
    assert reply_to(ADHOC, WorkflowInstanceId="1000341554601") == FIRST


# A small alphabet: the table of all of Unicode takes seconds to build on a cold machine.
TEXT = st.text("a1-.é中\ud800\x00", max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
SHAPES = st.fixed_dictionaries(
    {},
    optional={
        "OperationId": JSON,
        "WorkflowInstanceId": JSON,
        "TaskInstanceLog": JSON,
        "SuccessInfo": st.dictionaries(st.sampled_from([str(FIRST), "x"]), JSON) | JSON,
        "Result": st.fixed_dictionaries({}, optional={"Status": st.just("Created"), "WorkflowInstanceIds": JSON}),
        "WorkflowInstance": st.dictionaries(st.sampled_from([*SEED_INSTANCE, "Tags"]), JSON) | JSON,
        "PagingInfo": st.fixed_dictionaries(
            {},
            optional={"TotalCount": JSON, "WorkflowInstances": st.lists(st.just(SEED_INSTANCE) | JSON) | JSON},
        ),
    },
)


@given(SHAPES)
def test_whatever_comes_back_is_read_or_malformed(reply: dict[str, Any]) -> None:
    every: tuple[calls.Call, ...] = (CREATE, ADHOC, RESULT, START, GET, LIST, LOG)
    for call in every:
        try:
            read(call, Members(reply), NOW)
        except MalformedDataWorksReply as error:
            assert error.field
