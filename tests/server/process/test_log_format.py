"""Log lines as text or JSON."""

from tests.server.processes import Start


async def test_log_lines_can_be_json(start: Start) -> None:
    async with start(HEADGATE_LOG_FORMAT="json") as (process, _):
        assert process.stderr is not None
        line = await process.stderr.readline()
        assert line.startswith(b'{"time": "') and b'"level": "INFO"' in line
