"""What a model proposes for one picture: colors, and how sure it is of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tinct.bundle import Bundle
from tinct.coloring import chroma, pooling, suggest
from tinct.coloring.suggest import Ab, Doubtful, Likely
from tinct.errors import UsageError
from tinct.hints import Point

Floats = NDArray[np.float32]

PLACES = 24
"""Hints that tell a variant's color of a region as large as the picture."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Proposal:
    """What a model proposes for one picture, at the model's own size.

    Attributes:
        bundle: the model.
        fitted: what the model saw.
        size: height and width of the picture in pixels.
        predicted: float32 (2, h, w), a*, b* in Lab units; of models that paint, (3, h, w), L*
            first.
        bins: float32 (K, H/4, W/4), logits over the ab bins of the model's manifest, or None where
            it has none.
        color: as ``predicted``, with hints and palette applied.
        regions: of line art alone: int32 (h, w), which of the regions that lines enclose.
        fine: the same regions as the drawing itself shows them, int32, without padding.
    """

    bundle: Bundle
    fitted: chroma.Fitted
    size: tuple[int, int]
    predicted: Floats
    bins: Floats | None
    color: Floats = field(repr=False)
    regions: NDArray[np.int32] | None = field(default=None, repr=False)
    fine: NDArray[np.int32] | None = field(default=None, repr=False)

    @property
    def paints(self) -> bool:
        """Whether the model paints lightness too, which it may do to line art."""
        return self.bundle.paints

    @property
    def ab(self) -> Floats:
        """Float32 (2, h, w), a* and b* in Lab units, adjusted."""
        return self.color[-2:]

    @property
    def cover(self) -> tuple[float, float]:
        """The shares of the planes' height and width that show the picture; the rest is padding."""
        return self.fitted.shape.cover

    @property
    def walls(self) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
        """What colors must not leave: ``regions`` and ``fine``, or None where there are none."""
        return None if self.regions is None or self.fine is None else (self.regions, self.fine)

    def _chances(self) -> tuple[Floats, Floats]:
        """Return the distribution (K, h, w) and the bins' centers (K, 2)."""
        if self.bins is None:
            raise UsageError(
                f"The model {self.bundle.name!r} gives no distribution of colors, or was not asked "
                "for it; propose with bins=True, by a model that has them."
            )
        manifest = self.bundle.manifest
        centers = np.asarray(manifest.ab_bins, np.float32)
        return suggest.probabilities(self.bins, temperature=manifest.doubt_temperature), centers

    def doubt(self) -> Floats:
        """Return where the model is unsure.

        Returns:
            Float32 (H/4, W/4) of the working size, without padding: how far likely colors lie from
            their mean there, Lab units.

        Raises:
            UsageError: there are no ``bins``.
        """
        found = suggest.doubt_map(*self._chances())
        down, across = self.cover
        return found[: max(1, round(len(found) * down)), : max(1, round(found.shape[1] * across))]

    def suggest(self, *, count: int = 5, colors: int = 5) -> list[Doubtful]:
        """Find the regions where a hint would help most, and the colors that are likely there.

        Args:
            count: how many regions at most.
            colors: how many colors for each at most.

        Raises:
            UsageError: there are no ``bins``.
        """
        chances, centers = self._chances()
        return suggest.doubtful_regions(
            chances,
            centers,
            self.fitted.lightness[0, 0],
            cover=self.cover,
            count=count,
            colors=colors,
        )

    def alternatives(self, *, count: int = 3, regions: int = 20) -> list[tuple[Point, ...]]:
        """Return the hints that give the most doubtful regions other likely colors.

        In each alternative all regions lean the same way, such as warmer or greener.

        Args:
            count: how many alternatives at most; fewer where the model has no doubt.
            regions: how many regions change at most.

        Raises:
            UsageError: there are no ``bins``.
        """
        found = self.suggest(count=regions)
        paper: list[tuple[Doubtful, Ab]] = []
        if self.paints:
            painted = [self._painted(region) for region in found]
            paper = [(region, ab) for region, ab in painted if _is_paper(region.lightness, ab)]
            found = [region for region, ab in painted if not _is_paper(region.lightness, ab)]
        choices = suggest.alternatives(found, *self._chances(), self.predicted[-2:], count=count)
        return [
            tuple(
                Point(x=x, y=y, color=(region.lightness, *ab), radius=0.02)
                for region, ab in (*paper, *choice)
                for x, y in suggest.interior(
                    region.mask, cover=self.cover, most=1 + round(PLACES * region.area)
                )
            )
            for choice in choices
        ]

    def _painted(self, region: Doubtful) -> tuple[Doubtful, Ab]:
        """Return a region of a drawing, as light as it is painted, and its color a*, b*."""
        step = self.predicted.shape[1] // region.mask.shape[0]
        there = region.mask.repeat(step, axis=0).repeat(step, axis=1)
        lightness, a, b = self.predicted[:, there].mean(axis=1).tolist()
        return replace(region, lightness=lightness), (a, b)

    def likely_at(self, x: float, y: float, *, colors: int = 5) -> tuple[Likely, ...]:
        """Return the likeliest colors at a place that can be told from each other.

        Args:
            x: share of the picture's width, 0..1.
            y: share of its height.
            colors: how many at most.

        Raises:
            UsageError: there are no ``bins``.
        """
        chances, centers = self._chances()
        down, across = self.cover
        row = min(int(y * down * chances.shape[1]), chances.shape[1] - 1)
        column = min(int(x * across * chances.shape[2]), chances.shape[2] - 1)
        around = chances[:, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        return suggest.likely_colors(around.mean((1, 2)), centers, count=colors)


def _is_paper(lightness: float, ab: Ab) -> bool:
    """Return whether a region of a drawing is painted as paper, which stays what it is."""
    return lightness > pooling.LIGHT and math.hypot(*ab) < pooling.PALE
