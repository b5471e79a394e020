"""PlanBackfill: a worker plans the dates; conflicts with other backfills and the quota are added here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

from google.rpc.error_details_pb2 import PreconditionFailure
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.backfill import dates
from headgate.backfill.plan_reads import PLAN
from headgate.backfill.reprocess import surveys
from headgate.quota.limits import READ, WRITE
from headgate.reasons import Reason
from headgate.store import connection_names, keys
from headgate.store.date_claims import Hold, hold_of_new
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.status import bad_request, describe
from headgate_server.jobs import plan_token
from headgate_server.jobs.plan_token import PlanToken
from headgate_server.jobs.quota_status import quota_status
from headgate_server.jobs.submit import MOST_VIOLATIONS, overlapping
from headgate_server.ports.call import Call
from headgate_server.ports.clock import StoreTime, timestamp
from headgate_server.ports.default_name import DefaultName
from headgate_server.ports.facts import ConnectionFacts
from headgate_server.ports.reads import ReadCost, UpstreamReads
from headgate_server.requests import date_rules

SECONDS_PER_DATE: Final = 0.5
"""How much longer than another read a plan may take for each date that is looked up, if its caller waits so long."""


class Holds(Protocol):
    """Port: knows which dates active backfills hold."""

    async def held(self, hold: Hold) -> Mapping[str, str]:
        """Which of the dates are held: "yyyymmdd" to job id."""


class BackfillPlanner:
    """Makes plans of backfills, and keeps submits to them."""

    def __init__(
        self, reads: UpstreamReads, holds: Holds, facts: ConnectionFacts, clock: StoreTime, default: DefaultName
    ) -> None:
        self._reads = reads
        self._holds = holds
        self._facts = facts
        self._clock = clock
        self._default = default

    async def plan(self, request: pb.PlanBackfillRequest, call: Call) -> pb.BackfillPlan:
        """What CreateBackfill would do now with a request that has been checked.

        Raises:
            Refused: no worker answered in time.
            Relayed: upstream can't be asked, or refuses.
            StoreUnavailable: Redis can't be asked.
        """
        plain = self.plain(request)
        count = dates.span(plain.spec.biz_dates)
        looked_up = count if surveys(request.spec) else 0
        cost = ReadCost(reads=max(1, looked_up), plan_dates=count)
        raw = await self._reads.ask(PLAN, plain, call, extra_seconds=SECONDS_PER_DATE * looked_up, cost=cost)
        return await self.complete(request, plain, raw)

    def plain(self, request: pb.PlanBackfillRequest) -> pb.PlanBackfillRequest:
        """The request as workers are asked it: with its dates in the fewest ranges, and its connection's own name."""
        plain = _plain(request)
        self._default.resolve(plain)
        return plain

    async def complete(
        self, request: pb.PlanBackfillRequest, plain: pb.PlanBackfillRequest, raw: bytes
    ) -> pb.BackfillPlan:
        """A worker's plan, with what other backfills and the quota make of it, and its token.

        Args:
            request: what the caller has asked for.
            plain: as workers were asked it.
            raw: a BackfillPlan.

        Raises:
            StoreUnavailable: Redis can't be asked.
        """
        held = await self._held(request.spec, plain.connection)
        plan = with_conflicts(pb.BackfillPlan.FromString(raw), request.spec.overlap, held)
        with_quota(plan, quota_status(request.connection, await self._facts.facts(request.connection)))
        token = plan_token.token_of(request.spec, request.connection, plan.slots, now_ms=self._clock.now_ms())
        plan.plan_token = plan_token.encode(token)
        plan.expire_time.CopyFrom(timestamp(token.expire_ms))
        return plan

    async def verify_token(self, request: pb.CreateBackfillRequest, call: Call) -> None:
        """Compare what would happen now with what the request's plan_token has promised.

        Raises:
            Refused: FIELD_INVALID for what is no token, PLAN_EXPIRED, PLAN_CHANGED, or as `plan`.
            Relayed: as `plan`.
            StoreUnavailable: as `plan`.
        """
        token = _token(request.plan_token)
        if token.expire_ms <= self._clock.now_ms():
            raise Refused(Reason.PLAN_EXPIRED, f"the plan has expired at {_time(token.expire_ms)}")
        names = connection_names.both(request.connection, self._default.name)
        if token.digest not in [plan_token.digest_of(request.spec, name) for name in names]:
            raise Refused(Reason.PLAN_CHANGED, "the plan is of another backfill: spec or connection differ")
        now = await self.plan(pb.PlanBackfillRequest(spec=request.spec, connection=request.connection), call)
        if changes := differing(token, now.slots):
            raise _changed(changes)

    async def _held(self, spec: pb.BackfillSpec, connection: str) -> Mapping[str, str]:
        if spec.overlap == pb.OVERLAP_ALLOW:
            return {}
        hold = hold_of_new(connection, spec, date_rules.days(spec))
        return await self._holds.held(hold) if hold is not None else {}


