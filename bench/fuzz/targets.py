"""What is fuzzed within one process: code that reads foreign bytes, each with what it promises of any bytes.

A target takes bytes and returns. What it raises is a fault of the product, since each target catches what its code
promises to raise. None does I/O.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC
from typing import Any, Final

from bench.fuzz import corpus
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from headgate import pb
from headgate.job import event_log
from headgate.messages import filters, views
from headgate.messages.feed_entries import entry_of, event_of
from headgate.quota import limits
from headgate.store import commit, queue_entries, snapshot
from headgate_server.auth import callers
from headgate_server.errors.exceptions import Refused
from headgate_server.jobs import new_job, operation_view, plan_token
from headgate_server.ports import feed
from headgate_server.requests import validator
from headgate_server.requests.fast_validator import FastValidator
from headgate_worker.core.model import calls, flow_calls, hints_codec
from headgate_worker.notifications import forms, notification, rules
from headgate_worker.notifications.rules import Form, WebhookEndpoint
from headgate_worker.upstream.dataworks.replies import fields, reading
from headgate_worker.upstream.enos import graph
from headgate_worker.upstream.enos import replies as enos_replies

SMALLEST_CLIENT_BYTES: Final = 4 * 1024 * 1024
"""What a gRPC client takes by default. Every answer has to fit."""

_SUBMITS: Final = tuple(
    name
    for name, method in corpus.methods().items()
    if {"spec", "request_id", "validate_only"} <= set(method.input_type.fields_by_name)
)
_FAST_VALIDATOR: Final = FastValidator()


def request(method: str, raw: bytes) -> str:
    """A request on its way into the log, as far as that needs no store; "accepted", or why not.

    Whatever is accepted can be read again everywhere: as an event, in a snapshot, as an operation, in JSON.
    """
    kind = GetMessageClass(corpus.methods()[method].input_type)
    try:
        message = kind.FromString(raw)
    except (DecodeError, ValueError):
        return "malformed"
    try:
        validator.check(message)
    except Refused:
        return "refused"
    if method in _SUBMITS:
        _recorded(message)
    return "accepted"


def _recorded(message: Message) -> None:
    made = new_job.new_job(message, new_job.SubmitContext(1_700_000_000_000, bytes(range(24))))
    for argument in commit.script_arguments(made.commit):
        assert isinstance(argument, bytes | str | int)
    event = pb.JobEvent.FromString(made.commit.events[0])
    assert event_log.fold(None, event) == made.job
    assert snapshot.job_of(None, made.commit.events[0]) == made.job
    shown = pb.WatchJobResponse.FromString(pb.WatchJobResponse(event=event).SerializeToString())
    operation = operation_view.operation(made.job.SerializeToString())
    assert type(operation).FromString(operation.SerializeToString()) == operation
    assert 2 * max(shown.ByteSize(), operation.ByteSize()) <= SMALLEST_CLIENT_BYTES, shown.ByteSize()
    json_format.Parse(json_format.MessageToJson(shown), pb.WatchJobResponse())
    assert views.basic(made.job).ByteSize() <= made.job.ByteSize()


def fast_rules(method: str, raw: bytes) -> None:
    """What the fast path of the validator calls right has no violation; it may be unsure of anything."""
    kind = GetMessageClass(corpus.methods()[method].input_type)
    try:
        message = kind.FromString(raw)
    except (DecodeError, ValueError):
        return
    if _FAST_VALIDATOR.is_valid(message):
        assert not validator._validator.collect_violations(message), method  # noqa: SLF001


def filter_text(raw: bytes) -> None:
    """A filter of lists and feeds: parsed and applied, or refused with a place."""
    try:
        found = filters.parse(raw.decode("utf-8", "ignore"))
    except filters.BadFilter:
        return
    found.passes(pb.Job(name="jobs/a", labels={"team": "orders"}))


def tokens(raw: bytes) -> None:
    """Tokens that come back from callers: of plans, of feeds, of authorization."""
    text = raw.decode("utf-8", "ignore")
    with suppress(plan_token.BadPlanToken):
        plan_token.decode(text)
    with suppress(Refused):
        feed.read_token(text)
    callers.token_in([("authorization", text)])


def queue_entry(raw: bytes) -> None:
    """An ARQ entry that another application may have written, and an answer on a process's list."""
    with suppress(ValueError):
        asked = queue_entries.decode(raw).get("a")
        queue_entries.parse_read(asked if isinstance(asked, list) else [])
    with suppress(ValueError):
        queue_entries.decode_reply(raw)


