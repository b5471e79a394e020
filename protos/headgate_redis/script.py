"""Lua scripts by their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError

from headgate_redis.pipeline import Pipeline


class Script:
    """A Lua script that is sent by its digest, and in full when Redis has forgotten it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(
        self, pipeline: Pipeline, names: Sequence[str] = (), arguments: Sequence[bytes | str | int | float] = ()
    ) -> Any:
        """Run it and give its answer; the errors are those of `Pipeline.call`."""
        tail = (len(names), *names, *arguments)
        try:
            return await pipeline.call(("EVALSHA", self._digest, *tail))
        except NoScriptError:
            return await pipeline.call(("EVAL", self._text, *tail))
