"""What `make check` selects: the tests nearest to a change."""

import pytest

from tests.check import told
from tests.selection import MOST_FILES, Repository, mirror_folder, module_name

TREE = {
    "server/headgate_server/jobs/__init__.py": "",
    "server/headgate_server/jobs/submit.py": 'SCRIPT = load("record_job")',
    "server/headgate_server/jobs/quiet.py": "",
    "server/headgate_server/app.py": "from headgate_server.jobs import submit, quiet",
    "tests/server/jobs/test_submit.py": "from headgate_server.jobs.submit import SCRIPT",
    "tests/server/jobs/test_beside.py": "",
    "tests/server/world.py": "import headgate_server.app",
    "tests/server/scenarios/test_app.py": "from tests.server import world",
    "tests/e2e/test_all.py": "import pytest\nimport headgate_server.app\n\npytestmark = [\n    pytest.mark.slow,\n]\n",
    "tests/architecture/test_docs.py": 'DOC = "docs/errors.md"',
    "tests/client/test_errors.py": 'DOC = ROOT / "docs/errors.md"',
    "tests/polyglot/test_docs.py": 'pytestmark = pytest.mark.slow\nDOC = ROOT / "docs/errors.md"',
}


def selected(*changed: str) -> tuple[str, ...]:
    return Repository(TREE).selection(changed).files


def test_a_module_selects_the_tests_that_import_it_and_those_beside_them() -> None:
    assert selected("server/headgate_server/jobs/submit.py") == (
        "tests/server/jobs/test_beside.py",
        "tests/server/jobs/test_submit.py",
    )


def test_a_module_that_no_test_imports_selects_those_of_what_imports_it() -> None:
    found = Repository(TREE).nearest_tests("server/headgate_server/jobs/quiet.py")

    assert found == {"tests/e2e/test_all.py"}
    assert Repository(TREE).nearest_tests("tests/server/world.py") == {"tests/server/scenarios/test_app.py"}


def test_a_script_or_a_document_counts_through_the_files_that_name_it() -> None:
    assert "tests/server/jobs/test_submit.py" in selected("server/headgate_server/store/scripts/record_job.lua")
    assert selected("docs/errors.md") == ("tests/client/test_errors.py",)


def test_a_slow_file_is_left_out_unless_it_changed_itself() -> None:
    found = Repository(TREE).selection(["server/headgate_server/app.py"])

    assert (found.files, found.slow) == ((), ("tests/e2e/test_all.py",))
    assert selected("tests/e2e/test_all.py") == ("tests/e2e/test_all.py",)


def test_what_changed_itself_and_what_meets_most_changes_comes_first_and_the_rest_is_told() -> None:
    many = {f"tests/n/test_{n:02}.py": "import headgate_server.app" for n in range(MOST_FILES + 3)}
    found = Repository({**TREE, **many}).selection(["server/headgate_server/app.py", "tests/n/test_41.py"])

    assert found.files[0] == "tests/n/test_41.py" and len(found.files) == MOST_FILES
    assert len(found.too_many) == 3 and all(file in told([], found, 99) for file in found.too_many + found.slow)


@pytest.mark.parametrize(
    ("file", "module", "folder"),
    [
        ("server/headgate_server/app.py", "headgate_server.app", "tests/server"),
        ("server/headgate_server/jobs/__init__.py", "headgate_server.jobs", "tests/server/jobs"),
        ("client/headgate_cli/views/gantt.py", "headgate_cli.views.gantt", "tests/cli/views"),
        ("protos/headgate/quota/limits.py", "headgate.quota.limits", "tests/protos/quota"),
        ("protos/headgate_redis/clock.py", "headgate_redis.clock", "tests/protos/redis"),
        ("tests/server/world.py", "tests.server.world", ""),
        ("bench/__main__.py", "bench.__main__", ""),
    ],
)
def test_a_file_has_its_module_and_the_folder_of_its_tests(file: str, module: str, folder: str) -> None:
    assert (module_name(file), mirror_folder(file)) == (module, folder)
