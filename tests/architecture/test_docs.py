"""The documents say what is so: links lead somewhere, commands exist, tables equal the code they tell about."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, Final

import protovalidate
import pytest
import typer
from google.protobuf import json_format

from headgate import pb
from headgate_cli.app import app
from headgate_cli.process.launch import PROCESSES
from headgate_server.requests.unbuilt import UNBUILT
from headgate_worker.core import planner
from tests.architecture import variables
from tests.architecture.repository import ROOT, documents, relative, tracked

LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING: Final = re.compile(r"^#+ +(.*)$", re.MULTILINE)
FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE: Final = re.compile(r"`((?:headgate|make) [^`]+)`", re.DOTALL)
COMMAND_LINE: Final[Any] = typer.main.get_command(app)

BETWEEN_OUR_PROCESSES: Final = {"HEADGATE_PROCESS_OF"}
"""Set by a server for the processes that it starts; never by a person."""

every_document = pytest.mark.parametrize("path", list(documents()), ids=relative)


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in HEADING.findall(prose(path))}


def test_what_the_page_on_security_says_is_tried_by_is_there() -> None:
    from bench.chaos.experiments import EXPERIMENTS

    page = (ROOT / "docs/security.md").read_text()
    rows = [line.split("|")[3] for line in page.splitlines() if line.startswith("| ") and line.count("|") == 4]
    tried = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]

    assert len(tried) > 30
    for name in tried:
        if name.startswith("tests/"):
            assert (ROOT / name).is_file(), name
        elif not name.startswith("make "):
            assert name in EXPERIMENTS, name


@every_document
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in LINK.findall(prose(path)):
        target, _, anchor = link.partition("#")
        found = (path.parent / target).resolve() if target else path
        if "://" in link:
            continue
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(link)

    assert not broken


def commands(path: Path) -> Iterator[list[str]]:
    """Every command line of ours in a document, split into words."""
    fenced = [body for language, body in FENCE.findall(path.read_text()) if language in ("sh", "console", "bash")]
    lines = [line for body in fenced for line in body.replace("\\\n", " ").splitlines()]
    lines += [" ".join(text.split()) for text in INLINE.findall(prose(path))]
    for line in lines:
        words = re.sub(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*", "", line)
        if words.startswith(("headgate ", "make ")):
            yield shlex.split(words, comments=True)


@every_document
def test_commands_in_documents_exist(path: Path) -> None:
    wrong = [" ".join(command) for command in commands(path) if not exists(command)]

    assert not wrong


def exists(command: list[str]) -> bool:
    if command[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        return set(command[1:]) <= targets
    if command[1] in PROCESSES:
        return flags(command) <= set(re.findall(r"--[a-z-]+", help_of(command[1])))
    return known(COMMAND_LINE, command[1:])


def flags(command: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in command if word.startswith("--")}


@cache
def help_of(process: str) -> str:
    command = (sys.executable, "-m", f"headgate_{process}", "--help")
    paths = {"PYTHONPATH": ":".join(str(ROOT / folder) for folder in ("protos", process)), "COLUMNS": "120"}
    done = subprocess.run(command, env=paths, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


def known(found: Any, words: list[str]) -> bool:
    """Whether the command line takes these words: commands by name, flags by name."""
    while hasattr(found, "commands"):
        if not words or words[0] == "--help" or words[0].isupper():  # a group alone, or a placeholder such as COMMAND
            return True
        if words[0].startswith("--"):
            return flags(words) <= {option for parameter in found.params for option in parameter.opts}
        if words[0] not in found.commands:
            return False
        found, words = found.commands[words[0]], words[1:]
    taken = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return flags(words) <= taken | {"--help"}


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert known(COMMAND_LINE, ["watch", "orders-2025"]) and known(COMMAND_LINE, ["jobs", "list", "--limit", "3"])
    assert known(COMMAND_LINE, ["--version"]) and not known(COMMAND_LINE, ["--verzion"])
    assert not known(COMMAND_LINE, ["wach", "orders-2025"]) and not known(COMMAND_LINE, ["watch", "--no-such-flag"])
    assert not exists(["make", "coffee"]) and not exists(["headgate", "server", "--no-such-flag"])


def test_the_settings_table_equals_the_code() -> None:
    differences = [str(row) for row in variables.updated() if row not in variables.rows()]

    assert variables.rows() == variables.updated(), (
        f"run `.venv/bin/python -m tests.architecture.variables`: {differences}"
    )
    assert not [row.name for row in variables.rows() if row.meaning == "?"], "needs words of its own"


def test_the_clients_variables_are_those_it_reads() -> None:
    told = {row.name for row in variables.rows() if row.process == "client"}

    assert told == variables.named_in("client/headgate_client")


def test_no_other_variable_is_named_anywhere() -> None:
    told = {row.name for row in variables.rows()}
    named = {name for folder in ("client", "server", "worker", "emulator") for name in variables.named_in(folder)}

    assert not {name for name in named if not name.endswith("_")} - told - BETWEEN_OUR_PROCESSES


@every_document
def test_variables_in_documents_exist(path: Path) -> None:
    named = set(re.findall(r"\bHEADGATE_[A-Z_]*[A-Z]\b", path.read_text()))

    assert not named - {row.name for row in variables.rows()} - {"HEADGATE_EMULATOR"}


def test_the_glossary_has_every_word_once() -> None:
    words = re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    names = [word for word, _ in words]

    assert len(names) == len(set(names))
    assert {"job", "event", "revision", "log", "commit", "tick", "reaper", "lane", "instance", "parent"} <= set(names)
    assert {"blocked", "adopt", "frontier", "observation", "governor", "connection", "feed", "hub", "watcher"} <= set(
        names
    )
    assert all(meaning.endswith(".") for _, meaning in words)


def test_the_life_cycle_is_drawn_from_the_table() -> None:
    spec = importlib.util.spec_from_file_location("draw_lifecycle", ROOT / "docs/draw_lifecycle.py")
    assert spec and spec.loader
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)

    page = drawing.PAGE.read_text()
    assert page == drawing.page(page), "run `PYTHONPATH=protos .venv/bin/python docs/draw_lifecycle.py`"


def test_decisions_are_numbered_without_gaps_and_have_their_parts() -> None:
    decisions = sorted((ROOT / "docs/adr").glob("*.md"))

    assert [path.name[:4] for path in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    for path in decisions:
        assert path.read_text().startswith(f"# {path.name[:4]}: ")
        assert HEADING.findall(path.read_text())[1:] == ["Context", "Decision", "Consequences"]


def readme_python() -> str:
    blocks: list[tuple[str, str]] = FENCE.findall((ROOT / "README.md").read_text())
    return next(body for language, body in blocks if language == "python")


def readme_request() -> pb.CreateBackfillRequest:
    script = next(body for _, body in FENCE.findall((ROOT / "README.md").read_text()) if "<<'JSON'" in body)
    text = script.partition("<<'JSON'\n")[2].partition("\nJSON\n")[0]
    return json_format.ParseDict(json.loads(text), pb.CreateBackfillRequest())


def test_the_request_in_the_readme_is_one_that_the_server_takes() -> None:
    protovalidate.validate(readme_request())


def test_the_python_in_the_readme_asks_for_the_same_backfill() -> None:
    names: dict[str, Any] = {}
    exec(compile(readme_python(), "README.md", "exec"), names)

    assert names["spec"] == readme_request().spec


GROUPS: Final[dict[str, str]] = {}
"""Services that are wholly unbuilt, in the README's words."""


