"""`python -m bench.load.streams '{"port": ..., ...}'`: many open streams in one process that says when messages came.

Says `streams ready` when every stream has had its first message. Then a line of JSON for each round, which is one
message on every stream, or for each message, as asked. Times are of the monotonic clock, which all processes share.
"""

from __future__ import annotations

import json
import selectors
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.load.http2 import Http2Connection

from headgate import pb

DAY_SECONDS = "86400S"


@dataclass(frozen=True, slots=True)
class Streams:
    """What to open.

    Args:
        port: of the server, on loopback.
        path: "/package.Service/Method".
        count: streams.
        jobs: names of the jobs that are watched, in turn; empty sends empty requests.
        connections: that the streams share.
        each: whether every message is printed, and not only whole rounds.
    """

    port: int
    path: str
    count: int
    jobs: tuple[str, ...] = ()
    connections: int = 10
    each: bool = False


class Audience:
    """All streams of the process."""

    def __init__(self, wanted: Streams) -> None:
        self._wanted = wanted
        self.messages = 0
        self._open = False
        self._connections = [
            Http2Connection(
                "127.0.0.1",
                wanted.port,
                wanted.path,
                on_message=self._message,
                on_end=self._end,
                timeout=DAY_SECONDS,
            )
            for _ in range(wanted.connections)
        ]

    def open(self) -> None:
        """Open every stream, a few at a time, and wait until each has had a message."""
        for number, body in enumerate(_requests(self._wanted), start=1):
            self._connections[number % len(self._connections)].call(body)
            if number % 100 == 0:
                self._until(number)
        self._until(self._wanted.count)
        self.messages, self._open = 0, True

    def listen(self) -> None:
        """Say what comes, until killed."""
        with self._selector() as selector:
            while True:
                for key, _ in selector.select():
                    key.data.receive()
                if self.messages >= self._wanted.count:
                    self.messages -= self._wanted.count
                    if not self._wanted.each:
                        _say({"at": time.monotonic()})

    def _until(self, count: int) -> None:
        with self._selector() as selector:
            while self.messages < count:
                for key, _ in selector.select(30):
                    key.data.receive()

    def _selector(self) -> selectors.DefaultSelector:
        selector = selectors.DefaultSelector()
        for connection in self._connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        return selector

    def _message(self, _stream: int, message: bytes) -> None:
        self.messages += 1
        if self._wanted.each and self._open:
            seen = pb.WatchJobResponse.FromString(message)
            _say({"at": time.monotonic(), "job": seen.job, "revision": seen.revision})

    def _end(self, stream: int) -> None:
        raise RuntimeError(f"stream {stream} ended")


def _requests(wanted: Streams) -> Iterator[bytes]:
    for number in range(wanted.count):
        if not wanted.jobs:
            yield b"ready"
            continue
        request = pb.WatchJobRequest(name=wanted.jobs[number % len(wanted.jobs)])
        request.progress_interval.FromSeconds(300)
        yield request.SerializeToString()


def _say(found: dict[str, object]) -> None:
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    audience = Audience(Streams(**{**given, "jobs": tuple(given["jobs"])}))
    audience.open()
    print("streams ready", flush=True)
    audience.listen()
