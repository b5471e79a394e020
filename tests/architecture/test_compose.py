"""docker-compose.yml: what it promises about ports, health, restarts and settings."""

import re
from functools import cache
from typing import Any, Final

import pytest
import yaml
from pydantic import ValidationError

from tests.architecture import variables
from tests.architecture.repository import ROOT

OURS: Final = ("server", "worker", "emulator")


@cache
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"][name]
    return found


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_the_services_are_these() -> None:
    assert set(compose()["services"]) == {"redis", *OURS}
    assert service("emulator")["profiles"] == ["emulator"]
    assert not [name for name in ("redis", "server", "worker") if "profiles" in service(name)]


def test_redis_keeps_what_it_acknowledged_and_never_evicts() -> None:
    command = service("redis")["command"]

    assert re.fullmatch(r"redis:\d+", service("redis")["image"])
    assert "--appendonly yes" in command and "--appendfsync everysec" in command
    assert "--maxmemory-policy noeviction" in command and "--maxmemory ${REDIS_MAXMEMORY:-" in command
    assert service("redis")["volumes"] == ["redis:/data"] and "redis" in compose()["volumes"]
    assert "ports" not in service("redis"), "it has no password: only the services may reach it"


def test_the_ports_are_those_of_the_contract() -> None:
    assert service("server")["ports"] == ["${HEADGATE_PUBLISHED:-127.0.0.1}:50051:50051", "127.0.0.1:8080:8080"]
    assert service("emulator")["ports"] == ["127.0.0.1:18080:18080"]


def test_a_server_knows_where_its_port_is_published() -> None:
    assert service("server")["environment"]["HEADGATE_PUBLISHED"] == "${HEADGATE_PUBLISHED:-127.0.0.1}"


def test_a_server_that_is_published_beyond_the_machine_needs_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_PUBLISHED", "0.0.0.0")
    monkeypatch.setenv("HEADGATE_LISTEN", service("server")["environment"]["HEADGATE_LISTEN"])

    with pytest.raises(ValidationError, match="HEADGATE_CALLERS"):
        variables.SETTINGS["server"]()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("server", {"CALLERS", "TLS_CERT", "TLS_KEY", "TLS_CLIENT_CA", "ALLOW_INSECURE"}),
        ("worker", {"DATAWORKS_EDITION", "CONNECTIONS", "ALLOW_INSECURE"}),
    ],
)
def test_what_a_deployment_needs_is_handed_through(name: str, given: set[str]) -> None:
    found = service(name)["environment"]

    assert {f"HEADGATE_{setting}" for setting in given} <= set(found)
    for setting in given:
        value = found[f"HEADGATE_{setting}"]
        assert value is None or value == f"${{HEADGATE_{setting}:-}}"
    assert service(name)["volumes"] == [f"${{{name.upper()}_CONFIG:-./deploy/{name}}}:/etc/headgate:ro"]
    assert (ROOT / f"deploy/{name}/.gitignore").read_text().splitlines()[1:] == ["*", "!.gitignore"]


@pytest.mark.parametrize("name", ["redis", *OURS])
def test_no_crash_writes_memory_to_disk(name: str) -> None:
    assert service(name)["ulimits"] == {"core": 0}


def test_workers_can_be_scaled() -> None:
    assert not {"container_name", "ports"} & set(service("worker"))


def test_nobody_starts_before_redis_is_healthy() -> None:
    for name in ("server", "worker"):
        assert service(name)["depends_on"] == {"redis": {"condition": "service_healthy"}}


@pytest.mark.parametrize("name", ["redis", *OURS])
def test_every_service_has_a_health_check(name: str) -> None:
    in_image = name in OURS and "\nHEALTHCHECK " in (ROOT / name / "Dockerfile").read_text()

    assert in_image or service(name)["healthcheck"]["test"]


@pytest.mark.parametrize("name", ["redis", *OURS])
def test_every_service_is_restarted_and_can_change_nothing_but_its_data(name: str) -> None:
    found = service(name)

    assert found["restart"] == "unless-stopped"
    assert found["read_only"] and found["cap_drop"] == ["ALL"] and "no-new-privileges:true" in found["security_opt"]


@pytest.mark.parametrize("name", OURS)
def test_an_image_is_built_from_the_whole_repository_with_a_given_base(name: str) -> None:
    build = service(name)["build"]

    assert build["context"] == "." and build["dockerfile"] == f"{name}/Dockerfile"
    assert build["args"] == {"BASE_IMAGE": "${BASE_IMAGE:-python:3.12-slim}"}
    assert service(name)["image"] == f"headgate-{name}:${{TAG:-dev}}"


@pytest.mark.parametrize("name", OURS)
def test_every_setting_exists(name: str) -> None:
    given = {key for key in service(name)["environment"] if key.startswith("HEADGATE_")}

    assert given and given <= set(variables.of_process(name))


@pytest.mark.parametrize("name", OURS)
def test_every_setting_has_a_value_that_its_process_takes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in service(name)["environment"].items():
        if value is not None:
            monkeypatch.setenv(key, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))

    assert variables.SETTINGS[name]()


@pytest.mark.parametrize("name", ["server", "worker"])
def test_a_process_is_not_killed_while_it_drains(name: str) -> None:
    given = service(name)["environment"]
    drain = int(given.get("HEADGATE_DRAIN_DELAY", 0)) + int(given["HEADGATE_DRAIN_SECONDS"])

    # A worker gives what it had to cut off another 5 s; and a busy machine is slow.
    assert seconds(service(name)["stop_grace_period"]) >= drain + 10


def test_only_workers_are_given_credentials() -> None:
    for name in ("redis", "server", "emulator"):
        assert not [key for key in service(name).get("environment", {}) if key.startswith("ALIBABA_")]
    assert service("worker")["environment"]["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] is None


def test_the_emulator_is_used_by_giving_its_settings() -> None:
    lines = (ROOT / "deploy/emulator.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    key, _, secret = variables.of_process("emulator")["HEADGATE_EMULATOR_KEYS"].default.partition(":")

    assert given["COMPOSE_PROFILES"] == "emulator"
    assert given["HEADGATE_DATAWORKS_ENDPOINT"] == "http://emulator:18080"
    assert (given["ALIBABA_CLOUD_ACCESS_KEY_ID"], given["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]) == (key, secret)