def stored_row(raw: bytes) -> None:
    """What Redis has of a job beside its log: hints lose nothing but time, announced limits may be no limits."""
    hints_codec.decode_hints(raw)
    limits.announced_limits({"limits": raw.decode("utf-8", "ignore")})


def dataworks_reply(raw: bytes) -> None:
    """JSON as DataWorks may send it, to each kind of call."""
    body = _json(raw)
    for call in _CALLS if isinstance(body, dict) else ():
        with suppress(fields.MalformedDataWorksReply):
            reading.read(call, fields.Members(body), reading.DataWorksReplyContext(Timestamp(), "r"))


def enos_reply(raw: bytes) -> None:
    """JSON as EnOS may send it, to each kind of call; its graphs are broken now and then, and mended."""
    body = enos_replies.decode(raw)
    for call in _FLOW_CALLS:
        with suppress(enos_replies.MalformedEnosReply):
            enos_replies.read(call, body, _ENOS)
    graph.graph_of(_json(raw))


def feed_entry(raw: bytes) -> None:
    """An entry of the feed, as a worker reads it for notifications; what it says is told, or it says nothing."""
    event = event_of(entry_of((b"1-0", (b"i", b"a", b"r", b"1", b"e", raw))))
    if event is None or not event.HasField("job"):
        return
    for form in Form:
        with suppress(notification.UntellableEvent):
            told = notification.of_event(_RULE, form, event, rules.as_of(event.job, event), event.state)
            forms.request_of(told, WebhookEndpoint(name="e", url="https://a", form=form, secret="s"), "headgate", 1)


def webhook_reply(raw: bytes) -> None:
    """What an endpoint of notifications may answer."""
    for form in Form:
        forms.refusal(form, raw)


_RULE: Final = rules.Rule("r", "e", filters.parse(""), text="{job} {error} {labels.team}")


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


_CALLS: Final[tuple[Any, ...]] = (
    calls.GetInstance(1),
    calls.GetCreateResult("1"),
    calls.GetTask(1),
    calls.GetTaskLog(1),
    calls.ListInstances(1, 1_738_684_800_000),
    calls.StartInstances((1, 2)),
)
_FLOW_CALLS: Final[tuple[Any, ...]] = (flow_calls.GetFlow("1"), flow_calls.GetFlowTaskLog("1", 100))
_ENOS: Final = enos_replies.EnosReplyContext(Timestamp(), (UTC, UTC))

TARGETS: Final[Mapping[str, Callable[[bytes], object]]] = {
    target.__name__: target
    for target in (filter_text, tokens, queue_entry, stored_row, dataworks_reply, enos_reply, feed_entry, webhook_reply)
}
"""Those that take bytes alone, by name."""

SEEDS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "filter_text": (
        b'state = RUNNING AND (labels.team = "a" OR NOT priority >= 3)',
        b'create_time > "2025-02-05T00:00:00Z"',
    ),
    "tokens": (b"Bearer hg_abc", b"CgYIARABGAE", b"1-0.5"),
    "queue_entry": (b'{"t":null,"f":"read","a":[1,"GetJob","CgE=","hg:replies:1",5],"k":{},"et":1}', b"1 1 payload"),
    "stored_row": (b'{"s":{"1":2},"n":[[1,2,3]],"m":{"1":[1]}}', b'{"read_per_second":10,"write_per_second":5}'),
    "dataworks_reply": (
        b'{"RequestId":"r","WorkflowInstance":{"Id":1,"Status":"Running","BizDate":1738684800000,"Type":"SupplementData"}}',
        b'{"PagingInfo":{"TotalCount":1,"WorkflowInstances":[{"Id":1,"Status":"Success"}]},"Success":true,"Status":"Success"}',
    ),
    "enos_reply": (b'{"code":0,"data":{"instanceId":"1","status":"running","graph":"{\\"flows\\":[]}"}}',),
    "feed_entry": (
        pb.JobEvent(
            revision=1,
            type=pb.EVENT_TYPE_ACCEPTED,
            message="accepted",
            job=pb.Job(name="jobs/a", uid="u", labels={"team": "orders"}, runs=[pb.InstanceRun(index=1)]),
            runs=[pb.InstanceRun(index=1, biz_date=Date(year=2025, month=2, day=5))],
        ).SerializeToString(),
    ),
    "webhook_reply": (b'{"errcode":0,"errmsg":"ok"}', b'{"code":19021,"msg":"sign match fail"}'),
}
"""Bytes that each of them likes, from which others are made."""
