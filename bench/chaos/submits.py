"""Submits as a load, each recorded with its outcome for the caller: acknowledged, refused, or unknown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import grpc

from headgate import pb
from headgate_client import Client, HeadgateError, date_range

_DEFINITE = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""Codes that promise that nothing was recorded."""

Request = pb.CreateBackfillRequest | pb.ExecuteAdhocWorkflowInstanceRequest
MakeRequest = Callable[[int], Request]


class SubmitOutcome(Enum):
    """What a submit's caller knows."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Ack:
    """One submit. Times are of the loop's clock.

    Args:
        told: the outcome for its caller.
        code: gRPC status code.
        reason: the server's word; empty when no server answered.
        retry_after: the delay of RetryInfo, in seconds; None when there was none.
    """

    job_id: str
    began: float
    ended: float
    told: SubmitOutcome
    code: str
    reason: str = ""
    retry_after: float | None = None

    @property
    def seconds(self) -> float:
        """How long the caller waited."""
        return self.ended - self.began


class Acks:
    """Sends submits and keeps what came of them. A job's id, its request_id and its upstream name are all one word."""

    def __init__(self) -> None:
        self.all: list[Ack] = []

    def ids(self, told: SubmitOutcome = SubmitOutcome.ACKNOWLEDGED) -> list[str]:
        """The jobs whose last outcome for the caller was this."""
        last = {ack.job_id: ack.told for ack in self.all}
        return [job_id for job_id, found in last.items() if found is told]

    async def submit(self, client: Client, request: Request) -> Ack:
        """Send one submit and record it."""
        began, job_id = time.monotonic(), request.job_id
        try:
            await client.jobs.submit(request)
            ack = Ack(job_id, began, time.monotonic(), SubmitOutcome.ACKNOWLEDGED, "OK")
        except HeadgateError as error:
            told = (
                SubmitOutcome.REFUSED
                if error.code in _DEFINITE or error.reason == "STORE_FULL"
                else SubmitOutcome.UNKNOWN
            )
            ack = Ack(job_id, began, time.monotonic(), told, error.code.name, error.reason, error.retry_after)
        self.all.append(ack)
        return ack

    async def steadily(
        self,
        client: Client,
        make: MakeRequest,
        *,
        count: int,
        per_second: float,
        then: Callable[[Ack], None] = lambda ack: None,
    ) -> None:
        """Send `count` submits at a rate that does not wait for answers; return when all are answered."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
                group.create_task(self._submit_then(client, make(number), then))

    async def _submit_then(self, client: Client, request: Request, then: Callable[[Ack], None]) -> None:
        then(await self.submit(client, request))

    async def settle_unknown(self, client: Client, make: MakeRequest, ids: dict[str, int]) -> int:
        """Repeat every submit whose caller knows nothing, with the same request_id; how many there were."""
        unknown = self.ids(SubmitOutcome.UNKNOWN)
        for job_id in unknown:
            await self.submit(client, make(ids[job_id]))
        return len(unknown)


def backfill(word: str, days: int) -> pb.CreateBackfillRequest:
    """A backfill of one date or a few, one after the other."""
    spec = pb.BackfillSpec(
        project_id=257880,
        env_type=pb.ENV_TYPE_PROD,
        workflow_id=5188541262300189362,
        name=word,
        overlap=pb.OVERLAP_ALLOW,  # many jobs of the same dates are the load
        biz_dates=[date_range("2025-02-05", f"2025-02-{4 + days:02}")],
        default_run_properties=pb.DefaultRunProperties(
            mode=pb.BACKFILL_MODE_ALL_DOWNSTREAM, parallelism=1, root_task_ids=[1023697426], analysis=pb.Analysis()
        ),
    )
    return pb.CreateBackfillRequest(spec=spec, job_id=word, request_id=word)


def adhoc(word: str, *, until: pb.Until.ValueType = pb.UNTIL_FINISHED) -> pb.ExecuteAdhocWorkflowInstanceRequest:
    """An ad hoc run of one task."""
    task = pb.AdhocTask(
        client_unique_code="t1",
        name="task",
        type="ODPS_SQL",
        owner="1",
        script_content="select 1",
        resource_group_id="group",
    )
    spec = pb.ExecuteAdhocWorkflowInstanceSpec(
        project_id=257880,
        env_type=pb.ENV_TYPE_PROD,
        name=word,
        owner="1",
        biz_date=date_range("2025-02-05").start_biz_date,
        tasks=[task],
    )
    return pb.ExecuteAdhocWorkflowInstanceRequest(spec=spec, job_id=word, request_id=word, until=until)


def mixed(number: int) -> Request:
    """By turns a backfill of one date, of two, and an ad hoc run."""
    kinds: tuple[Callable[[str], Request], ...] = (lambda w: backfill(w, 1), lambda w: backfill(w, 2), adhoc)
    return kinds[number % 3](f"c{number}")


def light(number: int) -> Request:
    """Mostly ad hoc runs followed until they are accepted; one in 10 is a backfill of two dates."""
    word = f"c{number}"
    return backfill(word, 2) if number % 10 == 0 else adhoc(word, until=pb.UNTIL_ACCEPTED)
