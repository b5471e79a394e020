"""Draw docs/lifecycle.md from headgate.job.lifecycle: the diagram, and what each state means in the words of the API.

Usage: python docs/draw_lifecycle.py. Everything between the two markers is rewritten; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from headgate import pb
from headgate.job import lifecycle

HERE: Final = Path(__file__).resolve().parent
PAGE: Final = HERE / "lifecycle.md"
DESCRIPTOR: Final = HERE.parent / "protos/headgate/v1/headgate.binpb"
BEGIN: Final = "<!-- drawn by docs/draw_lifecycle.py: begin -->"
END: Final = "<!-- drawn by docs/draw_lifecycle.py: end -->"

Enum = Mapping[str, str]
"""Names of an enum's values, prefix taken off, and their comments."""


def described(enum: str, prefix: str) -> Enum:
    """The values of an enum of job.proto with their comments, the one that is never stored left out."""
    files = FileDescriptorSet.FromString(DESCRIPTOR.read_bytes()).file
    file = next(file for file in files if file.name == "headgate/v1/job.proto")
    index = next(at for at, found in enumerate(file.enum_type) if found.name == enum)
    said = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
    values = enumerate(file.enum_type[index].value)
    return {value.name.removeprefix(prefix): _line(said[5, index, 2, at]) for at, value in values if value.number}


def _line(comment: str) -> str:
    return " ".join(comment.split())


def _job(state: pb.JobState.ValueType) -> str:
    return pb.JobState.Name(state).removeprefix("JOB_STATE_")


def diagram() -> Iterator[str]:
    """The transitions as a Mermaid diagram."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    [*] --> QUEUED"
    for before, following in lifecycle.JOB_TRANSITIONS.items():
        for after in sorted(following):
            retry = " : RetryJob" if before in lifecycle.JOB_TERMINAL else ""
            yield f"    {_job(before)} --> {_job(after)}{retry}"
    for state in sorted(lifecycle.JOB_TERMINAL):
        yield f"    {_job(state)} --> [*]"
    yield "```"


def table(enum: Enum, notes: Mapping[str, str]) -> Iterator[str]:
    """States and their meaning as a table."""
    yield "| state | kind | meaning |"
    yield "|---|---|---|"
    for name, meaning in enum.items():
        yield f"| `{name}` | {notes.get(name, '')} | {meaning} |"


def job_notes() -> dict[str, str]:
    """Which job states are terminal, and which wait for a person."""
    kinds = {lifecycle.JOB_TERMINAL: "terminal", lifecycle.JOB_RESTING: "waits for a person"}
    return {_job(state): kind for states, kind in kinds.items() for state in states}


def run_notes() -> dict[str, str]:
    """Which run states are final, and which are worth reading upstream."""
    kinds = {lifecycle.RUN_TERMINAL: "final for the job", lifecycle.RUN_FRONTIER: "frontier"}
    return {pb.RunState.Name(s).removeprefix("RUN_STATE_"): kind for states, kind in kinds.items() for s in states}


def drawn() -> str:
    """Everything that stands between the markers."""
    jobs, runs = described("JobState", "JOB_STATE_"), described("RunState", "RUN_STATE_")
    parts = [*diagram(), "", *table(jobs, job_notes()), "", "## Runs", "", *table(runs, run_notes())]
    return "\n".join(parts)


def page(before: str) -> str:
    """The page with what stands between its markers drawn anew."""
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{drawn()}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
