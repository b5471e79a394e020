"""Headers of a request and its ACS3-HMAC-SHA256 signature, as SDK 9.11 sends them.

Pure: the moment and the nonce are given. The signature itself is the SDK's own function.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from alibabacloud_tea_openapi.utils import Utils
from darabonba.request import DaraRequest

from headgate_worker.dataworks.settings import Credentials

ALGORITHM = "ACS3-HMAC-SHA256"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Unsigned:
    """What is signed, besides when and by whom.

    Args:
        host: as it goes into the Host header, with the port if the URL has one.
        form: the body as it is sent; empty for a request without one.
        user_agent: empty leaves the header out.
    """

    method: str
    host: str
    version: str
    action: str
    query: Mapping[str, str]
    form: str
    user_agent: str = ""


def signed_headers(request: Unsigned, by: Credentials, *, seconds: float, nonce: str) -> dict[str, str]:
    """All headers of `request` at `seconds` since 1970. Each attempt needs a nonce of its own."""
    digest = hashlib.sha256(request.form.encode()).hexdigest()
    headers = _plain_headers(request, seconds, nonce) | {"x-acs-content-sha256": digest} | _identity(by)
    signed = DaraRequest()
    signed.method, signed.pathname = request.method, "/"
    signed.query, signed.headers = dict(request.query), headers
    authorization = Utils.get_authorization(signed, ALGORITHM, digest, by.access_key_id, by.access_key_secret)
    return headers | {"Authorization": authorization}


def _plain_headers(request: Unsigned, seconds: float, nonce: str) -> dict[str, str]:
    headers = {
        "host": request.host,
        "x-acs-version": request.version,
        "x-acs-action": request.action,
        "x-acs-date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)),
        "x-acs-signature-nonce": nonce,
        "accept": "application/json",
    }
    optional = {"user-agent": request.user_agent, "content-type": FORM if request.form else ""}
    return headers | {name: value for name, value in optional.items() if value}


def _identity(by: Credentials) -> dict[str, str]:
    headers = {"x-acs-credentials-provider": by.provider} if by.provider else {}
    if by.security_token:
        headers |= {"x-acs-accesskey-id": by.access_key_id, "x-acs-security-token": by.security_token}
    return headers


def query_text(query: Mapping[str, str]) -> str:
    """The query exactly as it is signed, so that what is sent needs no second reading by the server."""
    return "&".join(f"{name}={quote(query[name], safe='~')}" for name in sorted(query))
