"""Waits between one stream and the next."""

import socket

import pytest

from headgate_client import (
    Client,
    ClientOptions,
    HeadgateError,
    JobWatch,
    WatchItem,
    WatchOptions,
)
from tests.client.scripted import HURRIED, JOB, Fault, Plan, Running


async def read_all(watch: JobWatch) -> list[WatchItem]:
    return [item async for item in watch]


async def test_reconnects_are_told(running: Running) -> None:
    running.script.play([Plan(sent=2, fault=Fault.UNAVAILABLE), Plan(sent=0, fault=Fault.DRAINING)])
    told: list[str] = []

    await read_all(running.client.jobs.watch(JOB, on_reconnect=lambda cause, delay: told.append(cause)))

    assert told == ["UNAVAILABLE STORE_UNAVAILABLE", "SERVER_DRAINING"]


async def test_without_a_server_patience_ends() -> None:
    options = ClientOptions(retry=HURRIED, watch=WatchOptions(retry=HURRIED, patience=0.1))
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        async with Client(f"127.0.0.1:{taken.getsockname()[1]}", options=options) as client:
            with pytest.raises(HeadgateError) as caught:
                await read_all(client.jobs.watch(JOB))

    assert caught.value.is_unavailable
