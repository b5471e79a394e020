"""The .proto files keep the rules of protos/README.md: named, numbered and commented throughout."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto

from headgate.reasons import Reason
from tests.architecture import api_lines

FILES: Final = api_lines.published()
CODES: Final = {code.name for code in grpc.StatusCode}
WORDS: Final = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")
BULLET: Final = re.compile(r"([A-Z_]+), ([A-Z_]+(?:(?:, | or )[A-Z_]+)*):")

Path = tuple[int, ...]


@dataclass(frozen=True)
class Named:
    """Something with a name that must carry a comment."""

    name: str
    comment: str


def comments(file: FileDescriptorProto) -> dict[Path, str]:
    return {tuple(place.path): place.leading_comments for place in file.source_code_info.location}


def everything(file: FileDescriptorProto) -> Iterator[Named]:
    said = comments(file)
    for index, message in enumerate(file.message_type):
        yield from in_message(message, (4, index), said)
    for index, enum in enumerate(file.enum_type):
        yield from in_enum(enum, (5, index), said)
    for index, service in enumerate(file.service):
        yield Named(service.name, said.get((6, index), ""))
    yield from methods(file)


def methods(file: FileDescriptorProto) -> Iterator[Named]:
    said = comments(file)
    for index, service in enumerate(file.service):
        for number, method in enumerate(service.method):
            yield Named(f"{service.name}.{method.name}", said.get((6, index, 2, number), ""))


def in_message(message: DescriptorProto, path: Path, said: dict[Path, str]) -> Iterator[Named]:
    if message.options.map_entry:
        return
    yield Named(message.name, said.get(path, ""))
    for index, field in enumerate(message.field):
        yield Named(f"{message.name}.{field.name}", said.get((*path, 2, index), ""))
    for index, nested in enumerate(message.nested_type):
        yield from in_message(nested, (*path, 3, index), said)
    for index, enum in enumerate(message.enum_type):
        yield from in_enum(enum, (*path, 4, index), said)


def in_enum(enum: EnumDescriptorProto, path: Path, said: dict[Path, str]) -> Iterator[Named]:
    yield Named(enum.name, said.get(path, ""))
    for index, value in enumerate(enum.value):
        yield Named(f"{enum.name}.{value.name}", said.get((*path, 2, index), ""))


def enums() -> Iterator[EnumDescriptorProto]:
    for file in FILES:
        yield from file.enum_type
        for message in file.message_type:
            yield from message.enum_type


def all_methods() -> list[Named]:
    return [method for file in FILES for method in methods(file)]


def errors_of(method: Named) -> str:
    return method.comment.partition("Errors:")[2]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_everything_has_a_comment(file: FileDescriptorProto) -> None:
    assert not [item.name for item in everything(file) if not item.comment.strip()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_the_package_is_the_folder(file: FileDescriptorProto) -> None:
    assert file.name.rpartition("/")[0].replace("/", ".") == file.package


def test_enum_values_are_prefixed_and_zero_is_unspecified() -> None:
    wrong = []
    for enum in enums():
        prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper()
        names = [value.name for value in enum.value]
        if enum.value[0].number != 0 or names[0] != f"{prefix}_UNSPECIFIED":
            wrong.append(f"{enum.name}: {names[0]} = {enum.value[0].number}")
        wrong += [f"{enum.name}.{name}" for name in names if not name.startswith(f"{prefix}_")]

    assert not wrong


def test_a_request_is_named_after_its_method() -> None:
    wrong = []
    for service in (service for file in FILES for service in file.service):
        for method in service.method:
            reply = method.output_type.rpartition(".")[2]
            if method.input_type.rpartition(".")[2] != f"{method.name}Request":
                wrong.append(f"{method.name} takes {method.input_type}")
            if reply.endswith("Response") and reply != f"{method.name}Response" and not shared(method.name, reply):
                wrong.append(f"{method.name} returns {reply}")

    assert not wrong


def shared(method: str, reply: str) -> bool:
    """One stream of one kind of message has three ways in: a client reads them all with the same code."""
    return reply == "WatchJobResponse" and method in ("WatchJobs", "RunJob")


@pytest.mark.parametrize("method", all_methods(), ids=lambda method: str(method.name))
def test_the_errors_of_a_method_exist(method: Named) -> None:
    errors = errors_of(method)
    assert errors.strip(), "its comment has no `Errors:` part"

    unknown = set(WORDS.findall(errors)) - CODES - set(Reason.__members__)
    assert not unknown
    assert not wrong_codes(errors)


def wrong_codes(errors: str) -> Sequence[str]:
    """Reasons that are listed under another code than headgate.reasons gives them."""
    return [
        f"{reason} comes with {Reason[reason].value.code}, not {code}"
        for code, reasons in BULLET.findall(errors.replace("\n", " "))
        for reason in WORDS.findall(reasons)
        if Reason[reason].value.code != code
    ]


def test_a_method_that_borrows_errors_names_a_method() -> None:
    names = {method.name.partition(".")[2] for method in all_methods()}
    borrowed = {word for method in all_methods() for word in re.findall(r"\bas ([A-Z]\w+)", errors_of(method))}

    assert not {word for word in borrowed if word not in names and word not in {"RetryInfo"}}
