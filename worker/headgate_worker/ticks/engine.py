"""A tick: take a job, decide, act upstream, commit, and say when to look again. The decisions are in `core`.

What holds here, whatever dies: an effect that is not safe to repeat goes out only after its intent was committed under
this tick's fence and while its lease lasts; what came of it is committed on top of whatever the job has become
meanwhile; and a tick that lost its job writes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Final

from headgate import pb
from headgate.job import sizes
from headgate.job.lifecycle import JOB_TERMINAL, RUN_FRONTIER
from headgate.process.child_release import ReleaseEvidence
from headgate.store.date_claims import target
from headgate_worker.core.facts import child_release, follow_window, poll_schedule, stop_records
from headgate_worker.core.facts.durations import durations
from headgate_worker.core.model.calls import (
    NOT_REPEATABLE,
    WRITES,
    Call,
    Failure,
    FailureKind,
    GetInstance,
    InstancePage,
    Outcome,
    OutcomeOf,
    Reply,
    StopRecord,
)
from headgate_worker.core.model.steps import Act, Rest, Wait
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.core.model.view import Policy, View
from headgate_worker.core.planner import absorb, plan
from headgate_worker.ports.clock import Clock, Jitter
from headgate_worker.ports.store import Busy, ReadClaim, Taken, TickStore, Unreadable
from headgate_worker.ports.upstreams import Upstreams
from headgate_worker.ticks.admission import Admission, leaves_out
from headgate_worker.ticks.forced_ends import log_full, poisoned, too_large
from headgate_worker.ticks.lease_keeper import LeaseKeeper
from headgate_worker.ticks.tick import (
    DECISIONS,
    Checkpoint,
    DamagedJob,
    DatesHeld,
    JobChanged,
    LeaseLost,
    LogFull,
    NextTick,
    Tick,
    TickLimits,
    described,
    no_checkpoint,
)

_log = logging.getLogger(__name__)

STEPS_PER_TICK: Final = 400
"""Most steps of one tick; the job goes on in the next one."""

LINE_MS: Final = 60_000
"""How long a job in line for its dates is left alone when no holder wakes it."""

SUSPECT_PAUSE_SECONDS: Final = 0.2
"""How long a job that may end the process waits before it is looked at: what was taken with it is back by then."""

SUSPECT_AGAIN_MS: Final = 250
"""When one that would not be alone comes again."""

UNREADABLE_AGAIN_MS: Final = 2_000
"""When a job that can't be read is tried again: another worker may be newer."""

GIVEN_UP_AFTER: Final = 2
"""After this many times the ticks that end a job as poisoned, not even that has worked: it is left alone."""

LEFT_OUT: Final = Failure(FailureKind.FROZEN, "left_out", "the shared quota had no room for it in time")
"""What becomes of a call that is not worth waiting for."""


