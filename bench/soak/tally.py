"""What became of the jobs of a long run, judged one by one as they end, since none of them is kept to the end. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from bench.chaos import verdicts
from bench.chaos.results import Check, at_most, none
from bench.chaos.truth import Stored
from bench.chaos.watches import Record

from headgate import pb
from headgate_emulator.ledger import LedgerRow

ASKING = 0.02
"""Share of the jobs that may ask a person: a worker died between a recorded intent and the sending."""


class SoakTally:
    """Counts of what must not be.

    `states` has how each job was judged; a job is judged once.
    """

    def __init__(self) -> None:
        self.states: dict[str, pb.JobState.ValueType] = {}
        self._wrong: Counter[str] = Counter()
        self._made: Counter[str] = Counter()
        self._unseen_calls = 0

    def judge(self, job: Stored, record: Record | None) -> None:
        """Judge a job that has ended or asks a person, by its log and by what its watcher was given."""
        self.states[job.job_id] = job.state
        one = {job.job_id: job}
        found = [*verdicts.ends(one, [job.job_id]), *verdicts.folds(one)]
        for check in [*found, *(verdicts.watched(one, [record]) if record else ())]:
            self._wrong[check.what] += int(check.seen)

    def judge_calls(self, rows: Iterable[LedgerRow], unseen: int = 0) -> None:
        """Count what upstream has made; `unseen` calls were forgotten before they could be looked at."""
        done = (row for row in rows if row.applied and row.action in verdicts.ONCE_ONLY)
        self._made.update(row.params.get("Name", "") for row in done)
        self._unseen_calls += unseen

    def checks(self, acknowledged: Collection[str]) -> list[Check]:
        """J, S and W over the whole run."""
        succeeded = [job_id for job_id, state in self.states.items() if state == pb.JOB_STATE_SUCCEEDED]
        asking = sum(state == pb.JOB_STATE_NEEDS_ATTENTION for state in self.states.values())
        lost = "acknowledged jobs lost"
        self._wrong[lost] += len(set(acknowledged) - self.states.keys())
        return [
            *(none(what, seen) for what, seen in self._wrong.items()),
            none("upstream creates or executes done twice", sum(times > 1 for times in self._made.values())),
            none("succeeded jobs without their create", sum(self._made[job_id] != 1 for job_id in succeeded)),
            none("calls of upstream that were not looked at", self._unseen_calls),
            at_most("share of jobs that ask a person", ASKING, asking / max(1, len(self.states))),
        ]


def returned(before_mb: float, after_mb: float, room_mb: float = 3.0) -> Check:
    """Whether the store is as small again as it was before the first job, but for some room for its own buffers."""
    return at_most(
        "memory of Redis after retention, above that before the first job, MB", room_mb, after_mb - before_mb
    )
