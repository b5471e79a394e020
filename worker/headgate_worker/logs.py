"""Logging of a worker: one line per record, as text or JSON, without payloads or secrets."""

from __future__ import annotations

import json
import logging
import sys
from typing import Literal


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        plain = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            plain["exception"] = self.formatException(record.exc_info)
        return json.dumps(plain, ensure_ascii=False)


def configure(level: str, shape: Literal["text", "json"]) -> None:
    """Send every record of `level` or above to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(_Json() if shape == "json" else text)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # ARQ's lines at INFO carry arguments of entries; ours say all that is needed.
    logging.getLogger("arq").setLevel(logging.WARNING)
    # The credential chain keeps a scheduler, which tells of its comings and goings.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
