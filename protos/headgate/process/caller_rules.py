"""What callers, their tokens and their rights are called; the same in servers, workers, client and command. Pure."""

from __future__ import annotations

import re
from typing import Final

RESOURCE_ID: Final = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
"""Pattern of the ids of jobs and of the names of callers and connections: 1 to 63 small letters, digits and hyphens,
a letter first and no hyphen last. The rules of the .proto files have it as a literal."""

ANONYMOUS: Final = "anonymous"
"""Name of the caller where no file of callers is set."""

WORKER: Final = "worker"
"""Name of the actor of changes that no caller makes."""

RESERVED: Final = frozenset({ANONYMOUS, WORKER})
"""Names that no caller may have."""

RIGHTS: Final = ("read", "plan", "payloads", "write")
"""Rights of a caller, as files and the command write them."""

MAX_TOKEN: Final = 512
"""Most characters of a bearer token."""

_RESOURCE_ID: Final = re.compile(RESOURCE_ID)


def is_resource_id(text: str) -> bool:
    """Whether a text can be the name of a caller or of a connection, or the id of a job."""
    return _RESOURCE_ID.fullmatch(text) is not None


def is_token(text: str) -> bool:
    """Whether a text can be a bearer token: 1 to 512 printable ASCII characters without a space."""
    return 0 < len(text) <= MAX_TOKEN and text.isascii() and text.isprintable() and " " not in text
