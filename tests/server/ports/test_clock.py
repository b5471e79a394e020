"""The store's clock, followed between its answers."""

from google.protobuf.timestamp_pb2 import Timestamp

from headgate_server.ports.clock import StoreClock, timestamp


def test_the_stores_clock_is_followed_between_its_answers() -> None:
    steady = 0
    clock = StoreClock(lambda: steady)

    clock.learn(1_000)
    steady = 250_000_000

    assert clock.now_ms() == 1_250
    assert timestamp(1_250) == Timestamp(seconds=1, nanos=250_000_000)
