"""Which instance waits for which: the parallelism group of one create operation.

Seed 000 shows width 1 only: each date waits for the one before. For a wider group no source says what
happens, so both readings are here: `chains` (date i waits for date i - N) and `batches` (each batch of N
waits for all of the batch before).
"""

from collections.abc import Sequence
from typing import Literal

Topology = Literal["chains", "batches"]


def parents_of(ids: Sequence[int], width: int, topology: Topology) -> dict[int, tuple[int, ...]]:
    """The parents of each id; `ids` stand in running order, `width` is the parallelism (1..10)."""
    if topology == "chains":
        return {one: tuple(ids[n - width : n - width + 1]) if n >= width else () for n, one in enumerate(ids)}
    return {one: tuple(ids[max(0, n - n % width - width) : n - n % width]) for n, one in enumerate(ids)}
