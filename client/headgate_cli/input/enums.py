"""Between the words that people type and read and the enums of the API."""

from typing import Protocol

from google.protobuf.descriptor import EnumDescriptor

from headgate_cli.input.arguments import choice


class EnumKind(Protocol):
    """A generated enum."""

    @property
    def DESCRIPTOR(self) -> EnumDescriptor:  # noqa: N802 - generated code names it
        """Its description."""


def number(word: str, kind: EnumKind, prefix: str, flag: str) -> int:
    """Return the number that a word of DataWorks means; 0 for no word. Raises UsageFault."""
    values = kind.DESCRIPTOR.values_by_name
    return int(values[choice(word, list(values), prefix, flag)].number)


def plain(value: int, kind: EnumKind, prefix: str) -> str:
    """Return an enum value in plain words: JOB_STATE_NEEDS_ATTENTION is "needs attention".

    A value newer than this program is its number.
    """
    known = kind.DESCRIPTOR.values_by_number.get(value)
    return known.name.removeprefix(prefix).replace("_", " ").lower() if known else str(value)
