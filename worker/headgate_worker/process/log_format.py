"""Logging of a worker: to standard error, as text or JSON (the protocol's `log_lines`), without payloads or secrets."""

from __future__ import annotations

import logging
import sys
from typing import Literal

from headgate.process.log_lines import JsonFormatter, TextFormatter


def configure(level: str, shape: Literal["text", "json"]) -> None:
    """Send every record of `level` or above to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if shape == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # ARQ's lines at INFO carry arguments of entries; ours say all that is needed.
    logging.getLogger("arq").setLevel(logging.WARNING)
    # The credential chain keeps a scheduler, which logs each start and end of its jobs.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
