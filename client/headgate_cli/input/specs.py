"""Make specs of flags and files. A file is the whole spec as proto JSON; flags override what it says."""

import re
import sys
from collections.abc import MutableSequence, Sequence
from pathlib import Path
from typing import TypeVar

from google.protobuf import descriptor_pool
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import Message

from headgate import pb
from headgate.backfill.dates import to_message
from headgate.messages import word_choice
from headgate_cli.input import enums
from headgate_cli.input.arguments import date_spans, ids, one_date
from headgate_cli.input.spec_parameters import CreationFlags, PolicyFlags, RerunFlags, RunFlags
from headgate_cli.process.exit_codes import UsageFault
from headgate_client import date_range

Spec = TypeVar("Spec", bound=Message)
RunSpec = TypeVar("RunSpec", pb.BackfillSpec, pb.CreateWorkflowInstancesSpec)


def from_file(path: str, empty: Spec) -> Spec:
    """Read a spec from a file, - for standard input, none for an empty one; return `empty`, filled.

    Raises UsageFault for text that is no such spec, and OSError for a file that can't be read.
    """
    if not path:
        return empty
    text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    try:
        return Parse(text, empty)
    except ParseError as error:
        raise UsageFault("--spec", f"{path} is no {empty.DESCRIPTOR.name} in proto JSON: {_explained(error)}") from None


_UNKNOWN_WORD = re.compile(r"(.*?)Invalid enum value (\S+) for enum type ([\w.]+)")


def _explained(error: ParseError) -> str:
    """What is wrong with a file; protobuf names a word that it does not know, but not those that it does."""
    found = _UNKNOWN_WORD.match(str(error))
    if found is None:
        return str(error)
    where, text, kind = found.groups()
    known = descriptor_pool.Default().FindEnumTypeByName(kind).values_by_name
    return where + word_choice.unknown(kind.rpartition(".")[2], text, [*known])


def backfill(flags: RunFlags, policy: PolicyFlags, path: str) -> pb.BackfillSpec:
    """Return the spec of a backfill."""
    spec = _run_flags(from_file(path, pb.BackfillSpec()), flags)
    _set_dates(spec.biz_dates, flags.biz_dates)
    _set(spec, "on_failure", enums.number(policy.on_failure, pb.OnFailure, "ON_FAILURE_", "--on-failure"))
    _set(spec, "overlap", enums.number(policy.overlap, pb.Overlap, "OVERLAP_", "--overlap"))
    _set(spec, "reprocess", enums.number(policy.reprocess, pb.Reprocess, "REPROCESS_", "--reprocess"))
    _set(spec, "max_attempts_per_date", policy.max_attempts)
    return spec


def create(flags: RunFlags, creation: CreationFlags, path: str) -> pb.CreateWorkflowInstancesSpec:
    """Return the spec of a create."""
    spec = _run_flags(from_file(path, pb.CreateWorkflowInstancesSpec()), flags)
    if flags.biz_dates:
        _set_dates(spec.periods.biz_dates, flags.biz_dates)
    prefix = "WORKFLOW_INSTANCE_TYPE_"
    _set(spec, "type", enums.number(creation.type, pb.WorkflowInstanceType, prefix, "--type"))
    if creation.auto_start:
        spec.auto_start_enabled = True
    return spec


def rerun(instance_ids: Sequence[str], flags: RerunFlags, path: str) -> pb.RerunWorkflowInstancesSpec:
    """Return the spec of a rerun."""
    spec = from_file(path, pb.RerunWorkflowInstancesSpec())
    for member in ("project_id", "workflow_id", "name"):
        _set(spec, member, getattr(flags, member))
    _set(spec, "env_type", enums.number(flags.env_type, pb.EnvType, "ENV_TYPE_", "--env-type"))
    spec.ids.extend(ids(instance_ids, "ID"))
    if flags.biz_date:
        spec.biz_date.CopyFrom(to_message(one_date(flags.biz_date)))
    return spec


def adhoc(path: str) -> pb.ExecuteAdhocWorkflowInstanceSpec:
    """Return the spec of an ad hoc run; UsageFault without a file, since tasks do not fit into flags."""
    if not path:
        raise UsageFault("--spec", "name a file with the tasks, or - for stdin; docs/cli.md has an example")
    return from_file(path, pb.ExecuteAdhocWorkflowInstanceSpec())


def _run_flags(spec: RunSpec, flags: RunFlags) -> RunSpec:
    for member in ("project_id", "workflow_id", "name", "comment"):
        _set(spec, member, getattr(flags, member))
    _set(spec, "env_type", enums.number(flags.env_type, pb.EnvType, "ENV_TYPE_", "--env-type"))
    _run_properties(spec, flags)
    return spec


def _run_properties(spec: RunSpec, flags: RunFlags) -> None:
    given = pb.DefaultRunProperties(
        root_task_ids=ids(flags.root_task_ids, "--root-task-ids"),
        include_task_ids=ids(flags.include_task_ids, "--include-task-ids"),
        exclude_task_ids=ids(flags.exclude_task_ids, "--exclude-task-ids"),
    )
    _set(given, "mode", enums.number(flags.mode, pb.BackfillMode, "BACKFILL_MODE_", "--mode"))
    _set(given, "order", enums.number(flags.order, pb.BackfillOrder, "BACKFILL_ORDER_", "--order"))
    _set(given, "parallelism", flags.parallelism)
    if given.ByteSize():
        _replace_lists(spec.default_run_properties, given)
        spec.default_run_properties.MergeFrom(given)


def _replace_lists(present: pb.DefaultRunProperties, given: pb.DefaultRunProperties) -> None:
    # A flag overrides the list of the file; merging alone would add to it.
    for member in ("root_task_ids", "include_task_ids", "exclude_task_ids"):
        if getattr(given, member):
            present.ClearField(member)


def _set_dates(present: MutableSequence[pb.DateRange], values: Sequence[str]) -> None:
    spans = date_spans(values)
    if spans:
        del present[:]
        present.extend(date_range(first, last) for first, last in spans)


def _set(message: Message, member: str, value: object) -> None:
    if value:
        setattr(message, member, value)
