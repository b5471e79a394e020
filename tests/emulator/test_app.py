"""Settings, scenario files, and the emulator as a process."""

import asyncio
import signal
import sys
import tomllib
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import get_args

import aiohttp
import pytest
from pydantic import ValidationError

from headgate_emulator import faults
from headgate_emulator.app import main, serve
from headgate_emulator.dataworks.quota import EDITIONS, Limits
from headgate_emulator.dataworks.rules import Rules
from headgate_emulator.scenario import BadScenario, Scenario, load, scenario_from, shipped
from headgate_emulator.settings import Settings

DOCS = Path(__file__).parents[2] / "docs" / "emulator.md"


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_EMULATOR_LISTEN", "[::1]:9")
    monkeypatch.setenv("HEADGATE_EMULATOR_KEYS", "a:b, c:d:e")
    monkeypatch.setenv("HEADGATE_EMULATOR_RUN_SECONDS", "3")

    settings = Settings()

    assert (settings.host, settings.port) == ("::1", 9)
    assert settings.secrets() == {"a": "b", "c": "d:e"}
    assert settings.run_seconds == 3.0


@pytest.mark.parametrize("given", [{"keys": "hunter2"}, {"keys": "a:"}, {"listen": "here"}, {"run_seconds": -1}])
def test_a_wrong_setting_is_refused_and_no_secret_is_shown(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**given)  # type: ignore[arg-type]

    assert "hunter2" not in str(caught.value)
    assert "testsecret" not in repr(Settings())


def test_a_setting_wins_over_the_scenario_and_silence_does_not() -> None:
    scenario = Scenario(rules=Rules(run_seconds=7, stop_seconds=8), quota=Limits(read_qps=1))

    changed = Settings(run_seconds=3, time_scale=2, edition="basic").applied_to(scenario)
    same = Settings().applied_to(scenario)

    assert (changed.rules.run_seconds, changed.rules.stop_seconds, changed.clock.time_scale) == (3, 8, 2)
    assert changed.limits == EDITIONS["basic"]
    assert same == scenario


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


def test_a_missing_scenario_stops_the_process_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--listen", "127.0.0.1:0", "--scenario", "no-such-file"]) == 2
    assert main(["--listen", "nowhere"]) == 2

    assert [line.split(": ")[0] for line in capsys.readouterr().err.splitlines()] == ["headgate emulator"] * 2


def test_the_guides_scenario_file_is_read() -> None:
    example = DOCS.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]

    scenario = scenario_from(tomllib.loads(example))

    assert [fault.kind for fault in scenario.faults] == ["run_for", "error_reply"]
    assert scenario.tasks[0].downstream == (1023697427,)


def test_an_empty_scenario_is_the_default() -> None:
    assert scenario_from({}) == Scenario()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("program", [["-m", "headgate_emulator"], ["-m", "headgate_cli", "emulator"]], ids=" ".join)
async def test_the_process_plays_a_file_says_where_it_listens_and_stops_on_a_signal(
    program: list[str], number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "ours.toml").write_text("[rules]\nrun_seconds = 42\n", "utf-8")
    arguments = [*program, "--listen", "127.0.0.1:0", "--scenario", str(tmp_path / "ours.toml")]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        assert line.startswith("emulator listening on http://127.0.0.1:")
        async with aiohttp.ClientSession() as session, session.get(f"{line.split()[-1]}/_admin/rules") as response:
            assert (await response.json())["rules"]["run_seconds"] == 42
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_the_guide_names_every_setting_rule_and_fault() -> None:
    text = DOCS.read_text("utf-8")
    kinds = list(get_args(get_args(faults.Fault)[0]))

    for name in Settings.model_fields:
        assert f"`HEADGATE_EMULATOR_{name.upper()}`" in text
    for rule in fields(Rules):
        assert f"`{rule.name}`" in text
    for kind in kinds:
        assert f"`{kind.__dataclass_fields__['kind'].default}`" in text
        assert all(f"`{field.name}`" in text for field in fields(kind))
    for name in (*shipped(), *EDITIONS, *(field.name for field in fields(Limits))):
        assert f"`{name}`" in text
