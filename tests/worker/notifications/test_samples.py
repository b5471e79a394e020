"""Samples of rules: sent once each, by the form of the endpoint, and told with what became of them."""

from __future__ import annotations

from headgate import pb
from headgate_worker.notifications.rules import Form, RuleSet, WebhookEndpoint
from headgate_worker.notifications.samples import SampleOutcome, sample_of, send_samples
from tests.worker.notifications.building import rule
from tests.worker.notifications.receiver import receiving, statuses

NOW = 1_738_713_600_000


async def test_each_rule_sends_one_sample_and_failures_are_told_and_not_repeated() -> None:
    async with receiving(statuses(200, 404)) as receiver:
        endpoint = WebhookEndpoint(name="e", url=f"{receiver.url}/T0K3N", form=Form.SLACK)
        one = rule(states=(pb.JOB_STATE_FAILED,), text="{job} is {state}: {message}")

        found = await send_samples(RuleSet("headgate", {"e": endpoint}, (one, one)), NOW)

    assert found == [SampleOutcome("r", "e", ""), SampleOutcome("r", "e", "status 404")]
    assert [one.said for one in receiver.requests] == [
        {"text": "jobs/sample is FAILED: a sample: nothing has happened"}
    ] * 2


def test_a_sample_has_the_type_and_state_of_its_rule_and_an_id_of_its_own() -> None:
    told = sample_of(rule(events=(pb.EVENT_TYPE_WARNING,)), Form.CLOUDEVENTS, NOW)

    assert (told.type, told.id) == ("headgate.v1.job.warning", f"sample.{NOW}.r")
    assert told.data["job"]["uid"] == "sample" and told.time == "2025-02-05T00:00:00Z"
