"""EnOS' words and numbers for cycles and alerts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from headgate import pb

CYCLES: Final[Mapping[str, pb.FlowCycle.ValueType]] = {
    "M": pb.FLOW_CYCLE_MONTH,
    "W": pb.FLOW_CYCLE_WEEK,
    "D": pb.FLOW_CYCLE_DAY,
    "H": pb.FLOW_CYCLE_HOUR,
    "mi": pb.FLOW_CYCLE_MINUTE,
}
"""Cycle by its word; M and mi differ by more than their case."""

_ALERT_MODES: Final[Mapping[int, pb.FlowAlertMode.ValueType]] = {
    0: pb.FLOW_ALERT_MODE_OFF,
    1: pb.FLOW_ALERT_MODE_MAIL,
    2: pb.FLOW_ALERT_MODE_SMS,
    3: pb.FLOW_ALERT_MODE_MAIL_AND_SMS,
}


def alert_mode(number: int | None) -> pb.FlowAlertMode.ValueType:
    """The alert mode of a number; UNSPECIFIED where it is not known."""
    return _ALERT_MODES.get(-1 if number is None else number, pb.FLOW_ALERT_MODE_UNSPECIFIED)
