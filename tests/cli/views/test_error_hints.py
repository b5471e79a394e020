"""What a command advises can be typed: every flag of an advice is one of the command that failed."""

import re

import grpc
import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from headgate.reasons import Reason
from headgate_cli.app import app
from headgate_cli.views.error_hints import error_hint
from headgate_client import HeadgateError

METHODS = {
    "retry": "RetryJob",
    "delete": "DeleteJob",
    "backfill": "CreateBackfill",
    "watch": "WatchJob",
    "cancel": "CancelJob",
    "explain": "ExplainJob",
}
FLAG = re.compile(r"--[a-z][a-z-]*")


def commands() -> list[tuple[str, TyperCommand]]:
    found: list[tuple[str, TyperCommand]] = []
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    groups = [("", root)]
    while groups:
        path, group = groups.pop()
        for name, command in group.commands.items():
            whole = f"{path} {name}".strip()
            if isinstance(command, TyperGroup):
                groups.append((whole, command))
            elif isinstance(command, TyperCommand):
                found.append((whole, command))
    return found


@pytest.mark.parametrize(("path", "command"), commands(), ids=[path for path, _ in commands()])
def test_every_flag_of_an_advice_exists_on_the_command(path: str, command: TyperCommand) -> None:
    flags = {flag for parameter in command.params for flag in parameter.opts}
    method = METHODS.get(path.rpartition(" ")[2], "")
    for reason in Reason.__members__:
        error = HeadgateError(
            grpc.StatusCode[Reason[reason].value.code], reason, "no", metadata={"job": "jobs/x"}, method=method
        )
        assert set(FLAG.findall(error_hint(error, flags))) <= flags, (path, reason)


def test_an_overlap_is_told_by_what_the_command_can_do() -> None:
    error = HeadgateError(
        grpc.StatusCode.FAILED_PRECONDITION, "BACKFILL_OVERLAP", metadata={"job": "jobs/x"}, method="RetryJob"
    )

    assert error_hint(error, {"--biz-dates"}) == (
        "Wait until that job has ended: headgate watch x; or name other dates with --biz-dates."
    )
    error.method = "CreateBackfill"
    assert error_hint(error).endswith("or choose another --overlap.")


def test_a_clause_with_a_flag_of_other_commands_is_left_out() -> None:
    error = HeadgateError(grpc.StatusCode.ALREADY_EXISTS, "JOB_EXISTS", metadata={"job": "jobs/x"})

    assert error_hint(error, set()) == "See that job: headgate jobs get x"
    assert error_hint(error, {"--job-id"}).endswith("or choose another --job-id.")
