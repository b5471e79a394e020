"""Decide what a message or a failure means for a watch: yield it, drop it, open the stream again, or end.

Pure: no I/O, no clock, no randomness. The promise that a watch never repeats and never drops an event is kept
here and only here. It is one number: every revision up to `StreamPosition.revision` has been yielded, so a
message below it is a repeat and one beyond its successor shows a gap.
"""

from dataclasses import dataclass, replace

import grpc

from headgate import pb
from headgate_client.rpc.errors import HeadgateError
from headgate_client.watch.items import EndItem, EventItem, ProgressItem, SnapshotItem, WatchItem

_NO_REVISION = -1


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """How far a watch has come.

    Args:
        revision: everything up to it has been yielded; -1 before the snapshot of a watch from revision 0.
        incarnation: which history that revision belongs to; empty while unknown.
        dense: whether every revision must be seen: EVERY_EVENT without a choice of types.
        advances: whether a sign of life counts as having seen the revisions that it names.
        reset: whether the next snapshot replaces what was yielded before.
    """

    revision: int = _NO_REVISION
    incarnation: str = ""
    dense: bool = True
    advances: bool = False
    reset: bool = False

    @property
    def start_revision(self) -> int:
        """What to ask for when the stream is opened: the next revision, or 0 for a snapshot."""
        return self.revision + 1

    def forgotten(self) -> "StreamPosition":
        """Return the position of a watch that begins again with a snapshot, because its history is gone."""
        return replace(self, revision=_NO_REVISION, incarnation="", reset=True)


def begin(
    start_revision: int, mode: pb.WatchMode.ValueType, types: tuple[pb.EventType.ValueType, ...]
) -> StreamPosition:
    """Return the position of a watch that nothing has been read of.

    `start_revision` is 0 for a snapshot first, else the first revision wanted. Raises ValueError if it is
    negative.
    """
    if start_revision < 0:
        raise ValueError("start_revision is 0 for a snapshot, or a revision from 1")
    latest = mode == pb.WATCH_MODE_LATEST_ONLY
    return StreamPosition(
        revision=start_revision - 1, dense=not latest and not types, advances=not latest and bool(types)
    )


@dataclass(frozen=True, slots=True)
class Yield:
    """Hand the item to the reader; the stream goes on."""

    position: StreamPosition
    item: WatchItem


@dataclass(frozen=True, slots=True)
class Drop:
    """Leave the message out; the stream goes on."""

    position: StreamPosition


@dataclass(frozen=True, slots=True)
class Reopen:
    """Close the stream and open it again at the position.

    Args:
        position: where.
        delay: seconds to wait at least.
        cause: why, for `on_reconnect`.
    """

    position: StreamPosition
    delay: float
    cause: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Hand over the last item; nothing follows."""

    position: StreamPosition
    item: EndItem


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Raise the error: coming back would not help."""

    error: HeadgateError


Step = Yield | Drop | Reopen | Finish


def on_message(at: StreamPosition, message: pb.WatchJobResponse) -> Step:
    """Decide about a message of the stream."""
    match message.WhichOneof("payload"):
        case "snapshot":
            return _on_snapshot(at, message)
        case "event":
            return _on_event(at, message)
        case "progress":
            return _on_progress(at, message)
        case "end":
            return _on_end(at, message)
        case _:  # a payload newer than this client: its revision still counts, so that a gap shows
            return _gap(at, message) if _is_gap(at, message.revision) else Drop(at)


def on_failure(at: StreamPosition, error: HeadgateError) -> Reopen | GiveUp:
    """Decide about a stream that ended with an error."""
    cause = f"{error.code.name} {error.reason}".strip()
    if error.code is grpc.StatusCode.OUT_OF_RANGE:
        return Reopen(at.forgotten(), error.retry_after or 0.0, cause=cause)
    if error.is_retryable or _is_broken_transport(error) or _is_told_to_wait(error):
        return Reopen(at, error.retry_after or 0.0, cause=cause)
    return GiveUp(error)


