"""What is wrong with a request is told in words: what is allowed, with an example, and what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from buf.validate import validate_pb2
from headgate import pb
from headgate.messages import word_choice
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.status import MAX_MESSAGE
from headgate_server.jobs import listing
from headgate_server.requests.pattern_words import PATTERNS, described
from tests.server.requests.violations import refusal
from tests.server.world import backfill


def messages() -> Iterator[Any]:
    """Every type of message that a request can hold."""
    waiting = [kind.DESCRIPTOR for name in dir(pb) if name.endswith("Request") and (kind := getattr(pb, name))]
    seen: set[str] = set()
    while waiting:
        descriptor = waiting.pop()
        if descriptor.full_name not in seen:
            seen.add(descriptor.full_name)
            yield descriptor
            waiting += [
                field.message_type
                for field in descriptor.fields
                if field.message_type is not None and not is_judged_by_code(field)
            ]


def is_judged_by_code(field: Any) -> bool:
    """Whether field rules do not hold in it: of a Job only what an update names counts; see `update_rules`."""
    return bool(rules_of(field).ignore == validate_pb2.IGNORE_ALWAYS)


def strings(rules: Any) -> Iterator[Any]:
    match rules.WhichOneof("type"):
        case "string":
            yield rules.string
        case "repeated":
            yield from strings(rules.repeated.items)
        case "map":
            yield from strings(rules.map.keys)
            yield from strings(rules.map.values)


def rules_of(field: Any) -> Any:
    return field.GetOptions().Extensions[validate_pb2.field]


def fields() -> Iterator[Any]:
    for descriptor in messages():
        yield from descriptor.fields


def test_every_pattern_has_words_and_an_example_that_matches() -> None:
    patterns = {rule.pattern for field in fields() for rule in strings(rules_of(field)) if rule.pattern}

    assert patterns == set(PATTERNS)
    for pattern, allowed in PATTERNS.items():
        assert re.search(pattern, allowed.example), pattern
        assert len(described(pattern)) <= MAX_MESSAGE and allowed.words


@pytest.mark.parametrize(
    ("request_", "field", "words"),
    [
        (pb.GetJobRequest(name="jobs/X"), "name", 'such as "jobs/orders-2025"'),
        (backfill(job_id="Orders"), "job_id", "must be empty, or 1 to 63 small letters, digits and hyphens"),
        (backfill(request_id="a b"), "request_id", "must be at most 128 letters, digits and the characters _ . : -"),
        (backfill(options=pb.JobOptions(labels={"Team": "x"})), 'options.labels["Team"]', 'such as "team"'),
        (pb.WatchJobRequest(name="jobs/x", types=[99]), "types[0]", ""),  # type: ignore[list-item]
    ],
)
def test_a_refused_field_says_what_is_allowed(request_: Any, field: str, words: str) -> None:
    found = refusal(request_)

    assert words in found[field] and "regex" not in found[field]


def test_the_nearest_word_is_found_whatever_its_case_and_nothing_is_guessed() -> None:
    assert word_choice.nearest("alldownstraem", ["General", "AllDownstream"]) == "AllDownstream"
    assert word_choice.nearest("banana", ["General", "AllDownstream"]) == ""


def test_a_bad_page_token_tells_what_is_wrong_with_it() -> None:
    made = listing.write_token(pb.ListJobsRequest(filter="state = RUNNING"), 7)

    with pytest.raises(Refused, match="was made with another filter or order_by"):
        listing.read_token(pb.ListJobsRequest(filter="state = QUEUED", page_token=made))
    for broken in (made[:-3], "nonsense", "%%%"):
        with pytest.raises(Refused, match="can't be read"):
            listing.read_token(pb.ListJobsRequest(filter="state = RUNNING", page_token=broken))
