"""Tools of other languages: found, run, and missed out loud."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT

DESCRIPTOR = ROOT / "protos/headgate/v1/headgate.binpb"
SOURCES = ROOT / "tests/polyglot"

QUICK_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""For a virtual machine that runs for seconds: compiling its own code well takes it longer than running it badly."""

_SECONDS = 480


def needs(*tools: str) -> None:
    """Skips a test when this machine lacks a tool, and says which."""
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed on this machine")


def fetch(*command: str, cwd: Path) -> None:
    """Fetches what a client is built from; skips the test when no registry has it, or none can be reached."""
    done = _run(command, cwd)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        pytest.skip(f"{command[0]} can't fetch what the client is built from: {''.join(last)[:200]}")


def build(*command: str, cwd: Path) -> None:
    """Runs a step of a build; it must succeed."""
    done = _run(command, cwd)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


def protoc(*arguments: str, cwd: Path) -> None:
    """Generates code from the published descriptor set, as a caller without our sources does."""
    build(sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={DESCRIPTOR}", *arguments, cwd=cwd)


def copied(language: str, to: Path) -> Path:
    """The sources of a client, in a folder of their own."""
    return Path(shutil.copytree(SOURCES / language, to / language))


def _run(command: Sequence[str], cwd: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "MAVEN_OPTS": " ".join(QUICK_JVM)}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_SECONDS, env=environment)
