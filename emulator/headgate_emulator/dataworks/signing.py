"""Verify the two signature schemes that DataWorks clients use.

ACS3-HMAC-SHA256 is what the SDKs send, signature v1 (HMAC-SHA1 in the query) is what the aliyun CLI sends.
Pure: the time, the keys and the test for a used nonce are passed in. It says who signed and never what is
allowed. Source of the wire format: tea-openapi 0.4.6 and the Go core of the CLI, both captured and replayed.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

from headgate_emulator.dataworks.errors import ApiError, missing

ALGORITHM = "ACS3-HMAC-SHA256"
MAX_SKEW_MS = 15 * 60 * 1000
_MUST_BE_SIGNED = (
    "host",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-version",
)
_AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256\s+Credential=(?P<key>[^,\s]+),\s*SignedHeaders=(?P<names>[^,\s]+),"
    r"\s*Signature=(?P<signature>[0-9a-f]+)"
)

Protocol = Literal["ACS3", "RPC1"]
NonceUsed = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as it arrived: decoded query and form, lower-case header names, the raw body."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def action(self) -> str:
        """The operation's name: `Action` in the query or form, else the header; empty if there is none."""
        return self.query.get("Action") or self.form.get("Action") or self.headers.get("x-acs-action", "")

    @property
    def version(self) -> str:
        """The API version, from the same places as the action."""
        return self.query.get("Version") or self.form.get("Version") or self.headers.get("x-acs-version", "")

    @property
    def protocol(self) -> Protocol | None:
        """Which scheme signed it. x-acs-action proves nothing: the CLI sends that header too."""
        if self.headers.get("authorization", "").startswith(ALGORITHM):
            return "ACS3"
        return "RPC1" if "Signature" in self.query or "Signature" in self.form else None

    @property
    def claimed_key(self) -> str:
        """The access key id that the request names, verified or not."""
        found = _AUTHORIZATION.match(self.headers.get("authorization", ""))
        return found["key"] if found else self.query.get("AccessKeyId", self.form.get("AccessKeyId", ""))


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a request, by which scheme, and the nonce that is now used."""

    access_key: str
    protocol: Protocol
    nonce: str


def verify(
    request: WireRequest, keys: Mapping[str, str], *, now_ms: int, nonce_used: NonceUsed = lambda _: False
) -> Signed:
    """Say who signed `request`.

    `keys` maps access key ids to secrets, `now_ms` is epoch ms. Raises ApiError with the real codes:
    MissingAccessKeyId, IncompleteSignature, InvalidTimeStamp.*, SignatureNonceUsed,
    InvalidAccessKeyId.NotFound, SignatureDoesNotMatch.
    """
    match request.protocol:
        case "ACS3":
            return _verify_acs3(request, keys, now_ms, nonce_used)
        case "RPC1":
            return _verify_rpc1(request, keys, now_ms, nonce_used)
        case None:
            raise missing("AccessKeyId")


def acs3_signature(
    secret: str,
    *,
    method: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    signed: Iterable[str],
    payload_hash: str,
) -> str:
    """The ACS3 signature, 64 lower-case hex digits.

    The query is rebuilt from its decoded form, because clients change its spelling after they signed it.
    """
    names = sorted(signed)
    canonical_query = "&".join(f"{key}={_percent(query[key])}" for key in sorted(query))
    canonical_headers = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    canonical = "\n".join((method, "/", canonical_query, canonical_headers, ";".join(names), payload_hash))
    text = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def rpc1_signature(secret: str, *, method: str, params: Mapping[str, str]) -> str:
    """The signature v1, base64, over query and form parameters together; `Signature` itself is left out.

    The CLI's empty `SignatureType=` pair is part of what is signed.
    """
    pairs = sorted((key, value) for key, value in params.items() if key != "Signature")
    canonical = "&".join(f"{_percent(key)}={_percent(value)}" for key, value in pairs)
    text = f"{method}&%2F&{_percent(canonical)}"
    return base64.b64encode(hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()).decode()


def _verify_acs3(request: WireRequest, keys: Mapping[str, str], now_ms: int, nonce_used: NonceUsed) -> Signed:
    found = _AUTHORIZATION.fullmatch(request.headers["authorization"].strip())
    if found is None:
        raise _incomplete("the Authorization header cannot be read")
    names = found["names"].split(";")
    _check_signed_names(names, request.headers)
    nonce = request.headers["x-acs-signature-nonce"]
    _check_freshness(request.headers["x-acs-date"], nonce, now_ms, nonce_used)
    payload_hash = hashlib.sha256(request.body).hexdigest()
    expected = acs3_signature(
        _secret(keys, found["key"]),
        method=request.method,
        query=request.query,
        headers=request.headers,
        signed=names,
        payload_hash=payload_hash,
    )
    _compare(payload_hash, request.headers["x-acs-content-sha256"])
    _compare(expected, found["signature"])
    return Signed(found["key"], "ACS3", nonce)


def _verify_rpc1(request: WireRequest, keys: Mapping[str, str], now_ms: int, nonce_used: NonceUsed) -> Signed:
    params = {**request.query, **request.form}
    for name in ("AccessKeyId", "Timestamp", "SignatureNonce", "SignatureMethod"):
        if not params.get(name):
            raise missing(name)
    if params["SignatureMethod"] != "HMAC-SHA1" or params.get("SignatureVersion", "1.0") != "1.0":
        raise ApiError("InvalidSignatureMethod", 400, "Only HMAC-SHA1, version 1.0, is spoken here.")
    _check_freshness(params["Timestamp"], params["SignatureNonce"], now_ms, nonce_used)
    secret = _secret(keys, params["AccessKeyId"])
    _compare(rpc1_signature(secret, method=request.method, params=params), params["Signature"])
    return Signed(params["AccessKeyId"], "RPC1", params["SignatureNonce"])


def _check_signed_names(names: list[str], headers: Mapping[str, str]) -> None:
    absent = [name for name in names if name not in headers]
    if absent:
        raise _incomplete(f"these signed headers are absent: {', '.join(absent)}")
    unsigned = [name for name in _MUST_BE_SIGNED if name not in names]
    if unsigned:
        raise _incomplete(f"these headers must be signed: {', '.join(unsigned)}")


def _check_freshness(stamp: str, nonce: str, now_ms: int, nonce_used: NonceUsed) -> None:
    try:
        sent = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ApiError("InvalidTimeStamp.Format", 400, "The time stamp is not YYYY-MM-DDThh:mm:ssZ.") from None
    if abs(sent.timestamp() * 1000 - now_ms) > MAX_SKEW_MS:
        raise ApiError("InvalidTimeStamp.Expired", 400, "The time stamp is more than 15 minutes off the server's.")
    if nonce_used(nonce):
        raise ApiError("SignatureNonceUsed", 400, "The specified signature nonce was used already.")


def _secret(keys: Mapping[str, str], access_key: str) -> str:
    if access_key not in keys:
        raise ApiError("InvalidAccessKeyId.NotFound", 404, "The specified access key is not found.")
    return keys[access_key]


def _compare(expected: str, received: str) -> None:
    if not hmac.compare_digest(expected.encode(), received.encode()):
        raise ApiError("SignatureDoesNotMatch", 400, "The signature does not match our calculation.")


def _incomplete(why: str) -> ApiError:
    return ApiError("IncompleteSignature", 400, f"The signature is incomplete: {why}.")


def _percent(text: str) -> str:
    return quote(text, safe="~")
