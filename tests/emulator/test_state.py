"""What a reset builds anew."""

from headgate_emulator.app import RunningEmulator, serve
from headgate_emulator.scenario import scenario_from
from headgate_emulator.settings import Settings
from tests.emulator.conftest import Admin, Rpc


async def test_a_reset_forgets_everything(admin: Admin, rpc: Rpc, emulator: RunningEmulator) -> None:
    await rpc("GetWorkflowInstance", query=True, Id=1)
    await admin("POST", "/_admin/faults", {"faults": [{"kind": "lost_reply"}]})
    await admin("POST", "/_admin/quota", {"edition": "basic"})

    await admin("POST", "/_admin/reset")

    assert (len(emulator.ledger), emulator.faults.rows(), emulator.state.quota.limits.total_qps) == (0, [], None)


async def test_a_reset_can_take_another_scenario(admin: Admin, emulator: RunningEmulator) -> None:
    named = await admin("POST", "/_admin/reset", {"name": "parent-fails"})
    assert (named.body["title"], len(emulator.faults.rows())) == ("the parent fails", 1)

    await admin("POST", "/_admin/reset", {"scenario": {"rules": {"run_seconds": 99}}})
    assert (emulator.world.rules.run_seconds, emulator.faults.rows()) == (99.0, [])


async def test_a_scenario_may_begin_with_instances_of_the_scheduler() -> None:
    order = {"project_id": 257880, "name": "nightly", "biz_date": "2025-02-05", "tasks": [7]}
    async with serve(Settings(listen="127.0.0.1:0"), scenario=scenario_from({"scheduled": [order]})) as emulator:
        (one,) = emulator.world.instances
        emulator.state.reset()

        assert (one.type, one.status, one.tasks[0].spec.id) == ("Normal", "Running", 7)
        assert len(emulator.world.instances) == 1
