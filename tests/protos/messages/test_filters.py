import re

import pytest

from headgate import pb
from headgate.messages import filters


def job(**given: object) -> pb.Job:
    made = pb.Job(state=pb.JOB_STATE_RUNNING, priority=3, creator="anonymous", labels={"team": "orders"}, **given)  # type: ignore[arg-type]
    made.backfill.project_id = 257880
    made.create_time.FromJsonString("2026-02-03T04:05:06Z")
    return made


PASSES = [
    "",
    "   ",
    "state = RUNNING",
    "state=RUNNING",
    "state = JOB_STATE_RUNNING",
    "state != QUEUED",
    "kind = backfill",
    "kind != start",
    'labels.team = "orders"',
    "labels.team = orders",
    'labels.nobody = ""',
    "labels.nobody != x",
    "project_id = 257880",
    "project_id > 1 AND project_id <= 257880",
    'create_time > "2026-02-03"',
    "create_time < 2026-02-03T04:05:07Z",
    'create_time >= "2026-02-03T12:05:06+08:00"',
    "priority >= 3",
    'creator = "anonymous"',
    'connection = ""',
    "NOT state = QUEUED",
    "-state = QUEUED",
    "state = QUEUED OR state = RUNNING",
    "(state = QUEUED) OR (kind = backfill AND priority = 3)",
    "NOT (state = QUEUED OR state = FAILED)",
    # OR binds tighter: this is priority = 3 AND (state = QUEUED OR state = RUNNING)
    "priority = 3 AND state = QUEUED OR state = RUNNING",
]
FAILS = [
    "state = QUEUED",
    "state != RUNNING",
    "kind = start",
    "labels.team = stock",
    "project_id = 1",
    "project_id < 257880",
    'create_time > "2026-02-04"',
    "NOT state = RUNNING",
    "state = RUNNING AND kind = start",
    "state = QUEUED OR state = FAILED",
    # OR binds tighter: (state = RUNNING OR priority = 3) AND kind = start
    "state = RUNNING OR priority = 3 AND kind = start",
]


@pytest.mark.parametrize("text", PASSES)
def test_a_job_passes(text: str) -> None:
    assert filters.parse(text).passes(job())


@pytest.mark.parametrize("text", FAILS)
def test_a_job_does_not_pass(text: str) -> None:
    assert not filters.parse(text).passes(job())


BAD = [
    ("state", 6, "expected one of"),
    ("state =", 8, "expected a value"),
    ("state = NOWHERE", 9, "unknown state"),
    ("state > RUNNING", 7, "can only be compared"),
    ("colour = red", 1, "unknown field"),
    ("kind = backfil", 8, "unknown kind"),
    ("project_id = many", 14, "whole number"),
    ("create_time > yesterday", 15, "expected a time"),
    ("state = RUNNING kind = start", 17, "expected AND, OR"),
    ("(state = RUNNING", 17, "expected )"),
    ("state = RUNNING)", 16, "expected AND, OR"),
    ("AND", 4, "expected one of"),
    ('state = "RUNNING', 9, "unexpected"),
    ("= RUNNING", 1, "expected a field"),
    ("state = RUNNING AND", 20, "expected a field"),
    ("(" * 40 + "state = RUNNING" + ")" * 40, 18, "nested too deeply"),
    ("NOT " * 40 + "state = RUNNING", 69, "nested too deeply"),
]


@pytest.mark.parametrize(("text", "column", "problem"), BAD)
def test_a_filter_that_can_not_be_read_says_where(text: str, column: int, problem: str) -> None:
    with pytest.raises(filters.BadFilter, match=re.escape(problem)) as caught:
        filters.parse(text)

    assert caught.value.column == column


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("state = RUNNING", pb.JOB_STATE_RUNNING),
        ("kind = start AND state = FAILED", pb.JOB_STATE_FAILED),
        ("(state = FAILED)", pb.JOB_STATE_FAILED),
        ("state != RUNNING", None),
        ("NOT state = RUNNING", None),
        ("state = RUNNING OR kind = start", None),
    ],
)
def test_a_filter_for_one_state_names_it_for_the_index(text: str, state: int | None) -> None:
    assert filters.parse(text).state == state


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state = RUNING", "unknown state 'RUNING': did you mean RUNNING? Known are QUEUED, RUNNING, PAUSED"),
        ("state = xyz", "unknown state 'xyz'; known are QUEUED"),
        ("kind = backfil", "unknown kind 'backfil': did you mean backfill? Known are create"),
        ("stat = RUNNING", "unknown field 'stat': did you mean state? Known are state, kind"),
    ],
)
def test_a_filter_with_an_unknown_word_names_the_known_ones(text: str, said: str) -> None:
    with pytest.raises(filters.BadFilter, match=re.escape(said)):
        filters.parse(text)
