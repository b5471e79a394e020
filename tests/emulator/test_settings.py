"""Settings of the emulator: the environment over the scenario."""

import pytest
from pydantic import ValidationError

from headgate_emulator.dataworks.quota import EDITIONS, Limits
from headgate_emulator.dataworks.rules import Rules
from headgate_emulator.scenario import Scenario
from headgate_emulator.settings import Settings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_EMULATOR_LISTEN", "[::1]:9")
    monkeypatch.setenv("HEADGATE_EMULATOR_KEYS", "a:b, c:d:e")
    monkeypatch.setenv("HEADGATE_EMULATOR_RUN_SECONDS", "3")

    settings = Settings()

    assert (settings.host, settings.port) == ("::1", 9)
    assert settings.secrets() == {"a": "b", "c": "d:e"}
    assert settings.run_seconds == 3.0


@pytest.mark.parametrize("given", [{"keys": "hunter2"}, {"keys": "a:"}, {"listen": "here"}, {"run_seconds": -1}])
def test_a_wrong_setting_is_refused_and_no_secret_is_shown(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**given)  # type: ignore[arg-type]

    assert "hunter2" not in str(caught.value)
    assert "testsecret" not in repr(Settings())


def test_a_setting_wins_over_the_scenario_and_silence_does_not() -> None:
    scenario = Scenario(rules=Rules(run_seconds=7, stop_seconds=8), quota=Limits(read_qps=1))

    changed = Settings(run_seconds=3, time_scale=2, edition="basic").applied_to(scenario)
    same = Settings().applied_to(scenario)

    assert (changed.rules.run_seconds, changed.rules.stop_seconds, changed.clock.time_scale) == (3, 8, 2)
    assert changed.limits == EDITIONS["basic"]
    assert same == scenario
