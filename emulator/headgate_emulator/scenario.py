"""A scenario: how the emulator behaves from the start, read from TOML or JSON.

Sections, all optional: `title`, `[clock]`, `[ids]`, `[rules]`, `[quota]`, `[enos]`, `[[tasks]]`, `[[faults]]`,
`[[scheduled]]`. Unknown names are refused, so that a misspelt fault cannot pass for a switched-on one.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from headgate_emulator.dataworks.ids import FIRST_INSTANCE_ID, INSTANCE_ID_STRIDE
from headgate_emulator.dataworks.instances import Scheduled, TaskSpec
from headgate_emulator.dataworks.quota import EDITIONS, Edition, Limits
from headgate_emulator.dataworks.rules import Rules
from headgate_emulator.enos.rules import FlowRules
from headgate_emulator.faults import Fault

_STRICT = ConfigDict(extra="forbid")


class BadScenario(Exception):
    """A scenario cannot be read; the message names the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStart:
    """When virtual time begins (epoch ms, now if absent) and how fast it passes (0 stands still)."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    start_ms: Annotated[int, Field(ge=0, lt=2**48)] | None = None
    time_scale: Annotated[float, Field(ge=0, le=1_000_000)] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IdStart:
    """Which ids come first: a counter with its stride, and exact ids to be used before it."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    first_instance_id: Annotated[int, Field(ge=1, lt=2**63)] = FIRST_INSTANCE_ID
    stride: Annotated[int, Field(ge=1, le=1_000_000)] = INSTANCE_ID_STRIDE
    instance_ids: tuple[int, ...] = ()
    operation_ids: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that an emulator starts with. `edition` names a quota preset; `quota` wins over it."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    title: str = ""
    clock: ClockStart = field(default_factory=ClockStart)
    ids: IdStart = field(default_factory=IdStart)
    rules: Rules = field(default_factory=Rules)
    enos: FlowRules = field(default_factory=FlowRules)
    edition: Edition = "unlimited"
    quota: Limits | None = None
    tasks: tuple[TaskSpec, ...] = ()
    faults: tuple[Fault, ...] = ()
    scheduled: tuple[Scheduled, ...] = ()

    @property
    def limits(self) -> Limits:
        """The quota that applies."""
        return EDITIONS[self.edition] if self.quota is None else self.quota


_SCENARIO = TypeAdapter(Scenario)


def scenario_from(content: Mapping[str, Any]) -> Scenario:
    """Check decoded TOML or JSON. Raises BadScenario naming every wrong place."""
    try:
        return _SCENARIO.validate_python(content)
    except ValidationError as error:
        raise BadScenario(complaints(error)) from error


def load(name: str) -> Scenario:
    """Read a scenario file, or a shipped scenario by its name without `.toml`. Raises BadScenario."""
    try:
        content = tomllib.loads(_text(name))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadScenario(f"scenario {name}: {error}") from error
    return scenario_from(content)


def shipped() -> tuple[str, ...]:
    """The names of the scenarios that come with the package."""
    files = resources.files("headgate_emulator").joinpath("scenarios").iterdir()
    return tuple(sorted(one.name.removesuffix(".toml") for one in files if one.name.endswith(".toml")))


def complaints(error: ValidationError) -> str:
    """Every complaint on one line: place, then reason; never the value."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)


def _text(name: str) -> str:
    if name in shipped():
        return resources.files("headgate_emulator").joinpath("scenarios", f"{name}.toml").read_text("utf-8")
    return Path(name).read_text("utf-8")
