"""Which tests a change is likely to touch: those nearest to it in the graph of imports. Pure; it runs nothing.

A file that changed counts as itself, where it is Python, and through every file that names it, where it is not: a
script, a document, a proto. Nearest are the test files that import a changed file; where none does, those that import
what imports it, and so on; and those that stand where its own tests do: `tests/server/jobs` for a module of
`server/headgate_server/jobs`. A change with tests of its own thus selects these, and not all tests of the program.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Final

SOURCE_ROOTS: Final = ("protos", "server", "worker", "client", "emulator")
ALWAYS: Final = "tests/architecture/"
"""Rules of the repository: any change may break them."""

MOST_FILES: Final = 40
_SLOW: Final = re.compile(r"^pytestmark\b.*(?:\n .*)*pytest\.mark\.slow\b", re.MULTILINE)


def is_test(file: str) -> bool:
    """Whether pytest collects a file."""
    return file.startswith("tests/") and PurePosixPath(file).name.startswith("test_") and file.endswith(".py")


def module_name(file: str) -> str:
    """What a Python file is imported as."""
    parts = PurePosixPath(file).with_suffix("").parts
    parts = parts[1:] if parts[0] in SOURCE_ROOTS else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def mirror_folder(file: str) -> str:
    """Where the tests of a source file's package stand; empty for a file that is no source."""
    root, _, rest = file.partition("/")
    package, _, path = rest.partition("/")
    if root not in SOURCE_ROOTS or not path:
        return ""
    home = {"headgate": "protos", "headgate_ops": "protos/ops", "headgate_redis": "protos/redis"}
    named = home.get(package, package.removeprefix("headgate_"))
    return str(PurePosixPath("tests", named, path).parent)


@dataclass(frozen=True)
class Selection:
    """Test files that are to run, nearest first, and what is left out of them and why."""

    files: tuple[str, ...]
    slow: tuple[str, ...]
    too_many: tuple[str, ...]


@dataclass(frozen=True)
class Repository:
    """The text of every file, by its path from the root with forward slashes."""

    texts: Mapping[str, str]

    @cached_property
    def _modules(self) -> dict[str, str]:
        return {module_name(file): file for file in self.texts if file.endswith(".py")}

    @cached_property
    def importers(self) -> dict[str, set[str]]:
        """By file: the files that import it."""
        found: dict[str, set[str]] = {}
        for file in self._modules.values():
            for imported in self._imports(file):
                found.setdefault(imported, set()).add(file)
        return found

    def _imports(self, file: str) -> set[str]:
        nodes = list(ast.walk(ast.parse(self.texts[file])))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and node.module:
                members = {f"{node.module}.{alias.name}" for alias in node.names}
                found = members & self._modules.keys()
                names |= found | ({node.module} if len(found) < len(members) else set())
        return {self._modules[name] for name in names & self._modules.keys()} - {file}

    def changed_python(self, changed: Iterable[str]) -> set[str]:
        """The Python files that changed, and those that name another file that did."""
        found = set()
        for file in changed:
            if file.endswith(".py"):
                found.add(file)
            else:
                found |= self._naming(PurePosixPath(file))
        return found & self.texts.keys()

    def _naming(self, path: PurePosixPath) -> set[str]:
        name = re.escape(path.stem if path.suffix == ".lua" else path.name if path.suffix else str(path))
        named = re.compile(rf"[\"'/]{name}[\"']")
        return {file for file in self._modules.values() if named.search(self.texts[file])}

    def nearest_tests(self, file: str) -> set[str]:
        """The test files nearest to a file: itself, or the first that are met on the way up its importers."""
        level, seen = {file}, {file}
        while level:
            if tests := {one for one in level if is_test(one)}:
                return tests
            level = set().union(*(self.importers.get(one, set()) for one in level)) - seen
            seen |= level
        return set()

    def tests_beside(self, file: str) -> set[str]:
        """The test files in the folder that mirrors a source file's."""
        folder = mirror_folder(file)
        return {one for one in self.texts if folder and is_test(one) and str(PurePosixPath(one).parent) == folder}

    def selection(self, changed: Iterable[str]) -> Selection:
        """What is to run after a change; the rules of the repository are not among it."""
        edited = set(changed)
        touched = self.changed_python(edited)
        near = (test for file in touched for test in self.nearest_tests(file) | self.tests_beside(file))
        met = Counter(test for test in near if not test.startswith(ALWAYS))
        nearest = sorted(met, key=lambda test: (test not in edited, -met[test], test))
        slow = tuple(test for test in nearest if test not in edited and _SLOW.search(self.texts[test]))
        quick = tuple(test for test in nearest if test not in slow)
        return Selection(quick[:MOST_FILES], slow, quick[MOST_FILES:])
