"""Run the command line at a terminal of its own, and type what a person would."""

import asyncio
import os
import pty
import signal
import sys
from contextlib import suppress

from tests.cli.processes import environment


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, *words: str, target: str) -> None:
        self.pid, self._master = pty.fork()
        if not self.pid:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a shell starts in the background ignores it
            argv = [sys.executable, "-m", "headgate_cli", *words]
            os.execve(sys.executable, argv, {**environment(target), "TERM": "dumb", "NO_COLOR": "1"})
        self.text = ""

    def answer(self, question: str, reply: str) -> int:
        """Wait for the question, type the reply, and return the exit status."""
        while question not in self.text and self._read():
            pass
        assert question in self.text, self.text
        os.write(self._master, reply.encode())
        return self.end()

    def end(self) -> int:
        """Read to the end and return the exit status."""
        while self._read():
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._master)
        return status

    def _read(self) -> bool:
        try:
            found = os.read(self._master, 4096)
        except OSError:  # how Linux tells that the other end was closed
            return False
        self.text += found.decode()
        return bool(found)


async def at_terminal(target: str, reply: str, *words: str) -> tuple[int, str]:
    terminal = Terminal(*words, target=target)

    def run() -> tuple[int, str]:
        return (terminal.answer("[y/N]", reply) if reply else terminal.end()), terminal.text

    try:
        async with asyncio.timeout(50):
            return await asyncio.to_thread(run)
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(terminal.pid, signal.SIGKILL)  # or the thread would wait for it, and the tests for the thread
        raise
