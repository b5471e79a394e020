"""Page tokens: a few whole numbers that say where a list goes on, bound to the arguments of that list. Pure.

A token holds no secret and is not signed: a forged one reads what its caller may read anyway, and what a token says is
checked before it is used.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Final

from google.protobuf.message import Message

OTHER_ARGUMENTS: Final = (
    "the page token was made by a list with other arguments; repeat those of the first page, or start again without it"
)
UNREADABLE: Final = "the page token can't be read, it is cut off or was never one; start again without it"


class BadPageToken(ValueError):
    """The page token can't be read, or was not made by a list with these arguments; the text says which."""


def out_of_range() -> BadPageToken:
    """What to raise for a token that was made by hand: it names a place that no list has."""
    return BadPageToken(UNREADABLE)


def digest(request: Message) -> str:
    """A digest of what must stay as it was from page to page: the request without its token and page size."""
    bare = type(request)()
    bare.CopyFrom(request)
    for field in ("page_token", "page_size"):
        bare.ClearField(field)
    return hashlib.blake2b(bare.SerializeToString(deterministic=True), digest_size=6).hexdigest()


def seal(arguments: str, *place: int) -> str:
    """The token of a place in a list; `arguments` is the digest of its request."""
    return base64.urlsafe_b64encode(json.dumps([*place, arguments]).encode()).decode()


def place(token: str, arguments: str, count: int) -> tuple[int, ...]:
    """The `count` numbers, each 0 or more, that the token was made of.

    Raises:
        BadToken: it can't be read, or was not made by a list with these arguments.
    """
    try:
        *numbers, sealed = json.loads(base64.urlsafe_b64decode(token.encode()))
        good = len(numbers) == count and all(type(one) is int and one >= 0 for one in numbers)
    except (ValueError, TypeError):
        raise BadPageToken(UNREADABLE) from None
    if not good:
        raise BadPageToken(UNREADABLE)
    if sealed != arguments:
        raise BadPageToken(OTHER_ARGUMENTS)
    return tuple(numbers)
