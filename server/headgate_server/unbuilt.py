"""What is declared and not built. The one list: RPCs answer UNIMPLEMENTED, METHOD_UNBUILT; fields are refused."""

from __future__ import annotations

from typing import Final

from headgate import pb

UNBUILT: Final[frozenset[str]] = frozenset()
"""Full names, as in a descriptor. Empty at the moment: every RPC is built."""

BACKFILL_VALUES: Final = (("spec.overlap", frozenset({pb.OVERLAP_QUEUE_AFTER}), "REJECT, JOIN and ALLOW are built"),)
"""Values of a backfill that would be accepted and not obeyed: field, values, and what is built instead."""
