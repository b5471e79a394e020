"""Reads as a server asks for them."""

from __future__ import annotations

import secrets

from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from redis.asyncio import Redis

from headgate.store import keys, queue_entries
from headgate.store.queue_entries import ReadReply


async def read(redis: Redis, method: str, request: Message, *, seconds: float = 5.0) -> ReadReply:
    """Ask as a server asks; the answer."""
    now_ms = int((await redis.time())[0]) * 1000
    reply_to = keys.replies(secrets.token_hex(4))
    asked = queue_entries.ReadRequest(7, method, request.SerializeToString(), reply_to, now_ms + int(seconds * 1000))
    entry = queue_entries.read(asked, nonce=secrets.token_hex(6), now_ms=now_ms)
    await redis.psetex(keys.arq_job(entry.id), 60_000, entry.definition)
    await redis.zadd(keys.READS, {entry.id: now_ms})
    await redis.lpush(keys.kick(keys.READS), entry.id)  # type: ignore[misc]
    answer = await redis.blpop([reply_to], timeout=4)  # type: ignore[misc]
    assert answer is not None
    return queue_entries.decode_reply(answer[1])


def reason(reply: ReadReply) -> str:
    info = ErrorInfo()
    assert not reply.ok
    Status.FromString(reply.payload).details[0].Unpack(info)
    return str(info.reason)
