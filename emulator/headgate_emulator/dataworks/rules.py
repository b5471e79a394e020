"""The ways in which this DataWorks behaves, as one declared value.

Each field that stands for something no source settles says so; the default is then the reading that is
hardest on the client.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from headgate_emulator.dataworks.groups import Topology
from headgate_emulator.dataworks.messages import Language

Seconds = Annotated[float, Field(ge=0, le=10_000_000)]

AutoStart = Literal["success_only", "any_end", "never"]
Release = Literal["any_end", "success_only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the world behaves; spans are seconds of the emulator's clock.

    auto_start: which end of a parent starts its queued children (seed: Success does; the rest is unknown).
    auto_start_scope: `named` starts only children that an earlier Start named, `all` starts every child.
    auto_start_default: what an absent AutoStartEnabled means. Documented true; the seed behaves as false.
    release: which end of a parent lets an explicit Start of the child through (unknown).
    stop_not_run: whether a stopped instance that never ran `stays` NotRun or `fails` (unknown).
    adhoc_biz_date_days: by how many days BizDate of an ad hoc instance is later than the one that was sent (unknown).
    require_bizdate_intervals: refuse a SmokeTest without the undocumented member (one field report, U19).
    retention_days: how long instances can be read after their creation (about 30 days, backfill pages).
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    create_seconds: Seconds = 1.0
    run_seconds: Seconds = 5.0
    wait_time_seconds: Seconds = 0.0
    condition_seconds: Seconds = 0.0
    wait_resource_seconds: Seconds = 0.0
    checking_seconds: Seconds = 0.0
    stop_seconds: Seconds = 1.0
    rerun_seconds: Seconds = 1.0
    listing_lag_seconds: Seconds = 0.0
    auto_start: AutoStart = "success_only"
    auto_start_scope: Literal["named", "all"] = "named"
    auto_start_delay_seconds: Seconds = 0.0
    auto_start_default: bool = False
    release: Release = "any_end"
    stop_not_run: Literal["stays", "fails"] = "stays"
    topology: Topology = "chains"
    language: Language = "en"
    user_id: str = "200527038829996354"
    modern_fields: bool = False
    adhoc_biz_date_days: Annotated[int, Field(ge=-31, le=31)] = 0
    require_bizdate_intervals: bool = False
    retention_days: Annotated[float, Field(gt=0, le=10_000)] = 30.0
    max_instances: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000
