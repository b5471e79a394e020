"""Rules on parameters that are passed on to DataWorks as text, or by its own names. Pure.

What upstream would accept and silently ignore is refused here, with an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from headgate import pb
from headgate_server.requests.date_rules import Violation

_EXAMPLE: Final = '{"1023697426": "key=value"}'
_TYPED: Final = {
    field.name.replace("_", ""): field.name
    for field in pb.CreateWorkflowInstancesSpec.DESCRIPTOR.fields
    if field.name != "extra"
}
"""What a create has members for, by their folded names; a backfill is sent as creates."""

_WITHOUT_MEMBER: Final = frozenset({"type", "periods", "auto_start_enabled", "tag_creation_policy"})
"""What headgate itself says for a backfill."""


def parameters(path: str, spec: pb.BackfillSpec | pb.CreateWorkflowInstancesSpec) -> Iterator[Violation]:
    """Complain about task parameters that are no JSON object, and about extra members that repeat typed ones."""
    if spec.task_parameters and (problem := _problem(spec.task_parameters)):
        said = f"{problem}; must be a JSON object of task ids to texts, such as {_EXAMPLE}"
        yield f"{path}.task_parameters", said
    for name in sorted(spec.extra.fields) if spec.HasField("extra") else ():
        member = _TYPED.get(name.replace("_", "").lower())
        if member is not None:
            yield f"{path}.extra.{name[:64]}", f"would be left out: {_instead(spec, member)}"


def _instead(spec: pb.BackfillSpec | pb.CreateWorkflowInstancesSpec, member: str) -> str:
    if member in spec.DESCRIPTOR.fields_by_name:
        return f"the spec has a member {member} for it"
    if member in _WITHOUT_MEMBER:
        return "headgate says it itself for a backfill"
    return "the spec says it by members of its own"


def _problem(text: str) -> str:
    """What is wrong with task parameters; empty when nothing is."""
    try:
        found = json.loads(text)
    except RecursionError:
        return "is nested too deeply"
    except ValueError as error:
        return f"is not JSON: {error}"[:120]
    if not isinstance(found, dict):
        return "is JSON, but no object"
    wrong = [key for key, value in found.items() if not key.isdecimal() or not isinstance(value, str)]
    return f"has a member {wrong[0][:40]!r} that is no task id with a text" if wrong else ""
