"""The point of a tick at which a process ends itself, and what a setting may say of it."""

import signal
import subprocess
import sys

import pytest

from headgate_worker.ticks.fault_injection import crash_point
from headgate_worker.ticks.tick import POINTS, no_checkpoint

PROGRAM = """
from headgate_worker.ticks.fault_injection import crash_point
reached = crash_point({setting!r})
for name in {reached!r}:
    reached(name)
    print(name, flush=True)
"""


def test_without_a_setting_no_point_is_one() -> None:
    assert crash_point("") is no_checkpoint


@pytest.mark.parametrize("setting", ["nowhere", "nowhere:1", "committed:0", "committed:-1", "committed:soon", ":1"])
def test_a_setting_that_names_no_point_is_refused(setting: str) -> None:
    with pytest.raises(ValueError):
        crash_point(setting)


@pytest.mark.parametrize("point", POINTS)
def test_every_point_of_a_tick_can_be_named(point: str) -> None:
    crash_point(f"{point}:2")(point)  # once is not twice


@pytest.mark.parametrize(
    ("setting", "reached", "said"),
    [
        ("committed", ["taken", "committed"], ["taken"]),
        ("committed:2", ["committed", "taken", "committed", "committed"], ["committed", "taken"]),
        ("answered", ["taken", "committed"], ["taken", "committed"]),
    ],
)
def test_the_process_ends_when_the_point_is_reached_for_the_nth_time(
    setting: str, reached: list[str], said: list[str]
) -> None:
    command = [sys.executable, "-c", PROGRAM.format(setting=setting, reached=reached)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    assert done.stdout.split() == said
    assert done.returncode == (0 if said == reached else -signal.SIGKILL)
