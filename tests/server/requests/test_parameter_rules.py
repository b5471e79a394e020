"""Parameters of tasks, and what extra may hold."""

from __future__ import annotations

import pytest
from google.protobuf.struct_pb2 import Struct

from headgate import pb
from headgate_server.requests import validator
from tests.server.requests.violations import refusal
from tests.server.world import backfill


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a=1", "is not JSON"),
        ("[1]", "is JSON, but no object"),
        ('{"a": "b=1"}', "has a member 'a' that is no task id with a text"),
        ('{"1": 2}', "has a member '1' that is no task id with a text"),
        ("[" * 60_000, "is nested too deeply"),
    ],
)
def test_task_parameters_are_a_json_object_of_texts(text: str, problem: str) -> None:
    wrong, create = backfill(), pb.CreateWorkflowInstancesRequest()
    wrong.spec.task_parameters = create.spec.task_parameters = text

    said = refusal(wrong)["spec.task_parameters"]

    assert said.startswith(problem) and said.endswith('such as {"1023697426": "key=value"}')
    assert "spec.task_parameters" in refusal(create)
    wrong.spec.task_parameters = '{"1023697426": "bizdate=20250205 x=1"}'
    validator.check(wrong)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("Comment", "the spec has a member comment for it"),
        ("task_parameters", "the spec has a member task_parameters for it"),
        ("AutoStartEnabled", "headgate says it itself for a backfill"),
        ("Tags", ""),
    ],
)
def test_extra_may_not_repeat_what_has_a_member(name: str, instead: str) -> None:
    wrong = backfill()
    wrong.spec.extra.update({name: "x", "Newer": "y"})

    found = refusal(wrong)

    assert [*found] == [f"spec.extra.{name}"] and instead in found[f"spec.extra.{name}"]
    fine = Struct()
    fine.update({"Newer": "y"})
    wrong.spec.extra.CopyFrom(fine)
    validator.check(wrong)
