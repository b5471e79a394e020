"""Lines that wait are few, are written in the turn that they came in, and are out before the process ends."""

import asyncio
import io
import subprocess
import sys

from headgate_server.logs.line_buffer import MOST_WAITING, LineBuffer

ENDING = """
import sys
from headgate_server.logs.line_buffer import LineBuffer
import asyncio
async def main():
    LineBuffer(sys.stderr, lambda _, message: message).write("last words")
    sys.exit(3)
asyncio.run(main())
"""


class Counted(io.StringIO):
    writes = 0

    def write(self, text: str, /) -> int:
        self.writes += 1
        return super().write(text)


def plain(_at: float, message: str) -> str:
    return message


async def test_the_lines_of_one_turn_go_out_together_at_its_end() -> None:
    stream = Counted()
    lines = LineBuffer(stream, plain)
    for number in range(3):
        lines.write(f"line {number}")
    assert stream.getvalue() == ""

    await asyncio.sleep(0)

    assert (stream.getvalue(), stream.writes) == ("line 0\nline 1\nline 2\n", 1)


async def test_no_more_wait_than_are_allowed() -> None:
    stream = Counted()
    lines = LineBuffer(stream, plain)
    for number in range(2 * MOST_WAITING + 1):
        lines.write(str(number))
    assert stream.getvalue().count("\n") == 2 * MOST_WAITING

    await asyncio.sleep(0)

    assert stream.getvalue().splitlines() == [str(number) for number in range(2 * MOST_WAITING + 1)]


def test_without_a_loop_a_line_goes_out_at_once() -> None:
    stream = Counted()
    LineBuffer(stream, plain).write("here")

    assert stream.getvalue() == "here\n"


def test_a_line_is_out_before_the_process_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, check=False, timeout=30)

    assert (ended.returncode, ended.stderr) == (3, "last words\n")


def test_a_stream_that_is_gone_breaks_no_call() -> None:
    stream = Counted()
    stream.close()
    lines = LineBuffer(stream, plain)

    lines.write("nowhere")
    lines.write("to go")
