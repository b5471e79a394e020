"""The tables for people say what the code says."""

import re
from pathlib import Path

from headgate.reasons import RETIRED, Reason

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


def test_every_reason_is_given_somewhere_and_no_retired_one_is_used_again() -> None:
    sources = [path for root in ("server", "worker", "client") for path in (ROOT / root).rglob("*.py")]
    given = {name for source in sources for name in re.findall(r"\bReason\.([A-Z_]+)", source.read_text())}

    assert set(Reason.__members__) - given == set()
    assert not RETIRED & set(Reason.__members__)
