"""Texts for people: fields in braces, filled from the job and its event. Pure.

What a job says is escaped for the form, so that a label or an error message never calls all members of a channel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from headgate import pb
from headgate.messages import word_choice
from headgate_worker.notifications.rules import Form

USUAL: Final = "{job} ({kind}, {creator}): {state}. {message}"
"""The text of a rule that has none of its own."""

MAX_TEXT: Final = 3_000
"""Most characters of a text; Slack, DingTalk and Feishu take more."""

FIELDS: Final = (
    *("rule", "job", "kind", "state", "before", "creator", "connection", "message", "error"),
    *("revision", "time", "total", "succeeded", "failed"),
)
"""What may stand in braces, besides `labels.<key>`."""

_FIELD: Final = re.compile(r"\{([^{}]*)\}")


def check(template: str) -> None:
    """Raise ValueError where a field in braces is none."""
    for name in _FIELD.findall(template):
        if name not in FIELDS and not name.startswith("labels."):
            raise ValueError(word_choice.unknown("field", name, [*FIELDS, "labels.<key>"]))


def fill(template: str, values: Mapping[str, str], form: Form) -> str:
    """The text; a label that the job has not is empty."""
    escape = _ESCAPES.get(form, str)
    return _FIELD.sub(lambda field: escape(values.get(field[1], "")), template or USUAL)[:MAX_TEXT]


def values_of(rule: str, event: pb.JobEvent, job: pb.Job, before: pb.JobState.ValueType) -> dict[str, str]:
    """The fields by name."""
    return {
        "rule": rule,
        "job": job.name,
        "kind": job.WhichOneof("spec") or "",
        "state": state_word(event.state),
        "before": state_word(before),
        "creator": job.creator,
        "connection": job.connection,
        "message": event.message,
        "error": job.error.message,
        "revision": str(event.revision),
        "time": event.event_time.ToJsonString(),
        "total": str(job.counts.total),
        "succeeded": str(job.counts.succeeded),
        "failed": str(job.counts.failed),
        **{f"labels.{key}": value for key, value in job.labels.items()},
    }


def state_word(state: pb.JobState.ValueType) -> str:
    """Such as FAILED; a state that is newer than this process by its number."""
    known = state in pb.JobState.values()
    return pb.JobState.Name(state).removeprefix("JOB_STATE_") if known else str(int(state))


def type_word(kind: pb.EventType.ValueType) -> str:
    """Such as WARNING; a type that is newer than this process by its number."""
    known = kind in pb.EventType.values()
    return pb.EventType.Name(kind).removeprefix("EVENT_TYPE_") if known else str(int(kind))


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _feishu(text: str) -> str:
    return text.replace("<", "\N{FULLWIDTH LESS-THAN SIGN}")  # "<at user_id=...>" calls people


_ESCAPES: Final[Mapping[Form, Callable[[str], str]]] = {Form.SLACK: _slack, Form.FEISHU: _feishu}
