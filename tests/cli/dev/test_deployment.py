"""All of headgate on one machine."""

import asyncio
import re
import signal
import sys
from pathlib import Path

from tests.cli.processes import all_gone, children, end, environment, read_until


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
