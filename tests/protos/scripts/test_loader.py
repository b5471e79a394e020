"""What the loader makes of a script's file, and what it refuses."""

from __future__ import annotations

from enum import IntEnum
from importlib import invalidate_caches
from pathlib import Path
from typing import NamedTuple

import pytest

from headgate.scripts import loader
from headgate.scripts.loader import ScriptHeaderError

SCRIPT = """-- Do something.
-- @keys job log
-- @argv job_id
-- @argv revision ; events...
-- @returns DONE revision | GONE
-- @constants LIMIT
-- @include now

return {DONE, now(job, log, job_id, revision, events, LIMIT), GONE}
"""
NOW = """-- @constants STEP

local function now(...) return STEP, ... end
"""


class Keys(NamedTuple):
    job: str
    log: str


class Arguments(NamedTuple):
    job_id: str
    revision: int


class Answers(IntEnum):
    DONE = 1
    GONE = -2


CONSTANTS: dict[str, loader.Constant] = {"LIMIT": 7, "STEP": "a"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "a_package_of_scripts"
    (folder / "include").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "act.lua").write_text(SCRIPT)
    (folder / "include/now.lua").write_text(NOW)
    monkeypatch.syspath_prepend(tmp_path)
    invalidate_caches()
    return folder.name


def test_names_of_the_header_become_locals_and_codes_and_constants_their_values(package: str) -> None:
    text = loader.load("act", Keys, Arguments, answers=Answers, constants=CONSTANTS, package=package)

    assert [line for line in text.splitlines() if line] == [
        "-- a_package_of_scripts/act.lua",
        "local STEP = 'a'",
        "local function now(...) return STEP, ... end",
        "local DONE = 1",
        "local GONE = -2",
        "local LIMIT = 7",
        "local job, log = KEYS[1], KEYS[2]",
        "local job_id, revision = ARGV[1], ARGV[2]",
        "local events = {}",
        "for place = 3, #ARGV do events[place - 2] = ARGV[place] end",
        "return {DONE, now(job, log, job_id, revision, events, LIMIT), GONE}",
    ]


def test_many_names_are_unpacked_at_once() -> None:
    signature = loader.Signature(("a", "b", "c", "d", "e"), "")

    assert list(signature.declared("KEYS")) == ["local a, b, c, d, e = unpack(KEYS, 1, 5)"]


def test_a_set_of_strings_becomes_a_table_from_each_to_true(package: str) -> None:
    constants: dict[str, loader.Constant] = {"LIMIT": ("5", "6"), "STEP": 1}
    text = loader.load("act", Keys, Arguments, answers=Answers, constants=constants, package=package)

    assert "local LIMIT = {['5'] = true, ['6'] = true}" in text


class SwappedKeys(NamedTuple):
    log: str
    job: str


class NoArguments(NamedTuple):
    pass


class OtherAnswers(IntEnum):
    DONE = 1


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"keys": SwappedKeys}, "KEYS"),
        ({"arguments": NoArguments}, "ARGV"),
        ({"answers": OtherAnswers}, "answers"),
        ({"constants": {"LIMIT": 7}}, "constants"),
    ],
)
def test_a_header_that_is_not_the_python_sides_is_refused(package: str, changed: dict[str, object], what: str) -> None:
    sides: dict[str, object] = {"keys": Keys, "arguments": Arguments, "answers": Answers, "constants": CONSTANTS}

    with pytest.raises(ScriptHeaderError, match=what):
        loader.load("act", **{**sides, **changed}, package=package)  # type: ignore[arg-type]
