"""Check requests: the field rules of the .proto files, and the rules that those can't state. Pure.

One error lists every complaint about a request. Nothing of a request that breaks a rule goes further.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import protovalidate
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_server.errors.status import bad_request
from headgate_server.requests import (
    bounds,
    date_rules,
    flow_rules,
    parameter_rules,
    pattern_words,
    run_rules,
    time_rules,
    update_rules,
)
from headgate_server.requests.date_rules import Violation
from headgate_server.requests.fast_validator import FastValidator

if TYPE_CHECKING:
    from protovalidate._gen.buf.validate.validate_pb import FieldPath
    from protovalidate._gen.buf.validate.validate_pb import Violation as Found

MAX_VIOLATIONS: Final = 100
"""Most complaints of one error."""

LARGE_BYTES: Final = 64 * 1024
"""Requests above this size get only their first complaint, so that a hostile one stays cheap."""

MAX_ELEMENTS: Final = 3_000
"""Requests of more parts than this, too: each could bring a complaint of its own."""

_LONGEST_TIMESTAMP: Final = 253_402_300_799
"""Seconds of the end of the year 9999."""

_validator: Final = protovalidate.Validator()
_fast_validator: Final = FastValidator()


def check(request: Message) -> None:
    """Refuse a request that breaks a rule.

    Raises:
        Refused: FIELD_INVALID with a BadRequest.
    """
    if violations := _violations(request):
        raise bad_request(violations[:MAX_VIOLATIONS])


def _violations(request: Message) -> list[Violation]:
    if found := bounds.violations(request):
        return found
    return _broken_rules(request)


def _broken_rules(request: Message) -> list[Violation]:
    if _fast_validator.is_valid(request):
        return _beyond(request, "")
    found = _validator.collect_violations(request, fail_fast=True)
    if not found:
        return [*time_rules.ill_formed(request), *_beyond(request, "")]
    if _is_huge(request):
        return [_tell(found[0])]
    found = _validator.collect_violations(request)
    told = [_tell(item) for item in found[:MAX_VIOLATIONS]]
    return [*told, *time_rules.ill_formed(request), *_beyond(request, "")]


def _is_huge(request: Message) -> bool:
    # A complaint costs 0.1 ms, and each element of a list may bring several.
    return request.ByteSize() > LARGE_BYTES or sum(itertools.islice(_elements(request), MAX_ELEMENTS)) >= MAX_ELEMENTS


def _elements(message: Message) -> Iterator[int]:
    for field, value in message.ListFields():
        parts = value if field.is_repeated else (value,)
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            yield from (1 for _ in parts)
            continue
        for part in parts:
            yield 1
            yield from _elements(part)


def _tell(violation: protovalidate.Violation) -> Violation:
    found: Found = violation.proto
    path = _path(found.field)
    if found.rule is None and "." in found.rule_id:  # a rule on a message: its id begins with the field it is about
        path = ".".join(filter(None, (path, found.rule_id.split(".")[0])))
    said = pattern_words.described(str(violation.rule_value)) if found.rule_id == "string.pattern" else ""
    return path or "request", said or found.message[:200] or found.rule_id


def _path(path: FieldPath | None) -> str:
    return ".".join(_step(element) for element in path.elements) if path is not None else ""


def _step(element: Any) -> str:
    subscript = element.subscript
    if subscript is None:
        return str(element.field_name)
    if subscript.field == "index":
        return f"{element.field_name}[{subscript.value}]"
    return f'{element.field_name}["{str(subscript.value)[:64]}"]'


def _carried(request: Any) -> Any:
    kind = request.WhichOneof("request") if isinstance(request, pb.RunJobRequest) else None
    return getattr(request, kind) if kind else None


def _beyond(request: Any, prefix: str) -> list[Violation]:
    """What field rules can't state, for one kind of request; paths begin with `prefix`."""
    rule = _RULES.get(type(request))
    return [(prefix + path, text) for path, text in rule(request)] if rule else []


def _run_job(request: pb.RunJobRequest) -> Iterator[Violation]:
    kind = request.WhichOneof("request")
    carried = _carried(request)
    if kind is None:
        return
    yield from _beyond(carried, f"{kind}.")
    if carried.validate_only:
        yield f"{kind}.validate_only", "RunJob runs; ask for a check with the plain call"


def _create(request: pb.CreateWorkflowInstancesRequest) -> Iterator[Violation]:
    spec = request.spec
    yield from date_rules.ranges("spec.periods.biz_dates", spec.periods.biz_dates)
    yield from run_rules.window("spec.periods", spec.periods)
    yield from run_rules.properties("spec.default_run_properties", spec.default_run_properties)
    yield from parameter_rules.parameters("spec", spec)


def _stop(request: pb.StopWorkflowInstancesRequest) -> Iterator[Violation]:
    if request.until == pb.UNTIL_STARTED:
        yield "until", "a stop can be followed until ACCEPTED or FINISHED"


