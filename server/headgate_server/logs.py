"""Logging of a server: to standard error, as text for people or as JSON for machines (`headgate.log_lines`)."""

from __future__ import annotations

import logging
import sys
from typing import Literal

from headgate.log_lines import JsonFormatter, TextFormatter


def set_up(form: Literal["text", "json"], level: str) -> None:
    """Log to standard error from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
