"""Headers of a request and its ACS3-HMAC-SHA256 signature, as SDK 9.11 sends them.

Pure: the moment and the nonce are given. The SDK's own function signs at three times the cost; a test compares both.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from headgate_worker.upstream.dataworks.settings import Credentials

ALGORITHM = "ACS3-HMAC-SHA256"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Unsigned:
    """What is signed, besides when and by whom.

    Args:
        query: as `query_text` writes it, and as it is sent.
        host: as it goes into the Host header, with the port if the URL has one.
        form: the body as it is sent; empty for a request without one.
        user_agent: empty leaves the header out.
    """

    method: str
    host: str
    version: str
    action: str
    query: str
    form: str
    user_agent: str = ""


def signed_headers(request: Unsigned, by: Credentials, *, seconds: float, nonce: str) -> dict[str, str]:
    """All headers of `request` at `seconds` since 1970. Each attempt needs a nonce of its own."""
    digest = hashlib.sha256(request.form.encode()).hexdigest()
    headers = _unsigned_headers(request, by, digest, _date(int(seconds)), nonce)
    headers["Authorization"] = _authorization(request, by, headers, digest)
    return headers


def _authorization(request: Unsigned, by: Credentials, headers: Mapping[str, str], digest: str) -> str:
    """The Authorization header; names of `headers` are in lower case and in order."""
    lines = "".join([f"{name}:{value.strip()}\n" for name, value in headers.items()])
    signed = ";".join(headers)
    canonical = f"{request.method}\n/\n{request.query}\n{lines}\n{signed}\n{digest}"
    text = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(by.access_key_secret.encode(), text.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={by.access_key_id},SignedHeaders={signed},Signature={signature}"


def _unsigned_headers(request: Unsigned, by: Credentials, digest: str, date: str, nonce: str) -> dict[str, str]:
    """In the order in which they are signed, so that nothing has to be sorted; empty ones are left out."""
    headers = {
        "accept": "application/json",
        "content-type": FORM if request.form else "",
        "host": request.host,
        "user-agent": request.user_agent,
        "x-acs-accesskey-id": by.access_key_id if by.security_token else "",
        "x-acs-action": request.action,
        "x-acs-content-sha256": digest,
        "x-acs-credentials-provider": by.provider,
        "x-acs-date": date,
        "x-acs-security-token": by.security_token,
        "x-acs-signature-nonce": nonce,
        "x-acs-version": request.version,
    }
    return {name: value for name, value in headers.items() if value}


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def query_text(query: Mapping[str, str]) -> str:
    """The query exactly as it is signed, so that what is sent needs no second reading by the server."""
    return "&".join([f"{name}={_quoted(query[name])}" for name in sorted(query)])


def _quoted(value: str) -> str:
    """`value` percent-encoded; ids and words, which are most of what is asked for, need no second look."""
    return value if value.isascii() and value.isalnum() else quote(value, safe="~")
