"""ARQ entries as values: what stands in Redis for a tick or a read. JSON, never pickle.

An entry is only an alarm: it says "look at job X" or "answer this read". Ids are never reused, so that a finished id
can never block a new entry.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any, Final

TICK: Final = "tick"
"""Name of the ARQ function that looks at a job."""

READ: Final = "read"
"""Name of the ARQ function that answers a read."""

_NAME: Final = re.compile(r"[a-z0-9-]{0,63}")

DEFINITION_TTL_MS: Final = 30 * 24 * 3600 * 1000
"""How long a definition outlives its due time. A lost definition costs a reaper's grace, never a job."""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """An ARQ entry: its id and its definition as bytes."""

    id: str
    definition: bytes


def encode(definition: dict[str, Any]) -> bytes:
    """Serialise an ARQ definition; the serializer of pool and worker."""
    return json.dumps(definition, separators=(",", ":")).encode()


def decode(raw: bytes) -> dict[str, Any]:
    """Parse an ARQ definition; the deserializer of pool and worker.

    Raises:
        ValueError: it is not a JSON object. Nothing in it is ever executed.
    """
    found = json.loads(raw)
    if not isinstance(found, dict):
        raise ValueError("an ARQ definition is a JSON object")
    return found


def tick(job_id: str, *, nonce: str, now_ms: int) -> QueueEntry:
    """An entry that looks at a job. `nonce` makes the id unlike any before, 12 hex digits or more."""
    # As `encode` writes it, at 10 % of the cost: a job id has no character that JSON escapes.
    definition = f'{{"t":null,"f":"{TICK}","a":["{job_id}"],"k":{{}},"et":{now_ms}}}'
    return QueueEntry(f"tick:{job_id}:{nonce}", definition.encode())


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A read that a worker answers.

    Args:
        id: number of the read within the asking process; comes back with the answer.
        method: name of the RPC, such as "GetWorkflowInstance".
        request: the RPC's request message as bytes.
        reply_to: key of the list the answer is pushed to.
        deadline_ms: by the store's clock; later answers are not sent.
        caller: name of who asks; empty from servers of versions before.
    """

    id: int
    method: str
    request: bytes
    reply_to: str
    deadline_ms: int
    caller: str = ""


def read(asked: ReadRequest, *, nonce: str, now_ms: int, connection: str = "") -> QueueEntry:
    """An entry that answers a read. Caller and connection stand in its id, for the claiming script."""
    # Workers of versions that know no caller unpack five arguments and leave the named ones alone.
    body = base64.b64encode(asked.request).decode()
    arguments = [asked.id, asked.method, body, asked.reply_to, asked.deadline_ms]
    named = {"caller": asked.caller} if asked.caller else {}
    definition = encode({"t": None, "f": READ, "a": arguments, "k": named, "et": now_ms})
    return QueueEntry(f"read:{nonce}:{_plain(asked.caller)}:{_plain(connection)}", definition)


def asker_of(entry_id: str) -> tuple[str, str]:
    """The caller and the connection in the id of a read; empty where the id has none."""
    parts = entry_id.split(":")
    return (parts[2], parts[3]) if len(parts) == 4 and parts[0] == "read" else ("", "")


def _plain(name: str) -> str:
    return name if _NAME.fullmatch(name) else ""


def parse_read(arguments: list[Any], caller: Any = "") -> ReadRequest:
    """The read that an entry's arguments stand for.

    Raises:
        ValueError: the arguments are not those of `read`.
    """
    try:
        number, method, body, reply_to, deadline_ms = arguments
        return ReadRequest(
            int(number),
            str(method),
            base64.b64decode(body, validate=True),
            str(reply_to),
            int(deadline_ms),
            str(caller),
        )
    except TypeError as error:
        raise ValueError("not the arguments of a read") from error


@dataclass(frozen=True, slots=True)
class ReadReply:
    """The answer to a read: the reply message as bytes, or a google.rpc.Status as bytes when it failed."""

    id: int
    ok: bool
    payload: bytes


def encode_reply(reply: ReadReply) -> bytes:
    """The answer as it is pushed: `<id> <0 or 1> ` and the payload."""
    return b"%d %d " % (reply.id, reply.ok) + reply.payload


def decode_reply(raw: bytes) -> ReadReply:
    """The answer as it was pushed.

    Raises:
        ValueError: the bytes are not those of `encode_reply`.
    """
    number, ok, payload = raw.split(b" ", 2)
    return ReadReply(int(number), ok == b"1", payload)