class Engine:
    """Drives jobs, one tick at a time.

    Args:
        checkpoint: called with the name of each point of a tick, for fault experiments; see docs/reliability.md.
    """

    def __init__(
        self,
        store: TickStore,
        upstreams: Upstreams,
        clock: Clock,
        jitter: Jitter,
        *,
        policy: Policy,
        limits: TickLimits,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._store = store
        self._upstreams = upstreams
        self._admission = Admission(upstreams, clock)
        self._clock = clock
        self._jitter = jitter
        self._policy = policy
        self._limits = limits
        self._checkpoint = checkpoint
        self._suspect = False

    async def tick(self, job_id: str) -> int | None:
        """Look at a job once; the ms until its entry is to come again, None when it is done with.

        A tick too many is harmless; a job that is gone or terminal is left alone. Of a busy one the entry comes again
        when the lease ends: its owner wakes the job by itself, unless it is dead.
        """
        began = self._clock.monotonic()
        taken = await self._store.begin(job_id)
        if taken is None:
            return None
        if isinstance(taken, Busy):
            return taken.for_ms
        if isinstance(taken, Unreadable) or taken.attempts > GIVEN_UP_AFTER * self._limits.attempts:
            return await self._ride_out_outage(job_id, taken)
        self._clock.learn(taken.now_ms)
        self._checkpoint("taken")
        if taken.job.state in JOB_TERMINAL:
            await self._store.release(job_id, taken.fence, uncount=True)
            return None
        if self._is_suspect(taken):
            return await self._alone(job_id, taken, began)
        await self._with_job(job_id, taken, began)
        return None

    async def _ride_out_outage(self, job_id: str, taken: Taken | Unreadable) -> int | None:
        """Try a job that can't be read some more times; after that, or if it can't even be ended, leave it alone."""
        if taken.fence is not None and taken.attempts <= self._limits.attempts:
            await self._store.release(job_id, taken.fence, uncount=False)
            _log.warning("job %s can't be read, at try %d of %d", job_id, taken.attempts, self._limits.attempts)
            return UNREADABLE_AGAIN_MS
        await self._store.give_up(job_id, taken.fence)
        _log.error("job %s can't be read, or not be ended: given up until an operator deletes it", job_id)
        return None

    def _is_suspect(self, taken: Taken) -> bool:
        """Whether this is the last attempt but one, or the last: those before broke, or ended their worker together.

        Jobs whose worker died together retry together: a suspect runs alone, or a healthy job would use up its attempts
        beside a poisonous one.
        """
        return taken.attempts >= max(2, self._limits.attempts - 1)

    async def _alone(self, job_id: str, taken: Taken, began: float) -> int | None:
        """Look at a job that may end this process, unless another such job is looked at now; then it comes again."""
        if self._suspect:
            await self._store.release(job_id, taken.fence, uncount=True)
            return SUSPECT_AGAIN_MS
        self._suspect = True
        try:
            await self._with_job(job_id, taken, began)
        finally:
            self._suspect = False
        return None

    async def _with_job(self, job_id: str, taken: Taken, began: float) -> None:
        tick = Tick(self._store, self._clock, self._jitter, taken, began, self._checkpoint)
        try:
            async with LeaseKeeper(tick, self._store.lease_ms / 3000):
                await self._drive_while_logged(tick)
            await self._remember(tick.job)
        except LeaseLost:
            _log.info("job %s was taken over; this tick wrote nothing more", job_id)
        except DamagedJob:
            await self._store.release(job_id, taken.fence, uncount=False)
            _log.warning("job %s and its log disagree, at try %d", job_id, taken.attempts)
        except asyncio.CancelledError:
            await asyncio.shield(self._store.release(job_id, taken.fence, uncount=True))
            raise
        except (Exception, SystemExit):
            await self._store.release(job_id, taken.fence, uncount=False)
            raise

    async def _remember(self, job: pb.Job) -> None:
        """Keep how long the dates of a backfill took; if the worker dies before that, the next plan lacks it."""
        took = durations(job.runs) if job.state in JOB_TERMINAL and job.HasField("backfill") else []
        if took:
            await self._store.put_durations(target(job.connection, job.backfill), took)

    async def _drive_while_logged(self, tick: Tick) -> None:
        try:
            await self._drive(tick)
        except LogFull as full:
            await tick.end(log_full(str(full)))

    async def _drive(self, tick: Tick) -> None:
        if end := self._giving_up(tick):
            await tick.commit(end)
            return
        if self._is_suspect(tick.taken):
            await asyncio.sleep(SUSPECT_PAUSE_SECONDS)
        try:
            await self._take_steps(tick)
        except DatesHeld:
            await self._wait_in_line(tick)

    async def _take_steps(self, tick: Tick) -> None:
        """Take steps until the job has ended or waits for something, or the tick has lasted long enough."""
        for _ in range(STEPS_PER_TICK):
            if tick.elapsed() > self._limits.seconds:
                break
            try:
                if following := await self._step(tick):
                    await tick.end_with(following)
                    return
            except JobChanged:
                await tick.reload()
                continue
            if tick.job.state in JOB_TERMINAL:
                return
        await tick.go_on_later()

    def _giving_up(self, tick: Tick) -> tuple[pb.JobEvent, ...]:
        """What ends a job that can't go on, whatever its rules say; empty for all others."""
        if tick.taken.attempts > self._limits.attempts:
            return poisoned(tick)
        return too_large(tick) if tick.job.ByteSize() >= sizes.END_BYTES else ()

    async def _wait_in_line(self, tick: Tick) -> None:
        """End the tick of a job in line for dates: a holder that releases some wakes it; a timer is the fallback."""
        now_ms = self._clock.now_ms()
        bounds = [now_ms + LINE_MS, *([tick.job.deadline_time.ToMilliseconds()] * tick.job.HasField("deadline_time"))]
        try:
            await tick.commit((), wake_ms=max(now_ms, min(bounds)))
        except JobChanged:
            await tick.reload()
            await tick.go_on_later()

    async def _step(self, tick: Tick) -> NextTick | None:
        """Take one step; None when the tick goes on, or the job has ended."""
        match plan(self._view(tick)):
            case Act() as act:
                return await self._dispatch(tick, act)
            case Wait(until_ms, poll_ms):
                tick.waits_no_more()
                return NextTick(until_ms, poll_ms)
            case Rest():
                return None

    def _view(self, tick: Tick) -> View:
        now_ms, jitter = self._clock.now_ms(), self._jitter.fraction()
        return View(tick.job, tick.hints, now_ms, jitter, self._policy, tick.taken.marked, tick.release)

    async def _dispatch(self, tick: Tick, act: Act) -> NextTick | None:
        """Do what was decided; the next tick when its call has to wait for the quota."""
        if isinstance(act.call, GetInstance) and act.since_ms:
            return await self._read_shared(tick, act, act.call)
        return await self._execute(tick, act)

    async def _read_shared(self, tick: Tick, act: Act, call: GetInstance) -> NextTick | None:
        """Take what another job or a caller has read of an instance since; else read it, for all of them."""
        found = await self._store.shared_reads.ask(tick.job.connection, call.id, act.since_ms)
        if isinstance(found, ReadClaim):
            following = await self._execute(tick, act, found)
            if following is not None:
                await self._store.shared_reads.abandon(found)
            return following
        body = pb.WorkflowInstance.FromString(found.body)
        known = Reply(body, body.upstream_request_id, 0.0, at_ms=found.at_ms)
        await self._absorb(tick, act, await self._with_stops(tick, call, known))
        await self._store.follow(tick.job.connection, call.id, self._follow_ms(tick, act, body))
        return None

    async def _execute(self, tick: Tick, act: Act, claim: ReadClaim | None = None) -> NextTick | None:
        """Commit what was decided and send its call; the next tick when the call has to wait for the quota."""
        if act.call is None:
            await tick.commit(act.drafts)
            return None
        if await self._is_out_of_reach(tick, act.call):
            return None
        verdict = await self._admission.verdict(tick, act, act.call)
        if leaves_out(act, verdict):
            await self._absorb(tick, act, LEFT_OUT)
            return None
        following = await self._admission.admit(tick, act, act.call, verdict)
        if following is None:
            await self._send(tick, act, act.call, claim)
        return following

    async def _send(self, tick: Tick, act: Act, call: Call, claim: ReadClaim | None) -> None:
        """Commit the intent of a call that may go out, send it, and keep for others what it has read."""
        if act.needs_commit:
            await tick.commit(act.drafts)
        self._checkpoint("intended")
        sent_ms = self._clock.now_ms()
        outcome = await self._sent(tick, act, call)
        await self._share(tick, act, outcome, claim or ReadClaim(tick.job.connection, "", sent_ms))

    async def _sent(self, tick: Tick, act: Act, call: Call) -> Outcome:
        """Send a call that may go out and take in what came of it; a stop is on record before it is sent."""
        stop, ids = StopRecord(tick.job.name, self._clock.now_ms()), stop_records.stopped_ids(call)
        if ids:
            await self._store.stops.record(tick.job.connection, ids, stop)
        if type(call) in WRITES:
            await tick.hold()
        outcome = await self._call(tick, call)
        self._checkpoint("answered")
        await self._absorb(tick, act, await self._with_stops(tick, call, outcome))
        answers = stop_records.answers(call, outcome)
        if answers:
            await self._store.stops.answered(tick.job.connection, answers, stop)
        return outcome

    async def _with_stops(self, tick: Tick, call: Call, outcome: Outcome) -> Outcome:
        """What was read, with the stops on record where they say more about it."""
        instance_id = stop_records.recorded_for(call, outcome)
        if instance_id is None or not isinstance(outcome, Reply):
            return outcome
        return replace(outcome, stops=await self._store.stops.of(tick.job.connection, instance_id))

    async def _is_out_of_reach(self, tick: Tick, call: Call) -> bool:
        """Whether a call whose intent would be recorded can't get out; then its wait begins, without an event.

        Asked only after a failure: every try of a long outage would leave an intent and its end in the log.
        """
        if not tick.hints.failures or type(call) not in NOT_REPEATABLE:
            return False
        upstream = self._upstreams.get(tick.job.connection)
        failure = await upstream.reach(timeout_seconds=self._limits.call_seconds)
        if failure is not None:
            tick.hints = poll_schedule.after_failure(self._view(tick), failure)
        return failure is not None

    async def _call(self, tick: Tick, call: UpstreamCall[Body]) -> OutcomeOf[Body]:
        upstream = self._upstreams.get(tick.job.connection)
        outcome = await upstream.call(call, timeout_seconds=self._limits.call_seconds)
        tick.count(call, outcome)
        return outcome

    async def _share(self, tick: Tick, act: Act, outcome: Outcome, claim: ReadClaim) -> None:
        """Keep what was read for others, and say for how long they can rely on this job to read it again."""
        body = outcome.body if isinstance(outcome, Reply) else None
        if isinstance(body, pb.WorkflowInstance):
            await self._store.shared_reads.publish(claim, body, follow_ms=self._follow_ms(tick, act, body))
        elif isinstance(body, InstancePage):
            await self._share_page(tick, body, claim)
        elif isinstance(body, pb.FlowInstance):
            ms = self._follow_ms(tick, act, body)
            await self._store.put_observation(tick.job.connection, body, follow_ms=ms)
        elif claim.token:
            await self._store.shared_reads.abandon(claim)

    async def _share_page(self, tick: Tick, page: InstancePage, claim: ReadClaim) -> None:
        """The same for a list; of rows that are not the job's own nothing is kept."""
        own = {run.workflow_instance_id: run.index for run in tick.job.runs if run.state in RUN_FRONTIER}
        for seen in page.instances:
            if seen.id in own:
                ms = follow_window.follow_ms(tick.job, tick.hints, own[seen.id], seen, self._clock.now_ms())
                await self._store.shared_reads.publish(claim, seen, follow_ms=ms)

    def _follow_ms(self, tick: Tick, act: Act, seen: pb.WorkflowInstance | pb.FlowInstance) -> int:
        return follow_window.follow_ms(tick.job, tick.hints, act.subject, seen, self._clock.now_ms())

    async def _absorb(self, tick: Tick, act: Act, outcome: Outcome) -> None:
        for _ in range(DECISIONS):
            if tick.job.state in JOB_TERMINAL:
                return  # another writer has ended it meanwhile: an ended job takes nothing in
            view = self._view(tick)
            try:
                await tick.take(absorb(view, act, outcome), described(act, outcome))
            except JobChanged:
                await tick.reload()
            else:
                await self._learn(tick, child_release.evidence(view, act, outcome))
                return
        raise LeaseLost

    async def _learn(self, tick: Tick, evidence: ReleaseEvidence | None) -> None:
        """Remember, for all jobs of the connection, what was seen of how upstream begins children."""
        if evidence is not None:
            tick.release = await self._store.child_releases.learn(tick.job.connection, evidence)
