"""A report as one page of HTML that needs nothing else: no script, no font, no picture from anywhere.

Whatever upstream or a caller said is escaped, and the page's policy lets nothing be loaded or run.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from headgate import pb
from headgate_cli.input.enums import plain
from headgate_cli.views.describe import when
from headgate_cli.views.output import clean
from headgate_cli.views.report import drawings
from headgate_cli.views.report.rows import ReportRow, checked_line, lasting_seconds, objection_line, rows, times

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --bg: #fbfbf9; --fg: #1c1e21; --dim: #62666d; --line: #dcdcd6; --card: #fff;
  --good: #2f9e5b; --bad: #cf3a33; --odd: #b7791f; --left: #6b8fb5; --none: #c4c6c9; --foreign: #8e4ec6; --sign: #fff; }
@media (prefers-color-scheme: dark) { :root { --bg: #15171a; --fg: #e8e8e4; --dim: #9da2a9; --line: #33373d;
  --card: #1d2024; --good: #3aa668; --bad: #e5534b; --odd: #d29922; --left: #6f9bc8; --none: #4a4f56;
  --foreign: #a873e0; --sign: #fff; } }
body { margin: 0; background: var(--bg); color: var(--fg); font: 14px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 32px 0 8px; }
p { margin: 4px 0; } .dim { color: var(--dim); }
.statement { margin: 16px 0; padding: 12px 16px; border-left: 6px solid; background: var(--card); font-size: 17px; }
.statement.yes { border-color: var(--good); } .statement.no { border-color: var(--bad); }
.numbers { display: flex; flex-wrap: wrap; gap: 8px; padding: 0; margin: 16px 0; list-style: none; }
.numbers li { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 8px 14px; }
.numbers b { display: block; font-size: 20px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: left; padding: 4px 8px; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--dim); font-weight: 600; white-space: nowrap; }
td.time, td.id { white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.marked td:first-child { box-shadow: inset 4px 0 var(--bad); }
details summary { cursor: pointer; color: var(--dim); } code { font-size: 12px; overflow-wrap: anywhere; }
.word.good { color: var(--good); } .word.bad { color: var(--bad); } .word.odd { color: var(--odd); }
.word.left { color: var(--left); } .word.foreign { color: var(--foreign); } .word { font-weight: 600; }
svg { display: block; } svg text { fill: var(--dim); font: 10px system-ui, sans-serif; }
svg .sign { fill: var(--sign); text-anchor: middle; font-weight: 600; pointer-events: none; }
svg .good { fill: var(--good); } svg .bad { fill: var(--bad); } svg .odd { fill: var(--odd); }
svg .left { fill: var(--left); } svg .none { fill: var(--none); } svg .foreign { fill: var(--foreign); }
svg .marked { stroke: var(--bad); stroke-width: 2.5; } svg .tick { stroke: var(--line); }
.legend { display: flex; flex-wrap: wrap; gap: 16px; padding: 0; margin: 8px 0; list-style: none; color: var(--dim); }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 5px; }
@media print { body { background: #fff; } main { max-width: none; padding: 0; } tr { break-inside: avoid; } }
"""
_LEGEND = (
    ("good", "succeeded"),
    ("bad", "failed"),
    ("odd", "stopped"),
    ("left", "left alone"),
    ("none", "not run, or not ended"),
    ("foreign", "not of this job"),
)
_WORDS = {"succeeded": "good", "failed": "bad", "unresolved": "bad", "stopped": "odd", "left alone": "left"}


def page(report: pb.JobReport) -> str:
    """Return the report as an HTML document."""
    title = f"Report of {_text(report.name)}"
    head = (
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style>",
    )
    parts = ("<!doctype html>", '<html lang="en">', "<head>", *head, "</head>", "<body>", "<main>", *_body(report))
    return "".join(f"{part}\n" for part in (*parts, "</main>", "</body>", "</html>"))


def _text(said: str) -> str:
    return escape(clean(said))


def _body(report: pb.JobReport) -> Iterator[str]:
    holds = report.statement.holds
    mark = "✔" if holds else "✘"
    state = plain(report.state, pb.JobState, "JOB_STATE_")
    yield f"<h1>{_text(report.name)}</h1>"
    yield f'<p class="dim">backfill {_text(report.backfill_name)}, {state}, submitted by {_text(report.creator)}</p>'
    yield f'<p class="dim">{times(report)}; revision {report.revision}</p>'
    yield f'<p class="statement {"yes" if holds else "no"}">{mark} {_text(report.statement.text)}</p>'
    yield _numbers(report)
    yield f'<p class="dim">{_text(checked_line(report))}</p>'
    yield from _section("What is not so", _objections(report))
    yield from _section("Calendar", _drawing(drawings.calendar(report)))
    yield from _section("When they ran", _drawing(drawings.lanes(report)))
    yield from _section("Dates", _dates(report))
    yield from _section("Calls that are not safe to repeat", _calls(report))
    yield from _section("Notes in the log", _notes(report))


