"""Every command of the documents and of the help runs, against a whole deployment."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from typer.core import TyperGroup

from headgate_cli.app import app
from headgate_cli.process.exit_codes import INTERRUPTED, JOB_NOT_SUCCEEDED, NOT_FOUND, OK, READER_GONE, REFUSED
from tests.architecture.repository import ROOT, documents
from tests.cli.processes import environment

pytestmark = [pytest.mark.slow, pytest.mark.whole]

FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE: Final = re.compile(r"`(headgate [^`]+)`", re.DOTALL)
SHELLS: Final = ("", "sh", "console", "bash")

STAYS: Final = {"server", "worker", "emulator", "dev", "demo"}
"""Processes: tests/cli/process/test_launch.py, test_inheritance.py and test_demo.py run those."""

PLACES: Final = {"JOB": "orders-2025", "NAME": "somebody", "COMMAND": "watch"}
UNFINISHED: Final = {
    *("backfill --plan", "get --watch", "jobs events --follow", "jobs get", "jobs list --filter", "task list"),
    *("token create", "watch"),
}
"""Names and beginnings of commands, for a sentence about them."""

ENDLESS: Final = ("--all", "--connection plant")
"""What goes on until somebody interrupts it: all jobs, and a job on a connection that this deployment has not."""

RAN: Final = {OK, JOB_NOT_SUCCEEDED, NOT_FOUND, REFUSED, READER_GONE}
"""What a command that is right may end with; an example's instance need not be there."""


def of_documents() -> Iterator[str]:
    for path in documents():
        text = path.read_text()
        fenced = [body for language, body in FENCE.findall(text) if language in SHELLS]
        lines = [line.strip() for body in fenced for line in body.replace("\\\n", " ").splitlines()]
        yield from (line for line in lines if line.startswith("headgate "))
        yield from (" ".join(found.split()) for found in INLINE.findall(FENCE.sub("", text)))


def of_help(group: Any) -> Iterator[str]:
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            yield from of_help(command)
            continue
        example = (command.help or "").partition("Example:")[2]
        yield from (" ".join(f"headgate {one}".split()) for one in example.split("headgate ")[1:])


def every_command() -> list[str]:
    found = [*of_documents(), *of_help(typer.main.get_command(app))]
    named = {re.sub(r"\b[A-Z]{3,}\b", lambda word: PLACES.get(word.group(), word.group()), line) for line in found}
    lines = {re.sub(r" +", " ", line) for line in named}
    return sorted(line for line in lines if line.removeprefix("headgate ") not in UNFINISHED and not _stays(line))


def _is_endless(line: str) -> bool:
    return any(part in line for part in ENDLESS)


def _stays(line: str) -> bool:
    words = line.split()
    return len(words) == 1 or words[1] in STAYS


@dataclass(frozen=True)
class Place:
    """Where a command runs: a server to ask, and a folder of its own."""

    target: str
    folder: Path

    def run(self, line: str, *, seconds: float = 50) -> subprocess.CompletedProcess[str]:
        """Run a line of a shell, with `headgate` being this tree's."""
        words = " ".join([f"{shlex.quote(sys.executable)} -m headgate_cli", line.removeprefix("headgate ")])
        process = subprocess.Popen(
            ("bash", "-c", f"set -o pipefail; {words}"),
            cwd=self.folder,
            env={**environment(self.target), "HOME": str(self.folder), "SHELL": "/bin/bash"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=3 if _is_endless(line) else seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does for Ctrl-C
            out, err = process.communicate(timeout=seconds)
        return subprocess.CompletedProcess(line, process.returncode, out, err)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("commands")
    example = re.findall(r"```json\n(.*?)```", (ROOT / "docs/cli.md").read_text(), re.DOTALL)[0]
    (folder / "tasks.json").write_text(example)
    (folder / "callers.toml").touch()
    process = subprocess.Popen(
        (sys.executable, "-m", "headgate_cli", "dev", "--free-ports", "--run-seconds", "0.2"),
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    assert process.stdout is not None
    target = ""
    for line in process.stdout:
        target = line.split()[1] if line.startswith("gRPC") else target
        if "Everything is ready" in line:
            break
    try:
        found = Place(target, folder)
        backfill = next(line for line in every_command() if "backfill" in line and "devin" in line)
        assert found.run(backfill).returncode == 0
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


@pytest.mark.parametrize("line", every_command())
def test_a_documented_command_runs(place: Place, line: str) -> None:
    if "backfill" in line or "--job-id" in line:
        line = line.replace("orders-2025", "orders-2025-again")
    for token in place.folder.glob("*.token"):
        token.unlink()  # which the command never writes over
    done = place.run(line)

    stopped = {INTERRUPTED, -signal.SIGINT} if _is_endless(line) else set()
    assert done.returncode in RAN | stopped, done.stderr
    assert "Traceback" not in done.stderr and "no such" not in done.stderr.lower()


def test_there_are_commands_to_run() -> None:
    found = every_command()

    assert len(found) > 25 and any("| head" in line for line in found)
