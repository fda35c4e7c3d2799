"""Run the command line with ``python -m tinct``."""

import sys

from tinct.command.cli import run

if __name__ == "__main__":
    sys.exit(run())
