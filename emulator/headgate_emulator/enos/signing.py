"""What a caller must prove: knowledge of the app secret, for a token and for every call. Pure."""

import hashlib
from collections.abc import Mapping


def encryption(app_key: str, timestamp: str, secret: str) -> str:
    """The proof in a token request: lower-case hex SHA-256 of key, time in ms and secret."""
    return _digest(app_key + timestamp + secret)


def signature(token: str, query: Mapping[str, str], body: str, timestamp: str, secret: str) -> str:
    """The proof in a call: over token, sorted decoded query, exact body, time in ms and secret."""
    parameters = "".join(name + query[name] for name in sorted(query))
    return _digest(token + parameters + body + timestamp + secret)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
