"""How long to wait before trying again. Pure: jitter is passed in as a number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a call is tried again. All times in seconds.

    Args:
        max_attempts: tries in all, from 1; 1 means never again.
        first_delay: upper bound of the first wait.
        factor: by what the bound grows with each try.
        longest_delay: where the bound stops growing.
        budget: no new try begins later than this after the first one.
    """

    max_attempts: int = 6
    first_delay: float = 0.1
    factor: float = 2.0
    longest_delay: float = 5.0
    budget: float = 30.0

    def delay(self, failures: int, jitter: float, *, at_least: float = 0.0) -> float:
        """Return the wait after the given number of failures in a row, from 1.

        The wait is anything between half the bound and the bound, so that callers who failed together do not
        come back together. `at_least` is what the server asked for, exceeded by up to a quarter for the same
        reason.
        """
        bound = min(self.longest_delay, self.first_delay * self.factor ** min(failures - 1, 64))
        return max(at_least * (1 + jitter / 4), bound * (1 + jitter) / 2)

    def allows(self, failures: int, elapsed: float, delay: float) -> bool:
        """Return whether one more try fits: `elapsed` seconds after the first one, and `delay` from now."""
        return failures < self.max_attempts and elapsed + delay <= self.budget
