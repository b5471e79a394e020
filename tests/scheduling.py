"""How a parallel run deals its cases out: one by one in the order of collection, but some files as a whole."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from xdist.scheduler import LoadScopeScheduling

ROOT: Final = Path(__file__).parents[1]
_WHOLE: Final = re.compile(r"^pytestmark\b.*(?:\n .*)*pytest\.mark\.whole\b", re.MULTILINE)


@cache
def is_whole(file: str) -> bool:
    """Whether a file, named from the root of the repository, carries the mark `whole`.

    The process that deals cases out collects none, and so knows no marks: this is read from the text.
    """
    return _WHOLE.search((ROOT / file).read_text()) is not None


class CaseScheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist carries no types
    """One case is the unit of work, and all cases of a file that is whole."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if is_whole(file) else nodeid
