"""One flow instance of a reply. Pure. Members: seed 004."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_worker.upstream.enos.graph import graph_of
from headgate_worker.upstream.enos.loose import flag, number, plain, text, whole
from headgate_worker.upstream.enos.statuses import status_of
from headgate_worker.upstream.enos.words import CYCLES, alert_mode

Zones = tuple[tzinfo | None, tzinfo | None]
"""Zone of printed trigger times, and of start and end times; None where it is not known."""


def flow_instance(row: Mapping[str, Any], zones: Zones, read_at: Timestamp) -> pb.FlowInstance:
    """A flow instance. The caller checks the id; anything else that can't be read is left out."""
    mode, status, word = number(row, "alertMode"), number(row, "status"), text(row, "statusDesc")
    trigger_zone, run_zone = zones
    return pb.FlowInstance(
        instance_id=text(row, "instanceId"),
        flow_id=whole(row, "flowId"),
        flow_name=text(row, "flowName"),
        freq=text(row, "freq"),
        cycle=CYCLES.get(text(row, "cycle"), pb.FLOW_CYCLE_UNSPECIFIED),
        cycle_raw=text(row, "cycle"),
        parameters=plain(row, "parameters"),
        do_as=text(row, "doAs"),
        graph=graph_of(row.get("graph")),
        status=status_of(status, word),
        status_raw=status or 0,
        status_desc=word,
        trigger_time=text(row, "triggerTime"),
        start_time=text(row, "startTime"),
        end_time=text(row, "endTime"),
        timestamp=text(row, "timestamp"),
        virtual=flag(row, "virtual"),
        owner=text(row, "owner"),
        alert_mode=alert_mode(mode),
        alert_mode_raw=mode or 0,
        cal_dt=text(row, "calDt"),
        has_edit_pri=flag(row, "hasEditPri"),
        has_read_pri=flag(row, "hasReadPri"),
        trigger_time_utc=moment(text(row, "triggerTime"), trigger_zone),
        start_time_utc=moment(text(row, "startTime"), run_zone),
        end_time_utc=moment(text(row, "endTime"), run_zone),
        observe_time=read_at,
    )


def moment(printed: str, zone: tzinfo | None) -> Timestamp | None:
    """A printed time as a moment; None where its zone is not known or it can't be read."""
    if zone is None or not printed:
        return None
    try:
        read = datetime.fromisoformat(printed).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    found = Timestamp()
    found.FromDatetime(read)
    return found
