"""The file that names the connections of a deployment, HEADGATE_CONNECTIONS.

Each is a DataWorks account in a region, or a user of an EnOS organisation. The file says where credentials are kept,
never what they are, and only workers read it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headgate.process.caller_rules import RESOURCE_ID
from headgate.quota import limits as quota_limits
from headgate.quota.limits import Limits
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings
from headgate_worker.upstream.enos.settings import EnosSettings

MAX_SECRET: Final = 4096
"""Characters that a credential may have; longer files are none."""

Name = Annotated[str, Field(pattern=f"^{RESOURCE_ID}$")]
Qps = Annotated[float, Field(ge=0)]


def limits_from(edition: str, own: Mapping[str, float]) -> Limits:
    """An edition's preset, with each number that is set by itself; 0 leaves the preset's."""
    return replace(quota_limits.EDITIONS[edition], **{name: value for name, value in own.items() if value})  # type: ignore[arg-type]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    edition: Literal["basic", "standard", "professional", "enterprise", "unlimited"] | None = None
    read_qps: Qps = 0
    write_qps: Qps = 0
    total_qps: Qps = 0
    total_daily: Annotated[int, Field(ge=0)] = 0

    def _limits(self, usual: str) -> Limits:
        own = {name: getattr(self, name) for name in ("read_qps", "write_qps", "total_qps", "total_daily")}
        return limits_from(self.edition or usual, own)


class DataWorksEntry(_Entry):
    """One DataWorks account in one region. Without keys of its own it takes Alibaba's default credential chain."""

    kind: Literal["dataworks"]
    region: str = "cn-hangzhou"
    endpoint: str = ""
    access_key_id_env: str = ""
    access_key_id_file: str = ""
    access_key_secret_env: str = ""
    access_key_secret_file: str = ""

    def settings(self, read: Secrets) -> DataWorksSettings:
        """Endpoint and credentials. Raises ValueError."""
        key = read("access_key_id", self.access_key_id_env, self.access_key_id_file)
        secret = read("access_key_secret", self.access_key_secret_env, self.access_key_secret_file)
        if bool(key) != bool(secret):
            raise ValueError("access_key_id and access_key_secret go together")
        credentials = Credentials(key, secret) if key else None
        return DataWorksSettings(region=self.region, endpoint=self.endpoint or None, credentials=credentials)

    def limits(self) -> Limits:
        """What upstream allows."""
        return self._limits("unlimited" if self.endpoint else "standard")


class EnosEntry(_Entry):
    """One user of one EnOS organisation."""

    kind: Literal["enos"]
    endpoint: str
    user_id: str
    org_id: str
    generation: Literal["v2.0", "v2.1"] = "v2.1"
    base: str = ""
    trigger_zone: str = ""
    run_zone: str = ""
    first_page: Literal[0, 1] = 0
    app_key_env: str = ""
    app_key_file: str = ""
    app_secret_env: str = ""
    app_secret_file: str = ""

    def settings(self, read: Secrets) -> EnosSettings:
        """Endpoint and credentials. Raises ValueError."""
        return EnosSettings(
            endpoint=self.endpoint,
            app_key=read("app_key", self.app_key_env, self.app_key_file),
            app_secret=read("app_secret", self.app_secret_env, self.app_secret_file),
            user_id=self.user_id,
            org_id=self.org_id,
            generation=self.generation,
            base=self.base,
            trigger_zone=self.trigger_zone,
            run_zone=self.run_zone,
            first_page=self.first_page,
        )

    def limits(self) -> Limits:
        """What upstream allows; EnOS publishes no limits."""
        return self._limits("unlimited")


class ConnectionFile(BaseModel):
    """The whole file. `default` names the connection of requests that name none; empty leaves it to the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    default: str = ""
    connections: dict[Name, Annotated[DataWorksEntry | EnosEntry, Field(discriminator="kind")]] = {}


class Secrets:
    """Reads credentials from where an entry says.

    Args:
        environ: environment variables.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __call__(self, what: str, variable: str, file: str) -> str:
        """The credential; empty when neither place is named.

        Raises:
            ValueError: both places are named, or nothing is there; the message names the place, never the value.
        """
        if variable and file:
            raise ValueError(f"give {what}_env or {what}_file, not both")
        if variable:
            return self._held(self._environ.get(variable, ""), f"variable {variable}")
        if not file:
            return ""
        try:
            found = Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"file {file} can't be read ({type(error).__name__})") from None
        return self._held(found, f"file {file}")

    def _held(self, text: str, place: str) -> str:
        secret = text.strip()
        if not secret or len(secret) > MAX_SECRET or not secret.isprintable():
            raise ValueError(f"{place} holds no credential")
        return secret


def environment() -> Secrets:
    """Credentials from this process' environment, and from files."""
    return Secrets(os.environ)


def load(path: str) -> ConnectionFile:
    """Read the file; one without connections for the empty path.

    Raises:
        ValueError: it can't be read, or says something that makes no sense; values are never quoted.
    """
    if not path:
        return ConnectionFile()
    try:
        content: Any = tomllib.loads(Path(path).read_text("utf-8"))
        found = ConnectionFile.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"HEADGATE_CONNECTIONS: {_complaints(error)}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"HEADGATE_CONNECTIONS: the file can't be read ({type(error).__name__})") from None
    if found.default and found.default not in found.connections:
        raise ValueError("HEADGATE_CONNECTIONS: default names no connection of the file")
    return found


def _complaints(error: ValidationError) -> str:
    rows = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, row['loc']))}: {row['msg']}" for row in rows)
