"""Scenarios: shipped ones, files, and what is refused."""

import tomllib
from datetime import date
from pathlib import Path

import pytest

from headgate_emulator import faults
from headgate_emulator.app import serve
from headgate_emulator.scenario import BadScenario, Scenario, load, scenario_from, shipped
from headgate_emulator.settings import Settings

DOCS = Path(__file__).parents[2] / "docs" / "emulator.md"


@pytest.mark.parametrize("name", ["lost-replies", "parent-fails", "seed-000", "throttled"])
async def test_every_shipped_scenario_loads_and_runs(name: str) -> None:
    assert name in shipped()

    async with serve(Settings(listen="127.0.0.1:0", scenario=name)) as emulator:
        assert emulator.state.scenario.title


def test_all_shipped_scenarios_are_named_in_a_test() -> None:
    assert shipped() == ("lost-replies", "parent-fails", "seed-000", "throttled")


def test_a_scenario_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('title = "mine"\n[[faults]]\nkind = "fail_run"\nbiz_date = 2025-02-05\n')

    scenario = load(str(file))

    assert scenario.faults == (faults.FailRun(biz_date=date(2025, 2, 5)),)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("title = ", "scenario"),
        ('[[faults]]\nkind = "fail_run"\nbiz_dat = 2025-02-05', "faults.0.fail_run.biz_dat"),
        ("[rules]\nrun_second = 1", "rules.run_second"),
        ("[clock]\ntime_scale = -1", "clock.time_scale"),
    ],
)
def test_a_wrong_scenario_names_the_place(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)

    with pytest.raises(BadScenario, match=place):
        load(str(file))


def test_the_guides_scenario_file_is_read() -> None:
    example = DOCS.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]

    scenario = scenario_from(tomllib.loads(example))

    assert [fault.kind for fault in scenario.faults] == ["run_for", "error_reply"]
    assert scenario.tasks[0].downstream == (1023697427,)


def test_an_empty_scenario_is_the_default() -> None:
    assert scenario_from({}) == Scenario()
