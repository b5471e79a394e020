"""What proves to the API gateway who calls. Pure: tokens, times and secrets are given.

Verified with the vector that the vendor publishes: its English page prints another body than the one that was signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def encryption(app_key: str, timestamp_ms: int, app_secret: str) -> str:
    """The proof in a token request. A proof is accepted once, so every request needs a time of its own."""
    return _hex(f"{app_key}{timestamp_ms}{app_secret}")


def signature(token: str, query: Mapping[str, str], body: str, timestamp_ms: int, app_secret: str) -> str:
    """The proof in a call: over the token, names and decoded values of the query by name, and the exact body."""
    parameters = "".join(f"{name}{query[name]}" for name in sorted(query))
    return _hex(f"{token}{parameters}{body}{timestamp_ms}{app_secret}")


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
