"""One run of an instance: a plan made when it starts, and how far it has come.

Pure values. Times are epoch milliseconds of the emulator's clock; the plan's lengths are milliseconds too.
"""

from dataclasses import dataclass, replace

from headgate_emulator.dataworks.statuses import TERMINAL, IllegalMove, Status, check_move


@dataclass(frozen=True, slots=True)
class Failure:
    """Which task fails and what its log says."""

    task_name: str
    log: str


@dataclass(frozen=True, slots=True)
class Phase:
    """A status on the way to the end, and for how long (ms, 0 or more)."""

    status: Status
    millis: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The way a run will go: its phases in order (Running among them) and its end.

    `dry_run` says that tasks execute nothing: the one named `dry_task`, or all of them.
    """

    phases: tuple[Phase, ...]
    failure: Failure | None = None
    dry_run: bool = False
    dry_task: str | None = None

    @property
    def outcome(self) -> Status:
        """The status after the last phase."""
        return Status.FAILURE if self.failure else Status.SUCCESS

    def runs_dry(self, task_name: str) -> bool:
        """Whether the task of this name executes nothing."""
        return self.dry_run and self.dry_task in (None, task_name)

    @property
    def running_ms(self) -> int:
        """How long the plan stays in Running."""
        return sum(phase.millis for phase in self.phases if phase.status is Status.RUNNING)


@dataclass(frozen=True, slots=True)
class Run:
    """How far one run has come.

    `step` grows with every change, so that an alarm set for an earlier step is recognised as stale.
    `number` counts the runs of an instance from 1. Tasks before the one of index `first` have not run again: they stand
    as in the run before. `granted` are indexes of tasks that failed and were set to success.
    """

    number: int = 1
    step: int = 0
    status: Status = Status.NOT_RUN
    plan: Plan | None = None
    phase: int = -1
    entered_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    stop_asked: bool = False
    first: int = 0
    granted: frozenset[int] = frozenset()

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.status in TERMINAL

    @property
    def due_at(self) -> int | None:
        """When the current phase ends; None before the start and after the end."""
        if self.plan is None or self.entered_at is None or self.over:
            return None
        return self.entered_at + self.plan.phases[self.phase].millis


def begin(run: Run, plan: Plan, at: int) -> Run:
    """Start a run that is NotRun; it enters the plan's first phase."""
    return _enter(replace(run, plan=plan, phase=-1), at)


def proceed(run: Run, at: int) -> Run:
    """End the current phase: enter the next one, or end the run."""
    plan = _plan(run)
    if run.phase + 1 < len(plan.phases):
        return _enter(run, at)
    return end(run, plan.outcome, at)


def end(run: Run, outcome: Status, at: int) -> Run:
    """End a run with `outcome`, planned or not."""
    check_move(run.status, outcome)
    return replace(run, status=outcome, step=run.step + 1, entered_at=at, finished_at=at)


def ask_stop(run: Run, *, freeze: bool) -> Run:
    """Note that a stop was asked for; frozen, the run never moves again by itself."""
    return replace(run, stop_asked=True, step=run.step + (1 if freeze else 0))


def again(run: Run, *, first: int = 0) -> Run:
    """The run that follows `run` after a rerun from its task of index `first` on, not begun."""
    return Run(number=run.number + 1, first=first)


def grant(run: Run, index: int) -> Run:
    """Set a failed task of an ended run to success."""
    return replace(run, granted=run.granted | {index})


def redeem(run: Run, at: int) -> Run:
    """End a failed run in Success after all, once its last task was set to success."""
    return replace(run, status=Status.SUCCESS, step=run.step + 1, entered_at=at)


def _enter(run: Run, at: int) -> Run:
    status = _plan(run).phases[run.phase + 1].status
    check_move(run.status, status)
    started = at if status is Status.RUNNING else run.started_at
    return replace(run, status=status, phase=run.phase + 1, step=run.step + 1, entered_at=at, started_at=started)


def _plan(run: Run) -> Plan:
    if run.plan is None:
        raise IllegalMove("a run without a plan does not move")
    return run.plan
