"""What is said of a word that is not known."""

import pytest

from headgate.messages.word_choice import nearest, unknown

STATES = ("QUEUED", "RUNNING", "SUCCEEDED")


@pytest.mark.parametrize(("text", "wanted"), [("RUNING", "RUNNING"), ("queued", "QUEUED"), ("x", ""), ("", "")])
def test_the_nearest_word_is_told_whatever_its_case(text: str, wanted: str) -> None:
    assert nearest(text, STATES) == wanted


def test_a_near_word_is_asked_about_and_the_known_ones_are_listed() -> None:
    assert unknown("state", "RUNING", STATES) == (
        "unknown state 'RUNING': did you mean RUNNING? Known are QUEUED, RUNNING, SUCCEEDED"
    )
    assert unknown("state", "x", STATES) == "unknown state 'x'; known are QUEUED, RUNNING, SUCCEEDED"


def test_a_long_word_is_not_repeated_whole() -> None:
    assert "x" * 41 not in unknown("state", "x" * 10_000, STATES)
