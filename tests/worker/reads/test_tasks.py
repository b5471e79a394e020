"""Reads of task instances: an entry on the reads lane, the emulator behind, the answer on the asking process's list."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import DryRun, FailRun
from headgate_worker.core.model.calls import (
    Call,
    GetInstance,
    ListTasks,
    TaskFilter,
    TaskPage,
)
from headgate_worker.process.settings import Settings
from headgate_worker.reads import page_tokens
from headgate_worker.reads import tasks as reads_tasks
from headgate_worker.reads.errors import ReadFailed
from headgate_worker.reads.tasks import TaskReader
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker
from tests.worker.reads.conftest import read, reason
from tests.worker.scenarios.test_backfill import ended, requests
from tests.worker.submitting import SEED_PROJECT, backfill_job, days, seed_backfill, submit

LOG = "第一行\n" * 40_000 + "FAILED: table not found"


def one_date(tasks: int) -> pb.BackfillSpec:
    properties = pb.DefaultRunProperties(
        mode=pb.BACKFILL_MODE_MANUAL_SELECTION,
        parallelism=1,
        root_task_ids=range(1, tasks + 1),
        analysis=pb.Analysis(),
    )
    spec = seed_backfill()
    spec.ClearField("biz_dates")
    spec.biz_dates.extend(days("2025-02-05", "2025-02-05"))
    spec.default_run_properties.CopyFrom(properties)
    return spec


async def test_tasks_of_a_run_are_listed_read_and_their_logs_cut(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    emulator.faults.add([FailRun(task_name="task_2", log=LOG), DryRun(task_name="task_1")])
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, backfill_job(one_date(3))))
        instance = job.runs[0].workflow_instance_id
        before = len(requests(emulator))

        listed = await read(redis, "ListTaskInstances", pb.ListTaskInstancesRequest(workflow_instance_id=instance))
        asked = requests(emulator)[before:]
        rows = pb.ListTaskInstancesResponse.FromString(listed.payload).task_instances
        failed = rows[1].id
        one = await read(redis, "GetTaskInstance", pb.GetTaskInstanceRequest(id=failed))
        short = await read(redis, "GetTaskInstanceLog", pb.GetTaskInstanceLogRequest(id=failed, max_length=45))
        usual = await read(redis, "GetTaskInstanceLog", pb.GetTaskInstanceLogRequest(id=failed, run_number=1))
        whole = await read(redis, "GetTaskInstanceLog", pb.GetTaskInstanceLogRequest(id=failed, max_length=1 << 20))
        nobody = await read(redis, "GetTaskInstance", pb.GetTaskInstanceRequest(id=5))
        no_log = await read(redis, "GetTaskInstanceLog", pb.GetTaskInstanceLogRequest(id=failed, run_number=9))
        elsewhere = await read(redis, "GetTaskInstance", pb.GetTaskInstanceRequest(id=failed, connection="mars"))
        no_run = await read(redis, "ListTaskInstances", pb.ListTaskInstancesRequest(workflow_instance_id=5))

    assert [action for action, _ in asked] == ["GetWorkflowInstance", "ListTaskInstances"]
    assert [(row.task_name, row.status) for row in rows] == [
        ("task_1", "Success"),
        ("task_2", "Failure"),
        ("task_3", "NotRun"),
    ]
    assert [row.trigger_recurrence for row in rows] == ["Skip", "Normal", "Normal"]
    assert {row.workflow_instance_type for row in rows} == {pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA}
    seen = pb.TaskInstance.FromString(one.payload)
    assert (seen.id, seen.outputs[0]) == (failed, f"{SEED_PROJECT}.2_out")
    assert seen.upstream_request_id and seen.observe_time.seconds
    logs = [pb.TaskInstanceLog.FromString(found.payload) for found in (short, usual, whole)]
    end = "FAILED: table not found\nERROR task ends, exit code 1\n"
    assert (logs[0].log, logs[0].truncated) == (end[-45:], True)
    assert logs[1].truncated and logs[1].log.endswith(end)
    assert 64 * 1024 - 3 < len(logs[1].log.encode()) <= 64 * 1024
    assert logs[2] == pb.TaskInstanceLog(log=f"INFO task begins\n{LOG}\nERROR task ends, exit code 1\n")
    assert [reason(found) for found in (nobody, no_log, no_run)] == ["INSTANCE_UNKNOWN"] * 3
    assert reason(elsewhere) == "CONNECTION_UNKNOWN"


async def test_a_list_with_its_place_costs_one_read_and_is_paged(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, backfill_job(one_date(5))))
        request = pb.ListTaskInstancesRequest(
            workflow_instance_id=job.runs[0].workflow_instance_id,
            project_id=SEED_PROJECT,
            biz_date=job.runs[0].biz_date,
            page_size=2,
        )
        before, names = len(requests(emulator)), []
        while True:
            answer = await read(redis, "ListTaskInstances", request)
            page = pb.ListTaskInstancesResponse.FromString(answer.payload)
            names.append([row.task_name for row in page.task_instances])
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        asked = requests(emulator)[before:]
        request.status = "Failure"
        other = await read(redis, "ListTaskInstances", request)

    assert names == [["task_1", "task_2"], ["task_3", "task_4"], ["task_5"]]
    assert [(action, params["PageNumber"]) for action, params in asked] == [
        ("ListTaskInstances", number) for number in ("1", "2", "3")
    ]
    assert reason(other) == "PAGE_TOKEN_INVALID"


class Upstream:
    """Answers lists out of memory, and remembers what it was asked."""

    def __init__(self, *rows: pb.TaskInstance, instance: pb.WorkflowInstance | None = None) -> None:
        self.rows, self.instance, self.asked = rows, instance, list[Call]()

    async def ask(self, connection: str, call: Call, left: float, creator: str = "", /) -> Any:
        self.asked.append(call)
        if isinstance(call, GetInstance):
            assert self.instance is not None
            return self.instance
        assert isinstance(call, ListTasks)
        first = (call.page_number - 1) * call.page_size
        return TaskPage(self.rows[first : first + call.page_size], len(self.rows))


def placed(**fields: Any) -> pb.ListTaskInstancesRequest:
    day = dates.to_message(dates.business_date(1738684800000))
    return pb.ListTaskInstancesRequest(project_id=SEED_PROJECT, biz_date=day, **fields)


async def listed(upstream: Upstream, request: pb.ListTaskInstancesRequest) -> pb.ListTaskInstancesResponse:
    method = TaskReader(upstream.ask).methods()["ListTaskInstances"]
    found = await method(request.SerializeToString(), 5.0)
    assert isinstance(found, pb.ListTaskInstancesResponse)
    return found


async def test_large_rows_make_short_pages_and_none_is_left_out() -> None:
    rows = [pb.TaskInstance(id=number + 1, description="x" * 300_000) for number in range(11)]
    upstream, request, pages = Upstream(*rows), placed(page_size=9), []
    while True:
        page = await listed(upstream, request)
        pages.append(page)
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    assert [row.id for page in pages for row in page.task_instances] == list(range(1, 12))
    assert [len(page.task_instances) for page in pages] == [4, 4, 1, 2]
    assert all(page.ByteSize() < reads_tasks.PAGE_BYTES + 400_000 for page in pages)
    assert {call.page_size for call in upstream.asked if isinstance(call, ListTasks)} == {9}


async def test_every_filter_reaches_upstream() -> None:
    upstream = Upstream()
    await listed(
        upstream,
        placed(
            workflow_instance_id=8,
            page_size=9999,
            status="Failure",
            task_name="load",
            task_type="ODPS_SQL",
            task_ids=[1, 2],
            ids=[3],
            history_of_id=4,
            trigger_type="Manual",
            trigger_recurrence="Skip",
            owner="o",
            resource_group_id="g",
            workflow_id=5,
            workflow_instance_type=pb.WORKFLOW_INSTANCE_TYPE_MANUAL,
            project_env=pb.ENV_TYPE_DEV,
            unified_workflow_instance_id=6,
        ),
    )

    wanted = TaskFilter(
        workflow_id=5,
        workflow_instance_type=pb.WORKFLOW_INSTANCE_TYPE_MANUAL,
        unified_workflow_instance_id=6,
        project_env=pb.ENV_TYPE_DEV,
        id=4,
        ids=(3,),
        task_ids=(1, 2),
        task_name="load",
        task_type="ODPS_SQL",
        status="Failure",
        trigger_type="Manual",
        trigger_recurrence="Skip",
        owner="o",
        runtime_resource="g",
    )
    assert upstream.asked == [ListTasks(SEED_PROJECT, 1738684800000, 8, 1, 500, wanted)]


async def test_an_instance_without_a_place_is_told_apart() -> None:
    upstream = Upstream(instance=pb.WorkflowInstance(id=8))

    with pytest.raises(ReadFailed) as caught:
        await listed(upstream, pb.ListTaskInstancesRequest(workflow_instance_id=8))

    assert "give project_id and biz_date" in caught.value.status.message


@pytest.mark.parametrize("numbers", [(1, 1, 0, 50, 0), (1, 1, 1, 501, 0), (1, 1, 1, 0, 0), (1, 1, 1, 5, 5), (1, 1, 1)])
async def test_a_token_that_makes_no_sense_is_refused(numbers: tuple[int, ...]) -> None:
    request = placed()
    request.page_token = page_tokens.seal(page_tokens.digest(request), *numbers)

    with pytest.raises(page_tokens.BadPageToken):
        await listed(Upstream(), request)
