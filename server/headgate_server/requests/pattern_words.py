"""What each pattern of the .proto files allows, in words, with an example. Pure.

A pattern says what is right to a program, not to a person. A test finds every pattern by the descriptors and fails
for one that has no words here, or whose example it does not match.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Allowed(NamedTuple):
    """What a pattern allows.

    Args:
        words: what the value must be, as the end of a sentence that begins with "must be".
        example: a value that matches.
    """

    words: str
    example: str


_JOB_ID: Final = "1 to 63 small letters, digits and hyphens, that begin with a letter and do not end with a hyphen"
_TIME: Final = "a time of day from 00:00:00 to 23:59:59 with two digits for each part"
_KEY: Final = "letters, digits and the characters _ . : -"

PATTERNS: Final[Mapping[str, Allowed]] = {
    r"^([a-z]([a-z0-9-]{0,61}[a-z0-9])?)?$": Allowed(f"empty, or {_JOB_ID}", "orders-2025"),
    r"^jobs/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$": Allowed(
        f'"jobs/" and the id of a job, which is {_JOB_ID}', "jobs/orders-2025"
    ),
    r"^(jobs/[a-z]([a-z0-9-]{0,61}[a-z0-9])?)?$": Allowed(
        f'empty, or "jobs/" and the id of a job, which is {_JOB_ID}', "jobs/orders-2025"
    ),
    r"^[A-Za-z0-9_.:-]{0,128}$": Allowed(f"at most 128 {_KEY}", "6f1f0c9e-7e0b-4a53-9a0e-2f4f5a1f7f10"),
    r"^[A-Za-z0-9_.:-]{1,128}$": Allowed(f"1 to 128 {_KEY}", "2809-20190808093200"),
    r"^[A-Za-z0-9_.:-]+$": Allowed(_KEY, "2809-20190808093200"),
    r"^[a-z0-9][a-z0-9_.-]{0,62}$": Allowed(
        "1 to 63 small letters, digits and the characters _ . -, that begin with a letter or digit", "team"
    ),
    r"^[^\x00-\x1f\x7f]*$": Allowed("one line of text without tabs and other control characters", "orders"),
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$": Allowed(
        "text without control characters, tabs and line breaks apart", "wrong dates"
    ),
    r"^[^\x00-\x1f\x7f:]+:[^\x00-\x1f\x7f]*$": Allowed(
        "a key, a colon and a value, which may be empty and then stands for any", "team:orders"
    ),
    r"^(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])?$": Allowed(f"empty, or {_TIME}", "08:30:00"),
    r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$": Allowed(_TIME, "08:30:00"),
}
"""By the pattern itself, as it stands in the .proto files."""


def described(pattern: str) -> str:
    """What a value must be that was refused by a pattern; empty for a pattern that is not known."""
    allowed = PATTERNS.get(pattern)
    return f'must be {allowed.words}, such as "{allowed.example}"' if allowed else ""
