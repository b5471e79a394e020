"""Record the pictures of the documents anew, each from a real run: `python -m docs.pictures [FOLDER]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from docs.pictures import recording

if __name__ == "__main__":
    asyncio.run(recording.record(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent))
