"""Every HEADGATE_* variable that the code reads, by process, and the table of them in docs/settings.md.

`python -m tests.architecture.variables` brings the table up to date.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings

import headgate_emulator.settings
import headgate_server.process.settings
import headgate_worker.process.settings
from tests.architecture.repository import ROOT

TABLE: Final = ROOT / "docs/settings.md"

SETTINGS: Final[Mapping[str, type[BaseSettings]]] = {
    "server": headgate_server.process.settings.Settings,
    "worker": headgate_worker.process.settings.Settings,
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


@dataclass(frozen=True)
class Row:
    """A row of docs/settings.md."""

    name: str
    process: str
    default: str
    meaning: str

    def __str__(self) -> str:
        default = "none" if self.default == "none" else f"`{self.default}`"
        return f"| `{self.name}` | {self.process} | {default} | {self.meaning} |"


def rows() -> list[Row]:
    """The rows as they stand in the document."""
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip(" `") if at < 3 else cell.strip() for at, cell in enumerate(_cells(line))] for line in lines]
    return [Row(*row) for row in cells]


def _cells(line: str) -> list[str]:
    return line.strip().removeprefix("|").removesuffix("|").split(" | ", 3)


def updated() -> list[Row]:
    """The rows as the code has them; where it has no description, the document's own words stay."""
    told = {(row.process, row.name): row.meaning for row in rows()}
    from_code = [
        Row(name, process, variable.default or "none", variable.description or told.get((process, name), "?"))
        for process in SETTINGS
        for name, variable in of_process(process).items()
    ]
    return from_code + [row for row in rows() if row.process not in SETTINGS]


def main() -> None:
    """Bring the table of docs/settings.md up to date."""
    head = [line for line in TABLE.read_text().splitlines() if not line.startswith("| `")]
    TABLE.write_text("\n".join([*head, *map(str, updated())]) + "\n")


if __name__ == "__main__":
    main()
