"""The tables for people say what the code says."""

import re
from pathlib import Path

from headgate.reasons import Reason
from headgate_server.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]


def rows(page: str, heading: str) -> dict[str, list[str]]:
    """Cells of a table by its first one, without backticks."""
    table = (ROOT / "docs" / page).read_text().split(heading, 1)[1].split("\n\n", 1)[0]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {found[0]: found[1:] for found in cells}


def test_the_table_of_errors_is_the_table_of_reasons() -> None:
    wanted = {reason.name: [reason.value.code, reason.value.cause, reason.value.action] for reason in Reason}

    assert rows("errors.md", "| reason | code | what happened | what to do |") == wanted


def test_every_reason_that_the_server_names_is_in_the_table() -> None:
    sources = (ROOT / "server").rglob("*.py")
    named = {name for source in sources for name in re.findall(r"\bReason\.([A-Z_]+)", source.read_text())}

    assert named
    assert named <= set(Reason.__members__)
    assert named <= set(rows("errors.md", "| reason | code | what happened | what to do |"))


def test_the_table_of_settings_is_the_class_of_settings() -> None:
    found = rows("settings-server.md", "| variable | default | what it is |")

    assert {name: cells[1] for name, cells in found.items()} == {
        PREFIX + name.upper(): field.description for name, field in Settings.model_fields.items()
    }


def test_every_default_in_the_table_is_the_default() -> None:
    defaults = Settings.model_validate({})
    for name, cells in rows("settings-server.md", "| variable | default | what it is |").items():
        member = name.removeprefix(PREFIX).lower()
        given = {} if cells[0] == "none" else {member: cells[0]}
        assert getattr(Settings.model_validate(given), member) == getattr(defaults, member)
