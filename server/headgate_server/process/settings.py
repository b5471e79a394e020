"""Settings of the server: environment variables HEADGATE_*, read once, checked, printed with secrets masked."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from headgate.process import exposure
from headgate.process import redis_url as redis_url_of
from headgate.process.exposure import Exposure
from headgate.store.charges import Shares
from headgate_server.auth import callers_file
from headgate_server.ports.address import parse_address
from headgate_server.ports.caller import CallerLimits

PREFIX: Final = "HEADGATE_"


class BadSettings(ValueError):
    """A setting has a value that can't be used; the message names the variable."""


def _address(text: str) -> str:
    parse_address(text)
    return text


def _redis_url(text: str) -> str:
    redis_url_of.parse(text)
    return text


def _insecure(text: str) -> str:
    exposure.parse(text)
    return text


Address = Annotated[str, AfterValidator(_address)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """All settings of a server process. docs/settings.md is this class for people."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    redis_url: Annotated[str, AfterValidator(_redis_url)] = Field(
        "redis://127.0.0.1:6379/0", description="Redis that holds the jobs; user and password in the URL."
    )
    listen: Address = Field(
        "127.0.0.1:50051",
        description="Address of the gRPC port; port 0 takes a free one. In the image 0.0.0.0:50051.",
    )
    published: str = Field(
        "",
        description="Host address at which a container engine or a proxy on this machine publishes the gRPC port; "
        "empty means that it is reached at HEADGATE_LISTEN.",
    )
    allow_insecure: Annotated[str, AfterValidator(_insecure)] = Field(
        "",
        description="What is meant to be open beyond this machine, with commas between: open (no callers are named), "
        "plaintext-tokens (no TLS), plaintext-upstream and plaintext-webhook (workers). "
        "A start refuses what is not named.",
    )
    ops_listen: Address = Field(
        "0.0.0.0:8080", description="Address of the HTTP port for health and metrics; port 0 takes a free one."
    )
    processes: int = Field(
        1, ge=1, le=64, description="Server processes on the gRPC port; process i takes the HTTP port + i."
    )
    max_stream_age: Seconds = Field(
        1800.0, description="Seconds after which a stream is ended with a resume point, +-10 %."
    )
    max_watches: int = Field(20_000, ge=1, description="Most open streams per process.")
    max_connection_calls: int = Field(
        250,
        ge=1,
        le=1_000_000,
        description="Most open calls of one connection, streams included; more have to wait.",
    )
    drain_seconds: float = Field(
        5.0, ge=0, le=600, description="How long, in seconds, open calls may go on after SIGTERM."
    )
    drain_delay: float = Field(
        0.0,
        ge=0,
        le=600,
        description="Seconds between NOT_SERVING and the end of streams, for balancers that need time to notice.",
    )
    reconnect_spread: float = Field(
        3.0, ge=0, le=600, description="Over how many seconds the watchers of a draining server are asked to come back."
    )
    job_ttl: int = Field(
        2_592_000, ge=60, le=34_560_000, description="Seconds a job is kept after its end when its caller does not say."
    )
    read_timeout: Seconds = Field(10.0, description="Longest time, in seconds, a read waits for a worker.")
    watch_poll_min: Seconds = Field(
        2.0, description="Shortest time, in seconds, between two reads of a watched instance that no job follows."
    )
    watch_poll_max: Seconds = Field(30.0, description="Longest time, in seconds, between two such reads.")
    redis_timeout: Seconds = Field(3.0, description="Longest time, in seconds, Redis may take to answer.")
    log_format: Literal["text", "json"] = Field("text", description="How log lines look.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level that is logged; DEBUG has a line for every call."
    )
    reflection: bool = Field(True, description="Whether the gRPC reflection service is on.")
    tls_cert: Path | None = Field(
        None, description="File with the server's certificate chain, PEM; turns TLS on; read again when it changes."
    )
    tls_key: Path | None = Field(None, description="File with the server's private key, PEM.")
    tls_client_ca: Path | None = Field(
        None, description="File with the authorities whose client certificates are accepted, PEM; turns mutual TLS on."
    )
    callers: Path | None = Field(
        None, description="TOML file of the callers, with digests of their tokens; without it every call is let in."
    )
    caller_calls_per_second: Rate = Field(
        500.0,
        description="Most calls a second per caller and process, where its entry does not say; each 4 KiB of a "
        "request, each 64 KiB of an answer and of jobs that are read for a list, and each 4 instances that a watch is "
        "opened of, count as one more; 0: no limit.",
    )
    caller_max_watches: Count = Field(
        5_000, description="Most open streams per caller and process, where its entry does not say; 0: no limit."
    )
    caller_max_watched_instances: Count = Field(
        2_500, description="Most watched instances per caller and process, where its entry does not say; 0: no limit."
    )
    caller_max_open_reads: Count = Field(
        200,
        description="Most reads that wait for workers per caller and process, where its entry does not say; "
        "0: no limit.",
    )
    caller_max_plan_dates: Count = Field(
        3_300,
        description="Most dates of plans under way per caller and process, where its entry does not say; "
        "one plan alone may have more; 0: no limit.",
    )
    caller_upstream_reads_per_minute: Rate = Field(
        6_000.0,
        description="Most upstream reads a minute, watches included, per caller and process, where its entry does not "
        "say; a minute's worth at once; 0: no limit.",
    )
    caller_max_jobs: Count = Field(
        250_000, description="Most stored jobs per caller, where its entry does not say; 0: no limit."
    )
    caller_max_stored_bytes: Count = Field(
        1_073_741_824,
        description="Most bytes of stored jobs per caller, where its entry does not say; 0: no limit.",
    )

    connection_max_jobs: Count = Field(
        1_000_000, description="Most stored jobs per connection, of all callers together; 0: no limit."
    )
    connection_max_stored_bytes: Count = Field(
        4_294_967_296, description="Most bytes of stored jobs per connection, of all callers together; 0: no limit."
    )
    store_high_water: float = Field(
        0.85,
        gt=0,
        le=1,
        description="Share of Redis' maxmemory from which on submits and retries are refused, so that the rest is left "
        "for cancels, deletes and workers.",
    )

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("HEADGATE_TLS_CERT and HEADGATE_TLS_KEY go together")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("HEADGATE_TLS_CLIENT_CA needs HEADGATE_TLS_CERT")
        for name in ("tls_cert", "tls_key", "tls_client_ca"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"{PREFIX}{name.upper()}: there is no file {path}")
        return self

    @model_validator(mode="after")
    def _valid_callers(self) -> Self:
        given = sorted(name for name in self.model_fields_set if name.startswith("caller_"))
        if self.callers is None and given:
            raise ValueError(f"{PREFIX}{given[0].upper()} needs HEADGATE_CALLERS")
        if self.callers is not None:
            try:
                callers_file.load(self.callers, mutual=self.tls_client_ca is not None)
            except ValueError as error:
                raise ValueError(f"{PREFIX}CALLERS: {error}") from None
        return self

    @model_validator(mode="after")
    def _meant(self) -> Self:
        if wrong := exposure.refusal(self.exposures(), exposure.parse(self.allow_insecure)):
            raise ValueError(wrong)
        return self

    def exposures(self) -> frozenset[Exposure]:
        """What this server does in the open."""
        return exposure.of_server(
            self.published or parse_address(self.listen)[0],
            named=self.callers is not None,
            encrypted=self.tls_cert is not None,
            mutual=self.tls_client_ca is not None,
        )

    def connection_shares(self) -> Shares:
        """How much a connection may have stored."""
        return Shares(connection_jobs=self.connection_max_jobs, connection_bytes=self.connection_max_stored_bytes)

    def caller_limits(self) -> CallerLimits:
        """The limits of callers whose entries don't say others."""
        return CallerLimits(**{field.name: getattr(self, f"caller_{field.name}") for field in fields(CallerLimits)})

    def masked(self) -> dict[str, str]:
        """Every variable and its value, without secrets, to be shown."""
        values = {PREFIX + name.upper(): str(value) for name, value in self if value is not None}
        values[f"{PREFIX}REDIS_URL"] = redis_url_of.mask(self.redis_url)
        return values


def load(**given: Any) -> Settings:
    """Settings of the environment, with `given` ones before them.

    Raises:
        BadSettings: a value can't be used.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        raise BadSettings("; ".join(_tell(item["loc"], item["msg"]) for item in error.errors())) from None


def _tell(place: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{PREFIX}{str(place[0]).upper()}: {message}" if place else message
