"""A sample of each rule, sent once, to see whether address, secret and form are right. No job is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_worker.notifications import forms, notification
from headgate_worker.notifications.notification import Notification
from headgate_worker.notifications.rules import Form, Rule, RuleSet
from headgate_worker.notifications.webhook_sender import Sender, WebhookSender

JOB: Final = "jobs/sample"
"""Name of the job that samples are about; there is none."""

MESSAGE: Final = "a sample: nothing has happened"
"""What the event of a sample says."""


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """What became of the sample of a rule; `problem` is empty when it was taken."""

    rule: str
    endpoint: str
    problem: str


def sample_of(rule: Rule, form: Form, now_ms: int) -> Notification:
    """What the rule would tell of a backfill, in the first of its states; the filter is not asked."""
    state = min(rule.states, default=pb.JOB_STATE_RUNNING)
    kind = min(rule.events, default=pb.EVENT_TYPE_STATE_CHANGED)
    job = pb.Job(name=JOB, uid="sample", revision=1, state=state, creator="headgate", backfill=pb.BackfillSpec())
    time = Timestamp(seconds=now_ms // 1000)
    event = pb.JobEvent(revision=1, type=kind, state=state, event_time=time, actor="worker", message=MESSAGE)
    told = notification.of_event(rule, form, event, job, pb.JOB_STATE_RUNNING)
    return replace(told, id=f"sample.{now_ms}.{rule.name}")


async def send_samples(
    rules: RuleSet, now_ms: int, sender: Callable[..., Sender] = WebhookSender
) -> list[SampleOutcome]:
    """Send one sample of each rule, once, in the file's order."""
    return [await _send(rule, rules, now_ms, sender) for rule in rules.rules]


async def _send(rule: Rule, rules: RuleSet, now_ms: int, sender: Callable[..., Sender]) -> SampleOutcome:
    endpoint = rules.endpoints[rule.endpoint]
    told = sample_of(rule, endpoint.form, now_ms)
    connected = sender(endpoint)
    try:
        reply = await connected.send(forms.request_of(told, endpoint, rules.source, now_ms))
    finally:
        await connected.aclose()
    return SampleOutcome(rule.name, endpoint.name, reply.problem)
