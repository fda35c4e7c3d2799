"""A parser that corrects typing mistakes, and converters of what stands after options.

Imports nothing heavy, like :mod:`tinct.command.options`.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from tinct.errors import UsageError
from tinct.settings import STRONGEST, WARMEST

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

FORMATS = ("jpeg", "png", "webp", "tiff", "avif", "heic", "jxl")


def meant(word: str, known: Sequence[str]) -> str:
    """Return "; did you mean ...?" for the nearest of ``known``, or nothing."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are `UsageError`: one sentence, with what was probably meant."""

    def __init__(self, command: str, *, description: str, epilog: str) -> None:
        super().__init__(
            prog=f"tinct {command}",
            description=description,
            epilog=f"{epilog}\n\nThe exit codes are listed by: tinct --help",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    @property
    def names(self) -> list[str]:
        """Return every option's names, in the order of the help."""
        return [name for action in self._actions for name in action.option_strings]

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; a failure to write raises OSError, which argparse would swallow."""
        (file or sys.stdout).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with ``message`` and a likely correction."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            word = unknown.split()[0].split("=")[0]
            message = f"{word} is not known here{meant(word, self.names)}"
        raise UsageError(f"{message} (see {self.prog} --help)")


def one_of(known: Sequence[str]) -> Callable[[str], str]:
    """Return a converter that takes one of ``known`` and corrects a typing mistake."""

    def convert(text: str) -> str:
        if text.lower() not in known:
            raise argparse.ArgumentTypeError(
                f"{text!r} is none of {', '.join(known)}{meant(text.lower(), known)}"
            )
        return text.lower()

    return convert


def picture_format(text: str) -> str:
    """Convert the name of a picture format, with or without a dot, to one of FORMATS."""
    name = text.lower().removeprefix(".")
    return one_of(FORMATS)({"jpg": "jpeg", "tif": "tiff"}.get(name, name))


def strength_of(text: str) -> float:
    """Convert a strength and check its range."""
    low, high = 0.0, STRONGEST
    with suppress(ValueError):
        value = float(text)
        if low <= value <= high:
            return value
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a number from {low:g} to {high:g}; 1 is what the model proposes"
    )


def warmth_of(text: str) -> float:
    """Convert a warmth and check its range."""
    with suppress(ValueError):
        value = float(text)
        if -WARMEST <= value <= WARMEST:
            return value
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a number from {-WARMEST:g} (cooler) to {WARMEST:g} (warmer)"
    )


def at_least(lowest: int) -> Callable[[str], int]:
    """Return a converter for whole numbers from ``lowest`` up."""

    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {lowest}")
        return int(text)

    return convert


def whole_numbers(text: str) -> tuple[int, ...]:
    """Convert whole numbers between commas, each from 0 up."""
    return tuple(at_least(0)(part.strip()) for part in text.split(","))


def gpu_share(text: str) -> float:
    """Convert how much of GPUs each worker takes: a share, or a whole number."""
    with suppress(ValueError):
        value = float(text)
        if 0 <= value <= 1 or (value.is_integer() and value <= 64):
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no share of a GPU; give 0 to 1, as in 0.25")


def frame_size(text: str) -> tuple[int, int]:
    """Convert width and height in pixels, as in 640x480."""
    width, times, height = text.lower().partition("x")
    if not (times and width.isdecimal() and height.isdecimal() and int(width) * int(height)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no width and height in pixels; write them as in 640x480"
        )
    return int(width), int(height)


def json_name(text: str) -> str:
    """Check the name of a JSON file that is to be written."""
    if not text.lower().endswith(".json"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name for a recipe; end it in .json, or give the pictures first"
        )
    return text


def setting(text: str) -> tuple[str, str]:
    """Convert ``name=value``."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value
