"""What a caller without the right to see payloads is shown of an answer: everything else, whatever RPC it is of. Pure.

The edge applies it to every answer that can hold a payload, found by the descriptors, so that no handler can forget
it. Of its own jobs, which it submitted itself, a caller sees everything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import cache
from typing import Any, Final, Protocol

from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from headgate import pb
from headgate.messages import views

UPSTREAM: Final[Mapping[str, tuple[str, ...]]] = {
    "headgate.v1.TaskInstance": ("script_content", "script_parameters", "input_variables", "output_variables"),
    "headgate.v1.WorkflowInstance": ("workflow_parameters",),
    "headgate.v1.FlowInstance": ("parameters",),
    "headgate.v1.InstanceGraph": ("parameters",),
}
"""Payloads of rows of upstream, by full name of the message. No caller submitted those, so they are no caller's own."""

_JOB: Final = pb.Job.DESCRIPTOR.full_name
_EVENT: Final = pb.JobEvent.DESCRIPTOR.full_name
_PACKED: Final = Packed.DESCRIPTOR.full_name
_HOLDERS: Final = frozenset({_JOB, _EVENT, _PACKED, *UPSTREAM})


class PayloadSink(Protocol):
    """Port: where the messages of a stream go."""

    def write(self, message: bytes, /) -> Awaitable[None]:
        """Send a message."""


@cache
def holds(kind: Descriptor) -> bool:
    """Whether a message of a type can hold a payload, itself or deep inside."""
    return bool(_inside(kind) & _HOLDERS)


@cache
def has_events(kind: Descriptor) -> bool:
    """Whether a message of a type can hold events, which do not say whose their job is."""
    return _EVENT in _inside(kind)


def _inside(kind: Descriptor) -> set[str]:
    found, rest = {kind.full_name}, [kind]
    while rest:
        inner = [field.message_type for field in rest.pop().fields if field.message_type is not None]
        rest += [one for one in inner if one.full_name not in found]
        found |= {one.full_name for one in inner}
    return found


def hide(message: Message, caller: str, *, own: bool) -> None:
    """Take the payloads out of a message that is not kept.

    Args:
        message: an answer, or a part of one.
        caller: who is shown it.
        own: whether events that do not carry their job are those of the caller's own.
    """
    kind = message.DESCRIPTOR.full_name
    if isinstance(message, pb.Job):
        if message.creator != caller:
            views.strip(message)
    elif isinstance(message, pb.JobEvent):
        if not (message.job.creator == caller if message.HasField("job") else own):
            views.strip_event(message)
    elif isinstance(message, Packed):
        _hide_packed(message, caller)
    else:
        for name in UPSTREAM.get(kind, ()):
            message.ClearField(name)
        _hide_inside(message, caller, own=own)


def _hide_packed(packed: Packed, caller: str) -> None:
    if packed.Is(pb.Job.DESCRIPTOR):
        job = pb.Job()
        packed.Unpack(job)
        hide(job, caller, own=False)
        packed.Pack(job)


def _hide_inside(message: Message, caller: str, *, own: bool) -> None:
    for field, value in message.ListFields():
        inner = field.message_type
        if inner is None or inner.GetOptions().map_entry or not holds(inner):
            continue
        for part in value if field.is_repeated else (value,):
            hide(part, caller, own=own)


class PayloadView:
    """What one call's caller is shown.

    Args:
        answer: type of the answer, or of a stream's messages.
        caller: who calls.
        own: whether the job that the request names is the caller's own.
        one_job: whether all that is answered is about one job.
    """

    __slots__ = ("_answer", "_caller", "_one_job", "_own")

    def __init__(self, answer: type[Message], caller: str, *, own: bool, one_job: bool) -> None:
        self._answer = answer
        self._caller = caller
        self._own = own
        self._one_job = one_job

    @property
    def is_whole(self) -> bool:
        """Whether everything is shown from here on."""
        return self._own and self._one_job

    def of(self, answer: Message | bytes) -> Message | bytes:
        """The answer without what is not shown."""
        shown = self._parsed(answer)
        if isinstance(shown, pb.Job) and shown.creator == self._caller:
            return answer
        if isinstance(shown, pb.WatchJobResponse) and shown.HasField("snapshot") and self._one_job:
            # A stream that begins with a submit shows only here whose job it follows: another's, where it has joined.
            self._own = shown.snapshot.creator == self._caller
        hide(shown, self._caller, own=self._own)
        return shown

    def _parsed(self, answer: Message | bytes) -> Message:
        shown = self._answer()
        if isinstance(answer, bytes):
            shown.ParseFromString(answer)
        else:
            shown.CopyFrom(answer)
        return shown

    def sink(self, sink: PayloadSink) -> PayloadSink:
        """A sink that hands messages on to another, as they are shown."""
        return _Shown(self, sink)


class _Shown:
    __slots__ = ("_sink", "_view")

    def __init__(self, view: PayloadView, sink: PayloadSink) -> None:
        self._view = view
        self._sink = sink

    def write(self, message: bytes, /) -> Awaitable[Any]:
        if self._view.is_whole:
            return self._sink.write(message)
        shown = self._view.of(message)
        return self._sink.write(shown if isinstance(shown, bytes) else shown.SerializeToString())
