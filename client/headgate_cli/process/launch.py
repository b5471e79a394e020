"""Become one of the processes: import it only when it is asked for, and say what to install when it is missing."""

import importlib
import sys
from collections.abc import Sequence

PROCESSES = ("server", "worker", "emulator")
"""Commands that are processes of their own, each the extra of the same name."""

_NOT_INSTALLED = 2


def launch(name: str, argv: Sequence[str]) -> int:
    """Run the process `name` with its arguments and return its exit status.

    2 if it, or something that it needs, is not installed.
    """
    package = f"headgate_{name}"
    try:
        module = importlib.import_module(f"{package}.__main__")
    except ModuleNotFoundError as error:
        return _complain(name, package, error)
    status = module.main(list(argv))
    return int(status or 0)


def _complain(name: str, package: str, error: ModuleNotFoundError) -> int:
    missing = error.name or package
    if missing.startswith("headgate") and missing not in (package, f"{package}.__main__"):
        raise error  # a broken installation, or a mistake of ours: the traceback is the message
    sys.stderr.write(f"headgate {name} needs {missing}, which is not installed: pip install 'headgate[{name}]'\n")
    return _NOT_INSTALLED
