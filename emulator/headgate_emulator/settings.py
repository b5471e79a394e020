"""Settings from HEADGATE_EMULATOR_* environment variables; the only reader of the environment."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from headgate_emulator.dataworks.messages import Language
from headgate_emulator.dataworks.quota import Edition
from headgate_emulator.dataworks.rules import AutoStart, Rules
from headgate_emulator.scenario import ClockStart, Scenario

T = TypeVar("T", Rules, ClockStart)

Seconds = Annotated[float, Field(ge=0, le=10_000_000)]


class Settings(BaseSettings):
    """One field for each variable. What is None leaves the scenario's word, or the default, in force.

    keys: access keys as `id:secret`, comma separated. admin_remote: answer admin calls from other machines.
    seed: makes invented ids repeatable. ledger_rows: how many calls are remembered.
    """

    model_config = SettingsConfigDict(
        env_prefix="HEADGATE_EMULATOR_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    listen: Annotated[str, Field(pattern=r"^[^\s]+:\d{1,5}$")] = "127.0.0.1:18080"
    keys: SecretStr = SecretStr("testid:testsecret")
    scenario: str | None = None
    run_seconds: Seconds | None = None
    create_seconds: Seconds | None = None
    stop_seconds: Seconds | None = None
    listing_lag_seconds: Seconds | None = None
    auto_start: AutoStart | None = None
    language: Language | None = None
    edition: Edition | None = None
    time_scale: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    start_ms: Annotated[int, Field(ge=0, lt=2**48)] | None = None
    seed: int | None = None
    ledger_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000
    admin_remote: bool = False

    @field_validator("keys")
    @classmethod
    def _check_keys(cls, keys: SecretStr) -> SecretStr:
        if not all(key and secret for key, _, secret in _pairs(keys)):
            raise ValueError("id:secret pairs, comma separated, are expected")
        return keys

    @property
    def host(self) -> str:
        """The address to listen on."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0 takes a free one."""
        return int(self.listen.rpartition(":")[2])

    def secrets(self) -> Mapping[str, str]:
        """Access key ids and their secrets."""
        return {key: secret for key, _, secret in _pairs(self.keys)}

    def applied_to(self, scenario: Scenario) -> Scenario:
        """`scenario` with every setting that was given put over it."""
        return replace(
            scenario,
            rules=_over(scenario.rules, self._given(Rules)),
            clock=_over(scenario.clock, self._given(ClockStart)),
            edition=self.edition or scenario.edition,
            quota=scenario.quota if self.edition is None else None,
        )

    def _given(self, kind: type[Rules] | type[ClockStart]) -> dict[str, Any]:
        names = kind.__dataclass_fields__
        return {name: value for name, value in self if name in names and value is not None}


def _over(value: T, given: dict[str, Any]) -> T:
    return replace(value, **given)


def _pairs(keys: SecretStr) -> list[tuple[str, str, str]]:
    return [pair.strip().partition(":") for pair in keys.get_secret_value().split(",")]
