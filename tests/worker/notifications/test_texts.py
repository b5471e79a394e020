"""Texts for people: fields are filled, and what a job says calls nobody."""

from __future__ import annotations

import pytest

from headgate_worker.notifications import texts
from headgate_worker.notifications.rules import Form
from tests.worker.notifications.building import FAILED, RUNNING, event, job


def text(template: str, form: Form = Form.CLOUDEVENTS, message: str = "it failed", **labels: str) -> str:
    return texts.fill(template, texts.values_of("r", event(message=message), job(FAILED, **labels), RUNNING), form)


def test_a_rule_without_a_text_has_the_usual_one() -> None:
    assert text("") == "jobs/orders (backfill, etl): FAILED. it failed"


def test_fields_are_those_of_job_and_event() -> None:
    said = text("{rule} {before} {state} {failed}/{total} {error} {labels.team}{labels.none} {time}", team="orders")

    assert said == "r RUNNING FAILED 1/2 load_orders failed orders 2025-02-05T00:00:00Z"


def test_what_is_no_field_is_refused_with_the_one_that_was_meant() -> None:
    texts.check("{job} {labels.team} text")
    with pytest.raises(ValueError, match="unknown field 'stat': did you mean state"):
        texts.check("{stat}")


def test_what_a_job_says_calls_nobody_and_the_rule_may() -> None:
    assert text("<!here> {message}", Form.SLACK, "<!channel> a&b") == "<!here> &lt;!channel&gt; a&amp;b"
    assert "<at" not in text("{message}", Form.FEISHU, '<at user_id="all"></at>')


def test_a_text_is_bounded_and_a_field_that_looks_like_one_is_not_filled_again() -> None:
    assert len(text("{message}", message="x" * 9_000)) == texts.MAX_TEXT
    assert text("{message}", message="{error}") == "{error}"


def test_a_state_or_type_of_a_later_version_is_its_number() -> None:
    assert (texts.state_word(99), texts.type_word(99)) == ("99", "99")  # type: ignore[arg-type]
