import re

import pytest
from typer.testing import CliRunner

from headgate_cli.app import app

PANELS = ["Backfills", "Workflow instances", "Jobs", "On this machine", "Processes", "Deployment", "EnOS flows"]
COMMANDS = {
    *("backfill", "create", "start", "stop", "rerun", "adhoc", "get", "list", "task"),
    *("watch", "cancel", "explain", "jobs", "demo", "dev", "server", "worker", "emulator"),
    *("info", "quota", "flow", "token", "report", "fsck"),
}
JOB_COMMANDS = {
    *("list", "get", "watch", "events", "cancel", "pause", "resume", "retry", "resolve", "explain", "delete"),
    *("count", "report", "update"),
}


def help_of(*arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}).invoke(app, [*arguments, "--help"])
    assert result.exit_code == 0
    return result.output


def commands_in(text: str) -> set[str]:
    return set(re.findall(r"^│ ([a-z]+) ", text, re.MULTILINE))


def test_the_help_groups_the_commands() -> None:
    text = help_of()

    assert re.findall(r"^╭─ (.*?) ─", text, re.MULTILINE)[1:] == PANELS
    assert commands_in(text) == COMMANDS
    assert all(f"{status}:" in text for status in (0, 1, 2, 3, 4, 5, 130))


def test_the_help_of_jobs_lists_what_can_be_done_with_one() -> None:
    assert commands_in(help_of("jobs")) == JOB_COMMANDS


@pytest.mark.parametrize("command", ["backfill", "create", "start", "stop", "rerun", "adhoc", "get", "list", "watch"])
def test_a_command_shows_an_example(command: str) -> None:
    assert f"headgate {command} " in help_of(command).partition("Example:")[2]


def test_flags_are_named_after_dataworks_fields() -> None:
    text = help_of("backfill")

    for flag in (
        *("--project-id", "--workflow-id", "--name", "--biz-dates", "--root-task-ids", "--mode"),
        *("--parallelism", "--env-type", "--request-id", "--job-id", "--target", "--output", "--spec"),
        *("--wait", "--no-wait", "--plan"),
    ):
        assert flag in text
