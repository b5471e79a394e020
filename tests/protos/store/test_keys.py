"""Names in Redis, and names of jobs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.quota import admission, limits
from headgate.store import date_claims, keys

names = st.from_regex(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)


@given(job_id=names)
def test_a_job_is_found_by_its_name(job_id: str) -> None:
    assert keys.job_id(keys.job_name(job_id)) == job_id


@pytest.mark.parametrize(
    "name",
    ["", "t", "jobs/", "jobs/T", "jobs/1a", "jobs/a-", "jobs/a/b", "jobs/a\n", "xjobs/a", "jobs/" + "a" * 64, "jobs/ä"],
)
def test_what_is_not_a_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a job"):
        keys.job_id(name)


@given(one=names, other=names)
def test_two_jobs_share_no_key(one: str, other: str) -> None:
    if one != other:
        assert not {keys.job(one), keys.log(one)} & {keys.job(other), keys.log(other)}


def test_every_key_of_ours_has_our_prefix() -> None:
    ours = [
        *(keys.FEED, keys.DUE, keys.EXPIRING, keys.JOBS, keys.SEQUENCE, keys.WORKERS),
        *(keys.job("t"), keys.log("t"), keys.state(pb.JOB_STATE_RUNNING), keys.request("me", "r")),
        *(keys.observation("", 7), keys.replies("p"), keys.instance_name("", 1, "n")),
        *(keys.STORED, keys.RECOUNT, keys.RECOUNTED, keys.PROBE, keys.NO_INSTANCE_NAME, keys.NO_REQUEST),
        *(keys.dates("t"), keys.dates_line("t"), keys.dates_wants("t")),
        *(keys.quota("eu"), keys.quota_sent("eu", "read"), keys.quota_creators("eu", "read")),
        *(keys.quota_turns("eu", "read"), keys.durations("t"), keys.look("", 7), keys.claim("", 7), keys.stops("", 7)),
        keys.child_release(""),
    ]

    assert all(key.startswith(keys.PREFIX) for key in ours)
    assert len(set(ours)) == len(ours)


@given(a=st.text(max_size=10), b=st.text(max_size=10))
def test_a_request_id_is_the_callers_own(a: str, b: str) -> None:
    if a != b:
        assert keys.request(a, "r") != keys.request(b, "r")
        assert keys.request("me", a) != keys.request("me", b)


@given(one=st.binary(max_size=50), other=st.binary(max_size=50))
def test_a_digest_is_short_and_of_one_text_only(one: bytes, other: bytes) -> None:
    assert re.fullmatch("[A-Za-z0-9+/]{22}", keys.digest(one))
    assert (keys.digest(one) == keys.digest(other)) == (one == other)


def test_names_in_redis_stay_what_other_versions_call_them() -> None:
    assert (keys.STORED, keys.RECOUNT, keys.RECOUNTED) == ("hg:stored", "hg:stored:recount", "hg:stored:recounted")
    assert keys.NO_INSTANCE_NAME == "hg:name:none"
    assert date_claims.NO_KEYS == 2 * ("hg:dates:none", "hg:dates:none:line", "hg:dates:none:wants")
    assert admission.script_keys("eu", limits.READ, limits.Limits()) == (
        *("hg:quota:eu", "hg:quota:eu:sent:read", "hg:quota:eu:sent:total"),
        *("hg:quota:eu:creators:total", "hg:quota:eu:turns:total"),
    )


def test_arqs_keys_are_arqs() -> None:
    assert keys.arq_job("e") == "arq:job:e"
    assert keys.arq_in_progress("e") == "arq:in-progress:e"
    assert keys.arq_retry("e") == "arq:retry:e"
    assert keys.kick(keys.TICKS) != keys.TICKS
