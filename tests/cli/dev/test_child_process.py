import asyncio
import signal
import sys

from headgate_cli.dev.child_process import Child
from tests.cli.processes import is_alive

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


async def test_every_line_arrives_also_the_last_one_without_an_end() -> None:
    lines: list[str] = []
    child = await Child.spawn("c", python("print('a'); print('é'); print('b', end='')"), on_line=lines.append)

    assert await child.wait() == 0
    assert lines == ["a", "é", "b"]


async def test_an_endless_line_is_left_out_and_the_next_one_arrives() -> None:
    lines: list[str] = []
    child = await Child.spawn("c", python("print('x' * (3 << 20)); print('after')"), on_line=lines.append)

    await child.wait()
    assert lines[-1] == "after" and max(map(len, lines)) < 1 << 20


async def test_a_child_that_does_not_listen_is_ended_by_force() -> None:
    lines: list[str] = []
    child = await Child.spawn("c", python(DEAF), on_line=lines.append)
    async with asyncio.timeout(20):
        while not lines:
            await asyncio.sleep(0.01)

    assert await child.stop(grace=0.1) == -signal.SIGKILL
    assert not is_alive(child.pid)


async def test_a_command_that_does_not_exist_says_so() -> None:
    lines: list[str] = []
    child = await Child.spawn("c", ("/no/such/command",), on_line=lines.append)

    assert await child.wait() == 1
    assert lines == ["/no/such/command: No such file or directory"]
