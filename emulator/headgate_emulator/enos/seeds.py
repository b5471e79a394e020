"""The two instances that seed 004 prints, as the emulator's first ones. Their members stand here as printed."""

import json
from typing import Any

from headgate_emulator.enos.instances import Instance
from headgate_emulator.enos.rules import SEED_FLOWS
from headgate_emulator.enos.statuses import Status

_FIRST_GRAPH = {
    "creator": "yourCreator",
    "freq": "0 1/1 * * * ? *",
    "alertMode": 3,
    "owners": ";yourOwners;",
    "cycle": "mi",
    "doAs": "yourDoAs",
    "flows": [],
    "alertTo": "",
    "name": "rew",
    "instId": "2438-201907261239",
    "id": 2438,
    "relations": [],
    "parameters": "[]",
    "appId": "",
    "tasks": [
        {
            "taskName": "fr",
            "taskInstId": "104452-201907261239",
            "x": 0.0198,
            "y": 0.0045,
            "taskId": 104452,
            "nodeId": "t_104452",
            "status": "SUCCESS",
        }
    ],
}

_SECOND_GRAPH = {
    "creator": "yourCreator",
    "freq": "0 0 0 * * ? *",
    "alertMode": 3,
    "owners": "yourOwners",
    "cycle": "D",
    "doAs": "yourDoAs",
    "flows": [],
    "alertTo": "",
    "name": "21",
    "instId": "2809-20190808093200",
    "id": 2809,
    "relations": [],
    "parameters": "[]",
    "appId": "",
    "tasks": [
        {
            "taskName": "tass",
            "taskInstId": "104890-20190808093200",
            "x": 0.002,
            "y": 0.002,
            "taskId": 104890,
            "nodeId": "t_104890",
            "status": "SUCCESS",
        }
    ],
}

_FIRST: dict[str, Any] = {
    "instanceId": "2438-201907261239",
    "status": 0,
    "statusDesc": "INIT",
    "triggerTime": "2019-07-26 20:39:00",
    "startTime": "2019-07-26 12:39:37",
    "endTime": "2019-07-26 12:39:42",
    "timestamp": "2019-07-26 12:38:30.0",
    "calDt": "2019-07-25",
    "hasEditPri": False,
}

_SECOND: dict[str, Any] = {
    "instanceId": "2809-20190808093200",
    "status": 1,
    "statusDesc": "SUCCESS",
    "triggerTime": "2019-08-08 09:32:12",
    "startTime": "2019-08-08 09:32:30",
    "endTime": "2019-08-08 09:32:32",
    "timestamp": "2019-08-08 09:34:36.0",
    "calDt": "2019-08-07",
    "hasEditPri": True,
}


def seed_instances() -> tuple[Instance, ...]:
    """Both instances. The first says INIT and has an end: it belongs to the past and holds nothing up."""
    rew, daily = SEED_FLOWS
    return (
        _instance(rew, Status.INIT, 1_564_144_740_000, _FIRST, _FIRST_GRAPH),
        _instance(daily, Status.SUCCESS, 1_565_227_932_000, _SECOND, _SECOND_GRAPH),
    )


def _instance(flow: Any, status: Status, trigger_ms: int, printed: dict[str, Any], graph: dict[str, Any]) -> Instance:
    text = json.dumps(graph, separators=(",", ":"))
    return Instance(
        id=printed["instanceId"],
        flow=flow,
        type=1,
        trigger_ms=trigger_ms,
        created_ms=trigger_ms,
        status=status,
        printed={**printed, "graph": text},
        past=True,
    )
