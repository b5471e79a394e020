"""Signatures of requests: ours, and those of the robots of DingTalk and Feishu. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final
from urllib.parse import urlencode

TIMESTAMP: Final = "Headgate-Timestamp"
"""Header: when the request was signed, in seconds since 1970."""

SIGNATURE: Final = "Headgate-Signature"
"""Header: "v1=" and the signature in hex."""


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a dot and the body, in hex."""
    return hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def headers(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a signed request; none without a secret."""
    if not secret:
        return {}
    return {TIMESTAMP: str(timestamp), SIGNATURE: f"v1={sign(secret, timestamp, body)}"}


def dingtalk_query(secret: str, timestamp_ms: int) -> str:
    """What a robot of DingTalk that checks signatures wants in the query."""
    digest = hmac.new(secret.encode(), f"{timestamp_ms}\n{secret}".encode(), hashlib.sha256).digest()
    return urlencode({"timestamp": timestamp_ms, "sign": base64.b64encode(digest).decode()})


def feishu_fields(secret: str, timestamp: int) -> dict[str, str]:
    """What a bot of Feishu that checks signatures wants in the body."""
    digest = hmac.new(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": str(timestamp), "sign": base64.b64encode(digest).decode()}
