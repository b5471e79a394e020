"""Whether files have changed, without reading them."""

from __future__ import annotations

import asyncio
from pathlib import Path


def stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file does; empty when there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


class FileStamps:
    """Files that are followed: each change of them is told once."""

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._stamps = self._look()

    async def have_changed(self) -> bool:
        """Whether one of the files is another one than at the last look; looks in a thread, since a disk may hang."""
        stamps = await asyncio.to_thread(self._look)
        changed, self._stamps = stamps != self._stamps, stamps
        return changed

    def _look(self) -> list[tuple[int, ...]]:
        return [stamp(path) for path in self._paths]
