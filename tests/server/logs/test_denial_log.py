"""A flood of denials is told in a few lines."""

import pytest

from headgate_server.logs.denial_log import TELL_SECONDS, DenialLog


def test_a_flood_of_refusals_is_told_in_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    told = DenialLog()
    for at in range(10_000):
        told.note("TOKEN_INVALID", "", "m from ipv4:10.0.0.1:5", at / 10_000)
    told.note("RIGHT_MISSING", "etl", "n from ipv4:10.0.0.2:5", 1)
    assert len(caplog.records) == 1

    told.tell(TELL_SECONDS)
    told.tell(2 * TELL_SECONDS)

    assert [record.getMessage() for record in caplog.records] == [
        "calls turned away: 1 TOKEN_INVALID; the last at m from ipv4:10.0.0.1:5",
        "calls turned away: 1 RIGHT_MISSING of etl, 9999 TOKEN_INVALID; the last at n from ipv4:10.0.0.2:5",
    ]
