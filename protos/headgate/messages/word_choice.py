"""What to say of a word that is none of those that are known. Pure.

One sentence everywhere, so that a person who mistypes a word on any surface gets the same help.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_LONGEST: Final = 40
"""Most characters of a wrong word that are repeated to its author."""


def unknown(what: str, text: str, known: Sequence[str]) -> str:
    """Such as "unknown state 'RUNING': did you mean RUNNING? Known are QUEUED, RUNNING".

    Args:
        what: what the word should have been, such as "state".
        text: the word.
        known: all words that would do.
    """
    near = nearest(text, known)
    guess = f": did you mean {near}? Known" if near else "; known"
    return f"unknown {what} {text[:_LONGEST]!r}{guess} are {', '.join(known)}"


def nearest(text: str, known: Sequence[str]) -> str:
    """The known word that was probably meant, whatever its case; empty when none is near."""
    from difflib import get_close_matches  # only after a mistyped word: it takes milliseconds to load

    folded = {word.upper(): word for word in known}
    found = get_close_matches(text[:_LONGEST].upper(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else ""
