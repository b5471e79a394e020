"""Log lines as text or JSON."""

import asyncio
import json
import re
import signal

import pytest

from tests.server.processes import Start
from tests.server.world import backfill


async def test_log_lines_can_be_json(start: Start) -> None:
    async with start(HEADGATE_LOG_FORMAT="json") as (process, _):
        assert process.stderr is not None
        line = await process.stderr.readline()
        assert line.startswith(b'{"time": "') and b'"level": "INFO"' in line


@pytest.mark.parametrize("form", ["text", "json"])
async def test_the_audit_log_has_every_write_when_the_process_has_ended_in_the_form_of_all_lines(
    start: Start, form: str
) -> None:
    async with start(HEADGATE_LOG_FORMAT=form, HEADGATE_LOG_LEVEL="ERROR") as (process, world):
        jobs = await asyncio.gather(*(world.backfills.CreateBackfill(backfill()) for _ in range(100)))
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        lines = (await process.stderr.read()).decode().splitlines()

    if form == "json":
        found = [json.loads(line) for line in lines]
        assert {(each["level"], each["logger"]) for each in found} == {("INFO", "headgate_server.audit")}
        lines = [each["message"] for each in found]
    else:
        assert {line.split()[2:4] == ["INFO", "headgate_server.audit:"] for line in lines} == {True}
    told = re.findall(r" job=(\S+) uid=(\S+) .* outcome=OK changed=yes", "\n".join(lines))
    assert sorted(told) == sorted((job.name, job.uid) for job in jobs)
