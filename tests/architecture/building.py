"""Build the wheel as an image does: from a context that holds the project file, the protocol and one folder."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.repository import ROOT

ALWAYS: Final = ("pyproject.toml", "README.md", "constraints.txt", "protos")


@dataclass(frozen=True)
class Wheel:
    """A built wheel, opened."""

    names: frozenset[str]
    metadata: Message

    @property
    def packages(self) -> set[str]:
        """What it puts on the import path."""
        return {name.partition("/")[0] for name in self.names if ".dist-info/" not in name}

    def required_by(self, extra: str) -> list[Requirement]:
        """What an extra asks for itself."""
        found = [Requirement(text) for text in self.metadata.get_all("Requires-Dist") or ()]
        return [item for item in found if item.marker is None or item.marker.evaluate({"extra": extra})]

    def installed_by(self, extra: str) -> set[str]:
        """Names of everything that installing an extra brings, followed through what is installed here."""
        found: set[str] = set()
        waiting = self.required_by(extra)
        while waiting:
            requirement = waiting.pop()
            name = canonicalize_name(requirement.name)
            if name not in found:
                found.add(name)
                waiting += _required(requirement)
        return found


def _required(requirement: Requirement) -> list[Requirement]:
    """What an installed distribution asks for, with the extras that it is wanted with."""
    extras = requirement.extras or {""}
    found = [Requirement(text) for text in importlib.metadata.requires(requirement.name) or ()]
    return [item for item in found if item.marker is None or any(item.marker.evaluate({"extra": e}) for e in extras)]


def builder(scratch: Path) -> Path | None:
    """Where hatchling is: None when it is installed, else a folder that pip has put the pinned one into."""
    if importlib.util.find_spec("hatchling"):
        return None
    pinned = ("-c", str(ROOT / "constraints.txt"), "--target", str(scratch), "hatchling")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *pinned], check=True, capture_output=True)
    return scratch


def build(context: Path, folders: tuple[str, ...], hatchling: Path | None) -> Wheel:
    """The wheel of a context with `folders` besides what every context has."""
    for name in (*ALWAYS, *folders):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, context / name)
    extra_path = {} if hatchling is None else {"PYTHONPATH": str(hatchling)}
    command = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "out")
    subprocess.run(command, cwd=context, env={**os.environ, **extra_path}, check=True, capture_output=True)
    return opened(next((context / "out").glob("*.whl")))


def opened(path: Path) -> Wheel:
    """The wheel at `path`."""
    with zipfile.ZipFile(path) as archive:
        names = frozenset(archive.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        return Wheel(names, message_from_string(archive.read(metadata).decode()))
