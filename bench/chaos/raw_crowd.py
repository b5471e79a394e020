"""`python -m bench.chaos.raw_crowd PORT WATCHERS CONNECTIONS JOB ...`: very many watches that come back by themselves.

A lean HTTP/2 client on few connections, so that the server is what is tried. Says `crowd open` whenever every watch has
had a message since the last loss, with the process's clock as JSON, until it is stopped.
"""

from __future__ import annotations

import json
import selectors
import sys
import time
from collections.abc import Sequence
from typing import Final

from bench.load.http2 import CallRefused, Http2Connection
from bench.load.streams import DAY_SECONDS
from bench.setting import WATCH_JOB

from headgate import pb

AGAIN_SECONDS: Final = 0.05
"""Pause before a lost connection is made anew."""


class Visitor:
    """One connection with many watches."""

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self._port = port
        self._requests = requests
        self.connection: Http2Connection | None = None
        self.seen: set[int] = set()
        self.due = 0.0

    @property
    def is_open(self) -> bool:
        """Whether every watch has had a message."""
        return len(self.seen) == len(self._requests)

    def come(self) -> None:
        """Connect and open every watch at once; a refused connection comes again."""
        try:
            self.connection = Http2Connection(
                "127.0.0.1", self._port, WATCH_JOB, on_message=self._message, on_end=_end, timeout=DAY_SECONDS
            )
            self.connection.socket.sendall(b"".join(self.connection.request(one)[1] for one in self._requests))
        except OSError:
            self.leave()

    def leave(self) -> None:
        """Give a lost connection up, and come again soon."""
        if self.connection is not None:
            self.connection.close()
        self.connection, self.due = None, time.monotonic() + AGAIN_SECONDS
        self.seen.clear()

    def _message(self, stream: int, _message: bytes) -> None:
        self.seen.add(stream)


def _end(stream: int) -> None:
    raise CallRefused(f"stream {stream} ended")


def turn(visitors: Sequence[Visitor]) -> None:
    """Take what has come, for a while, and let those come again who have lost their connection."""
    for visitor in visitors:
        if visitor.connection is None and time.monotonic() >= visitor.due:
            visitor.come()
    with selectors.DefaultSelector() as selector:
        for visitor in visitors:
            if visitor.connection is not None:
                selector.register(visitor.connection.socket, selectors.EVENT_READ, visitor)
        for key, _ in selector.select(AGAIN_SECONDS):
            _receive(key.data)


def _receive(visitor: Visitor) -> None:
    try:
        if visitor.connection is not None:
            visitor.connection.receive()
    except (CallRefused, OSError):
        visitor.leave()


def main(port: int, watchers: int, connections: int, jobs: Sequence[str]) -> None:
    """Keep all watches open until killed."""
    requests = [pb.WatchJobRequest(name=jobs[number % len(jobs)]).SerializeToString() for number in range(watchers)]
    visitors = [Visitor(port, requests[number::connections]) for number in range(connections)]
    was_open = False
    while True:
        turn(visitors)
        is_open = all(visitor.is_open for visitor in visitors)
        if is_open and not was_open:
            print("crowd open", json.dumps({"at": time.monotonic()}), flush=True)
        was_open = is_open


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
