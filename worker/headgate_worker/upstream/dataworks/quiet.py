"""Take the SDK's log handlers away.

On import its packages put handlers of their own on three loggers, one of them at DEBUG, and what they print may hold
headers and replies of the credential services (measured; darabonba_core 1.0.9, credentials 1.0.12). What goes wrong
there reaches our own log in our own words.
"""

from __future__ import annotations

import logging

LOGGERS = ("darabonba-core", "alibabacloud-tea", "credentials")


def quiet_sdk() -> None:
    """Leave the SDK's loggers without handlers and silent. Call after the SDK is imported."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        for handler in tuple(logger.handlers):
            logger.removeHandler(handler)
        logger.setLevel(logging.CRITICAL + 1)
