"""The API as lines: every method, message, field and enum value with its number. Of today, and of every commit before.

A commit can edit every file of its tree, and no commit before it: so what callers were promised is read from the
history of the published descriptor set.
"""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

ROOT: Final = Path(__file__).resolve().parents[2]
PUBLISHED: Final = "protos/headgate/v1/headgate.binpb"
DESCRIPTOR: Final = ROOT / PUBLISHED


def published() -> list[FileDescriptorProto]:
    """Our files in the published descriptor set, comments included."""
    return ours(DESCRIPTOR.read_bytes())


def ours(raw: bytes) -> list[FileDescriptorProto]:
    """Our files in a descriptor set."""
    return [file for file in FileDescriptorSet.FromString(raw).file if file.package.startswith("headgate.")]


def lines(files: list[FileDescriptorProto]) -> set[str]:
    """The API that files declare."""
    return {line for file in files for line in _file(file)}


def reserved(files: list[FileDescriptorProto]) -> set[str]:
    """Fields and enum values that were given up in the open, as "Message.name" and "Message.number", both needed."""
    found = set()
    for name, holder in _holders(files):
        ranges = [(span.start, span.end + isinstance(holder, EnumDescriptorProto)) for span in holder.reserved_range]
        found |= {f"{name}.{number}" for first, last in ranges for number in range(first, min(last, first + 1000))}
        found |= {f"{name}.{gone}" for gone in holder.reserved_name}
    return found


def lost(before: list[FileDescriptorProto], now: list[FileDescriptorProto]) -> list[str]:
    """What was promised before, holds no longer, and was not given up by `reserved`."""
    given_up = reserved(now)
    return sorted(line for line in lines(before) - lines(now) if not _is_given_up(line, given_up))


_NUMBERED: Final = re.compile(r"(?:field|value) (?P<holder>[\w.]+)\.(?P<name>\w+) = (?P<number>\d+)")


def _is_given_up(line: str, given_up: set[str]) -> bool:
    found = _NUMBERED.match(line)
    return found is not None and {f"{found['holder']}.{found[key]}" for key in ("name", "number")} <= given_up


def _holders(files: list[FileDescriptorProto]) -> Iterator[tuple[str, DescriptorProto | EnumDescriptorProto]]:
    for file in files:
        yield from ((f"{file.package}.{enum.name}", enum) for enum in file.enum_type)
        for message in file.message_type:
            yield from _in_message(f"{file.package}.{message.name}", message)


def _in_message(name: str, message: DescriptorProto) -> Iterator[tuple[str, DescriptorProto | EnumDescriptorProto]]:
    yield name, message
    yield from ((f"{name}.{enum.name}", enum) for enum in message.enum_type)
    for nested in message.nested_type:
        yield from _in_message(f"{name}.{nested.name}", nested)


def git(*arguments: str) -> bytes:
    """What git says; CalledProcessError where there is no checkout."""
    return subprocess.run(("git", *arguments), cwd=ROOT, check=True, capture_output=True).stdout


@cache
def history() -> tuple[str, ...]:
    """The commits before this one that changed the published descriptor set, newest first."""
    commits = git("log", "--format=%H", "--diff-filter=AM", "HEAD", "--", PUBLISHED).decode().split()
    return tuple(commits)


def published_at(commit: str) -> bytes:
    """The descriptor set as a commit has it."""
    return git("show", f"{commit}:{PUBLISHED}")


def _file(file: FileDescriptorProto) -> Iterator[str]:
    for message in file.message_type:
        yield from _message(f"{file.package}.{message.name}", message)
    for enum in file.enum_type:
        yield from _enum(f"{file.package}.{enum.name}", enum)
    for service in file.service:
        yield from _service(f"{file.package}.{service.name}", service)


def _message(name: str, message: DescriptorProto) -> Iterator[str]:
    yield f"message {name}"
    for field in message.field:
        oneof = f" in {message.oneof_decl[field.oneof_index].name}" if field.HasField("oneof_index") else ""
        yield f"field {name}.{field.name} = {field.number}: {_type(field)}{oneof}"
    for nested in message.nested_type:
        yield from _message(f"{name}.{nested.name}", nested)
    for enum in message.enum_type:
        yield from _enum(f"{name}.{enum.name}", enum)


def _type(field: FieldDescriptorProto) -> str:
    plain = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    repeated = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
    return repeated + (field.type_name.lstrip(".") or plain)


def _enum(name: str, enum: EnumDescriptorProto) -> Iterator[str]:
    return (f"value {name}.{value.name} = {value.number}" for value in enum.value)


def _service(name: str, service: ServiceDescriptorProto) -> Iterator[str]:
    for method in service.method:
        stream = "stream " if method.server_streaming else ""
        yield f"rpc {name}.{method.name}({method.input_type[1:]}) returns ({stream}{method.output_type[1:]})"
