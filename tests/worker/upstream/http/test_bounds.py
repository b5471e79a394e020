"""Bounds of connections, which the settings of both adapters have."""

from __future__ import annotations

from typing import Any

import pytest

from headgate_worker.upstream.dataworks.settings import DataWorksSettings
from headgate_worker.upstream.enos.settings import EnosSettings
from headgate_worker.upstream.http.bounds import HttpBounds

KEYS = ("app_key", "app_secret", "user_id", "org_id")
ENOS: dict[str, Any] = {"endpoint": "https://enos.example", **dict.fromkeys(KEYS, "x")}


def settings(kind: str, **given: Any) -> HttpBounds:
    return DataWorksSettings(**given) if kind == "dataworks" else EnosSettings(**ENOS, **given)


@pytest.mark.parametrize("kind", ["dataworks", "enos"])
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(("max_connections", 0), ("max_reply_bytes", 0)),
        *(("connect_timeout_seconds", 0.0), ("keepalive_seconds", -1.0)),
    ],
)
def test_a_bound_that_makes_no_sense_is_named(kind: str, name: str, wrong: float) -> None:
    with pytest.raises(ValueError, match=name):
        settings(kind, **{name: wrong})


@pytest.mark.parametrize("kind", ["dataworks", "enos"])
def test_both_adapters_have_the_same_bounds(kind: str) -> None:
    found = settings(kind)

    assert (found.max_connections, found.max_reply_bytes) == (100, 16 << 20)
    assert (found.connect_timeout_seconds, found.keepalive_seconds, found.ca_file) == (5.0, 15.0, None)
