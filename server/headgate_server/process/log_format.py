"""Logging of a server: to standard error, as text for people or as JSON for machines (the protocol's `log_lines`)."""

from __future__ import annotations

import logging
import sys
from typing import Literal

from headgate.process.log_lines import JsonFormatter, TextFormatter
from headgate_server.logs import audit_log


def set_up(form: Literal["text", "json"], level: str) -> None:
    """Log to standard error from now on."""
    for name in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
        setattr(logging, name, False)  # no line tells of them, and to find them out costs as much as the line
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    audit_log.LOGGER.setLevel(logging.INFO)  # whatever the level of the rest
