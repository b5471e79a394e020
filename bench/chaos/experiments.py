"""Every experiment by name, in the order they are run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.chaos import (
    bad_tokens,
    blocked,
    callers,
    clocks,
    connections,
    creators,
    deadlines,
    disconnects,
    failover,
    floods,
    greedy,
    hampered,
    hostile,
    idle,
    lies,
    limited,
    noisy,
    outages,
    poison,
    quotas,
    refusals,
    resuming,
    returning,
    server_faults,
    strangers,
    upstream_away,
    upstream_faults,
    worker_faults,
)
from bench.chaos.results import Report
from bench.chaos.stage import Trial


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment.

    Args:
        name: what `--only` takes.
        fault: what is done to the deployment.
        run: does it.
        longest: seconds after which it is given up.
    """

    name: str
    fault: str
    run: Callable[[Trial], Awaitable[Report]]
    longest: float = 420.0


_ALL: Final = (
    Experiment("worker-kills", "30 times kill -9 of one of 3 workers, 2 s apart or more", worker_faults.worker_kills),
    Experiment("all-workers-killed", "kill -9 of every worker, 20 s without any", worker_faults.all_workers_killed),
    Experiment("rolling-restart", "SIGTERM of 4 workers in turn, 5 rounds", worker_faults.rolling_restart),
    Experiment("paused-worker", "SIGSTOP of a worker for 3 leases, then SIGCONT", worker_faults.paused_worker),
    Experiment("blocked-loop", "a worker's event loop blocked for 5 leases, twice", blocked.blocked_loop),
    Experiment("poison-job", "jobs that break whoever looks at them, in 8 ways", poison.poison_job),
    Experiment("two-versions", "entries that only another version understands", poison.two_versions),
    Experiment("tick-flood", "800 jobs at once for 2 small workers, one killed", floods.tick_flood),
    Experiment("lost-entries", "every tick's definition deleted, later the whole queue", floods.lost_entries),
    Experiment("redis-restart", "kill -9 of Redis every 10 s, AOF everysec", outages.redis_restart),
    Experiment("redis-restart-always", "kill -9 of Redis every 10 s, AOF always", outages.redis_restart_always),
    Experiment("cut-connections", "every connection to Redis reset each 0.25 s for 30 s", connections.cut_connections),
    Experiment("lost-commit-replies", "the reply of each 10th commit dropped", connections.lost_commit_replies),
    Experiment("sentinel-failover", "kill -9 of the primary, its replica takes over", failover.sentinel_failover),
    Experiment("redis-frozen", "SIGSTOP of Redis for 30 s", outages.redis_frozen),
    Experiment("redis-blackhole", "every byte to and from Redis swallowed for 30 s", outages.redis_blackhole),
    Experiment("redis-mute", "what Redis says held back for 15 s, while it does what it hears", outages.redis_mute),
    Experiment("slow-redis", "25 ms on everything to and from Redis, each way", floods.slow_redis),
    Experiment("redis-read-only", "REPLICAOF on the live Redis for 15 s", refusals.redis_read_only),
    Experiment("redis-misconf", "a Redis that can't save and refuses writes for 15 s", refusals.redis_misconf),
    Experiment("redis-full", "maxmemory reached under noeviction for 15 s", refusals.redis_full),
    Experiment("script-flush", "SCRIPT FLUSH each 0.25 s for 30 s", connections.script_flush),
    Experiment("redis-emptied", "FLUSHALL under running jobs and watches", refusals.redis_emptied),
    Experiment("evicting-policy", "a Redis that would evict", refusals.evicting_policy),
    Experiment("clock-skew", "wall clocks an hour off, jumping by ten minutes", clocks.clock_skew),
    Experiment("store-clock-back", "the clock of Redis' machine set back by 30 s", clocks.store_clock_back),
    Experiment(
        "lost-upstream-replies",
        "writes done upstream whose replies are lost, 2 a second, and kill -9 of workers",
        upstream_faults.lost_upstream_replies,
    ),
    Experiment(
        "upstream-errors", "500s, throttling, resets and HTML on 40 calls a second", upstream_faults.upstream_errors
    ),
    Experiment("lying-upstream", "17 kinds of broken and false answers to 6 calls", lies.lying_upstream),
    Experiment("upstream-outage", "no connection to upstream for 20 s", upstream_away.upstream_outage),
    Experiment(
        "rotated-credentials", "session token expired, key pair replaced, by turns", upstream_away.rotated_credentials
    ),
    Experiment("fleet-quota", "8 workers under 5 calls a second, then half of that, then no reads", quotas.fleet_quota),
    Experiment("creator-shares", "bursts of throttling, 3 creators of 150, 45 and 15 jobs", creators.creator_shares),
    Experiment("cancelled-submits", "1,000 submits hung up at a random moment", callers.cancelled_submits),
    Experiment("deadlines", "deadlines of no time, of 1 ms, of 30 years, and none", deadlines.deadlines),
    Experiment(
        "watcher-disconnects", "10,000 random hang-ups, server restarts between", disconnects.watcher_disconnects
    ),
    Experiment("idle-watchers", "5,000 idle and 500 stalled watchers on one server", idle.idle_watchers),
    Experiment("slow-watchers", "100 watchers that read one message a second, a frozen client", hampered.slow_watchers),
    Experiment("blackholed-client", "every byte of 20 watchers swallowed", hampered.blackholed_client),
    Experiment("watch-churn", "400 watches opened and cancelled a second", hampered.watch_churn),
    Experiment("resume-points", "25 points to resume from, and a kill of the server", resuming.resume_points),
    Experiment("reconnect-storm", "kill -9 of the server under 1,000 open watches", callers.reconnect_storm),
    Experiment("returning-crowd", "kill -9 of the server under 10,000 open watches", returning.returning_crowd),
    Experiment("server-kills", "kill -9 of one of two servers every 3 s for 60 s", server_faults.server_kills),
    Experiment("drain", "SIGTERM of two servers in turn under load", server_faults.drain),
    Experiment("caller-flood", "one caller's submits, 12,000 streams, streams reset at once", greedy.caller_flood),
    Experiment("caller-limits", "the same caller, with limits of its own", limited.caller_limits),
    Experiment("strangers", "clients without a certificate or with a worthless one", strangers.strangers),
    Experiment("noisy-tenant", "one caller does eight harmful things, another measures", noisy.noisy_tenant),
    Experiment("bad-tokens", "10,000 wrong tokens a second from one peer", bad_tokens.bad_tokens),
    Experiment("hostile-input", "malformed, oversized and fuzzed requests", hostile.hostile_input),
)

EXPERIMENTS: Final[Mapping[str, Experiment]] = {one.name: one for one in _ALL}
