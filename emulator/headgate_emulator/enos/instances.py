"""A flow instance, and how EnOS prints it. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from headgate_emulator.enos.rules import FlowRules, FlowSpec, FlowTask, GraphForm
from headgate_emulator.enos.statuses import OVER, Status

MANUAL, PERIODIC, TEMPORARY = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One run of a flow. Times in epoch ms.

    `printed` wins over what would be printed; `past` says that it neither runs nor ends any more, whatever its status.
    """

    id: str
    flow: FlowSpec
    type: int
    trigger_ms: int
    created_ms: int
    status: Status = Status.INIT
    start_ms: int | None = None
    end_ms: int | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    from_task: int = 0
    fail_task: str | None = None
    fail_log: str = ""
    cancel_asked: bool = False
    printed: Mapping[str, Any] = field(default_factory=dict)
    past: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.past or self.status in OVER


def instance_json(one: Instance, rules: FlowRules) -> dict[str, Any]:
    """The FlowInstance member of a reply, its graph as EnOS sends it: a JSON text."""
    row = {
        "instanceId": one.id,
        "flowId": one.flow.id,
        "flowName": one.flow.name,
        "freq": one.flow.freq,
        "cycle": one.flow.cycle,
        "parameters": parameters_text(one),
        "doAs": rules.do_as,
        "graph": json.dumps(graph_json(one, rules), separators=(",", ":"), ensure_ascii=False),
        "status": int(one.status),
        "statusDesc": one.status.name,
        "triggerTime": printed_time(one.trigger_ms, rules.trigger_zone_hours),
        "startTime": _maybe(one.start_ms, rules),
        "endTime": _maybe(one.end_ms, rules),
        "timestamp": printed_time(one.created_ms, rules.run_zone_hours) + ".0",
        "virtual": False,
        "owner": one.flow.owner,
        "alertMode": 3,
        "calDt": printed_time(one.trigger_ms - 86_400_000, rules.trigger_zone_hours)[:10],
        "hasEditPri": one.flow.editable,
        "hasReadPri": True,
    }
    return row | dict(one.printed)


def parameters_text(one: Instance) -> str:
    """The parameters as EnOS prints them."""
    return json.dumps([{"key": key, "value": value} for key, value in one.parameters], separators=(",", ":"))


def graph_json(one: Instance, rules: FlowRules) -> dict[str, Any]:
    """The InstanceGraph of an instance."""
    tasks = one.flow.tasks
    return {
        "creator": rules.creator,
        "freq": one.flow.freq,
        "alertMode": 3,
        "owners": one.flow.owner,
        "cycle": one.flow.cycle,
        "doAs": rules.do_as,
        "flows": [],
        "alertTo": "",
        "name": one.flow.name,
        "instId": one.id,
        "id": one.flow.id,
        "relations": [{"from": f"t_{first}", "to": f"t_{task.id}"} for task in tasks for first in task.after],
        "parameters": parameters_text(one),
        "appId": "",
        "tasks": [_node(one, task, place) for place, task in enumerate(tasks)],
    }


def _node(one: Instance, task: FlowTask, place: int) -> dict[str, Any]:
    return {
        "taskName": task.name,
        "taskInstId": task_instance_id(one, task),
        "x": round(0.002 * (place + 1), 4),
        "y": 0.002,
        "taskId": task.id,
        "nodeId": f"t_{task.id}",
        "status": task_status(one, task).name,
    }


def task_instance_id(one: Instance, task: FlowTask) -> str:
    """A task instance's id: the task's, then what follows the flow's in the flow instance's."""
    return f"{task.id}-{one.id.partition('-')[2]}"


def task_status(one: Instance, task: FlowTask) -> Status:
    """Where a task stands: as its flow, but for the tasks beside the one that failed."""
    if one.status is Status.FAIL and one.fail_task not in (None, task.name):
        return Status.SUCCESS
    return one.status


def task_log(one: Instance, task: FlowTask, rules: FlowRules) -> str:
    """What the task has logged; empty before its start."""
    if one.start_ms is None and not one.printed:
        return ""
    lines = [f"task {task.name} of {one.id} begins", f"status {task_status(one, task).name}"]
    if task_status(one, task) is Status.FAIL:
        lines.insert(1, one.fail_log)
    return "".join(f"{line}\n" for line in lines)


def printed_time(at_ms: int, zone_hours: int) -> str:
    """A time as EnOS prints it: "yyyy-MM-dd HH:mm:ss", without a zone."""
    zone = timezone(timedelta(hours=zone_hours))
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _maybe(at_ms: int | None, rules: FlowRules) -> str | None:
    return None if at_ms is None else printed_time(at_ms, rules.run_zone_hours)


def reply_text(body: Mapping[str, Any], form: GraphForm) -> str:
    """A reply as JSON text, every graph in it in the wanted form."""
    shaped = _shaped(body, form)
    text = json.dumps(shaped, ensure_ascii=False)
    return _unescaped(text, shaped) if form == "unescaped" else text


def _shaped(value: Any, form: GraphForm) -> Any:
    if isinstance(value, list):
        return [_shaped(one, form) for one in value]
    if not isinstance(value, Mapping):
        return value
    row = {name: _shaped(member, form) for name, member in value.items()}
    if isinstance(row.get("graph"), str):
        row = _GRAPHS[form](row)
    return row


def _unescaped(text: str, shaped: Any) -> str:
    """The text with graphs printed as in seed 004: their quotes not escaped, which is no JSON."""
    for graph in _graphs(shaped):
        text = text.replace(json.dumps(graph, ensure_ascii=False), f'"{graph}"')
    return text


def _graphs(value: Any) -> list[str]:
    if isinstance(value, list):
        return [graph for one in value for graph in _graphs(one)]
    if not isinstance(value, dict):
        return []
    own = [value["graph"]] if isinstance(value.get("graph"), str) else []
    return own + [graph for name, one in value.items() if name != "graph" for graph in _graphs(one)]


def _without(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "graph"}


_GRAPHS: Mapping[GraphForm, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "string": lambda row: row,
    "unescaped": lambda row: row,
    "object": lambda row: row | {"graph": json.loads(row["graph"])},
    "double": lambda row: row | {"graph": json.dumps(row["graph"])},
    "empty": lambda row: row | {"graph": ""},
    "missing": _without,
    "broken": lambda row: row | {"graph": row["graph"][: len(row["graph"]) // 2]},
}