def on_silence(at: StreamPosition, cause: str) -> Reopen:
    """Decide about a stream that ended without a word, or that has been silent for too long."""
    return Reopen(at, 0.0, cause=cause)


def _on_snapshot(at: StreamPosition, message: pb.WatchJobResponse) -> Step:
    if message.revision <= at.revision:
        return Drop(at)
    if at.revision != _NO_REVISION and at.dense:
        return _gap(at, message)  # events between were asked for, and a snapshot does not show them
    return Yield(_moved(at, message), SnapshotItem(message.revision, message.snapshot, at.reset))


def _on_event(at: StreamPosition, message: pb.WatchJobResponse) -> Step:
    if at.revision == _NO_REVISION:
        return _gap(at, message)
    if message.revision == at.revision and _is_other_history(at, message):
        return Reopen(at.forgotten(), 0.0, cause="the history has changed")
    if message.revision <= at.revision:
        return Drop(at)
    if _is_gap(at, message.revision - 1):
        return _gap(at, message)
    return Yield(_moved(at, message), EventItem(message.revision, message.event))


def _on_progress(at: StreamPosition, message: pb.WatchJobResponse) -> Step:
    if message.revision == at.revision and _is_other_history(at, message):
        return Reopen(at.forgotten(), 0.0, cause="the history has changed")
    if _is_gap(at, message.revision):
        return _gap(at, message)
    seen = at.revision != _NO_REVISION and at.advances and message.revision > at.revision
    after = _moved(at, message) if seen else at
    return Yield(after, ProgressItem(max(after.revision, 0), message.progress))


def _on_end(at: StreamPosition, message: pb.WatchJobResponse) -> Step:
    reason, delay = message.end.reason, message.end.reconnect_delay.ToNanoseconds() / 1e9
    if reason == pb.STREAM_END_REASON_HISTORY_LOST:
        return Reopen(at.forgotten(), delay, cause="HISTORY_LOST")
    if reason == pb.STREAM_END_REASON_JOB_DELETED:
        return _finish(at, message)
    if _is_gap(at, message.revision):
        return _gap(at, message)
    if reason == pb.STREAM_END_REASON_JOB_TERMINAL:
        return _gap(at, message) if _lacks_the_last(at, message) else _finish(at, message)
    return Reopen(at, delay, cause=_reason_name(reason))


def _finish(at: StreamPosition, message: pb.WatchJobResponse) -> Finish:
    return Finish(at, EndItem(max(at.revision, 0), message.end))


def _lacks_the_last(at: StreamPosition, message: pb.WatchJobResponse) -> bool:
    # LATEST_ONLY may skip snapshots, but not the last one. With a choice of types the last event may be none
    # of them.
    return not at.advances and message.revision > at.revision


def _is_gap(at: StreamPosition, revision: int) -> bool:
    return at.dense and revision > at.revision != _NO_REVISION


def _gap(at: StreamPosition, message: pb.WatchJobResponse) -> Reopen:
    return Reopen(at, 0.0, cause=f"a gap before revision {message.revision}")


def _moved(at: StreamPosition, message: pb.WatchJobResponse) -> StreamPosition:
    return replace(at, revision=message.revision, incarnation=message.incarnation, reset=False)


def _is_other_history(at: StreamPosition, message: pb.WatchJobResponse) -> bool:
    return bool(at.incarnation and message.incarnation) and at.incarnation != message.incarnation


def _is_broken_transport(error: HeadgateError) -> bool:
    # Every error of a headgate server carries a reason. An INTERNAL without one is how gRPC and proxies
    # report a stream that was reset under way.
    return error.code is grpc.StatusCode.INTERNAL and not error.reason


def _is_told_to_wait(error: HeadgateError) -> bool:
    return error.is_exhausted and error.retry_after is not None


def _reason_name(reason: int) -> str:
    known = pb.StreamEndReason.values()
    name = pb.StreamEndReason.Name(pb.StreamEndReason.ValueType(reason)) if reason in known else str(reason)
    return name.removeprefix("STREAM_END_REASON_")
