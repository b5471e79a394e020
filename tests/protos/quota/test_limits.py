"""The limits of a connection: presets by edition, and what workers announce of them."""

import pytest

from headgate.quota.limits import ALIAS, ANNOUNCED, EDITIONS, Limits, alias, announced_limits, announcement, edition_of


@pytest.mark.parametrize("edition", EDITIONS)
def test_limits_that_are_announced_are_read_back(edition: str) -> None:
    found = announcement(EDITIONS[edition], 5_000)

    assert announced_limits(found) == EDITIONS[edition] and found[ANNOUNCED] == "5000"


def test_an_edition_is_told_where_no_number_was_set_by_itself() -> None:
    assert edition_of(EDITIONS["basic"]) == "basic" and edition_of(Limits(total_qps=6)) == ""
    assert edition_of(Limits()) == "unlimited"


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"read_qps": "many"}', "5"])
def test_what_another_version_or_nobody_announced_is_not_known(text: str | None) -> None:
    assert announced_limits({} if text is None else {"limits": text}) is None


def test_numbers_are_of_the_kind_that_limits_have() -> None:
    found = announced_limits(announcement(Limits(read_qps=5, total_daily=100), 1))

    assert found is not None and isinstance(found.read_qps, float) and isinstance(found.total_daily, int)


def test_another_name_says_whose_it_is() -> None:
    assert alias("main", 7) == {ALIAS: "main", ANNOUNCED: "7"}
