"""Remember which signature nonces were used, for as long as a time stamp may be off."""

from headgate_emulator.dataworks.signing import MAX_SKEW_MS

MAX_NONCES = 200_000


class Nonces:
    """Used nonces of the last half hour, 200,000 at most; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def used(self, nonce: str) -> bool:
        """Whether a verified request carried this nonce before."""
        return nonce in self._used

    def use(self, nonce: str, now_ms: int) -> None:
        """Remember a nonce; forget those too old to pass the time stamp check."""
        self._used[nonce] = now_ms
        while self._used:
            oldest = next(iter(self._used))
            if len(self._used) <= MAX_NONCES and self._used[oldest] >= now_ms - 2 * MAX_SKEW_MS:
                return
            del self._used[oldest]
