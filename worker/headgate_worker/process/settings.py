"""Settings of a worker process: environment variables HEADGATE_*. The only place that reads the environment.

Cloud credentials come by the Alibaba default chain (ALIBABA_CLOUD_ACCESS_KEY_ID and others) and are never settings
of ours.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from headgate.process import exposure


def _insecure(text: str) -> str:
    exposure.parse(text)
    return text


class Settings(BaseSettings):
    """Settings of a worker, from the environment. A bad value stops the process with the variable's name."""

    model_config = SettingsConfigDict(env_prefix="HEADGATE_", extra="ignore", frozen=True)

    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis that holds the jobs; user and password in the URL.",
    )
    ops_listen: str = Field(
        default="0.0.0.0:8080", description="Address of the HTTP port for health and metrics; port 0 takes a free one."
    )
    dataworks_endpoint: str = Field(
        default="", description="DataWorks address; empty means the region's own, by HTTPS."
    )
    dataworks_region: str = Field(default="cn-hangzhou", description="DataWorks region.")
    dataworks_edition: Literal["", "basic", "standard", "professional", "enterprise", "unlimited"] = Field(
        default="",
        description="Preset of the shared quota; empty means standard, or unlimited for an http:// endpoint.",
    )
    dataworks_read_qps: float = Field(default=0, ge=0, description="Reads a second instead of the preset's.")
    dataworks_write_qps: float = Field(default=0, ge=0, description="Writes a second instead of the preset's.")
    dataworks_total_qps: float = Field(default=0, ge=0, description="Calls a second instead of the preset's.")
    dataworks_total_daily: int = Field(default=0, ge=0, description="Calls a day instead of the preset's.")
    connections: str = Field(
        default="", description="TOML file of named connections; empty means the DataWorks above only."
    )
    notifications: str = Field(
        default="", description="TOML file of endpoints and rules of notifications; empty means that none are sent."
    )
    allow_insecure: Annotated[str, AfterValidator(_insecure)] = Field(
        default="",
        description="What is meant to be open beyond this machine: plaintext-upstream (an http:// upstream), "
        "plaintext-webhook (an http:// endpoint of notifications); servers' words may stand here, too. A start refuses "
        "what is not named.",
    )
    tick_slots: int = Field(default=100, ge=1, le=1000, description="Ticks that run side by side.")
    read_slots: int = Field(
        default=50,
        ge=1,
        le=1000,
        description="Reads of one caller that run side by side; of all callers together twice as many.",
    )
    lease_seconds: float = Field(default=3.0, ge=1, le=60, description="How long a claim lasts that is not renewed.")
    call_seconds: float = Field(default=10.0, ge=0.1, le=60, description="Longest time of one call upstream.")
    drain_seconds: float = Field(
        default=15.0, ge=0, le=300, description="How long running ticks may go on after SIGTERM."
    )
    self_check_jobs: int = Field(
        default=200,
        ge=0,
        le=100_000,
        description="Jobs that are compared with their logs once a day; 0: none.",
    )
    reaper_seconds: float = Field(default=0.75, ge=0.1, le=60, description="Time between two looks for late jobs.")
    poll_min_seconds: float = Field(
        default=1.0, gt=0, le=3600, description="Shortest time between two reads of an instance."
    )
    poll_max_seconds: float = Field(
        default=15.0, gt=0, le=3600, description="Longest time between two reads of an instance that may end now."
    )
    poll_far_seconds: float = Field(
        default=180.0, gt=0, le=3600, description="Longest time between two reads of one whose end is far."
    )
    adopt_grace_seconds: float = Field(
        default=90.0, ge=0, le=3600, description="How long a child may stay NotRun while nothing is known."
    )
    settle_seconds: float = Field(
        default=180.0, ge=0, le=86400, description="When a lost create must show in a search."
    )
    ambiguous_create: Literal["attention", "resend"] = Field(
        default="attention",
        description="When a lost create does not show by then: ask a person, or send it again.",
    )
    stop_watchdog_seconds: float = Field(
        default=600.0, ge=1, le=86400, description="When a stuck cancel asks a person."
    )
    date_retry_min_seconds: float = Field(
        default=30.0, ge=0, le=3600, description="First wait of a failed date that is tried again; it doubles."
    )
    date_retry_max_seconds: float = Field(
        default=600.0, ge=0, le=86400, description="Longest wait of a failed date that is tried again."
    )
    failure_digest_seconds: float = Field(
        default=10.0,
        ge=0,
        le=300,
        description="How long a job's end waits for the failing task's log; 0: none is read.",
    )
    dry_run_seconds: float = Field(
        default=0.0, ge=0, le=300, description="How long a job's end waits for a look at dry runs; 0: there is none."
    )
    tick_attempts: int = Field(
        default=5, ge=1, le=100, description="Ticks of a job that may kill their worker in a row."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level that is logged."
    )
    log_format: Literal["text", "json"] = Field(default="text", description="How log lines look.")
    crash_at: str = Field(
        default="", description="Fault experiments only: die by SIGKILL at this point of a tick, such as committed:2."
    )
