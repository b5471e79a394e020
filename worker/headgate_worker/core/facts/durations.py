"""How long a run is likely to take, from earlier dates of the same job: from when on reading it often pays.

What runs tomorrow takes about as long as what ran today, but not always. So the answer is windows and no number: wide
where earlier dates differ, narrow where they agree, and two where there are two kinds, such as weekends. Being wrong
costs reads or delay, never correctness.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest
from typing import Final

from headgate import pb
from headgate_worker.core.model.view import View

RECENT: Final = 8
"""How many dates are looked back on, those that ended last; older ones say less of the data of today."""

LONE_MARGIN: Final = 0.2
"""Share of its duration by which a single earlier date may be wrong either way."""

LEAST_MARGIN: Final = 0.05
"""The same for dates that agree."""


OTHER_KIND: Final = 2
"""A date that took so many times as long as the next shorter one may be of another kind."""

KINDS: Final = 2
"""Most kinds of date that are kept apart; with more, all count as one kind of widely varying duration."""

LEAST_OF_KIND: Final = 2
"""Dates that make a kind: a single one may be an accident."""

ALIKE: Final = 1.5
"""The longest of a kind takes at most so many times as long as its shortest."""


@dataclass(frozen=True, slots=True)
class Window:
    """When a run may well end, in ms since its start.

    Args:
        soonest_ms: hardly before this.
        typical_ms: the middle of the earlier ones.
        latest_ms: hardly after this.
    """

    soonest_ms: int
    typical_ms: int
    latest_ms: int


def expectation(view: View) -> tuple[Window, ...]:
    """When a run of the job may well end, in ascending order; empty before the first one has succeeded."""
    return from_durations(durations(view.runs))


def typical_ms(view: View) -> int:
    """The middle of how long the last dates took; 0 before the first one has succeeded."""
    took = sorted(durations(view.runs))
    return took[len(took) // 2] if took else 0


def durations(runs: Iterable[pb.InstanceRun]) -> list[int]:
    """How long the last dates took that ran to their end, in ms, the latest first; at most RECENT."""
    return [took for _, took in nlargest(RECENT, _succeeded(runs))]


def from_durations(durations: list[int]) -> tuple[Window, ...]:
    """The windows that earlier durations in ms stand for."""
    took = sorted(durations)
    kinds = _kinds(took)
    clear = len(kinds) <= KINDS and all(map(_is_kind, kinds))
    return tuple(_window(kind) for kind in (kinds if clear else [took]) if kind)


def _is_kind(took: list[int]) -> bool:
    return len(took) >= LEAST_OF_KIND and took[-1] <= took[0] * ALIKE


def _kinds(took: list[int]) -> list[list[int]]:
    kinds: list[list[int]] = []
    for one in took:
        if not kinds or one >= kinds[-1][-1] * OTHER_KIND:
            kinds.append([])
        kinds[-1].append(one)
    return kinds


def _window(took: list[int]) -> Window:
    """Of n draws, the next one lies outside of their range by about the distance between two neighbours, if at all."""
    typical, n = took[len(took) // 2], len(took)
    margin = typical * LONE_MARGIN if n == 1 else max(typical * LEAST_MARGIN, (took[-1] - took[0]) / (n - 1))
    return Window(max(0, int(took[0] - margin)), typical, int(took[-1] + margin))


def _succeeded(runs: Iterable[pb.InstanceRun]) -> list[tuple[int, int]]:
    """End and duration of each date that ran to its end; one that failed may have failed at once."""
    ended = [run for run in runs if run.state == pb.RUN_STATE_SUCCEEDED]
    timed = [run for run in ended if run.HasField("started_time") and run.HasField("finished_time")]
    times = [(run.finished_time.ToMilliseconds(), run.started_time.ToMilliseconds()) for run in timed]
    return [(end, end - begin) for end, begin in times if end > begin]
