"""Random jobs, as a server would accept them, and the instances that are there before them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.model.steps import timestamp
from tests.simulator.chance import Chance
from tests.simulator.upstream import FAILURE, NOT_RUN, RUNNING, SUCCESS, Instance, ModelUpstream

NAME = "nightly"
FIRST = date(2025, 2, 1)

_KINDS = ("backfill",) * 10 + ("create", "create", "start", "start", "stop", "adhoc", "rerun", "tasks")
_REPROCESS = (pb.REPROCESS_UNSPECIFIED,) * 4 + (pb.REPROCESS_MISSING_ONLY, pb.REPROCESS_MISSING_AND_FAILED) * 2
_UNTILS = (pb.UNTIL_FINISHED,) * 4 + (pb.UNTIL_STARTED, pb.UNTIL_ACCEPTED)


@dataclass(frozen=True, slots=True)
class Wish:
    """A job to be submitted."""

    job: pb.Job
    kind: str


def wish(chance: Chance, upstream: ModelUpstream, now_ms: int) -> Wish:
    """A random job; instances that it names are made upstream."""
    kind = chance.pick(_KINDS)
    job = pb.Job(name="jobs/simulated", uid="uid", until=chance.pick(_UNTILS))
    job.deadline_time.CopyFrom(timestamp(now_ms + chance.pick((600, 1_800, 3_600, 7_200)) * 1000))
    job.ttl_after_end.FromSeconds(3600)
    _MAKERS[kind](chance, upstream, job)
    for index, run in enumerate(job.runs):
        run.index, run.attempt, run.operation_index = index, 1, -1
    return Wish(job, kind)


def _properties(chance: Chance) -> pb.DefaultRunProperties:
    return pb.DefaultRunProperties(
        mode=pb.BACKFILL_MODE_ALL_DOWNSTREAM,
        parallelism=chance.pick((1, 1, 1, 2, 3, 10)),
        order=chance.pick((pb.BACKFILL_ORDER_UNSPECIFIED, pb.BACKFILL_ORDER_ASC, pb.BACKFILL_ORDER_DESC)),
        root_task_ids=[1],
    )


def _ranges(chance: Chance, most: int) -> list[pb.DateRange]:
    """Ranges with holes, in any order, perhaps overlapping; together at most `most` dates."""
    length = most if chance.happens(0.03) else chance.pick((1, 2, 2, 3, 3, 5, 8))
    holes = chance.pick((0.0, 0.0, 0.3))
    days = chance.some([FIRST + timedelta(days=n) for n in range(length)], 1.0 - holes)
    return list(dates.to_ranges(days))


def _backfill(chance: Chance, upstream: ModelUpstream, job: pb.Job) -> None:
    spec = pb.BackfillSpec(
        project_id=1,
        name=NAME,
        biz_dates=_ranges(chance, 40),
        days_of_week=chance.pick(([], [], [], [1, 2, 3])),
        default_run_properties=_properties(chance),
        on_failure=chance.pick(
            (pb.ON_FAILURE_UNSPECIFIED, pb.ON_FAILURE_HALT, pb.ON_FAILURE_CONTINUE, pb.ON_FAILURE_DRAIN)
        ),
        start_mode=chance.pick((pb.START_MODE_UNSPECIFIED, pb.START_MODE_HEADGATE, pb.START_MODE_UPSTREAM)),
        max_created_ahead=chance.pick((0, 0, 0, 1, 2, 5)),
        reprocess=chance.pick(_REPROCESS),
        max_attempts_per_date=chance.pick((0, 0, 1, 2, 3, 10)),
        overlap=chance.pick((pb.OVERLAP_UNSPECIFIED, pb.OVERLAP_UNSPECIFIED, pb.OVERLAP_QUEUE_AFTER)),
    )
    if chance.happens(0.3):
        spec.adopt_grace.FromSeconds(chance.pick((0, 5)))
    if not dates.chosen(spec):
        del spec.days_of_week[:]
    job.backfill.CopyFrom(spec)
    _plan_dates(job, dates.chosen(spec))
    _strangers(chance, upstream)


def _plan_dates(job: pb.Job, days: tuple[date, ...]) -> None:
    for day in days:
        job.runs.add(biz_date=dates.to_message(day), state=pb.RUN_STATE_PLANNED)


def _strangers(chance: Chance, upstream: ModelUpstream) -> None:
    """Instances of the same name that were there before, be it long or just before."""
    age_ms = chance.pick((0, 0, 0, 7_000, 100_000, 3_600_000))
    if age_ms:
        created_ms = upstream.timeline.now_ms - age_ms
        for day in (FIRST + timedelta(days=n) for n in range(3)):
            name = chance.pick((NAME, NAME, f"{NAME}-hg0123abcd", f"{NAME}-2", f"x{NAME}"))
            status = chance.pick((NOT_RUN, RUNNING, SUCCESS, FAILURE))
            for _ in range(chance.pick((1, 1, 2))):
                upstream.make(name, [day], created_ms=created_ms, visible_ms=0, auto_start="never", status=status)


def _create(chance: Chance, upstream: ModelUpstream, job: pb.Job) -> None:
    backfill = chance.happens(0.7)
    job.create.CopyFrom(
        pb.CreateWorkflowInstancesSpec(
            project_id=1,
            name=NAME,
            type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA if backfill else pb.WORKFLOW_INSTANCE_TYPE_MANUAL_WORKFLOW,
            auto_start_enabled=chance.happens(0.5),
            default_run_properties=_properties(chance),
        )
    )
    if backfill:
        job.create.periods.biz_dates.extend(_ranges(chance, 10))
        _plan_dates(job, tuple(dates.walk(job.create.periods.biz_dates)))


def _existing(chance: Chance, upstream: ModelUpstream, count: int) -> list[Instance]:
    made = upstream.make("before", [FIRST + timedelta(days=n) for n in range(count)], visible_ms=0, operation="before")
    upstream.link(made, _properties(chance))
    return made


def _of_ids(job: pb.Job, ids: list[int]) -> None:
    for one in ids:
        job.runs.add(workflow_instance_id=one, state=pb.RUN_STATE_CREATED)


def _start(chance: Chance, upstream: ModelUpstream, job: pb.Job) -> None:
    made = _existing(chance, upstream, chance.pick((1, 3, 6)))
    ids = chance.some([one.id for one in made], 0.8)
    job.start.ids.extend(ids)
    _of_ids(job, ids)


def _stop(chance: Chance, upstream: ModelUpstream, job: pb.Job) -> None:
    made = _existing(chance, upstream, chance.pick((1, 3, 6)))
    for one in made:
        if chance.happens(0.6):
            upstream.begin(one, "operator")
    ids = chance.some([one.id for one in made], 0.8)
    job.stop.ids.extend(ids)
    job.until = chance.pick((pb.UNTIL_FINISHED, pb.UNTIL_ACCEPTED))
    _of_ids(job, ids)


def _adhoc(chance: Chance, upstream: ModelUpstream, job: pb.Job) -> None:
    job.adhoc.CopyFrom(pb.ExecuteAdhocWorkflowInstanceSpec(project_id=1, name=NAME, owner="me"))
    run = job.runs.add(state=pb.RUN_STATE_PLANNED)
    if chance.happens(0.5):
        job.adhoc.biz_date.CopyFrom(dates.to_message(FIRST))
        run.biz_date.CopyFrom(dates.to_message(FIRST))


def _rerun(chance: Chance, upstream: ModelUpstream, job: pb.Job) -> None:
    made = upstream.make("before", [FIRST], visible_ms=0, operation="before")
    hour_ago = upstream.timeline.now_ms - 3_600_000
    for one in made:
        one.status, one.started_ms, one.finished_ms, one.run_number = FAILURE, hour_ago, hour_ago + 1, 1
    job.rerun.project_id = 1
    job.rerun.workflow_id = 2
    if chance.happens(0.7):
        job.rerun.ids.extend(one.id for one in made)
        _of_ids(job, [one.id for one in made])
    else:
        job.until = pb.UNTIL_ACCEPTED


def _tasks(chance: Chance, upstream: ModelUpstream, job: pb.Job) -> None:
    """A write about the task of each of some instances, which has the instance's id."""
    kind = chance.pick(
        ("rerun_tasks", "rerun_tasks", "set_success_tasks", "stop_tasks", "suspend_tasks", "resume_tasks")
    )
    made = upstream.make("before", [FIRST] * chance.pick((1, 1, 3)), visible_ms=0, operation="before")
    hour_ago = upstream.timeline.now_ms - 3_600_000
    for one in made:
        if kind == "stop_tasks":
            upstream.begin(one, "operator")
            continue
        one.status, one.started_ms, one.finished_ms, one.run_number = FAILURE, hour_ago, hour_ago + 1, 1
        one.paused = kind == "resume_tasks"
    getattr(job, kind).ids.extend(one.id for one in made)
    job.until = chance.pick((pb.UNTIL_FINISHED, pb.UNTIL_ACCEPTED))
    for one in made:
        job.runs.add(task_instance_id=one.id, state=pb.RUN_STATE_PLANNED)


_MAKERS = {
    "backfill": _backfill,
    "create": _create,
    "start": _start,
    "stop": _stop,
    "adhoc": _adhoc,
    "rerun": _rerun,
    "tasks": _tasks,
}
