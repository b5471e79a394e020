"""`python -m headgate_emulator`."""

import sys

from headgate_emulator.app import main

if __name__ == "__main__":
    sys.exit(main())
