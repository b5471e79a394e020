"""The Lua scripts of the packages: their files, and the texts that modules have made of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from headgate.scripts import loader
from headgate_redis.script import Script
from tests.architecture.repository import ROOT, tracked

PACKAGES: Final = {"headgate": "protos", "headgate_server": "server", "headgate_worker": "worker"}


def lua_files() -> list[Path]:
    """Every Lua file that is not a test's."""
    return [path for path in tracked() if path.suffix == ".lua" and path.relative_to(ROOT).parts[0] != "tests"]


def source_of(path: Path) -> loader.ScriptSource:
    """A Lua file as the loader reads it."""
    package, _, name = path.relative_to(ROOT / path.relative_to(ROOT).parts[0]).as_posix().partition("/scripts/")
    return loader.read(name.removesuffix(".lua"), f"{package.replace('/', '.')}.scripts")


def scripts() -> list[loader.ScriptSource]:
    """The files that are scripts."""
    return [source_of(path) for path in lua_files() if path.parent.name != "include"]


def includes() -> list[loader.ScriptSource]:
    """The files that are included."""
    return [source_of(path) for path in lua_files() if path.parent.name == "include"]


@cache
def texts() -> dict[str, str]:
    """The text of every script that a module has loaded, by its first line, which names its file."""
    strings = (_text(value) for module in _modules() for value in vars(module).values())
    return {text.split("\n", 1)[0]: text for text in strings if text.startswith("-- headgate")}


def name_line(script: loader.ScriptSource) -> str:
    """The first line of a script's text."""
    return f"-- {script.package}/{script.name}.lua"


def _text(value: Any) -> str:
    return value._text if isinstance(value, Script) else value if isinstance(value, str) else ""


def _modules() -> Iterator[Any]:
    for name in PACKAGES:
        root = importlib.import_module(name)
        for module in pkgutil.walk_packages(root.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                yield importlib.import_module(module.name)
