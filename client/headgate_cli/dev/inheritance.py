"""Which HEADGATE_* variables of a shell reach which process of `headgate dev`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_EMULATOR: Final = "HEADGATE_EMULATOR_"
_RUN_SECONDS: Final = "HEADGATE_EMULATOR_RUN_SECONDS"
_SCENARIO: Final = "HEADGATE_EMULATOR_SCENARIO"
_CLIENT: Final = frozenset({"HEADGATE_TARGET", "HEADGATE_TOKEN", "HEADGATE_TOKEN_FILE", "HEADGATE_TLS"})
"""What only commands read that call a server."""

SET_BY_DEV: Final[Mapping[str, str]] = {
    "HEADGATE_REDIS_URL": "--redis-url",
    "HEADGATE_LISTEN": "--listen",
    "HEADGATE_OPS_LISTEN": "--ops-listen",
    "HEADGATE_DATAWORKS_ENDPOINT": "",
    "HEADGATE_DATAWORKS_REGION": "",
    "HEADGATE_EMULATOR_LISTEN": "--emulator-listen",
}
"""What `headgate dev` sets itself, since its processes have to find each other, and the flag for it, if any."""


@dataclass(frozen=True, slots=True)
class Inheritance:
    """Variables by the processes that they belong to.

    Args:
        processes: for the server and the workers.
        emulator: for the emulator.
        left_out: those that are not handed on, since `headgate dev` sets them itself.
    """

    processes: Mapping[str, str]
    emulator: Mapping[str, str]
    left_out: tuple[str, ...]


NOTHING: Final = Inheritance({}, {}, ())


def inherited(environ: Mapping[str, str]) -> Inheritance:
    """Divide the HEADGATE_* variables of an environment."""
    ours = {name: value for name, value in environ.items() if name.startswith("HEADGATE_") and name not in _CLIENT}
    handed_on = {name: value for name, value in ours.items() if name not in SET_BY_DEV}
    emulator = {name: value for name, value in handed_on.items() if name.startswith(_EMULATOR)}
    processes = {name: value for name, value in handed_on.items() if name not in emulator}
    return Inheritance(processes, emulator, tuple(sorted(ours.keys() & SET_BY_DEV)))


def remarks(found: Inheritance) -> list[str]:
    """Lines about variables that are left out or handed on."""
    flags = {name: f"; use {flag}" if (flag := SET_BY_DEV[name]) else "" for name in found.left_out}
    told = [f"{name} is left out, since headgate dev sets it itself{flags[name]}" for name in found.left_out]
    names = sorted({**found.processes, **found.emulator})
    return told + ([f"handed on: {', '.join(names)}"] if names else [])


def emulated(run_seconds: float | None, scenario: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The emulator's variables by the flags; dates run 5 s unless a flag, variable or scenario says else."""
    given = {_SCENARIO: scenario} if scenario else {}
    if run_seconds is not None:
        return {**given, _RUN_SECONDS: str(run_seconds)}
    if scenario or environ.get(_RUN_SECONDS) or environ.get(_SCENARIO):
        return given
    return {_RUN_SECONDS: "5"}
