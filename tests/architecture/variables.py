"""Every HEADGATE_* variable that the code reads, by process."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings

import headgate_emulator.settings
import headgate_server.settings
import headgate_worker.settings
from tests.architecture.repository import ROOT

SETTINGS: Final[Mapping[str, type[BaseSettings]]] = {
    "server": headgate_server.settings.Settings,
    "worker": headgate_worker.settings.Settings,
    "emulator": headgate_emulator.settings.Settings,
}


@dataclass(frozen=True)
class Variable:
    """One variable: its default as it is typed into a shell, and what the code says about it."""

    name: str
    default: str
    description: str


def of_process(process: str) -> dict[str, Variable]:
    """The variables of a process, from its settings class."""
    kind = SETTINGS[process]
    prefix = kind.model_config.get("env_prefix", "")
    found = (
        Variable(prefix + name.upper(), shown(field.default), field.description or "")
        for name, field in kind.model_fields.items()
    )
    return {variable.name: variable for variable in found}


def shown(default: Any) -> str:
    """A default as a person would type it; empty where there is none."""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if default is None:
        return ""
    if isinstance(default, float) and default.is_integer():
        return str(int(default))
    return str(default).lower() if isinstance(default, bool) else str(default)


def named_in(folder: str) -> set[str]:
    """Every HEADGATE_* name in a string of the code below a folder."""
    return {name for path in (ROOT / folder).rglob("*.py") for name in _names(path)}


def _names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
            if name.startswith("HEADGATE_") and name.replace("_", "").isalnum() and name == name.upper():
                yield name
