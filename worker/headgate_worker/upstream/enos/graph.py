"""Read the graph of a flow instance, however it is written. Pure; what can't be read is None, never an error.

On the wire it should be a JSON text within the JSON reply. The vendor's pages also print it with its quotes not
escaped, which makes the whole reply no JSON (seed 004); its members change their style from page to page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from headgate import pb
from headgate_worker.upstream.enos.loose import flag, listed, number, plain, real, text
from headgate_worker.upstream.enos.words import alert_mode
from headgate_worker.upstream.http.failures import load_json

MOST_NODES = 10_000
"""Nodes and edges of a graph that are kept, of each kind."""

_OPENING = re.compile(r'"graph"\s*:\s*"(?=\{)')
_SNAKE = re.compile(r"_([a-z0-9])")


def mended(body: str) -> str:
    """A reply whose graphs are not escaped, with them escaped. What is not that defect is left as it is."""
    decoder, pieces, done = json.JSONDecoder(), [], 0
    for opening in _OPENING.finditer(body):
        if opening.start() < done:
            continue
        try:
            _, end = decoder.raw_decode(body, opening.end())
        except (ValueError, RecursionError):
            continue
        if body[end : end + 1] != '"':
            continue
        pieces += [body[done : opening.end() - 1], json.dumps(body[opening.end() : end])]
        done = end + 1
    return "".join([*pieces, body[done:]])


def graph_of(value: object) -> pb.InstanceGraph | None:
    """The graph that the member holds: an object, or the JSON text of one, encoded once or twice."""
    members = _object(value)
    if members is None:
        return None
    row = _camel(members)
    mode = number(row, "alertMode")
    return pb.InstanceGraph(
        creator=text(row, "creator"),
        freq=text(row, "freq"),
        alert_mode=alert_mode(mode),
        alert_mode_raw=mode or 0,
        owners=text(row, "owners"),
        cycle_raw=text(row, "cycle"),
        do_as=text(row, "doAs"),
        flows=[_flow(one) for one in _rows(row, "flows")],
        alert_to=text(row, "alertTo"),
        name=text(row, "name"),
        inst_id=text(row, "instId"),
        id=text(row, "id"),
        relations=[_relation(one) for one in _rows(row, "relations")],
        parameters=plain(row, "parameters"),
        app_id=text(row, "appId"),
        tasks=[_task(one) for one in _rows(row, "tasks")],
    )


def _object(value: object) -> Mapping[str, Any] | None:
    for _ in range(3):  # decoded at most twice
        if isinstance(value, dict):
            return value
        if not isinstance(value, str) or not value:
            return None
        try:
            value = load_json(value)
        except (ValueError, RecursionError):
            return None
    return None


def _camel(members: Mapping[str, Any]) -> dict[str, Any]:
    return {_SNAKE.sub(lambda match: match[1].upper(), name): value for name, value in members.items()}


def _rows(row: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    for one in listed(row, name)[:MOST_NODES]:
        if isinstance(one, dict):
            yield _camel(one)


def _flow(row: Mapping[str, Any]) -> pb.FlowInstanceGraph:
    return pb.FlowInstanceGraph(
        flow_id=text(row, "flowId"),
        flow_name=text(row, "flowName"),
        node_id=text(row, "nodeId"),
        is_virtual=flag(row, "isVirtual"),
        x=real(row, "x"),
        y=real(row, "y"),
        flow_inst_id=text(row, "flowInstId"),
        status=text(row, "status"),
    )


def _task(row: Mapping[str, Any]) -> pb.TaskInstanceGraph:
    return pb.TaskInstanceGraph(
        task_name=text(row, "taskName"),
        task_inst_id=text(row, "taskInstId"),
        x=real(row, "x"),
        y=real(row, "y"),
        task_id=text(row, "taskId"),
        node_id=text(row, "nodeId"),
        status=text(row, "status"),
    )


_FROM = ("from", "fromNodeId", "fromNode", "source", "sourceId", "upstream", "parent")
_TO = ("to", "toNodeId", "toNode", "target", "targetId", "downstream", "child")


def _relation(row: Mapping[str, Any]) -> pb.Relation:
    """An edge. No page shows the members of a Relation, so every likely spelling is taken."""
    return pb.Relation(from_node_id=_first(row, _FROM), to_node_id=_first(row, _TO))


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := text(row, name))), "")
