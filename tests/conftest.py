"""What all tests share: how Hypothesis runs, and in what order the processes of a parallel run take tests."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests.scheduling import CaseScheduling

# How long an example takes says how busy the machine is, not whether the code is right: neither the time of one
# example nor the speed at which they are made may fail a test. How many are tried, and what of, stays as it is.
settings.register_profile("headgate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("headgate")

# Some hundred Python processes start in a run: compiled modules are kept, or each of them compiles the sources anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

SPARE_PROCESSES = 1
"""Processes besides one per core: many cases wait, and with more of them those that are timed miss their times."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` starts."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + SPARE_PROCESSES


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> CaseScheduling:
    """Who deals the cases out."""
    return CaseScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take slow tests first in a parallel run: one that began last would keep a single core busy after all others."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)
