"""Signatures: what receivers compute, they find."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qs

from headgate_worker.notifications import signatures


def test_a_request_is_signed_over_its_time_and_body() -> None:
    found = signatures.headers("s3cret", 1_700_000_000, b'{"a":1}')

    wanted = hmac.new(b"s3cret", b'1700000000.{"a":1}', hashlib.sha256).hexdigest()
    assert found == {"Headgate-Timestamp": "1700000000", "Headgate-Signature": f"v1={wanted}"}
    assert signatures.sign("s3cret", 1_700_000_001, b'{"a":1}') != wanted
    assert signatures.sign("s3cret", 1_700_000_000, b'{"a":2}') != wanted


def test_without_a_secret_nothing_is_signed() -> None:
    assert signatures.headers("", 1, b"") == {}


def test_a_robot_of_dingtalk_gets_its_signature_in_the_query() -> None:
    found = parse_qs(signatures.dingtalk_query("SECabc", 1_700_000_000_123))

    wanted = hmac.new(b"SECabc", b"1700000000123\nSECabc", hashlib.sha256).digest()
    assert found == {"timestamp": ["1700000000123"], "sign": [base64.b64encode(wanted).decode()]}


def test_a_bot_of_feishu_gets_its_signature_in_the_body() -> None:
    found = signatures.feishu_fields("abc", 1_700_000_000)

    wanted = hmac.new(b"1700000000\nabc", b"", hashlib.sha256).digest()
    assert found == {"timestamp": "1700000000", "sign": base64.b64encode(wanted).decode()}
