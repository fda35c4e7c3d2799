"""Run the command line with ``python -m tinct``."""

import sys

from tinct.command.cli import main

if __name__ == "__main__":
    sys.exit(main())
