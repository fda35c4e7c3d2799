"""Options that several commands share; imports nothing heavy."""

from __future__ import annotations

from tinct.command.parsing import Parser, at_least, one_of
from tinct.settings import QUALITIES, Settings

DEFAULTS = Settings()


def add_model(parser: Parser, *, default: str) -> None:
    """Add the options that say which model runs, and where."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model",
        default=default,
        metavar="NAME|PATH",
        help=f"a model that `tinct models` lists, or a bundle folder (default: {default})",
    )
    group.add_argument(
        "--quality",
        type=one_of(QUALITIES),
        default=DEFAULTS.quality,
        metavar="Q",
        help=f"fast, balanced or best: the size at which the model looks "
        f"(default: {DEFAULTS.quality})",
    )
    group.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="auto, cpu, cuda, ...; `tinct doctor` lists what is here (default: auto)",
    )
    group.add_argument(
        "--threads",
        type=at_least(1),
        metavar="N",
        help="CPU threads (default: one for each core)",
    )
