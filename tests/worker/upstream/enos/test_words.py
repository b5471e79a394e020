"""EnOS' words and numbers for cycles and alerts."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.upstream.enos.words import CYCLES, alert_mode


@pytest.mark.parametrize("number", range(4))
def test_an_alert_mode_has_its_number(number: int) -> None:
    names = ["OFF", "MAIL", "SMS", "MAIL_AND_SMS"]

    assert pb.FlowAlertMode.Name(alert_mode(number)) == f"FLOW_ALERT_MODE_{names[number]}"


@pytest.mark.parametrize("number", [None, -1, 4])
def test_an_alert_mode_that_is_not_known_is_unspecified(number: int | None) -> None:
    assert alert_mode(number) == pb.FLOW_ALERT_MODE_UNSPECIFIED


def test_a_month_and_a_minute_differ() -> None:
    assert (CYCLES["M"], CYCLES["mi"]) == (pb.FLOW_CYCLE_MONTH, pb.FLOW_CYCLE_MINUTE)
    assert len(set(CYCLES.values())) == len(CYCLES) == len([value for value in pb.FlowCycle.values() if value])
