"""Whether a series of samples grows: decided on its second half, when whatever had to warm up has. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.chaos.results import Check

Sample = tuple[float, float]
"""Seconds since the start, and what was seen."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a series may rise over its second half before it counts as growing.

    Args:
        absolute: so much always, in the unit of the series.
        share: and so much of its level, 0 to 1.
    """

    absolute: float
    share: float

    def of(self, level: float) -> float:
        """The rise that is still none."""
        return self.absolute + self.share * level


@dataclass(frozen=True, slots=True)
class Trend:
    """What became of one series.

    Args:
        first: level at the start of the second half, by its trend.
        last: level at the end.
        peak: the highest sample of all.
        seconds: length of the second half.
    """

    first: float
    last: float
    peak: float
    seconds: float

    @property
    def rise(self) -> float:
        """What it gained over the second half; negative when it fell."""
        return self.last - self.first

    @property
    def per_hour(self) -> float:
        """The rise as it would be in an hour."""
        return self.rise * 3600 / self.seconds if self.seconds else 0.0


def second_half(samples: Sequence[Sample]) -> list[Sample]:
    """The samples of the later half of the time."""
    middle = (samples[0][0] + samples[-1][0]) / 2
    return [sample for sample in samples if sample[0] >= middle]


def trend(samples: Sequence[Sample]) -> Trend:
    """The trend of a series of two samples or more: the median of all slopes, which single peaks don't move."""
    half = second_half(samples)
    slope = _slope(half)
    level = median(value - slope * at for at, value in half)
    ends = half[0][0], half[-1][0]
    return Trend(level + slope * ends[0], level + slope * ends[1], max(v for _, v in samples), ends[1] - ends[0])


def _slope(samples: Sequence[Sample]) -> float:
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for number, earlier in enumerate(samples)
        for later in samples[number + 1 :]
        if later[0] > earlier[0]
    ]
    return median(slopes) if slopes else 0.0


def check(what: str, found: Trend, bound: Bound) -> Check:
    """Whether a series stayed within its bound."""
    allowed = bound.of(found.first)
    wanted = f"rises by <= {allowed:.3g} in the second half"
    return Check(what, wanted, round(found.rise, 3), found.rise <= allowed)
