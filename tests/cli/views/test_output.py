"""Results as tables, lines and JSON, cleaned of what steers a terminal."""

from headgate import pb
from headgate_cli.views.describe import job_row
from headgate_cli.views.output import aligned, clean


def test_what_a_server_says_can_not_steer_a_terminal() -> None:
    assert clean("a\x1b[2Jb\nc\td\x07\u202e") == "a\\x1b[2Jb c d\\x07\\x202e"
    job = pb.Job(name="jobs/x", labels={"team": "\x1b]0;evil"})
    assert "\x1b" not in "".join(str(cell) for cell in job_row(job))


def test_columns_are_aligned_and_lines_have_no_tail() -> None:
    assert aligned(("ID", "NAME"), [("1000", "a"), ("7", "")]) == ["ID    NAME", "1000  a", "7"]
