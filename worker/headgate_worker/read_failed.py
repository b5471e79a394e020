"""The one exception of reads that can't be answered."""

from __future__ import annotations

from google.rpc.status_pb2 import Status


class ReadFailed(Exception):
    """A read that can't be answered; carries the status for the caller."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status
