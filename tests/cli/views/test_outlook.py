"""What a job stands at, in a line for each kind of cause."""

from headgate import pb
from headgate_cli.views.outlook import cause_lines, span_said
from tests.cli.views.test_live_job import causes


def test_each_kind_of_cause_is_a_line_and_what_runs_is_none() -> None:
    text = [line.plain for line in cause_lines(causes(), 200)]

    assert [line.partition(":")[0][9:].split(" until")[0] for line in text] == [
        "quota",
        "parent instance ×2",
        "not created",
    ]
    assert text[0].startswith("stands   ") and all(line.startswith(" " * 9) for line in text[1:])


def test_lines_are_cut_to_their_width_and_number() -> None:
    assert [len(line.plain) <= 40 for line in cause_lines(causes(), 40, 2)] == [True, True]


def test_a_decision_at_the_latest_is_told_as_such() -> None:
    cause = pb.Cause(kind=pb.CAUSE_KIND_RECONCILING, description="a lost call")
    cause.deadline_time.seconds = cause.expected_clear_time.seconds = 1_739_000_000

    assert " at most: a lost call" in cause_lines([cause], 100)[0].plain


def test_spans() -> None:
    assert [span_said(seconds) for seconds in (-1, 59, 61, 7_500)] == ["0 s", "59 s", "1 min", "2 h 05 min"]