def _numbers(report: pb.JobReport) -> str:
    of = report.totals
    told = (
        (f"{of.succeeded_once} of {of.dates}", "succeeded once"),
        (of.left_alone, "left alone"),
        (of.failed, "failed"),
        (of.stopped, "stopped"),
        (of.not_run, "not run"),
        (of.not_ended, "not ended"),
        (of.instances, "instances"),
        (lasting_seconds(of.run_time.ToMilliseconds() / 1000), "run time"),
        (f"{of.upstream_reads:,} / {of.upstream_writes:,}", "reads / writes upstream"),
    )
    shown = (f"<li><b>{number}</b>{word}</li>" for number, word in told if number)
    return f'<ul class="numbers">{"".join(shown)}</ul>'


def _section(title: str, inside: Iterable[str]) -> Iterator[str]:
    found = [part for part in inside if part]
    if found:
        yield f"<section><h2>{title}</h2>"
        yield from found
        yield "</section>"


def _objections(report: pb.JobReport) -> Iterator[str]:
    for one in report.statement.objections:
        kind = plain(one.kind, pb.ObjectionKind, "OBJECTION_KIND_")
        yield f'<p><span class="word bad">{kind}</span> {_text(objection_line(one))}</p>'


def _drawing(svg: str) -> Iterator[str]:
    if svg:
        legend = "".join(f'<li><i style="background: var(--{look})"></i>{word}</li>' for look, word in _LEGEND)
        yield f'<div class="scroll">{svg}</div>'
        yield f'<ul class="legend">{legend}</ul>'


def _table(caption: str, columns: Sequence[str], lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        head = "".join(f'<th scope="col">{column}</th>' for column in columns)
        yield f'<div class="scroll"><table aria-label="{caption}"><thead><tr>{head}</tr></thead><tbody>'
        yield from found
        yield "</tbody></table></div>"


def _dates(report: pb.JobReport) -> Iterator[str]:
    columns = ("Date", "Instance", "Try", "State", "Started by", "Began", "Ended", "Took", "Upstream now", "Detail")
    return _table("Instances by date", columns, map(_row, rows(report)))


def _row(of: ReportRow) -> str:
    look = "foreign" if of.kind == "foreign" else _WORDS.get(of.state, "")
    moments = [when(moment) if moment is not None else "" for moment in (of.began, of.ended)]
    cells = (
        f'<td class="time">{of.day}</td>',
        f'<td class="id">{of.instance}</td>',
        f"<td>{of.attempt or ''}</td>",
        f'<td><span class="word {look}">{escape(of.state)}</span></td>',
        f"<td>{escape(of.started_by)}</td>",
        *(f'<td class="time">{moment}</td>' for moment in moments),
        f'<td class="time">{of.took}</td>',
        f"<td>{escape(of.now)}</td>",
        f"<td>{_detail(of)}</td>",
    )
    marked = ' class="marked"' if of.is_bad else ""
    return f"<tr{marked}>{''.join(cells)}</tr>"


def _detail(of: ReportRow) -> str:
    stopped = f"stopped by {of.stopped_by}" if of.stopped_by else ""
    said = escape("; ".join(part for part in (stopped, of.detail) if part))
    if not of.calls:
        return said
    calls = "<br>".join(escape(call) for call in of.calls)
    word = "request" if len(of.calls) == 1 else "requests"
    return f"{said}<details><summary>{len(of.calls)} {word}</summary><code>{calls}</code></details>"


def _calls(report: pb.JobReport) -> Iterator[str]:
    columns = ("Call", "Name sent", "Outcome", "Sent", "Operation", "Requests")
    return _table("Calls", columns, map(_call, report.operations))


def _call(one: pb.UpstreamOperation) -> str:
    outcome = plain(one.outcome, pb.OperationOutcome, "OPERATION_OUTCOME_")
    requests = "<br>".join(map(_text, one.upstream_request_ids))
    cells = (f"{_text(one.action)} {one.index}", _text(one.marker), outcome, str(one.attempts), _text(one.operation_id))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}<td><code>{requests}</code></td></tr>"


def _notes(report: pb.JobReport) -> Iterator[str]:
    if report.notes_omitted:
        yield f'<p class="dim">{report.notes_omitted} notes before these are left out</p>'
    for note in report.notes:
        what = plain(note.type, pb.EventType, "EVENT_TYPE_")
        head = f"#{note.revision} {when(note.event_time)} {what} by {_text(note.actor)}"
        yield f'<p><span class="dim">{head}</span> {_text(note.message)}</p>'
