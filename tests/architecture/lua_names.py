"""What a Lua text does with names, by its syntax tree: which are undefined, unused, shadowed or made global."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import Any, Final

from luaparser import ast, astnodes

GLOBALS: Final = {
    "redis", "KEYS", "ARGV", "string", "math", "table", "ipairs", "pairs", "tonumber", "type", "unpack",
}  # fmt: skip
"""What Redis gives a script and these scripts may use."""

BESIDE: Final = {"comments", "_first_token", "_last_token"}
"""Attributes of a node that are no part of the tree."""

UNNAMED: Final = "_"
"""Name of what is not wanted."""


@dataclass
class Scope:
    """The locals of one block, and whether each was read."""

    read: dict[str, bool] = field(default_factory=dict)


class Names:
    """Walks a tree and collects what is wrong with its names."""

    def __init__(self) -> None:
        self.findings: list[str] = []
        self._scopes: list[Scope] = []

    @singledispatchmethod
    def walk(self, node: object) -> None:
        """Look at a node and all below it."""
        for child in _children(node):
            self.walk(child)

    @walk.register
    def _(self, node: astnodes.Name) -> None:
        scope = self._scope_of(node.id)
        if scope is not None:
            scope.read[node.id] = True
        elif node.id not in GLOBALS:
            self.findings.append(f"undefined: {node.id}")

    @walk.register
    def _(self, node: astnodes.Index) -> None:
        self.walk(node.value)
        if node.notation is not astnodes.IndexNotation.DOT:
            self.walk(node.idx)

    @walk.register
    def _(self, node: astnodes.Field) -> None:
        if node.between_brackets:
            self.walk(node.key)
        self.walk(node.value)

    @walk.register
    def _(self, node: astnodes.Block) -> None:
        self._inside(node.body)

    @walk.register
    def _(self, node: astnodes.Repeat) -> None:
        self._inside([*node.body.body, node.test])

    @walk.register
    def _(self, node: astnodes.LocalAssign) -> None:
        self.walk_all(node.values)
        self._declare(node.targets)

    @walk.register
    def _(self, node: astnodes.Assign) -> None:
        self.walk_all(node.values)
        for target in node.targets:
            if not isinstance(target, astnodes.Name):
                self.walk(target)
            elif self._scope_of(target.id) is None:
                self.findings.append(f"global: {target.id}")

    @walk.register
    def _(self, node: astnodes.Function) -> None:
        self.findings.append("global: a function")
        self._function(node)

    @walk.register
    def _(self, node: astnodes.LocalFunction) -> None:
        self._declare([node.name])
        self._function(node)

    @walk.register
    def _(self, node: astnodes.AnonymousFunction) -> None:
        self._function(node)

    @walk.register
    def _(self, node: astnodes.Fornum) -> None:
        self.walk_all([node.start, node.stop, node.step])
        self._inside(node.body.body, [node.target])

    @walk.register
    def _(self, node: astnodes.Forin) -> None:
        self.walk_all(node.iter)
        self._inside(node.body.body, node.targets)

    def walk_all(self, nodes: list[Any]) -> None:
        """Look at several nodes."""
        for node in nodes:
            self.walk(node)

    def _function(self, node: Any) -> None:
        self._inside(node.body.body, [each for each in node.args if isinstance(each, astnodes.Name)])

    def _inside(self, nodes: list[Any], declared: list[astnodes.Name] | None = None) -> None:
        self._scopes.append(Scope())
        self._declare(declared or [])
        self.walk_all(nodes)
        left = self._scopes.pop()
        self.findings += [f"unused: {name}" for name, was_read in left.read.items() if not was_read]

    def _declare(self, targets: list[astnodes.Name]) -> None:
        for target in targets:
            if target.id == UNNAMED:
                continue
            if target.id in GLOBALS or self._scope_of(target.id) is not None:
                self.findings.append(f"shadowed: {target.id}")
            self._scopes[-1].read[target.id] = False

    def _scope_of(self, name: str) -> Scope | None:
        return next((scope for scope in reversed(self._scopes) if name in scope.read), None)


def findings(text: str, *, unused: bool = True) -> list[str]:
    """What is wrong with the names of a text; `unused` says whether top-level functions must be used."""
    names = Names()
    names.walk(ast.parse(text).body)
    return [finding for finding in names.findings if unused or not finding.startswith("unused")]


def _children(node: object) -> Iterator[object]:
    if isinstance(node, list):
        yield from node
    elif isinstance(node, astnodes.Node):
        yield from (value for name, value in vars(node).items() if name not in BESIDE)
