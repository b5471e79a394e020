"""Each module that decides something has the test file that mirrors it, or a reason why another one holds it."""

import ast
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

import pytest

from tests.architecture.repository import python_files, relative
from tests.selection import SOURCE_ROOTS, is_test, mirror_folder

MIRRORS: Final = ("tests/protos/", "tests/server/", "tests/worker/", "tests/client/", "tests/cli/", "tests/emulator/")
"""Folders whose tests each name a module; in a folder `scenarios` tests have names of their own."""

DECISIONS: Final = (ast.If, ast.IfExp, ast.BoolOp, ast.Compare, ast.Match, ast.While, ast.ExceptHandler)

EXCEPTIONS: Final[dict[str, str]] = {
    "client/headgate_cli/commands/deployment.py": "a flag picks free ports: tests/cli/actions/test_demo.py",
    "client/headgate_cli/commands/instances.py": "a flag picks read or watch: tests/cli/actions/test_following.py",
    "client/headgate_cli/commands/jobs.py": "flags pick the form of a watch: tests/cli/actions/test_chart.py",
    "client/headgate_cli/commands/submits.py": "a flag picks plan or submit: tests/cli/actions/test_submits.py",
}
"""By module: why it has no test file of its own, and which one holds it."""


def decides(source: str) -> bool:
    """Whether a module chooses between ways: by a condition, a comparison, a filter, or a handler of errors."""
    return any(
        isinstance(node, DECISIONS) or (isinstance(node, ast.comprehension) and bool(node.ifs))
        for node in ast.walk(ast.parse(source))
    )


def modules(files: Iterable[str]) -> list[str]:
    """Modules that people write, of all source roots."""
    sources = (file for file in files if file.startswith(tuple(f"{root}/" for root in SOURCE_ROOTS)))
    return [file for file in sources if mirror_folder(file) and not PurePosixPath(file).name.startswith("__")]


def mirrored(module: str) -> str:
    """The test file of a module."""
    return f"{mirror_folder(module)}/test_{PurePosixPath(module).name}"


def strays(files: Iterable[str], known: Iterable[str]) -> list[str]:
    """Test files that name no module, outside of `scenarios`."""
    named = {mirrored(module) for module in known}
    tests = [file for file in files if file.startswith(MIRRORS) and is_test(file)]
    return [file for file in tests if "scenarios" not in PurePosixPath(file).parts and file not in named]


FILES: Final = {relative(path): path for path in python_files()}
MODULES: Final = modules(FILES)


def test_each_module_that_decides_has_its_test_or_a_reason() -> None:
    deciding = {module for module in MODULES if decides(FILES[module].read_text())}

    assert len(deciding) > 300
    assert sorted(module for module in deciding if mirrored(module) not in FILES) == sorted(EXCEPTIONS)


def test_a_test_outside_of_scenarios_names_a_module() -> None:
    assert not strays(FILES, MODULES)


def test_a_reason_names_a_test_that_exists() -> None:
    named = {module: re.findall(r"tests/[\w/]+\.py", reason) for module, reason in EXCEPTIONS.items()}

    assert not [module for module, tests in named.items() if not tests or not FILES.keys() >= set(tests)]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("X = 1\n\ndef f() -> int:\n    return X", False),
        ("def f(x: int) -> str:\n    return 'a' if x else 'b'", True),
        ("def f(x: int) -> bool:\n    return x > 1", True),
        ("def f(x: list[int]) -> list[int]:\n    return [one for one in x if one]", True),
        ("def f(x: list[int]) -> list[str]:\n    return [str(one) for one in x]", False),
        ("try:\n    import x\nexcept ImportError:\n    x = None", True),
    ],
    ids=["none", "ways", "comparison", "filter", "each", "handler"],
)
def test_what_counts_as_a_decision(source: str, wanted: bool) -> None:
    assert decides(source) is wanted


def test_a_stray_is_found_and_a_scenario_is_none() -> None:
    here = "tests/server/jobs/test_plan.py"
    files = [here, "tests/server/jobs/test_other.py", "tests/server/jobs/scenarios/test_all.py", "tests/server/x.py"]

    assert modules(["server/headgate_server/jobs/plan.py", "server/headgate_server/jobs/__init__.py", here]) == [
        "server/headgate_server/jobs/plan.py"
    ]
    assert strays(files, ["server/headgate_server/jobs/plan.py"]) == ["tests/server/jobs/test_other.py"]
