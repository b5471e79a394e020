"""The outcome of a reply of any shape."""

from __future__ import annotations

from dataclasses import replace

from headgate import pb
from headgate_emulator.app import RunningEmulator
from headgate_worker.core.model import flow_calls
from headgate_worker.core.model.calls import FailureKind
from tests.worker.upstream.enos.conftest import NOW_MS, body, client_of, failure


async def test_a_page_that_should_have_rows_is_never_taken_for_none(emulator: RunningEmulator) -> None:
    emulator.flows.rules = replace(emulator.flows.rules, first_page=0)
    async with client_of(emulator, first_page=1) as client:
        await body(client, flow_calls.TriggerFlow(2809, NOW_MS))
        found = await failure(client, flow_calls.ListFlows(pb.FLOW_INSTANCE_TYPE_MANUAL, NOW_MS, NOW_MS + 1))

    assert (found.kind, found.code) == (FailureKind.TRANSIENT, "malformed_reply")
