"""What servers and workers set alike before they begin."""

from __future__ import annotations

import asyncio
import sys

import pytest

from headgate_ops.process_tuning import COLLECTOR

BEGIN = {
    "server": "import headgate_server.__main__ as it; it._run = lambda _: tell(); it.main([])",
    "worker": "import headgate_worker.__main__ as it\nasync def run(_): tell()\nit._until_signalled = run; it.main([])",
}
TELL = "import gc, resource\ndef tell(): print(gc.get_threshold(), resource.getrlimit(resource.RLIMIT_CORE))\n"


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are POSIX'")
@pytest.mark.parametrize("process", list(BEGIN))
async def test_a_process_sets_its_collector_and_leaves_no_core(process: str) -> None:
    pipe = asyncio.subprocess.PIPE
    began = await asyncio.create_subprocess_exec(sys.executable, "-c", TELL + BEGIN[process], stdout=pipe, env={})
    output, _ = await began.communicate()

    assert output.decode().strip() == f"{COLLECTOR} (0, 0)"
