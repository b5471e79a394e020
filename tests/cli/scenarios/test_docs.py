"""The documents say what the code does."""

import re
from pathlib import Path

from headgate import pb
from headgate_cli.input.specs import from_file
from headgate_cli.process.exit_codes import EXIT_STATUSES
from headgate_client import Client, JobHandle
from headgate_client.api.admin import Admin
from headgate_client.api.backfills import Backfills
from headgate_client.api.flow_instances import Flows
from headgate_client.api.jobs import Jobs
from headgate_client.api.task_instances import Tasks
from headgate_client.api.workflow_instances import WorkflowInstances
from tests.cli.scenarios.test_help import COMMANDS, JOB_COMMANDS

DOCS = Path(__file__).parents[3] / "docs"
CLI = (DOCS / "cli.md").read_text()
CLIENT = (DOCS / "client.md").read_text()
LOW_LEVEL = {"list_page", "list_events_page"}


def methods(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")} - LOW_LEVEL


def test_every_exit_status_is_in_the_document() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", CLI, re.MULTILINE))

    assert rows == {str(status): meaning for status, meaning in EXIT_STATUSES.items()}


def test_every_command_is_in_the_document() -> None:
    assert {name for name in COMMANDS if f"`{name}" not in CLI and f"headgate {name}" not in CLI} == set()
    assert {name for name in JOB_COMMANDS if f"`jobs {name}" not in CLI} == set()


def test_the_example_of_an_ad_hoc_run_is_a_spec(tmp_path: Path) -> None:
    example = tmp_path / "tasks.json"
    example.write_text(re.findall(r"```json\n(.*?)```", CLI, re.DOTALL)[0])

    spec = from_file(str(example), pb.ExecuteAdhocWorkflowInstanceSpec())

    assert spec.tasks[0].script_content == "SELECT 1;" and spec.project_id == 257880


def test_the_table_of_methods_is_complete() -> None:
    told = {
        name: set(re.findall(r"`(\w+)`", row))
        for name, row in re.findall(r"^\| `client\.(\w+)` \| (.*) \|$", CLIENT, re.MULTILINE)
    }

    assert told == {
        "backfills": methods(Backfills),
        "workflow_instances": methods(WorkflowInstances),
        "jobs": methods(Jobs),
        "flows": methods(Flows),
        "tasks": methods(Tasks),
        "admin": methods(Admin),
    }
    assert all(f"`{name}`" in CLIENT for name in methods(JobHandle))


def test_the_example_of_the_client_compiles() -> None:
    for code in re.findall(r"```python\n(.*?)```", CLIENT, re.DOTALL):
        compile(code, "docs/client.md", "exec")
    assert hasattr(Client, "connect")
