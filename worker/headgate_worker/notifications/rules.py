"""Rules of notifications: which event of which job is told to which endpoint. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.messages.filters import Filter


class Form(Enum):
    """What the body of a request looks like."""

    CLOUDEVENTS = "cloudevents"
    """A CloudEvent 1.0 as one JSON object."""
    CLOUDEVENTS_BINARY = "cloudevents-binary"
    """A CloudEvent 1.0 whose attributes are headers; the body is its data."""
    SLACK = "slack"
    """An incoming webhook of Slack."""
    DINGTALK = "dingtalk"
    """A custom robot of DingTalk."""
    FEISHU = "feishu"
    """A custom bot of Feishu or Lark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """Where notifications go.

    Args:
        url: http or https; it may hold a token, so it is never shown.
        secret: signs requests; empty signs none.
        robot_secret: of a robot of DingTalk or Feishu that asks for its own kind of signature; else empty.
        parallel: requests side by side.
        queue: notifications that may wait or be under way; one more is dropped.
        attempts: requests for one notification at most.
        give_up_seconds: for how long a notification is tried, from when it was taken up.
        timeout_seconds: longest time of one request.
    """

    name: str
    url: str = field(repr=False)
    form: Form = Form.CLOUDEVENTS
    secret: str = field(default="", repr=False)
    robot_secret: str = field(default="", repr=False)
    parallel: int = 4
    queue: int = 1_000
    attempts: int = 20
    give_up_seconds: float = 3_600.0
    timeout_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Rule:
    """What is told to an endpoint.

    Args:
        wanted: jobs that it is about, as they stand after the event.
        states: told when a job reaches one of these.
        events: told of each event of these types.
        text: what people read, with fields in braces; empty for the usual text.
    """

    name: str
    endpoint: str
    wanted: Filter
    states: frozenset[pb.JobState.ValueType] = frozenset()
    events: frozenset[pb.EventType.ValueType] = frozenset()
    text: str = ""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules, and the endpoints that they name, by name. `source` is that of each CloudEvent."""

    source: str
    endpoints: Mapping[str, WebhookEndpoint]
    rules: tuple[Rule, ...]


def candidates(rules: Sequence[Rule], event: pb.JobEvent) -> list[Rule]:
    """Rules that the event may be for, by what it says itself; the others need no look at the job."""
    return [rule for rule in rules if event.type in rule.events or event.state in rule.states]


def matching(rules: Sequence[Rule], event: pb.JobEvent, job: pb.Job, before: pb.JobState.ValueType) -> list[Rule]:
    """Rules that the event is for.

    Args:
        rules: candidates.
        event: the event.
        job: as it was after the event; see `as_of`.
        before: its state before the event.
    """
    reached = event.state if event.state != before else None
    return [rule for rule in rules if (event.type in rule.events or reached in rule.states) and rule.wanted.passes(job)]


def as_of(job: pb.Job, event: pb.JobEvent) -> pb.Job:
    """The job with state, times and error of the event; labels and such are those that it has now."""
    then = pb.Job()
    then.CopyFrom(job)
    then.state, then.revision = event.state, event.revision
    then.update_time.CopyFrom(event.event_time)
    if event.HasField("counts"):
        then.counts.CopyFrom(event.counts)
    if event.HasField("error"):
        then.error.CopyFrom(event.error)
    elif event.state not in _WITH_ERROR:
        then.ClearField("error")
    if event.state not in JOB_TERMINAL:
        then.ClearField("end_time")
    return then


_WITH_ERROR: Final = frozenset({pb.JOB_STATE_FAILED, pb.JOB_STATE_NEEDS_ATTENTION})
"""States in which a job keeps the error of an earlier event."""
