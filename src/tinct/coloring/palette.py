"""Give a picture's colors the palette of another picture, without touching lightness.

Both pictures' colors are clouds in CIE Lab, described by their mean and covariance. The linear map
that carries one cloud to the other at the least cost (Monge-Kantorovich) is known in closed form
[1, eq. 12]::

    color -> reference mean + T (color - mean)
    T = S^-1/2 (S^1/2 R S^1/2)^1/2 S^-1/2        S, R: covariances, picture and reference

Lightness belongs to the clouds, so that what is dark takes the colors of what is dark in the
reference; of the result only a*, b* are used. Where the picture's colors hardly differ, T is
limited: noise would become color.

References:
    [1] F. Pitie, A. Kokaram: The linear Monge-Kantorovitch linear colour mapping for example-based
        colour transfer, IET European Conference on Visual Media Production, 2007.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.errors import PictureError, UsageError
from tinct.hints.images import SOLID, of_picture

Floats = NDArray[np.float32]

MOST = 2.5  # the largest factor by which colors move apart
FLOOR = 1e-3  # added to every variance, squared Lab units: gray pictures have none
LEAST = 1.0  # mean chroma below which a picture has no palette
SIDE = 256  # longest side at which a reference is looked at


@dataclass(frozen=True, eq=False)
class Palette:
    """How a picture's colors lie in CIE Lab.

    Attributes:
        mean: (3,), L*, a*, b*.
        covariance: (3, 3), squared Lab units.
        name: of the picture's file, for people; empty if it has none.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    name: str = ""

    def __eq__(self, other: object) -> bool:
        """Tell whether all numbers and the name are alike."""
        return isinstance(other, Palette) and self._parts() == other._parts()

    def __hash__(self) -> int:
        """Return a hash of all numbers and the name."""
        return hash(self._parts())

    def _parts(self) -> tuple[str, tuple[float, ...], tuple[float, ...]]:
        return self.name, tuple(self.mean.tolist()), tuple(self.covariance.ravel().tolist())


def palette_of(lab: Floats) -> Palette:
    """Return the palette of colors.

    Args:
        lab: (3, ...), L*, a*, b* of at least one pixel.
    """
    colors = lab.reshape(3, -1).astype(np.float64)
    mean = colors.mean(axis=1)
    apart = colors - mean[:, None]
    return Palette(mean, apart @ apart.T / colors.shape[1])


def read_palette(picture: Any, *, max_pixels: int | None = None) -> Palette:
    """Return the palette of a picture that was chosen for its colors.

    Args:
        picture: a palette; or a path, the bytes of a file, a PIL image, or an array (H, W, 3 or 4)
            of sRGB codes. What is transparent does not count.
        max_pixels: refuse larger files; None: those of more than 100 million.

    Raises:
        PictureError: it cannot be read.
        UsageError: it is gray or clear.
    """
    if isinstance(picture, Palette):
        return picture
    try:
        rgba = of_picture(picture, short=SIDE, max_pixels=max_pixels).within(SIDE).rgba
    except PictureError as error:
        raise PictureError(f"The reference cannot be used: {error}") from error
    seen = rgba[rgba[..., 3] >= SOLID][:, :3]
    lab = color.rgb_to_lab(seen / np.float32(255)).T
    if not seen.size or np.hypot(lab[1], lab[2]).mean() < LEAST:
        raise UsageError("The reference has no colors; choose a picture in color.")
    return replace(palette_of(lab), name=_name_of(picture))


def _name_of(picture: Any) -> str:
    return Path(picture).name if isinstance(picture, str | Path) else ""


def _root(matrix: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """Return a power of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.maximum(values, FLOOR) ** power) @ vectors.T
    return root


def transport(source: Palette, reference: Palette) -> NDArray[np.float64]:
    """Return T, (3, 3), symmetric, with eigenvalues 0..MOST."""
    more = FLOOR * np.eye(3)
    half, back = (_root(source.covariance + more, power) for power in (0.5, -0.5))
    moved = back @ _root(half @ (reference.covariance + more) @ half, 0.5) @ back
    values, vectors = np.linalg.eigh((moved + moved.T) / 2)
    limited: NDArray[np.float64] = (vectors * np.clip(values, 0, MOST)) @ vectors.T
    return limited


def repaint(lab: Floats, reference: Palette, *, cover: tuple[float, float] = (1.0, 1.0)) -> Floats:
    """Return colors with the palette of a reference.

    Args:
        lab: float32 (3, h, w), L*, a*, b*.
        reference: whose palette they get.
        cover: the shares of height and width, from the top left, that show the picture; what is
            padded does not count.

    Returns:
        float32 (2, h, w), a*, b*. Their mean is the reference's, and so is their covariance,
        unless T had to be limited.
    """
    _, height, width = lab.shape
    rows, columns = (
        max(1, round(side * share)) for side, share in zip((height, width), cover, strict=True)
    )
    own = palette_of(lab[:, :rows, :columns])
    matrix = transport(own, reference)[1:]
    apart = lab.reshape(3, -1) - own.mean[:, None].astype(np.float32)
    moved = matrix.astype(np.float32) @ apart + reference.mean[1:, None].astype(np.float32)
    return moved.reshape(2, height, width)
