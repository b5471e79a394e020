"""Jobs of several creators under one quota, in virtual time: the real scripts on a real Redis, told what time it is."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from redis import Redis

from headgate.quota import admission
from headgate.quota import limits as quota_limits
from headgate.quota import priority as quota_priority
from headgate.quota.admission import Crowded, Frozen, Go, QuotaVerdict, Slot
from headgate.quota.limits import Limits
from headgate.quota.priority import Rank
from headgate.store import keys

FAR_MS = 3_600_000
BEGIN_MS = 1_800_000_000_000
CONNECTION = "crowd"


def _told_the_time(script: str) -> str:
    told = script.replace("redis.call('TIME')", "{math.floor(ARGV[#ARGV] / 1000000), ARGV[#ARGV] % 1000000}")
    assert told != script
    return told


SCRIPT = _told_the_time(admission.SCRIPT)
THROTTLED_SCRIPT = _told_the_time(admission.THROTTLED_SCRIPT)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Jobs of one creator, each of which wants one call after the other.

    Args:
        pause_ms: between the answer to a call and the next one.
        from_ms: when they come.
        until_ms: when they begin to want nothing more.
        late_ms: how late each comes to its slots, and to ask again.
    """

    creator: str
    jobs: int
    pause_ms: int = 300
    from_ms: int = 0
    until_ms: int = 10**9
    priority: int = 0
    klass: str = quota_limits.READ
    cancel: bool = False
    late_ms: int = 0


@dataclass(slots=True)
class Job:
    """One of them: the slot that it holds, since when it is to ask again, and when it first asked."""

    crowd: Crowd
    held: int | None = None
    queues_ms: int = 0
    first_ms: int = 0


@dataclass(frozen=True, slots=True)
class Out:
    """A call that was let out, in ms from the beginning, and for how long it had waited."""

    at_ms: int
    waited_ms: int
    job: int
    crowd: Crowd


@dataclass(slots=True)
class World:
    """The quota of a connection and everybody who asks for it.

    Args:
        throttles_ms: when upstream refuses a call although it was let out.
        answer_ms: how long a call takes.
    """

    redis: Redis
    limits: Limits
    throttles_ms: Sequence[int] = ()
    answer_ms: int = 50
    out: list[Out] = field(default_factory=list)
    asks: Counter[str] = field(default_factory=Counter)

    def run(self, crowds: Sequence[Crowd], for_ms: int) -> World:
        """Let the crowds ask for so long."""
        self.redis.flushall()
        sha = str(self.redis.script_load(SCRIPT))
        jobs = [Job(crowd) for crowd in crowds for _ in range(crowd.jobs)]
        due = [(job.crowd.from_ms + 7 * number % 1_000, number) for number, job in enumerate(jobs)]
        throttles = [(at_ms, -1) for at_ms in self.throttles_ms]
        heapq.heapify(due := due + throttles)
        while due and due[0][0] < for_ms:
            now_ms, number = heapq.heappop(due)
            if number < 0:
                self._throttle(now_ms)
            elif (job := jobs[number]).held is not None or now_ms <= job.crowd.until_ms:
                verdict = self._ask(sha, job, now_ms)
                heapq.heappush(due, (self._next_ms(job, number, verdict, now_ms), number))
        return self

    def _throttle(self, now_ms: int) -> None:
        throttled = self.redis.register_script(THROTTLED_SCRIPT)
        throttled(
            keys=[keys.quota(CONNECTION)],
            args=[admission.LOWEST_FACTOR, quota_limits.KEEP_MS, (BEGIN_MS + now_ms) * 1_000],
        )

    def _ask(self, sha: str, job: Job, now_ms: int) -> QuotaVerdict:
        crowd = job.crowd
        self.asks[crowd.creator] += 1
        job.first_ms = job.first_ms or now_ms
        arguments = admission.script_arguments(
            self.limits, crowd.klass, cancel=crowd.cancel, patience_ms=FAR_MS, rank=_rank(job, now_ms), held=job.held
        )
        keys = admission.script_keys(CONNECTION, crowd.klass, self.limits)
        told = self._told("EVALSHA", sha, len(keys), *keys, *arguments, (BEGIN_MS + now_ms) * 1_000)
        return admission.parse_verdict(told)

    def _told(self, *command: object) -> list[int]:
        """What a script answers; a world asks some ten thousand times, and the client's own way takes twice as long."""
        connection = self.redis.connection
        assert connection is not None
        connection.send_command(*command)
        answer = connection.read_response()
        assert isinstance(answer, list)
        return answer

    def _next_ms(self, job: Job, number: int, verdict: QuotaVerdict, now_ms: int) -> int:
        """When a job looks at the quota again, after what it was told."""
        if isinstance(verdict, Go):
            self.out.append(Out(now_ms, now_ms - job.first_ms, number, job.crowd))
            job.held, job.queues_ms, job.first_ms = None, 0, 0
            return now_ms + self.answer_ms + job.crowd.pause_ms
        if isinstance(verdict, Slot):
            job.held = verdict.epoch
            return verdict.at_ms - BEGIN_MS + job.crowd.late_ms
        assert not isinstance(verdict, Frozen)
        again = _crowded_ms(verdict, _rank(job, now_ms), now_ms) if isinstance(verdict, Crowded) else verdict.at_ms
        job.queues_ms = job.queues_ms or now_ms
        return again - BEGIN_MS + job.crowd.late_ms

    def calls(self, from_ms: int, to_ms: int) -> Counter[str]:
        """Calls by creator in a time."""
        return Counter(one.crowd.creator for one in self.out if from_ms <= one.at_ms < to_ms)

    def used(self, from_ms: int, to_ms: int) -> float:
        """How much of the rate that is handed out was used in a time."""
        rate = (self.limits.total_qps or self.limits.read_qps) * self.limits.share
        return self.calls(from_ms, to_ms).total() / (to_ms - from_ms) * 1_000 / rate

    def waits(self, creator: str, priority: int = 0) -> list[int]:
        """How many ms each call of a creator's jobs of a priority waited, the longest last."""
        who = (creator, priority)
        return sorted(one.waited_ms for one in self.out if (one.crowd.creator, one.crowd.priority) == who)

    def most_within(self, ms: int) -> int:
        """The most calls that were let out within any such time."""
        at = sorted(one.at_ms for one in self.out)
        first = most = 0
        for last, at_ms in enumerate(at):
            while at[first] <= at_ms - ms:
                first += 1
            most = max(most, last - first + 1)
        return most


def _rank(job: Job, now_ms: int) -> Rank:
    return Rank(job.crowd.priority, now_ms - job.queues_ms if job.queues_ms else 0, job.crowd.creator)


def _crowded_ms(verdict: Crowded, rank: Rank, now_ms: int) -> int:
    """When to ask again, by the store's clock."""
    return BEGIN_MS + now_ms + quota_priority.again_ms(rank, verdict.at_ms - BEGIN_MS - now_ms)
