"""The token service of a gateway: its answers, its refusals and its proofs."""

from __future__ import annotations

from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import ErrorReply
from headgate_worker.core.model import flow_calls
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.upstream.enos.client import Enos
from tests.worker.upstream.enos.conftest import GET, NOW_MS, body, client_of, failure


async def test_a_token_service_that_fails_is_transient_and_one_that_refuses_is_not(emulator: RunningEmulator) -> None:
    async with client_of(emulator) as client:
        emulator.faults.add([ErrorReply(action="token.get", code="1005", status=200)])
        found = await failure(client, flow_calls.TriggerFlow(2809, NOW_MS))
    assert (found.kind, found.code) == (FailureKind.TRANSIENT, "credentials_unavailable")

    async with client_of(emulator, app_secret="wrong") as client:
        found = await failure(client, GET)
    assert found.kind is FailureKind.DENIED
    assert "wrong" not in found.message


async def test_a_proof_that_was_used_before_is_made_anew(emulator: RunningEmulator) -> None:
    def stopped() -> float:
        return emulator.clock.wall_ms() // 60_000 * 60

    clients = [Enos(client_of(emulator)._settings, clock=stopped) for _ in range(2)]
    for client in clients:
        async with client:
            await body(client, GET)

    assert [row.code for row in emulator.ledger if row.action == "token.get"] == ["", "1001", ""]
