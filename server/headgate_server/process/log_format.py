"""Logging of a server: to standard error, as text for people or as JSON for machines (the protocol's `log_lines`)."""

from __future__ import annotations

import logging
import sys
from typing import Literal

from headgate.process.log_lines import JsonFormatter, TextFormatter
from headgate_server.logs import audit_log
from headgate_server.logs.line_buffer import LineBuffer


def set_up(form: Literal["text", "json"], level: str) -> None:
    """Log to standard error from now on."""
    for name in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
        setattr(logging, name, False)  # no line names them, and finding them costs as much as the line
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter() if form == "json" else TextFormatter()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    audit_log.LOGGER.setLevel(logging.INFO)  # whatever the level of the rest
    line = formatter.lines_of(audit_log.LOGGER.name, logging.INFO)
    audit_log.TRAIL.direct(LineBuffer(handler.stream, line).write)
