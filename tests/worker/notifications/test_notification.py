"""What is told of an event: by a stable id, bounded, and without payloads."""

from __future__ import annotations

import json

from headgate_worker.notifications import notification
from headgate_worker.notifications.notification import MAX_RUNS
from headgate_worker.notifications.rules import Form
from tests.worker.notifications.building import FAILED, RUNNING, event, job, rule


def test_an_event_is_told_with_its_job_by_the_same_id_each_time() -> None:
    found = notification.of_event(rule(), Form.CLOUDEVENTS, event(), job(team="orders"), RUNNING)

    assert found == notification.of_event(rule(), Form.CLOUDEVENTS, event(), job(team="orders"), RUNNING)
    assert (found.id, found.type, found.subject) == ("u-1.9.r", "headgate.v1.job.state_changed", "jobs/orders")
    assert found.data["job"] | {"counts": 0} == {
        "name": "jobs/orders",
        "uid": "u-1",
        "revision": "9",
        "state": "JOB_STATE_FAILED",
        "creator": "etl",
        "counts": 0,
        "kind": "backfill",
        "labels": {"team": "orders"},
        "error": {"code": 0, "message": "load_orders failed"},
    }
    said = found.data["event"]
    assert (said["state"], said["stateBefore"]) == ("JOB_STATE_FAILED", "JOB_STATE_RUNNING")
    assert said["runs"] == [
        {"state": "RUN_STATE_FAILED", "attempt": 1, "workflowInstanceId": "7", "bizDate": "2025-02-05"}
    ]


def test_payloads_are_never_told() -> None:
    found = notification.of_event(rule(), Form.CLOUDEVENTS, event(), job(), RUNNING)

    assert "hunter2" not in json.dumps(found.data) + found.text


def test_runs_are_bounded_and_counted() -> None:
    many = event()
    for _ in range(400):
        many.runs.add().CopyFrom(many.runs[0])

    said = notification.of_event(rule(), Form.CLOUDEVENTS, many, job(), RUNNING).data["event"]

    assert (len(said["runs"]), said["runCount"]) == (MAX_RUNS, 401)


def test_a_gap_says_between_which_times() -> None:
    found = notification.of_gap((1_738_713_600_000, 3), (1_738_713_660_000, 0))

    assert found.id == "gap.1738713600000-3"
    assert found.data == {"after": "2025-02-05T00:00:00.000Z", "until": "2025-02-05T00:01:00.000Z"}
    assert FAILED and "2025-02-05T00:01:00.000Z" in found.text
