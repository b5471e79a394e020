"""`python -m bench.naive.worker REDIS_PORT HOST:PORT`: a default ARQ worker whose job calls the stock SDK.

The job creates an instance, asks for it every second until it has ended, and publishes what it sees.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from alibabacloud_dataworks_public20240518 import models
from alibabacloud_dataworks_public20240518.client import Client
from alibabacloud_tea_openapi.utils_models import Config
from arq.connections import RedisSettings
from arq.worker import Worker

ENDED = ("Success", "Failure")


async def run_workflow(context: dict[str, Any], name: str) -> str:
    """Create a workflow instance and follow it to its end."""
    client: Client = context["client"]
    created = await client.create_workflow_instances_async(_request(name))
    while True:
        await asyncio.sleep(1)
        asked = models.GetCreateWorkflowInstancesResultRequest(operation_id=created.body.operation_id)
        result = (await client.get_create_workflow_instances_result_async(asked)).body.result
        if result.workflow_instance_ids:
            break
    id_ = result.workflow_instance_ids[0]
    await client.start_workflow_instances_async(models.StartWorkflowInstancesRequest(ids=[id_]))
    while True:
        await asyncio.sleep(1)
        seen = await client.get_workflow_instance_async(models.GetWorkflowInstanceRequest(id=id_))
        status: str = seen.body.workflow_instance.status
        await context["redis"].publish(f"events:{context['job_id']}", status)
        if status in ENDED:
            return status


def _request(name: str) -> models.CreateWorkflowInstancesRequest:
    dates = models.CreateWorkflowInstancesRequestPeriodsBizDates(start_biz_date="2025-02-05", end_biz_date="2025-02-05")
    properties = models.CreateWorkflowInstancesRequestDefaultRunProperties(
        mode="ManualSelection", parallelism=1, root_task_ids=[1023697426]
    )
    return models.CreateWorkflowInstancesRequest(
        project_id=257880,
        workflow_id=1,
        name=name,
        type="SupplementData",
        env_type="Prod",
        auto_start_enabled=False,
        periods=models.CreateWorkflowInstancesRequestPeriods(biz_dates=[dates]),
        default_run_properties=properties,
    )


async def main(port: int, endpoint: str) -> None:
    """Work until SIGTERM."""

    async def startup(context: dict[str, Any]) -> None:
        keys = {"access_key_id": "testid", "access_key_secret": "testsecret"}
        context["client"] = Client(Config(**keys, endpoint=endpoint, protocol="HTTP"))
        print("ready port=0", flush=True)

    worker = Worker(functions=[run_workflow], redis_settings=RedisSettings(port=port), on_startup=startup)
    await worker.async_run()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
