"""What a job stands at and until when, in a line for each kind of cause. Pure: causes in, text out."""

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from headgate import pb
from headgate_cli.input.enums import plain
from headgate_cli.views.output import clean

MOST_CAUSES = 4
"""Most kinds of causes that a view shows."""

_HEAD = 9


def cause_lines(causes: Sequence[pb.Cause], width: int, most: int = MOST_CAUSES) -> Sequence[Text]:
    """Return why a job is not further: a line for each kind of cause, the outermost first, at most `most`.

    Runs that go on are left out: a picture shows them anyway.
    """
    kinds = dict.fromkeys(cause.kind for cause in causes if cause.kind != pb.CAUSE_KIND_RUNNING)
    grouped = [[cause for cause in causes if cause.kind == kind] for kind in kinds]
    return [_cause_line("" if index else "stands", alike, width) for index, alike in enumerate(grouped[:most])]


def _cause_line(head: str, alike: Sequence[pb.Cause], width: int) -> Text:
    first = alike[0]
    word = plain(first.kind, pb.CauseKind, "CAUSE_KIND_")
    times = f" ×{len(alike)}" if len(alike) > 1 else ""
    line = Text.assemble(
        (head.ljust(_HEAD), "dim"), (f"{word}{times}{_until(first)}", "yellow"), f": {clean(first.description)}"
    )
    line.truncate(width, overflow="ellipsis")
    return line


def _until(cause: pb.Cause) -> str:
    if cause.HasField("deadline_time"):
        return f" until {_time(cause.deadline_time)} at most"
    return f" until {_time(cause.expected_clear_time)}" if cause.HasField("expected_clear_time") else ""


def _time(moment: Timestamp) -> str:
    return time_of_day(moment.ToNanoseconds() / 1e9)


def time_of_day(moment: float) -> str:
    """Return the local time of day of seconds since 1970, such as "09:30:01"."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%H:%M:%S")


def span_said(seconds: float) -> str:
    """Return a span in words, such as "12 s", "3 min" or "2 h 05 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
