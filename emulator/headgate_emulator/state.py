"""Everything that one running emulator owns, built from its settings and scenario, and rebuilt on reset."""

from random import Random

from headgate_emulator.clock import Clock, WallClock, system_wall_ms
from headgate_emulator.dataworks.ids import IdSource
from headgate_emulator.dataworks.nonces import Nonces
from headgate_emulator.dataworks.quota import QuotaMeter
from headgate_emulator.dataworks.world import World
from headgate_emulator.enos.seeds import seed_instances
from headgate_emulator.enos.tokens import TokenDesk
from headgate_emulator.enos.world import FlowWorld
from headgate_emulator.fault_book import FaultBook
from headgate_emulator.ledger import Ledger
from headgate_emulator.scenario import Scenario
from headgate_emulator.settings import Settings


class EmulatorState:
    """The parts, by name. `reset` replaces them all, so none may be kept across requests."""

    clock: Clock
    ids: IdSource
    faults: FaultBook
    quota: QuotaMeter
    nonces: Nonces
    ledger: Ledger
    world: World
    flows: FlowWorld
    tokens: TokenDesk

    def __init__(self, settings: Settings, scenario: Scenario, wall: WallClock = system_wall_ms) -> None:
        self.settings = settings
        self._wall = wall
        self.scenario = settings.applied_to(scenario)
        self.reset()

    def reset(self, scenario: Scenario | None = None) -> None:
        """Forget everything that happened; begin again with `scenario`, or with the one begun with."""
        if scenario is not None:
            self.scenario = self.settings.applied_to(scenario)
        begin = self.scenario
        self.clock = Clock(self._wall, start_ms=begin.clock.start_ms, scale=begin.clock.time_scale)
        self.ids = _ids(begin, self.settings.seed)
        self.faults = FaultBook(begin.faults)
        self.quota = QuotaMeter(begin.limits)
        self.nonces = Nonces()
        self.ledger = Ledger(self.settings.ledger_rows)
        catalogue = {task.id: task for task in begin.tasks}
        self.world = World(begin.rules, self.faults, self.ids, catalogue)
        for order in begin.scheduled:
            self.world.schedule(order, self.clock.now_ms())
        self.flows = FlowWorld(begin.enos, self.faults, seed_instances())
        self.tokens = TokenDesk(self.settings.secrets())

    def advance(self, seconds: float) -> None:
        """Jump forward by `seconds` of virtual time and let happen what was due."""
        self.clock.advance(seconds)
        self.world.advance(self.clock.now_ms())
        self.flows.advance(self.clock.now_ms())


def _ids(scenario: Scenario, seed: int | None) -> IdSource:
    start = scenario.ids
    ids = IdSource(
        Random(seed),  # noqa: S311 - ids need to be repeatable, not secret
        first_instance_id=start.first_instance_id,
        stride=start.stride,
    )
    ids.preset(instance_ids=start.instance_ids, operation_ids=start.operation_ids, request_ids=start.request_ids)
    return ids
