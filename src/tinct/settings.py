"""How a picture is to be colored: every setting, its range and its default, said once.

Imports nothing heavy: the command line asks it before anything else is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict

from tinct.errors import UsageError

if TYPE_CHECKING:
    from tinct.hints import Hint
    from tinct.hints.files import Given

AUTO = "auto"
"""The model's name that stands for: tell photographs from drawings and take what fits."""

QUALITIES = ("fast", "balanced", "best")
"""The sizes at which a model looks, and what a manifest calls them."""

KEEPS = ("auto", "lightness", "luma")
"""What of a photograph may be asked to stay as it is."""

STRONGEST = 1.5
"""The largest factor on chroma."""

WARMEST = 1.0
"""The largest warmth; its negative is the least."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a picture is to be colored.

    Whoever colors takes the same settings: :func:`tinct.colorize`, :class:`tinct.Colorizer`, the
    command line and jobs over many pictures. Keyword arguments of the same names build them.

    Attributes:
        hints: colors that are known: one or more of what :func:`tinct.read_hints` takes. Kept as a
            tuple of hints.
        strength: factor on the colors' chroma, 0 (gray) to 1.5.
        warmth: -1 (cooler) to 1 (warmer); grays and hints stay. 1 is as by the light of D50 instead
            of D65.
        quality: ``fast``, ``balanced`` or ``best``: the size at which the model works.
        reference: a picture in color whose palette the colors take: a path, the bytes of a file, a
            PIL image, an array, or what :func:`tinct.read_palette` gave, which is how it is kept;
            None: as the model proposes.
        flat: give each region that a drawing's lines enclose one color.
        keep: what of a photograph stays as it is: ``lightness`` (L* of every pixel), ``luma`` (Y'
            of Rec. 601, so that the gray picture can be had back exactly), or ``auto``: luma where
            a gray JPEG becomes a JPEG, whose gray is then not even coded anew, else lightness.

    Raises:
        UsageError: a value is out of range.
        PictureError: a picture among the hints, or the reference, cannot be read.
    """

    hints: tuple[Hint, ...] = ()
    strength: float = 1.0
    warmth: float = 0.0
    quality: str = "balanced"
    reference: Any = None
    flat: bool = False
    keep: str = "auto"

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= STRONGEST:
            raise UsageError(f"The strength must lie in 0..{STRONGEST:g}, not {self.strength:g}.")
        if not -WARMEST <= self.warmth <= WARMEST:
            raise UsageError(
                f"The warmth must lie in {-WARMEST:g}..{WARMEST:g}, not {self.warmth:g}."
            )
        if self.quality not in QUALITIES:
            raise UsageError(f"The quality must be {', '.join(QUALITIES)}, not {self.quality!r}.")
        if self.keep not in KEEPS:
            raise UsageError(f"What is kept must be {', '.join(KEEPS)}, not {self.keep!r}.")
        if self.hints != ():
            from tinct.hints import read_hints  # noqa: PLC0415

            object.__setattr__(self, "hints", read_hints(self.hints))
        if self.reference is not None:
            from tinct.coloring.palette import read_palette  # noqa: PLC0415

            object.__setattr__(self, "reference", read_palette(self.reference))


class Wanted(TypedDict, total=False):
    """Keyword arguments that build :class:`Settings`: each of its values, or all at once.

    Attributes:
        settings: where the other values come from; the defaults if not given.
        hints: one or more of what :func:`tinct.read_hints` takes.
        strength: see :class:`Settings`, as for all others.
        warmth: likewise.
        quality: likewise.
        reference: likewise.
        flat: likewise.
        keep: likewise.
    """

    settings: Settings | None
    hints: Given
    strength: float
    warmth: float
    quality: str
    reference: Any
    flat: bool
    keep: str


def settings_of(wanted: Wanted) -> Settings:
    """Return the settings that keyword arguments ask for.

    Raises:
        UsageError: a name is unknown, or a value is out of range.
        PictureError: a picture among the hints, or the reference, cannot be read.
    """
    changes: dict[str, Any] = dict(wanted)
    held = changes.pop("settings", None) or Settings()
    known = Settings.__dataclass_fields__
    unknown = sorted(changes.keys() - known.keys())
    if unknown:
        raise UsageError(f"There is no setting {unknown[0]!r}; there are {', '.join(known)}.")
    return replace(held, **changes)
