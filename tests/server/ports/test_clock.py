"""The store's times as messages."""

from google.protobuf.timestamp_pb2 import Timestamp

from headgate_server.ports.clock import timestamp, write_timestamp


def test_a_time_in_ms_becomes_a_message() -> None:
    written = Timestamp(seconds=9, nanos=9)

    write_timestamp(written, 1_250)

    assert timestamp(1_250) == written == Timestamp(seconds=1, nanos=250_000_000)
