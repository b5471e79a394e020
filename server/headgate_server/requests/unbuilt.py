"""What is declared and not built. The one list: RPCs answer UNIMPLEMENTED, METHOD_UNBUILT; fields are refused."""

from __future__ import annotations

from typing import Final

UNBUILT: Final[frozenset[str]] = frozenset()
"""Full names, as in a descriptor. Empty at the moment: every RPC is built."""
