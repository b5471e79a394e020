from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings, Endpoint


@pytest.mark.parametrize(
    ("text", "scheme", "host"),
    [
        ("dataworks.cn-hangzhou.aliyuncs.com", "https", "dataworks.cn-hangzhou.aliyuncs.com"),
        ("emulator:18080", "https", "emulator:18080"),
        ("http://127.0.0.1:18080", "http", "127.0.0.1:18080"),
        ("http://127.0.0.1:18080/", "http", "127.0.0.1:18080"),
        ("https://dataworks.aliyuncs.com", "https", "dataworks.aliyuncs.com"),
        ("http://[::1]:80", "http", "[::1]:80"),
    ],
)
def test_endpoint_is_read(text: str, scheme: str, host: str) -> None:
    assert Endpoint.parse(text) == Endpoint(scheme, host)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "ftp://host", "host/path", "user@host", "host:", "host:99999", "a b", "http://"])
def test_endpoint_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        DataWorksSettings(endpoint=text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"region": "cn hangzhou"},
        {"region": ""},
        {"max_connections": 0},
        {"max_reply_bytes": 0},
        {"keepalive_seconds": 0},
        {"connect_timeout_seconds": -1},
    ],
)
def test_settings_without_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        DataWorksSettings(**wrong)


def test_credentials_do_not_show_their_secrets() -> None:
    shown = repr(DataWorksSettings(credentials=Credentials("id", "the secret", "the token")))

    assert "the secret" not in shown
    assert "the token" not in shown


def test_settings_are_read_without_the_sdk() -> None:
    script = (
        "import sys, headgate_worker.upstream.dataworks.settings; sys.exit('alibabacloud_tea_openapi' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=30)

    assert ended.returncode == 0
