"""The commands ``tinct restore`` and ``tinct verify``: coloring that can be taken back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tinct.command import terminal
from tinct.command.terminal import ended
from tinct.errors import PartialError, PictureError, UsageError


def restore(given: argparse.Namespace) -> int:
    """Write the gray original of a colored JPEG."""
    from tinct.atomic import check_target, replacing
    from tinct.photo import restore_gray

    if given.output == "-":
        if sys.stdout.isatty():
            raise UsageError("the picture would fill the terminal with bytes; give -o FILE")
        sys.stdout.buffer.write(restore_gray(given.picture))
        sys.stdout.buffer.flush()
        return 0
    target = Path(given.output)
    check_target(target, overwrite=given.overwrite)
    data = restore_gray(given.picture)
    with replacing(target, overwrite=given.overwrite) as temporary:
        temporary.write_bytes(data)
    terminal.say(f"{given.picture} -> {target}  (the original, {len(data)} bytes)")
    return 0


def verify(given: argparse.Namespace) -> int:
    """Say of each picture whether its original can be given back."""
    from tinct.photo import restore_gray

    failed = 0
    for name in given.pictures:
        error = None
        try:
            restore_gray(name)
        except PictureError as found:
            error, failed = found, failed + 1
        if given.json:
            why = None if error is None else str(error)
            terminal.write_json({"input": name, "untouched": error is None, "error": why})
        elif error is None:
            terminal.write(f"{name}: the gray is untouched")
        else:
            terminal.complain(f"tinct: {ended(error)}")
    if failed and len(given.pictures) > 1:
        raise PartialError(f"{failed} of {len(given.pictures)} pictures failed, see above")
    return PictureError.exit_code if failed else 0
