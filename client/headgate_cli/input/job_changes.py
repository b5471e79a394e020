"""What flags change of a job that goes on. Pure."""

from datetime import datetime

from headgate import pb
from headgate_cli.input import enums
from headgate_cli.input.arguments import labels, span
from headgate_cli.input.parameters import ChangeFlags
from headgate_cli.process.exit_codes import UsageFault
from headgate_client import JobChange


def change_of(flags: ChangeFlags, now: datetime) -> JobChange:
    """Return what flags change; UsageFault where that is nothing, or a value can't be read."""
    change = JobChange()
    if flags.priority >= 0:
        change["priority"] = flags.priority
    if flags.label:
        change["labels"] = labels([label for label in flags.label if label])
    if deadline := span(flags.deadline, "--deadline"):
        change["deadline_time"] = now + deadline
    if keep := span(flags.keep, "--keep"):
        change["ttl_after_end"] = keep
    _set_backfill(change, flags)
    if not change:
        raise UsageFault("JOB", "say what changes, such as --priority 5; --help lists what can")
    return change


def _set_backfill(change: JobChange, flags: ChangeFlags) -> None:
    if flags.parallelism:
        change["parallelism"] = flags.parallelism
    if flags.max_attempts:
        change["max_attempts_per_date"] = flags.max_attempts
    if flags.on_failure:
        found = enums.number(flags.on_failure, pb.OnFailure, "ON_FAILURE_", "--on-failure")
        change["on_failure"] = pb.OnFailure.ValueType(found)
