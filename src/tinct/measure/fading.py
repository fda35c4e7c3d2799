"""Measure what a model makes of faded prints: the same pictures with less and less contrast."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.colorizer import Colorizer
from tinct.errors import UsageError
from tinct.measure import metrics
from tinct.measure.dataset import find_photographs, gray_rgb

if TYPE_CHECKING:
    from rich.table import Table

AROUND = {"dark": 0.2, "middle": 0.5, "light": 0.8}
"""The sRGB grays that contrast shrinks around."""
CONTRASTS = (1.0, 0.5, 0.3, 0.2, 0.12)


@dataclass(frozen=True)
class Faded:
    """What was found at one contrast.

    Attributes:
        contrast: share of the full contrast that is left.
        around: a key of :data:`AROUND`.
        error: mean CIEDE2000 as a share of gray's, the colors laid under the unfaded lightness.
        chroma: mean chroma, Lab units.
        n: how many pictures.
    """

    contrast: float
    around: str
    error: float
    chroma: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return dict(vars(self))


def squeeze(gray: NDArray[np.uint8], *, contrast: float, around: float) -> NDArray[np.uint8]:
    """Return sRGB codes with less contrast.

    Args:
        gray: uint8, any shape.
        contrast: share that is left, 0..1.
        around: the gray that stays as it is, 0..1.
    """
    middle = 255 * around
    faded: NDArray[np.uint8] = np.rint(middle + contrast * (gray - middle)).astype(np.uint8)
    return faded


def measure_fading(
    folder: str | os.PathLike[str],
    *,
    model: str | Path = "photo",
    contrasts: Sequence[float] = CONTRASTS,
    limit: int | None = None,
    quality: str = "balanced",
    device: str = "auto",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Faded]:
    """Color the pictures of a folder at several contrasts.

    Args:
        folder: color pictures; folders below are not read.
        model: name or path of a bundle for photographs.
        contrasts: shares of the full contrast, above 0 and at most 1.
        limit: measure only so many pictures, evenly spaced in the order of names.
        quality: ``fast``, ``balanced`` or ``best``.
        device: as for :class:`tinct.Colorizer`.
        threads: as for :class:`tinct.Colorizer`.
        progress: called with (pictures done, pictures in all).

    Returns:
        One entry for each contrast and gray.

    Raises:
        UsageError: the folder holds no picture, a contrast is out of range, or the model paints.
        PictureError: a picture cannot be read.
    """
    wrong = [value for value in contrasts if not 0 < value <= 1]
    if wrong:
        raise UsageError(f"A contrast must lie above 0 and at most 1 (100 %), not {wrong[0]:g}.")
    colorizer = Colorizer(model, device=device, threads=threads)
    if colorizer.bundle.paints:
        raise UsageError(f"{colorizer.name!r} paints drawings; fading is measured on photographs.")
    source = find_photographs(folder, limit=limit)
    keys = [(contrast, around) for contrast in contrasts for around in AROUND]
    errors, chromas, blank = dict.fromkeys(keys, 0.0), dict.fromkeys(keys, 0.0), 0.0
    for done, path in enumerate(source.files):
        if progress is not None:
            progress(done, len(source.files))
        pair = source.open(path)
        blank += metrics.compare(gray_rgb(pair), pair.truth).ciede2000
        for contrast, around in keys:
            faded = squeeze(pair.gray, contrast=contrast, around=AROUND[around])
            proposal = colorizer.propose(faded, quality=quality)
            rgb = colorizer.render(pair.gray, proposal=proposal)
            errors[contrast, around] += metrics.compare(rgb, pair.truth).ciede2000
            ab = color.rgb_to_lab(rgb / 255.0)[..., 1:]
            chromas[contrast, around] += float(np.linalg.norm(ab, axis=-1).mean())
    count = len(source.files)
    return [
        Faded(*key, error=errors[key] / blank, chroma=chromas[key] / count, n=count) for key in keys
    ]


def fading_table(found: Sequence[Faded]) -> Table:
    """Return a table for the terminal: a line for each contrast, columns by gray."""
    from rich.table import Table  # noqa: PLC0415

    drawn = Table(title=f"faded: CIEDE2000 / gray's, mean chroma (n = {found[0].n})")
    drawn.add_column("contrast", justify="right", style="bold")
    for around in AROUND:
        drawn.add_column(f"{around}: error", justify="right")
        drawn.add_column("chroma", justify="right")
    for contrast in dict.fromkeys(one.contrast for one in found):
        row = [one for one in found if one.contrast == contrast]
        cells = [text for one in row for text in (f"{one.error:.3f}", f"{one.chroma:.1f}")]
        drawn.add_row(f"{contrast:.0%}", *cells)
    return drawn
