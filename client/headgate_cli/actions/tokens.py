"""Make a token, and the entry of its caller in the server's file of callers."""

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from headgate.process.caller_rules import RESERVED, RIGHTS, is_resource_id
from headgate_cli.input.arguments import span
from headgate_cli.process.exit_codes import OK, USAGE, UsageFault
from headgate_cli.views.output import Printer

_BYTES = 32
"""Randomness of a token; so much can't be guessed, and needs no slow digest."""

_PREFIX = "hg_"
"""By this people and secret scanners recognise a token."""


def create(name: str, rights: Sequence[str], connections: Sequence[str], expires: str, token_file: str) -> int:
    """Make a token and print the entry; return the exit status."""
    printer = Printer()
    try:
        token = _PREFIX + secrets.token_urlsafe(_BYTES)
        lines = entry(name, token, rights, connections, _end(expires, datetime.now(UTC)))
        if token_file:
            _keep(token_file, token)
    except UsageFault as fault:
        printer.complain(str(fault))
        return USAGE
    except OSError as error:
        printer.complain(f"--token-file: {token_file}: {error.strerror}")
        return USAGE
    for line in lines:
        printer.line(line)
    if not token_file:
        printer.note(f"the token of {name}, shown this once: {token}")
    return OK


def entry(
    name: str, token: str, rights: Sequence[str], connections: Sequence[str], expires: datetime | None
) -> list[str]:
    """Return the lines of the entry. Raises UsageFault."""
    if not is_resource_id(name) or name in RESERVED:
        raise UsageFault("NAME", f"{name!r} can't be a caller's name; small letters, digits and -, such as scheduler")
    if wrong := next((right for right in rights if right not in RIGHTS), None):
        raise UsageFault("--right", f"{wrong!r} is no right; write one of {', '.join(RIGHTS)}")
    if wrong := next((one for one in connections if one and not is_resource_id(one)), None):
        raise UsageFault("--connection", f"{wrong!r} is no name of a connection; write small letters, digits and -")
    digest = hashlib.sha256(token.encode()).hexdigest()
    end = f", expires = {expires:%Y-%m-%dT%H:%M:%SZ}" if expires else ""
    return [
        f"[callers.{name}]",
        f"rights = {json.dumps(list(rights or ('write',)))}",
        *([f"connections = {json.dumps(list(connections))}"] if connections else []),
        "tokens = [",
        f'  {{sha256 = "{digest}"{end}}},',
        "]",
    ]


def _end(expires: str, now: datetime) -> datetime | None:
    after = span(expires, "--expires")
    try:
        return now + after if after else None
    except OverflowError:
        raise UsageFault("--expires", f"{expires!r} is too long") from None


def _keep(path: str, token: str) -> None:
    # Never over another file: it may hold the token that is in use.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(f"{token}\n")
