"""Standard streams that end this process quietly when their reader has closed the pipe, as `... | head` does.

Python ignores SIGPIPE and raises BrokenPipeError, which every caller would have to separate from other errors. Taking
the signal back would let any broken socket end the process. So the streams themselves notice: the first failed write
turns them to the null device and asks the process to stop, in the way that lets it close what it has opened.
"""

import io
import os
import signal
import sys
from typing import TextIO

from headgate_cli.process.exit_codes import READER_GONE


class ReaderGone(io.TextIOWrapper):
    """A text stream over an open descriptor that survives the end of its reader; `is_closed` shows it."""

    is_closed = False

    def write(self, text: str, /) -> int:
        """Write, or drop the text when the reader is gone."""
        try:
            return super().write(text)
        except BrokenPipeError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """Flush, or drop what was kept when the reader is gone."""
        try:
            super().flush()
        except BrokenPipeError:
            self._give_up()

    def _give_up(self) -> None:
        self.is_closed = True
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)
        if callable(signal.getsignal(signal.SIGHUP)):
            signal.raise_signal(signal.SIGHUP)  # a running command cleans up, as when its terminal has gone
        else:
            raise SystemExit(READER_GONE)


def install() -> None:
    """Let standard output and error be such streams, for the rest of this process."""
    sys.stdout = _wrapped(sys.stdout)
    sys.stderr = _wrapped(sys.stderr)


def is_closed() -> bool:
    """Whether a reader of standard output or error has gone."""
    return any(isinstance(stream, ReaderGone) and stream.is_closed for stream in (sys.stdout, sys.stderr))


def _wrapped(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper) or stream.isatty():
        return stream
    stream.flush()
    return ReaderGone(stream.detach(), stream.encoding, stream.errors, line_buffering=stream.line_buffering)
