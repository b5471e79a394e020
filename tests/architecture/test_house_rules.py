"""Rules of the house that no linter knows."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, settings

from tests.architecture.repository import ROOT, SOURCE_ROOTS, python_files, relative, written_by_hand

LONGEST: Final = 400
ROOM: Final = 16
"""Most modules of a package, so that its listing is read at a glance."""

AT_THE_TOP: Final = {
    "protos/headgate": {"__init__", "pb", "reasons"},
    "server/headgate_server": {"__init__", "__main__", "app"},
    "worker/headgate_worker": {"__init__", "__main__", "app"},
    "client/headgate_client": {"__init__"},
    "client/headgate_cli": {"__init__", "__main__", "app"},
}
"""Packages that are divided into rooms, and the modules that stand outside of them."""

ROOMS: Final = tuple(f"{package}/" for package in AT_THE_TOP)
NAMES_THAT_SAY_NOTHING: Final = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "core"}
PACKAGES_THAT_SAY_SOMETHING: Final = {"core"}

PLAIN: Final = ("protos/", "server/", "worker/", "client/", "emulator/", "bench/")
"""Sources whose docstrings and comments name the thing."""

HISTORY: Final = ("docs/adr/", "tests/")
"""Pages that are not rewritten: decisions, and what programs have written."""

VAGUE: Final = re.compile(r"\b(?:[Ww]hoever|[Ss]omebody|[Ss]omeone|[Nn]obody|[Aa]nybody|[Ee]verybody)\b")

# Written with brackets, so that these lines do not break the rules they check.
MACHINE_PATH: Final = re.compile(r"(?<![\w.$})-])/(?:[w]ork|[f]arm|[r]oot|[U]sers|home/[a-z]+)/")
REGISTRY: Final = re.compile(r"pypi[.]org|python[h]osted[.]|npm[j]s[.]|proxy[.]golang|/(?:simple|packages)/[a-z]")


def text_of(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{relative(path)}:{number}"
        for path in written_by_hand()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_is_too_long_to_be_read_in_one_go() -> None:
    lengths = {relative(path): len(text_of(path).splitlines()) for path in python_files()}

    assert not {name: length for name, length in lengths.items() if length > LONGEST}


def test_modules_are_named_for_what_they_do() -> None:
    modules = [path for path in python_files() if path.stem != "__init__"]
    packages = [path.parent for path in python_files() if path.stem == "__init__"]
    silent = [relative(path) for path in modules if path.stem in NAMES_THAT_SAY_NOTHING]
    silent += [relative(path) for path in packages if path.name in NAMES_THAT_SAY_NOTHING - PACKAGES_THAT_SAY_SOMETHING]

    assert not silent


def test_a_package_with_rooms_has_no_module_outside_of_them() -> None:
    found = {name: {path.stem for path in (ROOT / name).glob("*.py")} for name in AT_THE_TOP}

    assert found == AT_THE_TOP


def test_no_room_has_more_modules_than_are_seen_at_a_glance() -> None:
    inside = [path for path in python_files() if relative(path).startswith(ROOMS) and path.stem != "__init__"]
    sizes = Counter(relative(path.parent) for path in inside)

    assert len(sizes) > len(ROOMS) and not {room: size for room, size in sizes.items() if size > ROOM}


def test_every_room_says_what_is_inside() -> None:
    rooms = {path.parent for path in python_files() if relative(path).startswith(ROOMS)}

    assert not [relative(room) for room in rooms if not text_of(room / "__init__.py").startswith('"""')]


def test_no_path_of_one_machine_is_written_down() -> None:
    assert not found(MACHINE_PATH)


def test_no_address_of_a_package_registry_is_written_down() -> None:
    assert not found(REGISTRY)


def test_only_settings_modules_and_the_client_read_the_environment() -> None:
    """Whoever wants to know what can be set reads the settings, and has read everything."""
    reading = re.compile(r"\bos\.(?:environ|getenv)\b")
    readers = {
        relative(path)
        for path in python_files()
        if not relative(path).startswith(("tests/", "bench/")) and reading.search(text_of(path))
    }

    assert {name for name in readers if name.startswith(("server/", "worker/", "emulator/"))} <= {
        "server/headgate_server/process/supervisor.py",  # hands its own environment on to the processes that it starts
        "worker/headgate_worker/upstream/connection_file.py",  # variables that its file names
        "worker/headgate_worker/upstream/dataworks/credentials.py",  # Alibaba's variables
    }


def test_nothing_is_left_of_a_merge() -> None:
    marks = re.compile(r"^(?:<{7} |>{7} |={7}$)", re.MULTILINE)

    assert not [relative(path) for path in written_by_hand() if marks.search(path.read_text(errors="replace"))]


def test_every_package_says_that_it_is_typed() -> None:
    roots = {
        path.parent for path in python_files() if path.name == "__init__.py" and path.parent.parent.name in SOURCE_ROOTS
    }

    assert not [relative(path) for path in roots if path.name != "buf" and not (path / "py.typed").exists()]


def test_no_merge_was_left_half_done() -> None:
    assert not found(re.compile(r"^(?:<{7}|>{7}|\|{7}) "))


def test_no_test_of_properties_fails_because_the_machine_is_busy() -> None:
    kept = settings.default

    assert kept is not None and kept.deadline is None
    assert HealthCheck.too_slow in kept.suppress_health_check
    own = re.compile(r"@settings\([^)]*(?:deadline=(?!None)|suppress_health_check=\[\])")
    tests = [path for path in python_files() if relative(path).startswith("tests/")]
    assert not [relative(path) for path in tests if own.search(path.read_text())]


def test_the_subject_of_a_sentence_is_the_thing() -> None:
    """A noun of the field stands where "whoever" or "somebody" would leave the reader to guess."""
    plain = [path for path in python_files() if relative(path).startswith(PLAIN)]
    texts = [(path, text) for path in plain for text in prose_of(path)]
    texts += [(path, path.read_text()) for path in written_by_hand() if path.suffix in (".lua", ".proto")]

    assert len(texts) > 3_000
    assert not [f"{relative(path)}: {found[0]}" for path, text in texts if (found := VAGUE.search(text))]


def test_the_subject_of_a_sentence_is_the_thing_in_documents_too() -> None:
    """Decisions stay as they were written."""
    pages = [path for path in written_by_hand() if path.suffix == ".md" and not relative(path).startswith(HISTORY)]

    assert len(pages) > 20
    assert not [f"{relative(path)}: {found[0]}" for path in pages if (found := VAGUE.search(path.read_text()))]


def prose_of(path: Path) -> Iterator[str]:
    """Docstrings and comments of a file."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
