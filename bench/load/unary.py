"""`python -m bench.load.unary '{"port": ..., ...}'`: a closed loop of unary calls; prints a line of JSON."""

from __future__ import annotations

import json
import selectors
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from itertools import islice

from bench.figures import quantile
from bench.load.bodies import bodies
from bench.load.http2 import Http2Connection


@dataclass(frozen=True, slots=True)
class Loop:
    """A closed loop.

    Args:
        port: of the server, on loopback.
        path: "/package.Service/Method".
        kind: what is sent; see `bodies`.
        in_flight: calls that are open at a time, over all connections.
        connections: how many.
        seconds: how long is measured, after a warm-up.
        run: a word that no other run has.
        warm_up: seconds before measuring begins.
    """

    port: int
    path: str
    kind: str
    in_flight: int = 64
    connections: int = 4
    seconds: float = 2.0
    run: str = "a"
    warm_up: float = 0.3


@dataclass(frozen=True, slots=True)
class LoopResult:
    """What a loop saw.

    Args:
        rate: calls ended well per second.
        p50_ms: median of their times.
        p99_ms: and the time that one in a hundred exceeds.
        own_cpu: share of a core that the generator itself took.
        calls: all that ended well, warm-up included.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    own_cpu: float
    calls: int


MOST_PER_SECOND = 20_000
"""Bodies that are prepared for each second, more than any of the servers takes."""


class LoopClient:
    """The calls of one connection of the loop."""

    def __init__(self, loop: Loop, prepared: deque[bytes]) -> None:
        self._prepared = prepared
        self._began: dict[int, float] = {}
        self._ended = 0
        self.times: list[float] = []
        self.connection = Http2Connection("127.0.0.1", loop.port, loop.path, on_message=_ignore, on_end=self._end)

    def send(self, count: int) -> None:
        """Begin calls."""
        now, raws = time.perf_counter(), []
        for _ in range(count):
            stream, raw = self.connection.request(self._prepared.popleft())
            self._began[stream] = now
            raws.append(raw)
        self.connection.socket.sendall(b"".join(raws))

    def turn(self) -> None:
        """Take what has come, and begin as many calls as have ended."""
        self.connection.receive()
        if self._ended:
            ended, self._ended = self._ended, 0
            self.send(ended)

    def _end(self, stream: int) -> None:
        self._ended += 1
        self.times.append(time.perf_counter() - self._began.pop(stream))


def _ignore(_stream: int, _message: bytes) -> None:
    return None


def measure(loop: Loop) -> LoopResult:
    """Run a loop."""
    wanted = int((loop.warm_up + loop.seconds) * MOST_PER_SECOND) + loop.in_flight
    prepared = deque(islice(bodies(loop.kind, loop.run), wanted))
    clients = [LoopClient(loop, prepared) for _ in range(loop.connections)]
    try:
        return _measured(loop, clients)
    finally:
        for client in clients:
            client.connection.close()


def _measured(loop: Loop, clients: list[LoopClient]) -> LoopResult:
    for client in clients:
        client.send(loop.in_flight // loop.connections)
    _turn(clients, loop.warm_up)
    warm = sum(len(client.times) for client in clients)
    for client in clients:
        client.times.clear()
    began, cpu = time.perf_counter(), time.process_time()
    _turn(clients, loop.seconds)
    took, own = time.perf_counter() - began, time.process_time() - cpu
    times = [seconds for client in clients for seconds in client.times]
    p50_ms, p99_ms = quantile(times, 0.5) * 1000, quantile(times, 0.99) * 1000
    return LoopResult(len(times) / took, p50_ms, p99_ms, own / took, warm + len(times))


def _turn(clients: list[LoopClient], seconds: float) -> None:
    until = time.perf_counter() + seconds
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.connection.socket, selectors.EVENT_READ, client)
        while (left := until - time.perf_counter()) > 0:
            for key, _ in selector.select(left):
                key.data.turn()


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Loop(**json.loads(sys.argv[1]))))))
