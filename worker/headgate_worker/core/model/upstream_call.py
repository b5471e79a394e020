"""A call to a cloud with the type of its reply, which adapters and rules are held to by the type checker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Body = TypeVar("Body")


class UpstreamCall(Generic[Body]):
    """A call whose reply has a body of type `Body`; the subclasses are frozen values."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PerInstance:
    """What a write about several instances said about one. Decide on `success`; `message` may be there either way."""

    success: bool
    message: str = ""
