"""Become a command that cannot outlive the process that started it.

Run as a script, by path: `python -I -S parent_death.py PARENT_PID COMMAND [ARGUMENT ...]`. On Linux the kernel is
asked to send SIGKILL when the parent dies, even if the parent is killed with SIGKILL itself; then this
process becomes the command, with the same pid. Elsewhere the command simply runs. A program of its own rather
than a `preexec_fn`, because Python code between fork and exec can deadlock in a parent that has threads, and
grpc has threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent_pid: int) -> None:
    """Ask the kernel for the end of this process when `parent_pid` ends; exits at once if it already has."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:
        sys.exit("the process that asked for this one has gone")


def main(argv: list[str]) -> None:
    """Tie this process to `argv[0]`, a pid, and become the command `argv[1:]`."""
    die_with(int(argv[0]))
    try:
        os.execvp(argv[1], argv[1:])  # noqa: S606
    except OSError as error:
        sys.exit(f"{argv[1]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
