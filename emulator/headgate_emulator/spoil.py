"""Spoil a reply: what proxies, dying servers and wrong versions make of a good answer.

`spoil` is pure: it says which bytes go out and how. `send_spoilt` sends them.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from headgate_emulator.faults import MalformedReply, Shape

JSON_TYPE = "application/json;charset=utf-8"
DRIP_PIECES = 20
_MEGABYTE = 1 << 20
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A reply to send: `promised` bytes are announced, `body` is sent, over `seconds` of real time."""

    body: bytes
    promised: int
    content_type: str = JSON_TYPE
    seconds: float = 0.0


def spoil(body: Mapping[str, Any], fault: MalformedReply) -> Spoilt:
    """The spoilt form of the JSON object `body`."""
    return _SHAPES[fault.shape](body, fault)


def json_bytes(body: object) -> bytes:
    """JSON as both clouds write it: UTF-8, not escaped."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _whole(body: bytes, content_type: str = JSON_TYPE, seconds: float = 0.0) -> Spoilt:
    return Spoilt(body, len(body), content_type, seconds)


def _cut(body: Mapping[str, Any], _: MalformedReply) -> Spoilt:
    full = json_bytes(body)
    return Spoilt(full[: len(full) // 2], len(full))


def _huge(body: Mapping[str, Any], fault: MalformedReply) -> Spoilt:
    return _whole(json_bytes({**body, "Padding": "x" * (fault.megabytes * _MEGABYTE)}))


def _missing(body: Mapping[str, Any], _: MalformedReply) -> Spoilt:
    return _whole(json_bytes({"RequestId": body.get("RequestId", "")}))


def _truncated(body: Mapping[str, Any], _: MalformedReply) -> Spoilt:
    full = json_bytes(body)
    return _whole(full[: len(full) // 2])


def _wrong_types(value: Any) -> Any:
    match value:
        case dict():
            return {key: _wrong_types(member) for key, member in value.items()}
        case list():
            return {str(index): _wrong_types(member) for index, member in enumerate(value)}
        case bool():
            return str(value).lower()
        case int():
            return str(value)
    return 4711


_SHAPES: Mapping[Shape, Callable[[Mapping[str, Any], MalformedReply], Spoilt]] = {
    "html": lambda _body, _: _whole(_HTML, "text/html"),
    "truncated": _truncated,
    "cut": _cut,
    "wrong_types": lambda body, _: _whole(json_bytes(_wrong_types(body))),
    "missing_members": _missing,
    "empty": lambda _body, _: _whole(b""),
    "not_object": lambda body, _: _whole(json_bytes([body])),
    "huge": _huge,
    "slow": lambda body, fault: _whole(json_bytes(body), seconds=fault.seconds),
    "redirect": lambda _body, _: _whole(b""),
}


async def send_spoilt(request: web.Request, spoilt: Spoilt, status: int) -> web.StreamResponse:
    """Send what `spoil` has made."""
    response = web.StreamResponse(status=status, headers={"Content-Type": spoilt.content_type})
    if status == 302:
        response.headers["Location"] = "/elsewhere"
    response.content_length = spoilt.promised
    await response.prepare(request)
    if spoilt.seconds:
        await _drip(response, spoilt)
    else:
        await response.write(spoilt.body)
    if len(spoilt.body) < spoilt.promised and request.transport is not None:
        request.transport.close()
    return response


async def _drip(response: web.StreamResponse, spoilt: Spoilt) -> None:
    size = max(1, len(spoilt.body) // DRIP_PIECES)
    for first in range(0, len(spoilt.body), size):
        await asyncio.sleep(spoilt.seconds / DRIP_PIECES)
        await response.write(spoilt.body[first : first + size])
