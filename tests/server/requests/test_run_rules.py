"""Rules on how a backfill runs that tie several fields together."""

import pytest

from headgate import pb
from headgate_server.requests import run_rules


def complaints(*, mode: str, roots: int = 0, included: int = 0, parallelism: int | None = 2) -> list[str]:
    found = pb.DefaultRunProperties(
        mode=pb.BackfillMode.Value(f"BACKFILL_MODE_{mode}"),
        root_task_ids=range(1, roots + 1),
        include_task_ids=range(1, included + 1),
        parallelism=parallelism,
    )
    return [path for path, _ in run_rules.backfill("spec", pb.BackfillSpec(default_run_properties=found))]


AT = "spec.default_run_properties"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"mode": "GENERAL", "roots": 1}, []),
        ({"mode": "GENERAL", "roots": 2}, [f"{AT}.root_task_ids"]),
        ({"mode": "GENERAL"}, [f"{AT}.root_task_ids", AT]),
        ({"mode": "ALL_DOWNSTREAM", "roots": 1}, []),
        ({"mode": "ALL_DOWNSTREAM", "roots": 3}, [f"{AT}.root_task_ids"]),
        ({"mode": "MANUAL_SELECTION", "roots": 3, "included": 1}, []),
        ({"mode": "MANUAL_SELECTION"}, [AT]),
        ({"mode": "CHAIN", "included": 2}, []),
        ({"mode": "CHAIN", "included": 3}, [f"{AT}.include_task_ids"]),
        ({"mode": "CHAIN", "roots": 1, "included": 1}, [f"{AT}.root_task_ids", f"{AT}.include_task_ids"]),
        ({"mode": "GENERAL", "roots": 1, "parallelism": None}, [AT]),
    ],
)
def test_tasks_suit_the_mode(given: dict[str, object], wanted: list[str]) -> None:
    assert complaints(**given) == wanted  # type: ignore[arg-type]  # keywords of the function above


def test_that_it_says_how_at_all_is_no_rule_of_these() -> None:
    assert not list(run_rules.backfill("spec", pb.BackfillSpec()))


@pytest.mark.parametrize(
    ("start", "end", "is_fine"), [("", "", True), ("0100", "0200", True), ("0100", "", False), ("", "0200", False)]
)
def test_a_window_has_both_ends_or_none(start: str, end: str, is_fine: bool) -> None:
    found = list(run_rules.window("spec", pb.BackfillSpec(start_time=start, end_time=end)))

    assert [path for path, _ in found] == ([] if is_fine else ["spec.end_time"])
