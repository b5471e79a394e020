"""How much this account may call: rates by class, and a daily budget.

Upstream counts per account, RAM users included, and per region; the emulator is one account in one region.
Rates are counted in whole seconds, the budget in days of UTC+8. Figures: public usage page, 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from headgate_emulator.dataworks.dates import business_date
from headgate_emulator.dataworks.errors import ApiError

Limit = Annotated[int, Field(ge=0, le=1_000_000)]
Edition = Literal["unlimited", "basic", "standard", "professional", "enterprise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The allowance; None is no limit, 0 refuses every call.

    `status` is 429 as DataWorks documents, or 400 as other products of the gateway answer. `retry_after_ms`
    goes out as x-acs-retry-after with a refused rate; no DataWorks page promises that header.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    read_qps: Limit | None = None
    write_qps: Limit | None = None
    total_qps: Limit | None = None
    daily_calls: Limit | None = None
    status: Literal[429, 400] = 429
    retry_after_ms: Annotated[int, Field(ge=0, le=600_000)] | None = None


EDITIONS: Mapping[Edition, Limits] = {
    "unlimited": Limits(),
    "basic": Limits(total_qps=5, daily_calls=100),
    "standard": Limits(total_qps=5),
    "professional": Limits(total_qps=5),
    "enterprise": Limits(read_qps=50, write_qps=20),
}


class QuotaMeter:
    """Counts calls against the limits, which may be replaced at any time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._second = -1
        self._in_second = {"read": 0, "write": 0}
        self._day: object = None
        self._in_day = 0

    def admit(self, *, writes: bool, paced_ms: int, now_ms: int) -> None:
        """Count one call. Raises ApiError, counting nothing: Throttling.User or Throttling.Api.Risk."""
        self._turn(paced_ms, now_ms)
        kind = "write" if writes else "read"
        own = self.limits.write_qps if writes else self.limits.read_qps
        if _full(self._in_second[kind], own) or _full(sum(self._in_second.values()), self.limits.total_qps):
            raise self._refusal("Throttling.User", "Request was denied due to user flow control.")
        if _full(self._in_day, self.limits.daily_calls):
            raise self._refusal("Throttling.Api.Risk", "The daily number of calls has been used up.", final=True)
        self._in_second[kind] += 1
        self._in_day += 1

    def _turn(self, paced_ms: int, now_ms: int) -> None:
        if paced_ms // 1000 != self._second:
            self._second = paced_ms // 1000
            self._in_second = {"read": 0, "write": 0}
        if business_date(now_ms) != self._day:
            self._day, self._in_day = business_date(now_ms), 0

    def _refusal(self, code: str, message: str, *, final: bool = False) -> ApiError:
        wait = None if final else self.limits.retry_after_ms
        return ApiError(code, self.limits.status, message, retry_after_ms=wait)


def _full(count: int, limit: int | None) -> bool:
    return limit is not None and count >= limit
