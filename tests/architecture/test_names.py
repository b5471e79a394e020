"""One name for one thing: class names stand once, and code and glossary use the same words.

Classes of tests are left out: a fixture's class is known in its file only. So are those of the emulator, which is a
product of its own, and `Settings`, which each process has.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.architecture.repository import ROOT, python_files, relative, written_by_hand

OF_EACH_PROCESS: Final = {"Settings"}
PRODUCT: Final = ("protos/", "server/", "worker/", "client/")
HOLD_TERMS: Final = (
    "protos/headgate/job/",
    "protos/headgate/backfill/",
    "protos/headgate/quota/",
    "protos/headgate/store/",
    "server/headgate_server/ports/",
    "worker/headgate_worker/ports/",
    "worker/headgate_worker/core/model/",
)
"""Packages whose classes are terms of the field of headgate: what the protocol keeps, and what ports hand on."""

SIDES_OF_A_SCRIPT: Final = ("Keys", "Arguments", "Answer")
WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def classes(*roots: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """Every class of the modules below the roots, with its file."""
    for path in python_files():
        if relative(path).startswith(roots):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    yield relative(path), node


def test_a_class_name_stands_once() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for file, node in classes(*PRODUCT, "bench/"):
        places[node.name].add(file)

    assert not {name: files for name, files in places.items() if len(files) > 1 and name not in OF_EACH_PROCESS}


def words(name: str) -> list[str]:
    return [word.lower() for word in WORD.findall(name)]


def phrases(name: str) -> set[str]:
    """The words of a name, and what they make side by side."""
    found = words(name)
    return {" ".join(found[start:end]) for start in range(len(found)) for end in range(start + 1, len(found) + 1)}


def terms() -> set[str]:
    page = (ROOT / "docs/glossary.md").read_text()
    return set(re.findall(r"^\| \*\*(.+?)\*\* \|", page, re.MULTILINE))


def names_of(path: Path) -> set[str]:
    return set(re.findall(r"[A-Za-z]\w*", path.read_text()))


def test_every_term_of_the_glossary_is_one_of_the_code() -> None:
    files = [path for path in written_by_hand() if path.suffix in {".py", ".proto", ".lua"}]
    names = set().union(*(names_of(path) for path in files if relative(path).startswith(PRODUCT)))
    used = set().union(*map(phrases, names))
    texts = " ".join(" ".join(path.read_text().split()) for path in files if relative(path).startswith(PRODUCT))

    assert not {term for term in terms() if not {term, f"{term}s"} & used and term not in texts}


def families() -> dict[str, set[str]]:
    """What classes are one of, by their names: `Step` of `Act`, for `Step = Act | Wait | Rest`, and their bases."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in python_files():
        for node in ast.parse(path.read_text()).body if relative(path).startswith(HOLD_TERMS) else ():
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and is_union(node.value):
                for part in ast.walk(node.value):
                    found[getattr(part, "id", "")].add(node.targets[0].id)
            elif isinstance(node, ast.ClassDef):
                found[node.name].update(bases(node))
    return found


def is_union(value: ast.expr) -> bool:
    return isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr)


def bases(node: ast.ClassDef) -> set[str]:
    return {part.id for base in node.bases for part in ast.walk(base) if isinstance(part, ast.Name)}


def is_a_value(node: ast.ClassDef) -> bool:
    """Whether a class is public, and no port, no exception and no side of a script."""
    is_error = any(base.endswith(("Exception", "Error")) for base in bases(node))
    is_hidden = node.name.startswith("_") or node.name.endswith(SIDES_OF_A_SCRIPT)
    return not (is_hidden or is_error or "Protocol" in bases(node))


def test_every_class_that_is_a_term_is_in_the_glossary() -> None:
    """Its name, or that of what it is one of, has a term of the glossary in it."""
    families_of, known = families(), terms()
    values = [node.name for _, node in classes(*HOLD_TERMS) if is_a_value(node)]
    named = {name: set().union(*map(phrases, {name, *families_of[name]})) for name in values}

    assert len(values) > 50
    assert not [name for name, found in named.items() if not found & (known | {f"{term}s" for term in known})]
