"""Which variables of a shell reach the processes of `headgate dev`."""

import asyncio
import re
import signal
import sys
from pathlib import Path

import pytest

from headgate_cli.dev.inheritance import SET_BY_DEV, emulated, inherited, remarks
from tests.cli.processes import all_gone, children, end, environment, headgate, read_until


def test_variables_go_to_the_processes_that_they_belong_to() -> None:
    found = inherited(
        {
            "PATH": "/bin",
            "HEADGATE_TARGET": "example:1",
            "HEADGATE_POLL_MIN_SECONDS": "1",
            "HEADGATE_EMULATOR_EDITION": "standard",
            "HEADGATE_REDIS_URL": "redis://elsewhere",
        }
    )

    assert (found.processes, found.emulator) == (
        {"HEADGATE_POLL_MIN_SECONDS": "1"},
        {"HEADGATE_EMULATOR_EDITION": "standard"},
    )
    assert remarks(found) == [
        "HEADGATE_REDIS_URL is left out, since headgate dev sets it itself; use --redis-url",
        "handed on: HEADGATE_EMULATOR_EDITION, HEADGATE_POLL_MIN_SECONDS",
    ]
    assert remarks(inherited({"HOME": "/"})) == []


@pytest.mark.parametrize(
    ("seconds", "scenario", "environ", "found"),
    [
        (None, "", {}, {"HEADGATE_EMULATOR_RUN_SECONDS": "5"}),
        (2.0, "", {"HEADGATE_EMULATOR_RUN_SECONDS": "9"}, {"HEADGATE_EMULATOR_RUN_SECONDS": "2.0"}),
        (None, "", {"HEADGATE_EMULATOR_RUN_SECONDS": "9"}, {}),
        (None, "x.toml", {}, {"HEADGATE_EMULATOR_SCENARIO": "x.toml"}),
        (
            1.0,
            "x.toml",
            {},
            {"HEADGATE_EMULATOR_SCENARIO": "x.toml", "HEADGATE_EMULATOR_RUN_SECONDS": "1.0"},
        ),
    ],
)
def test_a_flag_comes_before_a_variable_and_a_scenario_before_the_default(
    seconds: float | None, scenario: str, environ: dict[str, str], found: dict[str, str]
) -> None:
    assert emulated(seconds, scenario, environ) == found


async def test_every_flag_that_is_named_for_a_variable_is_one_of_dev() -> None:
    told = (await headgate("dev", "--help")).out

    assert not [flag for flag in SET_BY_DEV.values() if flag and flag not in told]


def _variables(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")


async def test_a_deployment_gets_the_variables_of_its_shell_and_a_scenario(tmp_path: Path) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text("[rules]\nrun_seconds = 77\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headgate_cli", "dev", "--free-ports", "--scenario", str(scenario)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **environment(),
            "HEADGATE_TTL_SECONDS": "99",
            "HEADGATE_EMULATOR_SEED": "5",
            "HEADGATE_DATAWORKS_ENDPOINT": "http://127.0.0.1:9",
        },
    )
    text = await read_until(process, "Everything is ready")
    started = children(process.pid)
    variables = {pid: _variables(pid) for pid in started}
    status = await end(process, signal.SIGTERM)
    await all_gone(started)

    with_ttl = [pid for pid, rows in variables.items() if "HEADGATE_TTL_SECONDS=99" in rows]
    with_seed = [rows for rows in variables.values() if "HEADGATE_EMULATOR_SEED=5" in rows]
    assert len(with_ttl) == 2 and len(with_seed) == 1
    assert f"HEADGATE_EMULATOR_SCENARIO={scenario}" in with_seed[0]
    assert not [row for rows in variables.values() for row in rows if row.endswith("http://127.0.0.1:9")]
    assert not re.search(r"HEADGATE_EMULATOR_RUN_SECONDS", "".join(with_seed[0]))
    assert status == 143 and "emulator" in text
