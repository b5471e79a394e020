"""Draw the runs of a job over time, from its event log alone. Pure: events in, lanes out; lanes in, text out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from headgate import pb
from headgate.job.lifecycle import RUN_TERMINAL

_PHASES: Mapping[int, tuple[str, str]] = {
    pb.RUN_STATE_PLANNED: ("·", "dim"),
    pb.RUN_STATE_CREATING: ("·", "dim"),
    pb.RUN_STATE_CREATED: ("·", "blue"),
    pb.RUN_STATE_BLOCKED: ("░", "yellow"),
    pb.RUN_STATE_STARTING: ("▒", "cyan"),
    pb.RUN_STATE_RUNNING: ("█", "cyan"),
}
_ENDINGS: Mapping[int, tuple[str, str]] = {
    pb.RUN_STATE_SUCCEEDED: ("█", "green"),
    pb.RUN_STATE_FAILED: ("█", "red"),
    pb.RUN_STATE_STOPPED: ("█", "yellow"),
    pb.RUN_STATE_SKIPPED: ("·", "dim"),
    pb.RUN_STATE_UNRESOLVED: ("?", "red"),
}
_WORKING = frozenset({pb.RUN_STATE_STARTING, pb.RUN_STATE_RUNNING})


@dataclass(frozen=True, slots=True)
class Span:
    """A run was in a state from `start` (seconds since 1970) to the next span's start, or until now."""

    state: int
    start: float


@dataclass(frozen=True, slots=True)
class RunLane:
    """One run: its last row, and where it stood when."""

    run: pb.InstanceRun
    spans: tuple[Span, ...] = ()

    @property
    def is_ended(self) -> bool:
        """Whether the job expects nothing more of the run."""
        return self.run.state in RUN_TERMINAL


@dataclass(frozen=True, slots=True)
class Timeline:
    """All runs of a job, by index, and the times between which they are drawn, in seconds since 1970."""

    lanes: Mapping[int, RunLane] = field(default_factory=dict)
    begin: float = 0.0
    last: float = 0.0


def after_snapshot(job: pb.Job) -> Timeline:
    """Return what is known of a job whose events were not seen."""
    now = _seconds(job.update_time)
    begin = _seconds(job.create_time) or now
    return Timeline({run.index: RunLane(run, _guessed(run, begin, now)) for run in job.runs}, begin, now)


def after_event(before: Timeline, event: pb.JobEvent) -> Timeline:
    """Return the timeline after one more event."""
    now = _seconds(event.event_time)
    rows: Iterable[pb.InstanceRun] = event.job.runs if event.type == pb.EVENT_TYPE_ACCEPTED else event.runs
    lanes = dict(before.lanes)
    for run in rows:
        lanes[run.index] = _moved(lanes.get(run.index), run, now)
    return replace(before, lanes=lanes, begin=before.begin or now, last=max(before.last, now))


def bar(lane: RunLane, begin: float, now: float, width: int) -> Text:
    """Draw a lane as `width` cells from `begin` to `now`; what never happened is blank."""
    cell = max(now - begin, 1e-9) / width
    text = Text()
    for index in range(width):
        text.append(*_cell(lane, begin + (index + 0.5) * cell))
    return text


def worked(lane: RunLane, now: float) -> float:
    """Return how many seconds the run has been starting or running, all attempts together."""
    ends = [*(span.start for span in lane.spans[1:]), now]
    return sum(end - span.start for span, end in zip(lane.spans, ends, strict=True) if span.state in _WORKING)


def _cell(lane: RunLane, moment: float) -> tuple[str, str]:
    reached = [span for span in lane.spans if span.start <= moment]
    if not reached or reached[-1].state in RUN_TERMINAL:
        return " ", ""
    glyph, style = _PHASES.get(reached[-1].state, ("?", ""))
    ending = next((span for span in lane.spans[len(reached) :] if span.state in RUN_TERMINAL), None)
    if ending is not None and reached[-1].state in _WORKING:
        return _ENDINGS.get(ending.state, (glyph, style))
    return glyph, style


def _moved(lane: RunLane | None, run: pb.InstanceRun, now: float) -> RunLane:
    spans = lane.spans if lane else ()
    if not spans or spans[-1].state != run.state:
        spans = (*spans, Span(run.state, now))
    return RunLane(run, spans)


def _guessed(run: pb.InstanceRun, begin: float, now: float) -> tuple[Span, ...]:
    started, finished = _seconds(run.started_time), _seconds(run.finished_time)
    spans = [Span(pb.RUN_STATE_PLANNED, begin)]
    if started:
        spans.append(Span(pb.RUN_STATE_RUNNING, max(started, begin)))
    if run.state != spans[-1].state:
        spans.append(Span(run.state, max(finished, spans[-1].start) if finished else now))
    return tuple(spans)


def _seconds(moment: Timestamp) -> float:
    return moment.ToNanoseconds() / 1e9


def ordered(timeline: Timeline) -> Sequence[RunLane]:
    """Return the lanes in the order of their index."""
    return [timeline.lanes[index] for index in sorted(timeline.lanes)]