def _rerun(request: pb.RerunWorkflowInstancesRequest) -> Iterator[Violation]:
    spec = request.spec
    if not spec.ids and request.until not in (pb.UNTIL_UNSPECIFIED, pb.UNTIL_ACCEPTED):
        yield "until", "without ids the instances are not known, so a rerun is followed only until ACCEPTED"
    yield from _whole_date("spec.biz_date", spec)
    yield from _times(spec)


def _whole_date(path: str, spec: pb.RerunWorkflowInstancesSpec) -> Iterator[Violation]:
    day = spec.biz_date
    if not spec.HasField("biz_date"):
        return
    yield from date_rules.whole(path, day)


def _times(spec: pb.RerunWorkflowInstancesSpec) -> Iterator[Violation]:
    start, end = spec.start_trigger_time, spec.end_trigger_time
    if spec.HasField("start_trigger_time") != spec.HasField("end_trigger_time"):
        yield "spec.end_trigger_time", "start_trigger_time and end_trigger_time go together"
    for name, time in (("start_trigger_time", start), ("end_trigger_time", end)):
        if not _is_sound(time):
            yield f"spec.{name}", "is not a time from 1970 to 9999"
    if spec.HasField("end_trigger_time") and (end.seconds, end.nanos) < (start.seconds, start.nanos):
        yield "spec.end_trigger_time", "lies before start_trigger_time"


def _is_sound(time: Timestamp) -> bool:
    return 0 <= time.seconds <= _LONGEST_TIMESTAMP and 0 <= time.nanos < 1_000_000_000


def _adhoc(request: pb.ExecuteAdhocWorkflowInstanceRequest) -> Iterator[Violation]:
    yield from date_rules.missing("spec.biz_date", request.spec.biz_date)


def _backfill(
    request: pb.CreateBackfillRequest | pb.PlanBackfillRequest | pb.PlanLargeBackfillRequest,
) -> Iterator[Violation]:
    yield from _backfill_spec(request.spec)


def _backfill_spec(spec: pb.BackfillSpec) -> Iterator[Violation]:
    yield from run_rules.backfill("spec", spec)
    yield from parameter_rules.parameters("spec", spec)
    complaints = list(date_rules.ranges("spec.biz_dates", spec.biz_dates))
    for index, day in enumerate(spec.exclude_biz_dates):
        complaints += date_rules.whole(f"spec.exclude_biz_dates[{index}]", day)
    yield from complaints
    if complaints or not date_rules.selects(spec) or not date_rules.countable(spec):
        return
    if spec.biz_dates and not date_rules.days(spec):
        yield "spec.biz_dates", "no date is left after exclusions, days_of_week and month_ends_only"


def _list(request: pb.ListWorkflowInstancesRequest) -> Iterator[Violation]:
    yield from date_rules.ranges("biz_dates", request.biz_dates)


def _tasks(request: pb.ListTaskInstancesRequest) -> Iterator[Violation]:
    yield from date_rules.missing("biz_date", request.biz_date)


def _task_write(request: Any) -> Iterator[Violation]:
    if request.until == pb.UNTIL_STARTED:
        yield "until", "can be ACCEPTED or FINISHED; only a rerun starts anything"


def _update(request: pb.UpdateJobRequest) -> Iterator[Violation]:
    yield from update_rules.update(request, _field_rules)


def _field_rules(message: Message) -> list[Violation]:
    """What of a part of a request breaks its field rules; paths begin at the part."""
    return [*map(_tell, _validator.collect_violations(message)), *time_rules.ill_formed(message)]


_RULES: Final[Mapping[type[Message], Callable[[Any], Iterator[Violation]]]] = {
    pb.CreateWorkflowInstancesRequest: _create,
    pb.StopWorkflowInstancesRequest: _stop,
    pb.RerunWorkflowInstancesRequest: _rerun,
    pb.ExecuteAdhocWorkflowInstanceRequest: _adhoc,
    pb.CreateBackfillRequest: _backfill,
    pb.PlanBackfillRequest: _backfill,
    pb.PlanLargeBackfillRequest: _backfill,
    pb.ListWorkflowInstancesRequest: _list,
    pb.ListTaskInstancesRequest: _tasks,
    pb.TriggerFlowRequest: flow_rules.trigger,
    pb.CancelFlowInstanceRequest: flow_rules.cancel,
    pb.ListFlowInstancesRequest: flow_rules.listing,
    pb.SetSuccessTaskInstancesRequest: _task_write,
    pb.StopTaskInstancesRequest: _task_write,
    pb.SuspendTaskInstancesRequest: _task_write,
    pb.ResumeTaskInstancesRequest: _task_write,
    pb.RunJobRequest: _run_job,
    pb.UpdateJobRequest: _update,
}
