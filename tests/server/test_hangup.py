"""Connections that bring nothing but calls of nobody: on whom is hung up, and how, on a real server."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import grpc
import pytest
from bench.chaos.forgers import flood

from headgate import pb
from headgate_server import hangup
from headgate_server.hangup import FEW_REFUSED, HOST_SECONDS, MOST_REFUSED, Address, Hangups
from tests.server.callers import bearer, known, write
from tests.server.test_gate import refused
from tests.server.world import serving, until

PEER = "ipv4:10.0.0.1:5"


class Clock:
    def __init__(self) -> None:
        self.now = self.work = 0.0
        self.shut: list[Address] = []

    def hangups(self) -> Hangups:
        return Hangups(self._shut, lambda: self.now, lambda: self.work)

    def _shut(self, peers: Collection[Address]) -> None:
        self.shut += peers


def many(hangups: Hangups, peer: str, count: int) -> None:
    for _ in range(count):
        hangups.refused(peer)


def test_a_connection_of_nobody_is_hung_up_on_after_so_many_calls() -> None:
    clock = Clock()
    hangups = clock.hangups()

    many(hangups, PEER, MOST_REFUSED - 1)
    assert clock.shut == []
    many(hangups, PEER, 10)

    assert clock.shut == [("10.0.0.1", 5)]


def test_a_connection_on_which_somebody_known_has_called_is_left_alone() -> None:
    clock = Clock()
    hangups = clock.hangups()
    hangups.known(PEER)

    many(hangups, PEER, 5 * MOST_REFUSED)

    assert clock.shut == []


def test_a_few_calls_a_while_are_forgotten() -> None:
    clock = Clock()
    hangups = clock.hangups()
    for _ in range(10):
        many(hangups, PEER, MOST_REFUSED - 1)
        hangups.forget()

    assert clock.shut == []


def test_a_host_that_comes_back_has_less_patience_to_expect_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    hangups = clock.hangups()
    many(hangups, PEER, MOST_REFUSED)
    many(hangups, "ipv4:10.0.0.1:6", FEW_REFUSED)
    many(hangups, "ipv4:10.0.0.2:6", FEW_REFUSED)
    assert clock.shut == [("10.0.0.1", 5), ("10.0.0.1", 6)]

    hangups.forget()
    clock.now = HOST_SECONDS
    hangups.forget()
    many(hangups, "ipv4:10.0.0.1:7", FEW_REFUSED)

    assert len(clock.shut) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "hung up on 2 connections that brought only calls of nobody, from 10.0.0.1"
    ]


def test_searches_among_sockets_are_a_small_part_of_the_time() -> None:
    clock, searches = Clock(), []

    def slow(peers: Collection[Address]) -> None:
        searches.append(len(peers))
        clock.work += 0.5

    hangups = Hangups(slow, lambda: clock.now, lambda: clock.work)
    for port in range(3):
        many(hangups, f"ipv4:10.0.0.1:{port}", MOST_REFUSED)
    assert searches == [1]
    clock.now += hangup.REST * 0.5

    hangups.refused("ipv4:10.0.0.1:9")

    assert searches == [1, 2]


def test_only_so_many_connections_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangup, "MAX_KNOWN", 2)
    clock = Clock()
    hangups = clock.hangups()
    for port in (1, 2, 1, 3):
        hangups.known(f"ipv4:10.0.0.1:{port}")

    for port in (1, 2, 3):
        many(hangups, f"ipv4:10.0.0.1:{port}", MOST_REFUSED)

    assert clock.shut == [("10.0.0.1", 2)]


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (PEER, ("10.0.0.1", 5)),
        ("ipv6:%5B::1%5D:5", ("::1", 5)),
        ("ipv6:[::1]:5", ("::1", 5)),
        ("unix:", None),
        ("unix:/run/x", None),
        ("", None),
    ],
)
def test_the_names_of_peers(peer: str, address: Address | None) -> None:
    assert hangup.address_of(peer) == address


async def test_a_flood_of_nobody_is_cut_off_and_known_callers_are_not(
    redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    request = pb.GetJobRequest(name="jobs/nobody")
    async with serving(redis_url, callers=write(tmp_path / "callers.toml")) as world:
        await refused(world.jobs.GetJob(request, metadata=known("full")))
        port = int(world.address.rpartition(":")[2])

        seen = await asyncio.to_thread(flood, "127.0.0.1", port, "hg_wrong", 1.5, 20_000.0)
        errors = await asyncio.gather(
            *(refused(world.jobs.GetJob(request, metadata=bearer("no"))) for _ in range(2 * MOST_REFUSED))
        )

        assert seen["hung up"] >= 1 and set(seen) <= {"hung up", "cut off", "UNAUTHENTICATED"}
        assert Counter(error.code() for error in errors) == {grpc.StatusCode.UNAUTHENTICATED: 2 * MOST_REFUSED}
        await until(lambda: any("hung up on" in record.getMessage() for record in caplog.records))