def test_what_the_readme_calls_unbuilt_is_what_the_server_refuses() -> None:
    text = " ".join((ROOT / "README.md").read_text().partition("lists them all:")[2].partition(";")[0].split())
    named = set(re.findall(r"`(\w+)`", text))
    services = {name: name.split(".")[-2] for name in UNBUILT}

    assert named == {name.rpartition(".")[2] for name, service in services.items() if service not in GROUPS}
    assert {service for service, words in GROUPS.items() if words in text} == set(services.values()) & set(GROUPS)


def test_every_file_that_the_architecture_names_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    named = set(re.findall(r"`([\w/*.]+\.(?:py|proto|toml|md))`", text)) | set(re.findall(r"`([\w/]+/)`", text))
    paths = [relative(path) for path in tracked()]

    assert not [name for name in named if not any(fits(f"/{path}", name) for path in paths)]


def test_the_diagram_of_the_way_of_data_names_modules_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    diagram = next(body for _, body in FENCE.findall(text) if body.startswith("SUBMIT"))
    named = set(re.findall(r"[\w/]+\.(?:py|lua)|[\w/]+/(?= )", diagram))
    paths = [relative(path) for path in tracked()]

    assert {word for word in ("SUBMIT", "TICK", "WATCH") if f"{word} " in diagram} == {"SUBMIT", "TICK", "WATCH"}
    assert len(named) > 20 and not [name for name in named if not any(fits(f"/{path}", name) for path in paths)]


def fits(path: str, name: str) -> bool:
    """Whether a path ends in a file name, or lies in a folder, as a page names them."""
    return f"/{name}" in path if name.endswith("/") else fnmatch(path, f"*/{name}")


def test_every_rule_of_the_core_is_on_the_map() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rules = {rule.__module__.rpartition(".")[2] for rule in (*planner.RULES, *planner.CALLING_RULES)} - {"planner"}

    assert not {rule for rule in rules if f"`{rule}`" not in text}
