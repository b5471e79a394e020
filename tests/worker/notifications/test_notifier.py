"""Leading, resuming and telling on a real Redis and over real HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.store import keys
from headgate_redis.clock import StoreClock
from headgate_worker.notifications import rule_file, schedule
from headgate_worker.notifications.notifier import FollowedRules, Notifier, NotifierParts
from headgate_worker.notifications.webhook_sender import WebhookSender
from headgate_worker.store.jobs import Store
from headgate_worker.store.notifications import RedisNotifications
from headgate_worker.store.randomness import SystemJitter
from headgate_worker.upstream.connection_file import Secrets
from tests.worker.conftest import eventually
from tests.worker.notifications.receiver import Receiver, receiving, statuses
from tests.worker.submitting import backfill_job, cancel, seed_backfill, submit

LONG_MS, SHORT_MS = 60_000, 400
Make = Callable[..., Notifier]


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "FIRST_SECONDS", 0.01)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
def file(tmp_path: Path, receiver: Receiver) -> Path:
    path = tmp_path / "notifications.toml"
    path.write_text(rules_to(ops=receiver.url))
    return path


def rules_to(text: str = 'events = ["ACCEPTED"]', **urls: str) -> str:
    parts = [
        f'[endpoints.{name}]\nurl = "{url}"\n[rules.{name}]\nendpoint = "{name}"\n{text}\n'
        for name, url in urls.items()
    ]
    return "".join(parts)


@pytest.fixture
async def make(redis: Redis, file: Path) -> AsyncIterator[Make]:
    async with AsyncExitStack() as stack:

        def made(owner: str = "a", lease_ms: int = LONG_MS) -> Notifier:
            followed = FollowedRules(file, lambda path: rule_file.load(path, Secrets({}), frozenset()))
            store, clock = RedisNotifications(redis), StoreClock(1_738_713_600_000)
            notifier = Notifier(NotifierParts(store, followed, WebhookSender, clock, SystemJitter(), owner, lease_ms))
            stack.push_async_callback(notifier._stop)
            return notifier

        yield made


async def submit_one(store: Store, **labels: str) -> str:
    return await submit(store, backfill_job(seed_backfill(), labels=labels))


def write(file: Path, text: str) -> None:
    file.write_text(text)


def settled(
    notifier: Notifier, count: int, outcome: str = "delivered", endpoint: str = "ops"
) -> Callable[[], Awaitable[bool]]:
    async def probe() -> bool:
        return notifier.counts.by_outcome[endpoint, outcome] == count

    return probe


async def test_what_happens_from_the_first_start_on_is_told_once(make: Make, store: Store, receiver: Receiver) -> None:
    await submit_one(store)
    notifier = make()
    assert await notifier.round()
    job_id = await submit_one(store)

    await notifier.round()
    await eventually(settled(notifier, 1))
    await notifier.round()
    again = make()
    await notifier.aclose()
    await again.round()

    (found,) = receiver.requests
    job = await store.load(job_id)
    assert job is not None
    assert found.said["id"] == f"{job.uid}.1.ops" and found.said["subject"] == f"jobs/{job_id}"
    assert again.counts.leads and not again.counts.by_outcome


async def test_a_worker_that_ends_before_it_remembers_is_followed_by_one_that_tells_again(
    make: Make, store: Store, receiver: Receiver
) -> None:
    first, second = make("a", SHORT_MS), make("b")
    await first.round()
    await submit_one(store)
    await first.round()
    await receiver.have(1)
    await first._stop()  # as a crash ends it: delivered, and not remembered

    async def followed() -> bool:
        return await second.round()

    await eventually(followed)
    one, other = await receiver.have(2)

    assert one.said["id"] == other.said["id"] and one.body == other.body


async def test_what_was_not_delivered_when_a_worker_ended_is_told_by_the_next(
    make: Make, store: Store, receiver: Receiver
) -> None:
    receiver.reply = statuses(503)
    first, second = make("a"), make("b")
    await first.round()
    await submit_one(store)
    await first.round()
    await receiver.have(2)
    await first.aclose()
    receiver.reply = statuses(200)
    receiver.requests.clear()

    assert await second.round()

    await receiver.have(1)


async def test_of_two_workers_one_leads(make: Make, store: Store, receiver: Receiver) -> None:
    first, second = make("a"), make("b")
    assert await first.round() and not await second.round()
    await submit_one(store)

    assert not await second.round() and await first.round()
    await eventually(settled(first, 1))

    assert (first.counts.leads, second.counts.leads) == (True, False)
    assert len(receiver.requests) == 1


async def test_a_worker_that_paused_past_its_lease_is_fenced(
    make: Make, store: Store, redis: Redis, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = make("a", SHORT_MS), make("b")
    await first.round()
    await submit_one(store)
    await first.round()
    await eventually(settled(first, 1))

    async def taken_over() -> bool:
        return await second.round()

    await eventually(taken_over)
    await eventually(settled(second, 1))
    await second.round()
    kept = await redis.hgetall(keys.NOTIFIED)  # type: ignore[misc]
    await submit_one(store)
    sent = len(receiver.requests)

    assert not first._may_send()
    assert not await first._keep(), "its positions are refused"
    assert not await first.round() and not first.counts.leads
    assert "another worker sends the notifications by now" in caplog.messages
    assert await redis.hgetall(keys.NOTIFIED) == kept and len(receiver.requests) == sent  # type: ignore[misc]


async def test_a_feed_that_was_trimmed_meanwhile_is_told_as_a_gap(
    make: Make, store: Store, redis: Redis, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = make("a"), make("b")
    await submit_one(store)
    await first.round()
    await first.aclose()
    for _ in range(3):
        last = await submit_one(store)
    await redis.xtrim(keys.FEED, maxlen=1, approximate=False)

    with caplog.at_level(logging.ERROR):
        await second.round()
    gap, told = sorted((one.said for one in await receiver.have(2)), key=lambda said: str(said["type"]))
    await eventually(settled(second, 2))
    await second.round()

    assert (gap["type"], gap["id"][-4:]) == ("headgate.v1.feed.gap", ".ops")
    assert told["subject"] == f"jobs/{last}"
    assert second.counts.gaps == 1 and "the feed was trimmed" in caplog.text


async def test_a_dead_endpoint_delays_nothing_elsewhere(
    make: Make, store: Store, file: Path, receiver: Receiver
) -> None:
    write(file, rules_to(dead="http://127.0.0.1:1", ops=receiver.url))
    notifier, next_one = make("a"), make("b")
    await notifier.round()
    for _ in range(20):
        await submit_one(store)
    await notifier.round()

    await eventually(settled(notifier, 20))
    await notifier.aclose()
    await next_one.round()
    await eventually(lambda: asyncio.sleep(0, next_one.counts.by_outcome["dead", "failed"] > 0))

    assert len(receiver.requests) == 20, "what one endpoint has is not told again because another fails"


async def test_a_state_is_told_when_it_is_reached_and_by_the_filter(
    make: Make, store: Store, file: Path, receiver: Receiver
) -> None:
    write(file, rules_to("""states = ["CANCELLING"]\nfilter = 'labels.team = "orders"'""", ops=receiver.url))
    notifier = make()
    await notifier.round()
    for team in ("orders", "sales"):
        job = await store.load(await submit_one(store, team=team))
        assert job is not None
        await cancel(store, job)

    await notifier.round()
    await eventually(settled(notifier, 1))

    (found,) = receiver.requests
    assert found.said["data"]["job"]["labels"] == {"team": "orders"}
    assert found.said["data"]["event"]["stateBefore"] == "JOB_STATE_QUEUED"


async def test_a_job_that_is_gone_is_not_told_and_counted(
    make: Make, store: Store, redis: Redis, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = make()
    await notifier.round()
    job_id = await submit_one(store)
    await redis.delete(keys.job(job_id), keys.log(job_id))

    await notifier.round()

    assert notifier.counts.untold == 1 and receiver.requests == []
    assert f"event 1 of {job_id} is not told by ops: the job is gone, or can't be read" in caplog.messages


async def test_an_event_that_cant_be_told_holds_up_no_other(
    make: Make, store: Store, redis: Redis, receiver: Receiver
) -> None:
    notifier = make()
    await notifier.round()
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, job=pb.Job(uid="u"))
    event.event_time.seconds = 10**15  # beyond all calendars
    body = event.SerializeToString()
    await redis.rpush(keys.log("broken"), body)  # type: ignore[misc]
    await redis.xadd(keys.FEED, {"i": "broken", "r": "1", "e": body})
    await submit_one(store)

    await notifier.round()
    await eventually(settled(notifier, 1))

    assert notifier.counts.untold == 1 and len(receiver.requests) == 1


async def test_a_changed_file_holds_and_a_broken_one_changes_nothing(
    make: Make, store: Store, file: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = make()
    await notifier.round()
    write(file, "nonsense")
    await notifier.round()
    await submit_one(store)
    await notifier.round()
    await eventually(settled(notifier, 1))

    write(file, rules_to(ops=receiver.url, other=f"{receiver.url}/other"))
    await notifier.round()
    await submit_one(store)
    await notifier.round()
    await eventually(settled(notifier, 1, endpoint="other"))
    await eventually(settled(notifier, 2))

    assert sorted(one.path for one in receiver.requests) == ["/", "/", "/other"]
    assert "the rules of before stay: HEADGATE_NOTIFICATIONS: the file is no TOML" in caplog.text


async def test_a_store_that_is_away_is_waited_for(
    make: Make, store: Store, redis: Redis, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headgate_worker.notifications.notifier.ROUND_SECONDS", 0.02)
    notifier = make()
    await redis.set(keys.NOTIFIER, "no hash")
    running = asyncio.get_running_loop().create_task(notifier.run())
    await redis.delete(keys.NOTIFIER)

    async def leads() -> bool:
        return notifier.counts.leads and bool(await redis.exists(keys.NOTIFIED))

    await eventually(leads)
    await submit_one(store)
    await receiver.have(1)
    running.cancel()
    await asyncio.wait((running,))
    await notifier.aclose()


async def test_a_notifier_with_nothing_new_reads_the_feed_and_renews_its_lease_and_no_more(
    make: Make, store: Store, redis: Redis
) -> None:
    await submit_one(store)
    notifier = make()
    for _ in range(3):
        await notifier.round()
    before = (await redis.info("stats"))["total_commands_processed"]

    await notifier.round()

    # EVALSHA with its 4 or so commands, XRANGE, and the two INFO.
    assert (await redis.info("stats"))["total_commands_processed"] - before <= 12
