"""What the tests ask for, and the small things they share."""

from __future__ import annotations

from typing import TypeVar

from google.type.date_pb2 import Date

from headgate import pb
from headgate_worker.core.model import calls
from headgate_worker.core.model.calls import Failure, Outcome, Reply
from headgate_worker.ports.upstreams import Upstream

B = TypeVar("B")

SECONDS = 10.0
"""Deadline of calls that must not run into it."""

SHORT = 0.5
"""Deadline of calls that must."""

FIRST, SECOND = 1000341554601, 1000341554605
FEBRUARY_5, FEBRUARY_6 = 1738684800000, 1738771200000


def seed_spec() -> pb.CreateWorkflowInstancesSpec:
    """The create of seed 000."""
    dates = pb.DateRange(start_biz_date=Date(year=2025, month=2, day=5), end_biz_date=Date(year=2025, month=2, day=6))
    return pb.CreateWorkflowInstancesSpec(
        project_id=257880,
        env_type=pb.ENV_TYPE_PROD,
        workflow_id=5188541262300189362,
        name="devinTestSparkSQL20run1",
        type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
        periods=pb.Periods(biz_dates=[dates]),
        default_run_properties=pb.DefaultRunProperties(
            mode=pb.BACKFILL_MODE_ALL_DOWNSTREAM, parallelism=1, root_task_ids=[1023697426]
        ),
    )


def adhoc_spec() -> pb.ExecuteAdhocWorkflowInstanceSpec:
    """An ad hoc run of one SQL task."""
    task = pb.AdhocTask(
        client_unique_code="one",
        name="select",
        type="ODPS_SQL",
        owner="200527038829996354",
        script_content="select 1;",
        resource_group_id="S_res_group_1",
    )
    return pb.ExecuteAdhocWorkflowInstanceSpec(
        project_id=257880,
        env_type=pb.ENV_TYPE_DEV,
        name="adhoc one",
        owner="200527038829996354",
        biz_date=Date(year=2025, month=2, day=5),
        tasks=[task],
    )


def body_of(outcome: Outcome, kind: type[B]) -> B:
    """The body of a reply that must be of `kind`."""
    assert isinstance(outcome, Reply), outcome
    assert isinstance(outcome.body, kind)
    assert outcome.latency_seconds > 0
    return outcome.body


def failure_of(outcome: Outcome) -> Failure:
    """The outcome, which must be a failure."""
    assert isinstance(outcome, Failure), outcome
    return outcome


GET, START = calls.GetInstance(5), calls.StartInstances((5,))
CREATE, ADHOC = calls.CreateInstances(seed_spec()), calls.ExecuteAdhoc(adhoc_spec())
RERUN = calls.RerunInstances(pb.RerunWorkflowInstancesSpec(project_id=1, workflow_id=2))


async def ask(upstream: Upstream, call: calls.Call, seconds: float = SECONDS) -> Outcome:
    """Call with a deadline."""
    return await upstream.call(call, timeout_seconds=seconds)
