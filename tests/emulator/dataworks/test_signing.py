"""Both signature schemes: the fixed vectors, and every way to be refused."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from headgate_emulator.dataworks.errors import ApiError
from headgate_emulator.dataworks.signing import WireRequest, acs3_signature, rpc1_signature, verify
from tests.emulator.conftest import KEY, SECRET, acs3_headers, rpc1_query, stamp

NONCE = "d410180a5abf7fe235dd9b74aca91fc0"
EMPTY = hashlib.sha256(b"").hexdigest()
HEADERS = {
    "accept": "application/json",
    "host": "dataworks.cn-hangzhou.aliyuncs.com",
    "x-acs-date": "2025-02-08T13:00:00Z",
    "x-acs-signature-nonce": NONCE,
    "x-acs-version": "2024-05-18",
}
KEYS = {KEY: SECRET}


def now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def acs3_request(body: bytes = b"Ids=%5B1%5D", **changes: str) -> WireRequest:
    headers = acs3_headers("POST", "StartWorkflowInstances", "127.0.0.1:1", body, {}, **changes)
    lower = {name.lower(): value for name, value in headers.items()}
    return WireRequest("POST", "/", {}, {"Ids": "[1]"}, lower, body)


def rpc1_request(**changes: str) -> WireRequest:
    query = rpc1_query("POST", "StartWorkflowInstances", {"Ids": "[1]"}, changes)
    return WireRequest("POST", "/", query, {"Ids": "[1]"}, {}, b"Ids=%5B1%5D")


def refusal(request: WireRequest, nonce_used: Callable[[str], bool] = lambda _: False) -> tuple[str, int]:
    with pytest.raises(ApiError) as caught:
        verify(request, KEYS, now_ms=now_ms(), nonce_used=nonce_used)
    return caught.value.refusal.code, caught.value.refusal.status


def test_acs3_reproduces_the_vector_of_a_get() -> None:
    headers = HEADERS | {"x-acs-action": "GetWorkflowInstance", "x-acs-content-sha256": EMPTY}

    signature = acs3_signature(
        SECRET, method="GET", query={"Id": "1000341554601"}, headers=headers, signed=headers, payload_hash=EMPTY
    )

    assert signature == "0d42224ab5714fef51697aa45114d7191d33345873ceb0f1d76ad1753ed1acee"


def test_acs3_reproduces_the_vector_of_a_post() -> None:
    payload_hash = hashlib.sha256(b"Comment=a+b%2Bc%2A~&Ids=%5B1%2C2%5D").hexdigest()
    headers = HEADERS | {
        "content-type": "application/x-www-form-urlencoded",
        "x-acs-action": "StartWorkflowInstances",
        "x-acs-content-sha256": payload_hash,
    }

    signature = acs3_signature(
        SECRET, method="POST", query={}, headers=headers, signed=headers, payload_hash=payload_hash
    )

    assert payload_hash.startswith("a2b230b3") and payload_hash.endswith("60d3")
    assert signature == "2877691032b670d8d1bb8362192085f2082013a41b6d4b492f16763cc50a363d"


def test_rpc1_reproduces_the_vector_of_the_cli() -> None:
    params = {
        "AccessKeyId": KEY,
        "Action": "StartWorkflowInstances",
        "Format": "JSON",
        "RegionId": "cn-hangzhou",
        "Signature": "is left out",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "f29ca7fec0e01e198c0b2f0689b6787d",
        "SignatureType": "",
        "SignatureVersion": "1.0",
        "Timestamp": "2025-02-08T13:00:00Z",
        "Version": "2024-05-18",
        "Ids": "[1000341554601,1000341554605]",
    }

    assert rpc1_signature(SECRET, method="POST", params=params) == "nQkK1qJFxOKp+H0FhG8uIZlxV3w="


@pytest.mark.parametrize(("request_", "protocol"), [(acs3_request(), "ACS3"), (rpc1_request(), "RPC1")])
def test_a_good_signature_names_its_key_and_scheme(request_: WireRequest, protocol: str) -> None:
    signed = verify(request_, KEYS, now_ms=now_ms())

    assert (signed.access_key, signed.protocol) == (KEY, protocol)
    assert signed.nonce.startswith("nonce-")


@pytest.mark.parametrize("make", [acs3_request, rpc1_request])
def test_a_used_nonce_is_refused(make: Callable[[], WireRequest]) -> None:
    assert refusal(make(), lambda _: True) == ("SignatureNonceUsed", 400)


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_time_stamp_more_than_15_minutes_off_is_refused(minutes: int) -> None:
    off = stamp(datetime.now(UTC) + timedelta(minutes=minutes))

    assert refusal(acs3_request(x_acs_date=off)) == ("InvalidTimeStamp.Expired", 400)
    assert refusal(rpc1_request(Timestamp=off)) == ("InvalidTimeStamp.Expired", 400)


def test_a_time_stamp_of_another_form_is_refused() -> None:
    assert refusal(acs3_request(x_acs_date="yesterday")) == ("InvalidTimeStamp.Format", 400)
    assert refusal(rpc1_request(Timestamp="2025-02-08 13:00:00")) == ("InvalidTimeStamp.Format", 400)


@pytest.mark.parametrize("make", [acs3_request, rpc1_request])
def test_an_unknown_key_is_refused(make: Callable[[], WireRequest]) -> None:
    with pytest.raises(ApiError) as caught:
        verify(make(), {"other": SECRET}, now_ms=now_ms())

    assert (caught.value.refusal.code, caught.value.refusal.status) == ("InvalidAccessKeyId.NotFound", 404)


@pytest.mark.parametrize(
    "request_",
    [
        replace(acs3_request(), method="GET"),
        replace(acs3_request(), query={"Id": "1"}),
        replace(acs3_request(), body=b"Ids=%5B2%5D"),
        acs3_request(x_acs_content_sha256=EMPTY),
        replace(rpc1_request(), method="GET"),
        replace(rpc1_request(), form={"Ids": "[2]"}),
    ],
)
def test_whatever_was_changed_after_signing_is_noticed(request_: WireRequest) -> None:
    assert refusal(request_) == ("SignatureDoesNotMatch", 400)


@pytest.mark.parametrize("secret", ["", "testsecre", "testsecret2"])
def test_a_wrong_secret_is_refused(secret: str) -> None:
    with pytest.raises(ApiError, match="SignatureDoesNotMatch"):
        verify(acs3_request(), {KEY: secret}, now_ms=now_ms())


def test_only_signed_headers_count() -> None:
    signed = acs3_request()

    added = replace(signed, headers={**signed.headers, "accept-encoding": "gzip", "content-length": "11"})
    assert verify(added, KEYS, now_ms=now_ms()).access_key == KEY

    authorization = signed.headers["authorization"].replace("x-acs-action;", "")
    unsigned = replace(signed, headers={**signed.headers, "authorization": authorization})
    assert refusal(unsigned) == ("IncompleteSignature", 400)


def test_an_absent_signed_header_or_a_garbled_one_is_incomplete() -> None:
    signed = acs3_request()

    without: Mapping[str, str] = {name: text for name, text in signed.headers.items() if name != "x-acs-date"}
    assert refusal(replace(signed, headers=without)) == ("IncompleteSignature", 400)

    garbled = {**signed.headers, "authorization": "ACS3-HMAC-SHA256 Credential=testid"}
    assert refusal(replace(signed, headers=garbled)) == ("IncompleteSignature", 400)


def test_the_query_is_judged_decoded() -> None:
    query = {"Name": "报表 a+b*~/&="}
    headers = acs3_headers("GET", "GetWorkflowInstance", "h", b"", query)
    lower = {name.lower(): text for name, text in headers.items()}

    assert verify(WireRequest("GET", "/", query, {}, lower, b""), KEYS, now_ms=now_ms()).protocol == "ACS3"


def test_an_unsigned_request_misses_its_key() -> None:
    assert refusal(WireRequest("GET", "/", {"Action": "X"}, {}, {}, b"")) == ("MissingAccessKeyId", 400)


@pytest.mark.parametrize("name", ["AccessKeyId", "Timestamp", "SignatureNonce", "SignatureMethod"])
def test_rpc1_misses_its_system_parameters_by_name(name: str) -> None:
    assert refusal(rpc1_request(**{name: ""})) == (f"Missing{name}", 400)


def test_rpc1_speaks_hmac_sha1_only() -> None:
    assert refusal(rpc1_request(SignatureMethod="HMAC-SHA256")) == ("InvalidSignatureMethod", 400)


def test_messages_never_hold_the_secret() -> None:
    for request_ in (acs3_request(x_acs_content_sha256=EMPTY), replace(rpc1_request(), method="GET")):
        with pytest.raises(ApiError) as caught:
            verify(request_, KEYS, now_ms=now_ms())
        assert SECRET not in str(caught.value)
