"""Clients without a certificate, or with an invalid one, against a server that asks for one."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.chaos import certificates, intruders
from bench.chaos.judging import judge
from bench.chaos.process import Process
from bench.chaos.results import Report, at_least, at_most, none, quantile
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import Acks, adhoc
from bench.chaos.waiting import until_true
from bench.soak.samples import descriptors, rss_mb

from headgate_client import ClientOptions, Tls

READY = re.compile(r"intruders ready")


@dataclass(frozen=True, slots=True)
class Strangers:
    """Size of `strangers`. Seconds.

    Args:
        mutual: whether the server asks for certificates; without it the experiment does not hold, as it should.
    """

    per_second: float = 10.0
    before: float = 5.0
    seconds: float = 15.0
    at_a_time: int = 10
    slower: float = 0.1
    megabytes: float = 30.0
    mutual: bool = True


async def strangers(trial: Trial, size: Strangers | None = None) -> Report:
    """Let clients of every invalid kind connect at once, while valid ones submit."""
    size = size or Strangers()
    with tempfile.TemporaryDirectory(prefix="headgate-strangers-") as name:
        folder = Path(name)
        await asyncio.to_thread(certificates.make, folder)
        return await _knocking(trial, size, folder)


async def _knocking(trial: Trial, size: Strangers, folder: Path) -> Report:
    alone, beside = Acks(), Acks()
    async with Stage(Plan(workers=1, servers=0)) as stage:
        server = await stage.add_server(**_tls(folder, mutual=size.mutual))
        client = await stage.client(_known(folder))
        await alone.steadily(
            client, lambda n: adhoc(f"a{n}"), count=int(size.before * size.per_second), per_second=size.per_second
        )
        fds, before = descriptors(server.pid), rss_mb(server.pid)
        crowd = await stage.beside(
            "intruders", READY, server.addresses["grpc"], str(folder), str(size.seconds), str(size.at_a_time)
        )
        count = int(size.seconds * size.per_second)
        await beside.steadily(client, lambda n: adhoc(f"b{n}"), count=count, per_second=size.per_second)
        await crowd.wait()
        closed = await until_true(lambda: descriptors(server.pid) <= fds + 1, 10.0)
        growth, seen = rss_mb(server.pid) - before, _told(crowd)
        trial.say(f"strangers were told {seen}")
        judged = await judge(stage, [*alone.ids(), *beside.ids()])
        secrets = sum("PRIVATE KEY" in line for line in server.lines)
    p99, was = (quantile([ack.seconds for ack in acks.all], 0.99) for acks in (beside, alone))
    kinds = {word.split(": ")[0] for word in seen}
    checks = [
        none("kinds of strangers that never knocked", len(set(intruders.KINDS) - kinds)),
        at_least("knocks", 5 * len(intruders.KINDS), sum(seen.values())),
        none("strangers that got in", sum(count for word, count in seen.items() if word.endswith(": OK"))),
        none(
            "submits of known clients that failed",
            len(alone.all) + len(beside.all) - len(alone.ids()) - len(beside.ids()),
        ),
        at_most("known clients' p99 more than without strangers, s", size.slower, p99 - was),
        at_most("last knock to every descriptor closed, s", 5.0, closed),
        at_most("growth of the server, MB", size.megabytes, growth),
        none("lines with a private key", secrets),
        *judged.checks,
    ]
    figures = {
        "p99 without, s": was,
        "p99 beside, s": p99,
        "knocks": json.dumps(seen).replace('"', ""),
        **judged.figures,
    }
    return Report(
        f"{size.at_a_time} strangers at a time, {size.per_second:g} submits/s of known clients", tuple(checks), figures
    )


def _tls(folder: Path, *, mutual: bool) -> dict[str, str]:
    own = {"HEADGATE_TLS_CERT": str(folder / "server.pem"), "HEADGATE_TLS_KEY": str(folder / "server.key")}
    return {**own, "HEADGATE_TLS_CLIENT_CA": str(folder / "authority.pem")} if mutual else own


def _known(folder: Path) -> ClientOptions:
    authority, chain, key = ((folder / name).read_bytes() for name in ("authority.pem", "client.pem", "client.key"))
    return ClientOptions(tls=Tls(authority, chain, key, server_name="127.0.0.1"))


def _told(crowd: Process) -> Mapping[str, int]:
    line = next((line for line in crowd.lines if line.startswith("intruders done ")), "intruders done {}")
    return dict(json.loads(line.removeprefix("intruders done ")))