def _plain(request: pb.PlanBackfillRequest) -> pb.PlanBackfillRequest:
    """The request with its dates in the fewest ranges, so that a worker need not count repeated dates."""
    plain = pb.PlanBackfillRequest()
    plain.CopyFrom(request)
    ranges = date_rules.fewest_ranges(request.spec)
    for field in ("biz_dates", "exclude_biz_dates", "days_of_week", "month_ends_only"):
        plain.spec.ClearField(field)
    plain.spec.biz_dates.extend(ranges)
    return plain


def with_conflicts(plan: pb.BackfillPlan, overlap: pb.Overlap.ValueType, held: Mapping[str, str]) -> pb.BackfillPlan:
    """The plan as it is beside other active backfills. Pure.

    Args:
        plan: what would happen if there were none.
        overlap: what to do about them.
        held: the dates that others hold, "yyyymmdd" to job id.
    """
    if not held:
        return plan  # without naming each of a thousand dates, for which others would wait
    slots = {dates.compact(slot.biz_date): slot for slot in plan.slots}
    taken = {day: job_id for day, job_id in held.items() if day in slots}
    for day, job_id in taken.items():
        slots[day].existing_job = keys.job_name(job_id)
    if not taken or overlap == pb.OVERLAP_QUEUE_AFTER:
        return plan
    joins = overlap == pb.OVERLAP_JOIN and len(taken) == len(slots) and len(set(taken.values())) == 1
    for day in taken:
        slots[day].action = pb.PLAN_ACTION_SKIP_IN_FLIGHT if joins else pb.PLAN_ACTION_CONFLICT
        slots[day].ClearField("expected_duration")
    return _nothing_sent(plan, None if joins else describe(overlapping(taken)))


def with_quota(plan: pb.BackfillPlan, quota: pb.Quota | None) -> pb.BackfillPlan:
    """The plan with the quota as it stands, and a warning where a day's allowance does not last. Pure."""
    if quota is None:
        return plan
    plan.quota_now.CopyFrom(quota)
    reads, writes = plan.expected_upstream_reads, plan.expected_upstream_writes
    needs = {READ: reads, WRITE: writes, "total": reads + writes}
    short = [
        (bucket, needs[bucket.metric]) for bucket in quota.buckets if bucket.daily_limit and bucket.metric in needs
    ]
    said = [_short(bucket, need) for bucket, need in short if need > bucket.daily_limit - bucket.daily_used]
    plan.warnings.extend(describe(Refused(Reason.QUOTA_SHORT, one)) for one in said)
    return plan


def _short(bucket: pb.QuotaBucket, need: int) -> str:
    left = max(0, bucket.daily_limit - bucket.daily_used)
    days = -(-(need - left) // bucket.daily_limit) - 1  # after the day that begins at the reset
    end = dates.business_date(bucket.daily_reset_time.ToMilliseconds()) + timedelta(days=days)
    calls = "" if bucket.metric == "total" else f" {bucket.metric}"
    return (
        f"needs about {need:,}{calls} calls and {left:,} are left today; "
        f"with {bucket.daily_limit:,} a day it can't end before {end}"
    )


def _nothing_sent(plan: pb.BackfillPlan, warning: Status | None) -> pb.BackfillPlan:
    for field in ("upstream_calls", "expected_upstream_reads", "expected_upstream_writes", "expected_makespan"):
        plan.ClearField(field)
    del plan.warnings[:]
    if warning is not None:
        plan.warnings.append(warning)
    return plan


Difference = tuple[int, pb.PlanSlot]
"""What was planned for a date, and what would happen with it now."""


def differing(token: PlanToken, slots: Sequence[pb.PlanSlot]) -> list[Difference]:
    """The dates with which something else would happen now than was planned. Pure."""
    return [(planned, slot) for planned, slot in zip(token.actions, slots, strict=True) if planned != slot.action]


def _token(text: str) -> PlanToken:
    try:
        return plan_token.decode(text)
    except plan_token.BadPlanToken as error:
        raise bad_request([("plan_token", f"{error}; take it from PlanBackfill")]) from None


def _changed(changes: Sequence[Difference]) -> Refused:
    first = dates.from_message(changes[0][1].biz_date).isoformat()
    violations = [
        PreconditionFailure.Violation(
            type="PLAN_CHANGED",
            subject=dates.from_message(slot.biz_date).isoformat(),
            description=f"planned {_word(planned)}; now {_word(slot.action)}{_why(slot)}",
        )
        for planned, slot in changes[:MOST_VIOLATIONS]
    ]
    return Refused(
        Reason.PLAN_CHANGED,
        f"{len(changes)} dates would go otherwise than planned, the first is {first}: {violations[0].description}",
        metadata={"dates": str(len(changes)), "first": first},
        details=(PreconditionFailure(violations=violations),),
    )


def _word(action: int) -> str:
    return pb.PlanAction.Name(pb.PlanAction.ValueType(action)).removeprefix("PLAN_ACTION_")


def _why(slot: pb.PlanSlot) -> str:
    if slot.existing_job:
        return f": {slot.existing_job} runs it"
    if slot.existing_id:
        return f": instance {slot.existing_id} is {slot.existing_status or 'in an unknown status'}"
    return ": no instance of it is there"


def _time(at_ms: int) -> str:
    return timestamp(at_ms).ToJsonString()
