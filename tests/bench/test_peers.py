"""Peers: those that need nothing but our own environment run for real, the others have their versions pinned."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from bench.peers import environments
from bench.rows.peers import PEERS, _measure

OUTSIDE = [name for name in PEERS if name != "lane"]


@pytest.mark.timeout(120)
async def test_our_lane_does_every_job_of_a_peer() -> None:
    found: dict[str, list[float]] = {}
    await _measure("lane", found)

    assert set(found) == {"submits", "start_ms", "jobs"}
    assert all(values[0] > 0 for values in found.values())


@pytest.mark.parametrize("name", OUTSIDE)
def test_versions_of_a_peer_are_pinned(name: str) -> None:
    lines = environments.pins(name).read_text().splitlines()

    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", line) for line in lines)


@pytest.mark.parametrize("name", ["arq", "lane"])
async def test_what_needs_no_environment_gets_ours(name: str) -> None:
    assert (await environments.python_of(name)).samefile(Path(sys.executable))
