"""The end of a text that may be long: logs are kept and shown by their ends, where they say what went wrong."""

from __future__ import annotations


def tail(text: str, most: int) -> tuple[str, bool]:
    """The last characters of `text` that take at most `most` bytes of UTF-8, and whether something was cut off.

    Never cuts inside a character. A character that UTF-8 can't hold, half of a surrogate pair, becomes a question mark.
    """
    end = text[-most:] if most > 0 else ""
    kept = end.encode("utf-8", "replace")[-most:] if most > 0 else b""
    found = kept.decode("utf-8", "ignore")  # only its first character can be incomplete
    return found, len(found) < len(text)
