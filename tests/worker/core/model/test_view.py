"""The values that decisions are made from."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import headgate_worker
from headgate_worker.core.model.view import Policy


def test_every_number_of_the_policy_decides_something() -> None:
    sources = Path(headgate_worker.__file__).parent.rglob("*.py")
    read = {name for path in sources for name in re.findall(r"\bpolicy\.(\w+)", path.read_text())}

    assert {field.name for field in fields(Policy)} - read == set()
