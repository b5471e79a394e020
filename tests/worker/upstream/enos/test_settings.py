"""Settings of an EnOS connection."""

from __future__ import annotations

from typing import Any

import pytest

from headgate_worker.upstream.enos.settings import EnosSettings, zone_of


def settings(**given: Any) -> EnosSettings:
    everything = {"endpoint": "http://h", "app_key": "k", "app_secret": "s", "user_id": "u", "org_id": "o", **given}
    return EnosSettings(**everything)


@pytest.mark.parametrize(
    "given",
    [
        {"endpoint": "h"},
        {"endpoint": "ftp://h"},
        {"generation": "v3"},
        {"base": "no slash"},
        {"app_secret": ""},
        {"org_id": ""},
        {"trigger_zone": "Mars/Olympus"},
        {"first_page": 2},
        {"max_connections": 0},
    ],
)
def test_settings_that_make_no_sense(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        settings(**given)


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(settings(app_secret="hush"))


def test_zones() -> None:
    assert zone_of("") is None
    assert zone_of("-05:30") is not None
    assert zone_of("UTC") is not None
