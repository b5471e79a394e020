"""The file that names who may call, HEADGATE_CALLERS: tokens by their digests, rights, connections, limits.

It holds no token, so reading it gives no access. Errors name the entry and quote no value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from headgate.process.caller_rules import RESERVED, RESOURCE_ID
from headgate_server.auth.callers import Callers, Proof
from headgate_server.ports.caller import UNLIMITED, Caller, CallerLimits, Right

MAX_BYTES: Final = 4 * 1024 * 1024
"""Longest file that is read."""

Name = Annotated[str, Field(pattern=f"^{RESOURCE_ID}$")]
Connection = Annotated[str, Field(pattern=f"^({RESOURCE_ID})?$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_SPIFFE: Final = re.compile(r"spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)*")


def _certificate_name(name: str) -> str:
    if not name.isprintable():
        raise ValueError("a name in a certificate has no control characters")
    if "://" in name and not _SPIFFE.fullmatch(name):
        raise ValueError('a name with "://" is a SPIFFE id: spiffe://trust.domain/path, without a query or a port')
    return name


CertificateName = Annotated[str, Field(min_length=1, max_length=2_048), AfterValidator(_certificate_name)]

_PLACE: Final = re.compile(r"\(at [^()]*\)$")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TokenEntry(_Model):
    """One token of a caller: the digest in hex, and when it expires; without a time it never does."""

    sha256: Sha256
    expires: AwareDatetime | None = None


class LimitsEntry(_Model):
    """The fields of `CallerLimits` that an entry may have; what is absent is as the settings say."""

    calls_per_second: Rate | None = None
    max_watches: Count | None = None
    max_watched_instances: Count | None = None
    max_open_reads: Count | None = None
    max_plan_dates: Count | None = None
    upstream_reads_per_minute: Rate | None = None
    max_jobs: Count | None = None
    max_stored_bytes: Count | None = None

    def limits(self, usual: CallerLimits) -> CallerLimits:
        """The limits of the entry, those of `usual` where it has none."""
        said = {field.name: getattr(self, field.name) for field in fields(CallerLimits)}
        return replace(usual, **{name: value for name, value in said.items() if value is not None})


class CallerEntry(LimitsEntry):
    """One caller. Absent `connections` stand for all of them, absent limits for those of the settings."""

    rights: Annotated[list[Right], Field(min_length=1)]
    tokens: list[TokenEntry] = []
    certificates: list[CertificateName] = []
    connections: Annotated[list[Connection], Field(min_length=1)] | None = None

    def caller(self, name: str, usual: CallerLimits) -> Caller:
        """The caller; `usual` are the limits where the entry has none."""
        return Caller(
            name,
            frozenset().union(*(right.implied() for right in self.rights)),
            None if self.connections is None else frozenset(self.connections),
            self.limits(usual),
        )

    def proofs(self, caller: Caller) -> Iterator[Proof]:
        """Everything that the caller is known by."""
        for token in self.tokens:
            expire_ms = None if token.expires is None else int(token.expires.timestamp() * 1000)
            yield Proof(bytes.fromhex(token.sha256), caller, expire_ms)
        for name in self.certificates:
            yield Proof(name, caller)


class CallersFile(_Model):
    """The whole file."""

    callers: Annotated[dict[Name, CallerEntry], Field(min_length=1)]


def load(path: Path, *, mutual: bool = False, usual: CallerLimits = UNLIMITED) -> Callers:
    """Read the file.

    Args:
        path: where it is.
        mutual: whether clients show certificates.
        usual: the limits of entries, where they don't say others.

    Raises:
        ValueError: it can't be read, or says something that makes no sense; values are never quoted.
    """
    try:
        found = CallersFile.model_validate(_content(path))
    except ValidationError as error:
        raise ValueError(_complaints(error)) from None
    for name in found.callers.keys() & RESERVED:
        raise ValueError(f"callers.{name}: the name stands for somebody else in jobs and events")
    named = next((name for name, entry in found.callers.items() if entry.certificates), None)
    if named is not None and not mutual:
        raise ValueError(f"callers.{named}: certificates need HEADGATE_TLS_CLIENT_CA")
    callers = {name: entry.caller(name, usual) for name, entry in found.callers.items()}
    return Callers(_by_key(proof for name, entry in found.callers.items() for proof in entry.proofs(callers[name])))


def _content(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ValueError(f"the file is longer than {MAX_BYTES} bytes")
        return tomllib.loads(raw.decode())
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        raise ValueError(f"the file is no TOML {place.group() if place else ''}".rstrip()) from None
    except RecursionError:
        raise ValueError("the file is nested too deeply") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the file can't be read ({type(error).__name__})") from None


def _by_key(proofs: Iterator[Proof]) -> Mapping[bytes | str, Proof]:
    found: dict[bytes | str, Proof] = {}
    for proof in proofs:
        if proof.key in found:
            kind = "token" if isinstance(proof.key, bytes) else "certificate"
            others = f"callers.{found[proof.key].caller.name} and callers.{proof.caller.name}"
            raise ValueError(f"{others}: the same {kind} twice")
        found[proof.key] = proof
    return found


def _complaints(error: ValidationError) -> str:
    rows = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, row['loc']))}: {row['msg']}" for row in rows[:_MOST])


_MOST: Final = 5
"""Most complaints of one error."""
