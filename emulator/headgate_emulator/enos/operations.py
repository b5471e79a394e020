"""Every operation: path below the service, `action`, and what it does with a caller's parameters.

Pure but for the world that it is given. The verb is the query parameter `action`; user and organisation stand in the
query of every call.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate_emulator.enos import errors
from headgate_emulator.enos.errors import EnosError, bad_request
from headgate_emulator.enos.instances import Instance, instance_json, task_instance_id, task_log, task_status
from headgate_emulator.enos.rules import FlowTask
from headgate_emulator.enos.world import FlowWorld, Trigger

DEFAULT_LOG_LENGTH = 1 << 20
_NEWEST = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: decoded query, and the members of its JSON body (empty without one)."""

    query: Mapping[str, str]
    body: Mapping[str, Any]


Handler = Callable[[FlowWorld, Asked, int], Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; `newer` ones exist only in generation v2.1."""

    method: str
    call: Handler
    newer: bool = False


def check_user(world: FlowWorld, query: Mapping[str, str]) -> None:
    """Raises EnosError unless user and organisation belong together."""
    if (query.get("userId"), query.get("orgId")) != (world.rules.user_id, world.rules.org_id):
        raise EnosError(errors.WRONG_USER, "userId and orgId do not match")


def _get_instance(world: FlowWorld, asked: Asked, now: int) -> Any:
    return instance_json(world.instance(_query(asked, "flowInstId"), now), world.rules)


def _cancel_instance(world: FlowWorld, asked: Asked, now: int) -> Any:
    world.cancel(_text(asked, "flowInstId"), now)


def _search_instances(world: FlowWorld, asked: Asked, now: int) -> Any:
    world.advance(now)
    wanted = _Wanted.of(asked)
    lag_ms = round(world.rules.search_lag_seconds * 1000)
    found = [one for one in world.instances if one.created_ms + lag_ms <= now and wanted.matches(one)]
    first, size = _page(asked, world.rules.first_page)
    rows = [instance_json(one, world.rules) | {"isCancelled": one.cancel_asked} for one in found[first : first + size]]
    return {"flowInsts": rows, "count": len(found)}


@dataclass(frozen=True, slots=True)
class _Wanted:
    type: int
    expression: str
    owner: str
    statuses: frozenset[int]
    from_ms: int
    to_ms: int

    @classmethod
    def of(cls, asked: Asked) -> "_Wanted":
        body = asked.body
        statuses = frozenset(_number_in(word) for word in str(body.get("status", "")).split(",") if word.strip())
        return cls(
            _number(asked, "type"),
            str(body.get("expression") or ""),
            str(body.get("owner") or ""),
            statuses,
            _number(asked, "fromTriggerTime"),
            _number(asked, "toTriggerTime"),
        )

    def matches(self, one: Instance) -> bool:
        return (
            one.type == self.type
            and self.expression in one.flow.name
            and self.owner in ("", one.flow.owner)
            and (not self.statuses or int(one.status) in self.statuses)
            and self.from_ms <= one.trigger_ms < self.to_ms
        )


def _page(asked: Asked, first_page: int) -> tuple[int, int]:
    pagination = asked.body.get("pagination")
    if not isinstance(pagination, dict):
        raise bad_request("pagination is needed")
    number, size = pagination.get("pageNo"), pagination.get("pageSize")
    if not isinstance(number, int) or not isinstance(size, int) or number < first_page or not 0 < size <= _NEWEST:
        raise bad_request("pageNo or pageSize makes no sense")
    return (number - first_page) * size, size


def _get_task(world: FlowWorld, asked: Asked, now: int) -> Any:
    one, task = world.task(_query(asked, "taskInstId"), now)
    status = task_status(one, task)
    known = {"taskId": task.id, "taskName": task.name, "flowInstId": one.id}
    return {
        "taskInstId": task_instance_id(one, task),
        **known,
        "status": int(status),
        "stsDesc": status.name,
        "runNum": 1,
    }


def _get_log(world: FlowWorld, asked: Asked, now: int) -> Any:
    one, task = world.task(_query(asked, "taskInstId"), now)
    text = task_log(one, task, world.rules)
    if not text:
        raise EnosError(errors.INTERNAL, "no log is found")
    length = _number_in(asked.query.get("maxLength", str(DEFAULT_LOG_LENGTH)))
    return {"log": text[-length:] if length else ""}


def _get_flow(world: FlowWorld, asked: Asked, now: int) -> Any:
    flow = world.flow(_number_in(_query(asked, "flowId")))
    tasks = [_flow_task(task) for task in flow.tasks]
    return {"flowId": flow.id, "name": flow.name, "freq": flow.freq, "cycle": flow.cycle, "tasks": tasks}


def _flow_task(task: FlowTask) -> dict[str, Any]:
    return {"taskId": task.id, "taskName": task.name, "nodeId": f"t_{task.id}"}


def _trigger(world: FlowWorld, asked: Asked, now: int) -> Any:
    return _triggered(world, asked, now)


def _trigger_from_task(world: FlowWorld, asked: Asked, now: int) -> Any:
    return _triggered(world, asked, now, from_task=_number(asked, "taskId"))


def _update_and_trigger(world: FlowWorld, asked: Asked, now: int) -> Any:
    rows = asked.body.get("parameters")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise bad_request("parameters must be a list of key and value")
    return _triggered(world, asked, now, parameters=tuple((str(row.get("key")), str(row.get("value"))) for row in rows))


def _triggered(world: FlowWorld, asked: Asked, now: int, **members: Any) -> Any:
    wish = Trigger(flow_id=_number(asked, "flowId"), trigger_ms=_number(asked, "triggerTime"), **members)
    return {"flowInstanceId": world.trigger(wish, now)}


def _query(asked: Asked, name: str) -> str:
    if not asked.query.get(name):
        raise bad_request(f"{name} is needed")
    return asked.query[name]


def _text(asked: Asked, name: str) -> str:
    value = asked.body.get(name)
    if not isinstance(value, str) or not value:
        raise bad_request(f"{name} is needed")
    return value


def _number(asked: Asked, name: str) -> int:
    value = asked.body.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_request(f"{name} must be a number")
    return value


def _number_in(text: str) -> int:
    if not text.strip().lstrip("-").isdecimal():
        raise bad_request(f"{text[:40]!r} is no number")
    return int(text)


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("flowInstances", "get"): Operation("GET", _get_instance),
    ("flowInstances", "search"): Operation("POST", _search_instances),
    ("flowInstances", "cancel"): Operation("POST", _cancel_instance),
    ("taskInstances", "get"): Operation("GET", _get_task, newer=True),
    ("taskInstances", "getLog"): Operation("GET", _get_log),
    ("flows", "get"): Operation("GET", _get_flow),
    ("flows", "trigger"): Operation("POST", _trigger),
    ("flows", "triggerFromTask"): Operation("POST", _trigger_from_task, newer=True),
    ("flows", "updateAndTrigger"): Operation("POST", _update_and_trigger),
}
"""By resource and action."""


def body_of(text: str) -> Mapping[str, Any]:
    """A body's members; empty without a body. Raises EnosError."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        raise bad_request("the body is not JSON") from None
    if not isinstance(found, dict):
        raise bad_request("the body is not a JSON object")
    return found
