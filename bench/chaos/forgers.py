"""`python -m bench.chaos.forgers TARGET SECONDS PER_SECOND TOKEN OPEN`: a caller with invalid tokens.

On one connection. It does not wait for answers, only while OPEN calls are under way, and connects again when the server
hangs up. Says `forgers ready` before it begins, `forgers done` with what came of its calls as JSON, and ends.
"""

from __future__ import annotations

import json
import selectors
import sys
import time
from collections import Counter
from typing import Final

from bench.load.http2 import CallRefused, Http2Connection

from headgate import pb

PATH: Final = "/headgate.v1.JobService/GetJob"
CODES: Final = {b"grpc-status\x0216": "UNAUTHENTICATED", b"grpc-status\x018": "RESOURCE_EXHAUSTED"}
_TICK: Final = 0.01


class Forger(Http2Connection):
    """A connection whose calls carry a token, and none of which should end well."""

    def __init__(self, host: str, port: int, token: str, most: int, seen: Counter[str]) -> None:
        super().__init__(host, port, PATH, on_message=lambda *_: None, on_end=lambda _: None)
        value = f"Bearer {token}".encode()
        # A literal that is never indexed, as RFC 7541 wants it for secrets.
        line = b"\x10" + bytes((len(b"authorization"),)) + b"authorization" + bytes((len(value),)) + value
        self._first, self._later = self._first + line, self._later + line
        self._most = most
        self._seen = seen
        self.open = 0

    def send(self, count: int, body: bytes) -> None:
        """Begin calls, as far as there may be more open ones."""
        count = max(0, min(count, self._most - self.open))
        self.open += count
        self.socket.sendall(b"".join(self.request(body)[1] for _ in range(count)))

    def _ended(self, stream: int, trailers: bytes) -> None:
        self.open -= 1
        word = next((word for mark, word in CODES.items() if mark in trailers), "OK or another code")
        self._seen[word] += 1


def flood(host: str, port: int, token: str, seconds: float, per_second: float, most: int) -> Counter[str]:
    """Call at a rate, for so long; what came of the calls."""
    seen, body = Counter[str](), pb.GetJobRequest(name="jobs/quiet").SerializeToString()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        forger = Forger(host, port, token, most, seen)
        try:
            _flood(forger, body, until, per_second)
        except (CallRefused, OSError):
            seen["hung up"] += 1
            seen["cut off"] += forger.open
    return seen


def _flood(forger: Forger, body: bytes, until: float, per_second: float) -> None:
    began, sent = time.monotonic(), 0
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(forger.socket, selectors.EVENT_READ)
            while (now := time.monotonic()) < until:
                due = int((now - began) * per_second) - sent
                forger.send(due, body)
                sent += due
                if selector.select(_TICK):
                    forger.receive()
    finally:
        forger.close()


if __name__ == "__main__":
    print("forgers ready", flush=True)
    _host, _, _port = sys.argv[1].rpartition(":")
    _found = flood(_host, int(_port), sys.argv[4], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[5]))
    print(f"forgers done {json.dumps(_found)}", flush=True)
