"""Dates that plans have looked up, in Redis, for the plans of the next minutes of any worker. Adapter.

A survey is a hash with a field per date. Losing it costs reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headgate.store import keys, reserve
from headgate.store.reserve import PutFieldsArguments, PutFieldsKeys
from headgate_redis.row_errors import is_damage
from headgate_worker.core.model.kept_survey import KeptDate, decode_date, encode_date

LIFE_MS: Final = 3600 * 1000
"""How long a survey is kept after its last date was looked up: as long as a plan may want to use it."""


class KeptSurveys:
    """What plans have found.

    Args:
        redis: a client that does not decode replies.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._put_fields: Any = redis.register_script(reserve.PUT_FIELDS_SCRIPT)

    async def of(self, survey: str, days: Sequence[str]) -> Mapping[str, KeptDate]:
        """What is kept of dates, "yyyymmdd" each, of a survey; dates without a record are left out."""
        if not days:
            return {}
        try:
            found = await self._redis.hmget(keys.survey(survey), days)
        except ResponseError as error:
            if not is_damage(error):
                raise
            return {}
        kept = {day: decode_date(raw) for day, raw in zip(days, found, strict=True)}
        return {day: one for day, one in kept.items() if one is not None}

    async def keep(self, survey: str, found: Mapping[str, KeptDate]) -> None:
        """Keep what was found of dates, "yyyymmdd" each."""
        if found:
            fields = [part for day, one in found.items() for part in (day, encode_date(one))]
            await self._put_fields(
                keys=PutFieldsKeys(keys.survey(survey)), args=[*PutFieldsArguments(LIFE_MS), *fields]
            )
