"""Open the streams that a watch reads: by name from a revision on, or by submitting."""

from dataclasses import dataclass, field

import grpc

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate_client.rpc.options import ClientOptions, WatchOptions
from headgate_client.rpc.stream import Stream, open_stream
from headgate_client.values.conversions import duration
from headgate_client.watch.resume import StreamPosition

JobStream = Stream[pb.WatchJobResponse]


@dataclass(frozen=True, slots=True)
class EventChoice:
    """What a watcher wants to see.

    Args:
        mode: every event, or the latest state.
        types: only events of these kinds; empty means all.
    """

    mode: pb.WatchMode.ValueType = pb.WATCH_MODE_EVERY_EVENT
    types: tuple[pb.EventType.ValueType, ...] = ()


class WatchSource:
    """Opens WatchJob streams of one job."""

    def __init__(
        self, channel: grpc.aio.Channel, options: ClientOptions, watch: WatchOptions, name: str, choice: EventChoice
    ) -> None:
        self._stub = JobServiceStub(channel)
        self._options = options
        self._watch = watch
        self._name = name
        self._choice = choice

    def open(self, at: StreamPosition) -> JobStream:
        """Open a stream that begins after the position."""
        request = pb.WatchJobRequest(
            name=self._name,
            start_revision=at.start_revision,
            mode=self._choice.mode,
            progress_interval=duration(self._watch.progress_interval),
            types=self._choice.types,
            incarnation=at.incarnation,
        )
        silence = self._watch.longest_silence
        return open_stream("WatchJob", self._stub.WatchJob, request, self._options, silence)

    def learn(self, message: pb.WatchJobResponse) -> None:
        """See a message; there is nothing to learn from it."""


@dataclass(slots=True)
class RunSource:
    """Opens RunJob until a message names the job, and WatchJob from then on.

    Opening RunJob again is safe: its request_id finds the job that the first try made.
    """

    channel: grpc.aio.Channel
    options: ClientOptions
    watch: WatchOptions
    request: pb.RunJobRequest
    _watching: WatchSource | None = field(default=None, init=False)

    def open(self, at: StreamPosition) -> JobStream:
        """Open the stream that continues the position."""
        if self._watching is not None:
            return self._watching.open(at)
        self.request.progress_interval.CopyFrom(duration(self.watch.progress_interval))
        stub = JobServiceStub(self.channel)
        return open_stream("RunJob", stub.RunJob, self.request, self.options, self.watch.longest_silence)

    def learn(self, message: pb.WatchJobResponse) -> None:
        """See a message: the first one names the job."""
        if self._watching is None and message.job:
            choice = EventChoice(self.request.mode)
            self._watching = WatchSource(self.channel, self.options, self.watch, message.job, choice)
