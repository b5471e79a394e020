"""The API as a table of lines: every method, field and enum value with its number. Written to api_table.txt.

The committed table is what callers were promised. `python -m tests.architecture.api_table` brings it up to date, and
refuses when a line would be lost; `--breaking` loses it on purpose, which before the first release is a matter of the
changelog, and afterwards of a new package version.
"""

import sys
from collections.abc import Iterator
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
DESCRIPTOR: Final = ROOT / "protos/headgate/v1/headgate.binpb"
TABLE: Final = Path(__file__).with_name("api_table.txt")


def published() -> list[FileDescriptorProto]:
    """Our files in the published descriptor set, comments included."""
    found = FileDescriptorSet.FromString(DESCRIPTOR.read_bytes())
    return [file for file in found.file if file.package.startswith("headgate.")]


def lines() -> list[str]:
    """The API as it stands."""
    return sorted(line for file in published() for line in _file(file))


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


def promised() -> list[str]:
    """The API as callers were promised it."""
    return TABLE.read_text().splitlines()


def lost() -> list[str]:
    """Lines of the promise that hold no longer."""
    return sorted(set(promised()) - set(lines()))


def main(arguments: list[str]) -> int:
    """Bring the table up to date; 1 when that would break a promise."""
    broken = lost() if TABLE.exists() and "--breaking" not in arguments else []
    if broken:
        sys.stderr.write("removed or renumbered; --breaking if that is meant:\n  " + "\n  ".join(broken) + "\n")
        return 1
    TABLE.write_text("".join(f"{line}\n" for line in lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
