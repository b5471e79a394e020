"""The `headgate` command. Processes are launched without loading the user interface, and the reverse."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from headgate_cli.process import closed_pipe
from headgate_cli.process.exit_codes import READER_GONE
from headgate_cli.process.launch import PROCESSES, launch


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line `argv`, this process's own if not given, and exit with its status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in PROCESSES:
        sys.exit(launch(arguments[0], arguments[1:]))
    # gRPC's own remarks about connections do not belong between the lines of a command.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from headgate_cli.app import app
    except ModuleNotFoundError as error:
        sys.exit(f"headgate needs {error.name}, which is not installed: pip install 'headgate[cli]'")
    closed_pipe.install()
    try:
        app(arguments, prog_name="headgate")
    except SystemExit:
        if closed_pipe.is_closed():
            sys.exit(READER_GONE)
        raise
    raise AssertionError("the application exits by itself")


if __name__ == "__main__":
    main()
