"""The DataWorks names of what a job makes: the caller's, or that with a mark of the job's own (ADR 0009, 0010)."""

from __future__ import annotations

import re
from typing import Final

MOST_NAME: Final = 128
"""Characters of a DataWorks name, by our own API; upstream's limit is not documented."""

_MARK: Final = re.compile("-hg[0-9a-f]{8}")
_MARK_LENGTH: Final = 11


def marked(name: str, uid: str) -> str:
    """The name that a job gives when another job gave the plain one first; `uid` is the job's, 16 hex digits."""
    return f"{stem(name)}-hg{uid[:8]}"


def stem(name: str) -> str:
    """What the name and every marked form of it begin with: what a search by upstream's fuzzy filter asks for."""
    return name[: MOST_NAME - _MARK_LENGTH]


def is_form_of(seen: str, name: str) -> bool:
    """Whether an instance of the name `seen` was made for `name`: it is that exactly, or a marked form of it."""
    return seen == name or (seen.startswith(stem(name)) and _MARK.fullmatch(seen, len(stem(name))) is not None)
