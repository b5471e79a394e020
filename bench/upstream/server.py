"""`python -m bench.upstream.server [CHAIN]`: answers every GetWorkflowInstance with a running instance.

Over TLS with the certificate of a PEM file, or in plain HTTP without one. It reads no more of a request than it needs.
"""

from __future__ import annotations

import asyncio
import re
import signal
import ssl
import sys
from pathlib import Path

import uvloop

_ID = re.compile(rb"[?&]Id=(\d+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BODY = (
    b'{"RequestId":"0B9EB7F6-F1EE-5B52-AC16-11C025F718E7","WorkflowInstance":{"Id":%s,"WorkflowId":1,'
    b'"WorkflowTaskInstanceId":7,"UnifiedWorkflowInstanceId":8,"Name":"bench","Type":"SupplementData",'
    b'"BizDate":1738684800000,"Owner":"1","ProjectId":257880,"EnvType":"Prod","TriggerTime":1738771200000,'
    b'"CreateTime":1738771200000,"CreateUser":"1","ModifyTime":1738771200000,"ModifyUser":"1",'
    b'"StartedTime":1738771200000,"Status":"Running"}}'
)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json;charset=utf-8\r\ncontent-length: %d\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = _LENGTH.search(head)
            stop = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < stop:
                return
            self._received = self._received[stop:]
            found = _ID.search(head)
            body = _BODY % (found[1] if found else b"1")
            self._transport.write(_HEAD % len(body) + body)  # type: ignore[attr-defined]


def _tls(chain: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context


async def main(chain: Path | None) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(Answering, "127.0.0.1", 0, ssl=_tls(chain) if chain else None)
    async with server:
        print(f"ready port={server.sockets[0].getsockname()[1]}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
