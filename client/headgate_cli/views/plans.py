"""A plan in words: its dates as a table, equal ones in a row as one range, and the total."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from google.protobuf.duration_pb2 import Duration
from rich.text import Text

from headgate import pb
from headgate_cli.input.enums import plain
from headgate_cli.views.describe import clock, day
from headgate_cli.views.output import clean

PLAN_COLUMNS = ("BIZ DATES", "COUNT", "ACTION", "TAKES", "EXISTING", "STATUS", "JOB")

_STYLES = {
    pb.PLAN_ACTION_CREATE: "green",
    pb.PLAN_ACTION_SKIP_EXISTS: "dim",
    pb.PLAN_ACTION_SKIP_IN_FLIGHT: "yellow",
    pb.PLAN_ACTION_CONFLICT: "bold red",
}
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def plan_rows(plan: pb.BackfillPlan) -> list[Sequence[str | Text]]:
    """Return a plan as rows of PLAN_COLUMNS."""
    return [_row(list(slots)) for _, slots in groupby(plan.slots, key=_alike)]


def _alike(slot: pb.PlanSlot) -> tuple[int, bool, str, str, int]:
    # Each date has an instance of its own: that their ids differ makes dates no less alike.
    takes = slot.expected_duration.ToMilliseconds()
    return slot.action, bool(slot.existing_id), slot.existing_status, slot.existing_job, takes


def _row(slots: Sequence[pb.PlanSlot]) -> Sequence[str | Text]:
    first, last = slots[0], slots[-1]
    dates = day(first.biz_date) if len(slots) == 1 else f"{day(first.biz_date)}..{day(last.biz_date)}"
    return (
        dates,
        str(len(slots)),
        Text(plain(first.action, pb.PlanAction, "PLAN_ACTION_"), style=_STYLES.get(first.action, "")),
        lasting(first.expected_duration) if first.HasField("expected_duration") else "",
        _existing([slot.existing_id for slot in slots]),
        clean(first.existing_status),
        clean(first.existing_job),
    )


def _existing(ids: Sequence[int]) -> str:
    """The instance of a date, or how many there are; empty where there is none."""
    if not ids[0]:
        return ""
    return str(ids[0]) if len(set(ids)) == 1 else f"{len(set(ids))} instances"


def progress_said(now: pb.PlanProgress) -> str:
    """Return what a plan waits for, or when its look-up of the dates is expected to end."""
    if now.waiting_for:
        return now.waiting_for
    known = f"{now.dates_reused} known from before" if now.dates_reused else ""
    end = f"done about {clock(now.expected_end_time)[:-2]}" if now.HasField("expected_end_time") else ""
    return ", ".join(part for part in (end, known) if part)


def reused_said(now: pb.PlanProgress) -> str:
    """Return that dates were not looked up for this plan, and how they would be."""
    count = f"{now.dates_reused} date{' was' if now.dates_reused == 1 else 's were'}"
    return f"{count} looked up by an earlier plan, minutes ago; --max-staleness 0s looks all of them up now"


def plan_lines(plan: pb.BackfillPlan) -> Iterator[str | Text]:
    """Yield what a plan comes to: dates, calls, time, warnings."""
    creates = sum(slot.action == pb.PLAN_ACTION_CREATE for slot in plan.slots)
    calls = len(plan.upstream_calls)
    yield f"{creates} of {len(plan.slots)} dates are created, by {calls} call{'' if calls == 1 else 's'}"
    if plan.expected_upstream_reads or plan.expected_upstream_writes:
        yield f"about {plan.expected_upstream_reads:,} reads and {plan.expected_upstream_writes:,} writes upstream"
    if plan.HasField("expected_makespan"):
        yield f"about {lasting(plan.expected_makespan)} from the first call to the last end"
    for warning in plan.warnings:
        yield Text(f"warning: {clean(warning.message)}", style="yellow")
    if plan.plan_token:
        yield f"to do exactly this, until {clock(plan.expire_time)} tomorrow: --plan-token {clean(plan.plan_token)}"


def lasting(duration: Duration) -> str:
    """Return a duration in its two largest units, such as "2 h 5 min"."""
    left = round(duration.ToMilliseconds() / 1000)
    parts = []
    for seconds, unit in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "less than 1 s"
