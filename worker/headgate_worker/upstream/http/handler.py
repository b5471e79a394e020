"""The protocol of one HTTP connection, which gives up a server that sends heads without end.

aiohttp parses all that has arrived in one go, 10,000 heads and more, on the event loop. Here it gets a piece at a time,
and nothing more once more replies wait than any server has reason to send.
"""

from __future__ import annotations

from typing import Final

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError

MAX_INTERIM: Final = 8
"""Most replies that may go before the one that counts: 100, 102, 103. Servers send one or two."""

_PIECE: Final = 8_192


class BoundedHandler(ResponseHandler):
    """Parses what arrives piece by piece."""

    def data_received(self, data: bytes) -> None:
        """Parse, as the base class does."""
        # A body that waits for its reader is kept by the base class, which has to be given all of it.
        while len(data) > _PIECE and not self._reading_paused:
            super().data_received(data[:_PIECE])
            data = data[_PIECE:]
            if self._is_over():
                return
        super().data_received(data)
        self._is_over()

    def _is_over(self) -> bool:
        if self.exception() is None and len(self) > MAX_INTERIM:
            self.set_exception(HttpProcessingError(message="replies without end"))
            if self.transport is not None:
                self.transport.close()
        return self.exception() is not None
