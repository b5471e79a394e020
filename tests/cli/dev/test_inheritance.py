"""Which variables of a shell reach the processes of `headgate dev`."""

import pytest

from headgate_cli.dev.inheritance import SET_BY_DEV, emulated, inherited, remarks
from tests.cli.processes import headgate


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
