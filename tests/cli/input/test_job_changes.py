"""What flags change of a job that goes on."""

from datetime import UTC, datetime, timedelta

import pytest

from headgate import pb
from headgate_cli.input.job_changes import change_of
from headgate_cli.input.parameters import ChangeFlags
from headgate_cli.process.exit_codes import UsageFault

NOW = datetime(2025, 2, 8, 12, tzinfo=UTC)


def test_only_what_is_typed_changes() -> None:
    assert change_of(ChangeFlags(priority=0), NOW) == {"priority": 0}
    assert change_of(ChangeFlags(parallelism=3, max_attempts=2), NOW) == {
        "parallelism": 3,
        "max_attempts_per_date": 2,
    }


def test_spans_begin_now_or_at_the_end() -> None:
    assert change_of(ChangeFlags(deadline="12h", keep="30d"), NOW) == {
        "deadline_time": NOW + timedelta(hours=12),
        "ttl_after_end": timedelta(days=30),
    }


@pytest.mark.parametrize(
    ("typed", "labels"), [(["team=a", "day=5"], {"team": "a", "day": "5"}), ([""], {}), (["", "a=b"], {"a": "b"})]
)
def test_labels_replace_all_and_an_empty_one_leaves_none(typed: list[str], labels: dict[str, str]) -> None:
    assert change_of(ChangeFlags(label=typed), NOW) == {"labels": labels}


def test_words_are_those_of_the_api() -> None:
    assert change_of(ChangeFlags(on_failure="Drain"), NOW) == {"on_failure": pb.ON_FAILURE_DRAIN}
    with pytest.raises(UsageFault, match="--on-failure"):
        change_of(ChangeFlags(on_failure="Explode"), NOW)


def test_no_change_at_all_is_a_mistake() -> None:
    with pytest.raises(UsageFault, match="say what changes"):
        change_of(ChangeFlags(), NOW)
