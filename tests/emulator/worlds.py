"""Worlds, and requests to them, for tests of the world by itself."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from headgate_emulator.dataworks.ids import IdSource
from headgate_emulator.dataworks.instances import TaskSpec
from headgate_emulator.dataworks.requests import (
    CreateWorkflowInstances,
    read,
)
from headgate_emulator.dataworks.rules import Rules
from headgate_emulator.dataworks.world import World
from headgate_emulator.fault_book import FaultBook

NOW = 1_739_000_000_000
Make = Callable[..., World]


def world_of(*faults: Any, tasks: tuple[TaskSpec, ...] = (), **rules: Any) -> World:
    given_rules = Rules(**{"create_seconds": 0, "run_seconds": 10, **rules})
    return World(given_rules, FaultBook(faults), IdSource(Random(1)), {task.id: task for task in tasks})


def backfill(days: int = 2, **changes: Any) -> CreateWorkflowInstances:
    properties = {
        "Mode": "AllDownstream",
        "RootTaskIds": [1],
        "Parallelism": 1,
        "Analysis": {"Enabled": False, "Blocked": False},
        **changes.pop("Properties", {}),
    }
    dates = [{"StartBizDate": "2025-02-05", "EndBizDate": f"2025-02-{4 + days:02}"}]
    params = {
        "ProjectId": "257880",
        "WorkflowId": "5188541262300189362",
        "Name": "n",
        "Type": "SupplementData",
        "Periods": json.dumps({"BizDates": dates}),
        "DefaultRunProperties": json.dumps(properties),
        **changes,
    }
    return read(CreateWorkflowInstances, params)


def created(world: World, request: CreateWorkflowInstances, now: int = NOW) -> list[int]:
    return list(world.creation(world.create(request, now), now).instance_ids)


def manual(**changes: Any) -> CreateWorkflowInstances:
    params = {"ProjectId": "1", "WorkflowId": "77", "Name": "m", "Type": "ManualWorkflow", **changes}
    return read(CreateWorkflowInstances, params)


def statuses(world: World, seconds: float) -> list[str]:
    world.advance(NOW + round(seconds * 1000))
    return [str(one.status) for one in world.instances]
