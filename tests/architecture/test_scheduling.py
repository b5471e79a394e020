"""The parallel run: files whose cases share something stay whole, and the mark is found where pytest finds it."""

import ast
import re

from tests.architecture.repository import ROOT
from tests.scheduling import is_whole

CHEAP = {
    "tests/server/services/test_admin.py",  # reads the descriptor set
    "tests/client/watch/test_job_watch.py",  # starts a loop and a server in this process
}
FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py"))


def carries(text: str, mark: str) -> bool:
    """Whether pytest finds a mark on all cases of a file."""
    assigned = [node for node in ast.parse(text).body if isinstance(node, ast.Assign)]
    return any(
        ast.unparse(node.targets[0]) == "pytestmark" and re.search(rf"pytest\.mark\.{mark}\b", ast.unparse(node.value))
        for node in assigned
    )


def test_the_mark_is_read_as_pytest_reads_it() -> None:
    marked = {file for file in FILES if carries((ROOT / file).read_text(), "whole")}

    assert marked and {file for file in FILES if is_whole(file)} == marked


def test_a_file_whose_cases_share_a_fixture_is_whole_or_cheap_to_begin_again() -> None:
    sharing = {
        file for file in FILES if re.search(r'^@pytest.*scope="module"', (ROOT / file).read_text(), re.MULTILINE)
    }

    assert sharing == {file for file in sharing if is_whole(file)} | CHEAP
