"""Statuses of flow instances, by number and by word."""

from __future__ import annotations

import re
from pathlib import Path

from headgate import pb
from headgate_worker.upstream.enos import statuses

ROOT = Path(__file__).parents[4]


def test_twelve_statuses_by_number_and_by_word() -> None:
    known = set(pb.FlowInstanceStatus.values()) - {pb.FLOW_INSTANCE_STATUS_UNSPECIFIED}

    assert set(statuses.STATUSES.values()) == set(statuses.WORDS.values()) == known
    assert len(statuses.STATUSES) == 12
    assert statuses.status_of(99, "SUCCESS") == pb.FLOW_INSTANCE_STATUS_UNSPECIFIED
    assert statuses.status_of(0, "SUCCESS") == pb.FLOW_INSTANCE_STATUS_INIT
    assert statuses.status_of(None, " internal_error ") == pb.FLOW_INSTANCE_STATUS_INTERNAL_ERROR
    assert statuses.status_of(None, "") == pb.FLOW_INSTANCE_STATUS_UNSPECIFIED


def test_only_the_adapter_the_emulator_and_the_proto_know_status_numbers() -> None:
    """A status word next to a number, in any order, such as `SUCCESS = 1` or `4: "INTERNAL_ERROR"`."""
    words = "|".join(sorted(statuses.WORDS, key=len, reverse=True))
    pattern = re.compile(
        rf"""\b(?:FLOW_INSTANCE_STATUS_)?(?:{words})["']?\s*[:=]\s*-?\d|"""
        rf"""(?<![\w.])-?\d+\s*[:=]\s*["']?(?:pb\.FLOW_INSTANCE_STATUS_)?(?:{words})\b"""
    )
    allowed = ("worker/headgate_worker/upstream/enos/", "emulator/headgate_emulator/enos/")
    found = [
        str(path.relative_to(ROOT))
        for folder in ("worker", "server", "client", "emulator", "protos/headgate")
        for path in (ROOT / folder).rglob("*.py")
        if not str(path.relative_to(ROOT)).startswith(allowed) and not path.stem.endswith(("_pb2", "_pb2_grpc"))
        if pattern.search(path.read_text())
    ]

    assert pattern.search((ROOT / "worker/headgate_worker/upstream/enos/statuses.py").read_text())
    assert not found
