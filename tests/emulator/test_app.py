"""Settings, scenario files, and the emulator as a process."""

import asyncio
import signal
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_args

import aiohttp
import pytest

from headgate_emulator import faults
from headgate_emulator.app import main
from headgate_emulator.dataworks.quota import EDITIONS, Limits
from headgate_emulator.dataworks.rules import Rules
from headgate_emulator.scenario import shipped
from headgate_emulator.settings import Settings

DOCS = Path(__file__).parents[2] / "docs" / "emulator.md"


def test_a_missing_scenario_stops_the_process_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--listen", "127.0.0.1:0", "--scenario", "no-such-file"]) == 2
    assert main(["--listen", "nowhere"]) == 2

    assert [line.split(": ")[0] for line in capsys.readouterr().err.splitlines()] == ["headgate emulator"] * 2


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
