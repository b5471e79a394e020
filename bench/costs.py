"""What processes take, as the kernel counts it. Linux only."""

from __future__ import annotations

import os
from pathlib import Path

from bench.figures import CannotMeasure


def cpu_seconds(pid: int) -> float:
    """CPU that all threads of a process have used so far, in the kernel's own fine count.

    Raises:
        CannotMeasure: this system does not tell.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        raise CannotMeasure("needs the process accounting of Linux") from None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM.

    Raises:
        CannotMeasure: this system does not tell.
    """
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        raise CannotMeasure("needs the process accounting of Linux") from None
