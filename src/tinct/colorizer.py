"""One model's way of a picture: propose, adjust, render. Nothing else knows the order.

A model proposes colors at its own size (:class:`Proposal`); hints and a palette adjust them;
rendering joins them with the picture at full size. A changed hint or strength needs neither the
file nor the first steps again. Opening and saving is :class:`tinct.front.Front`'s.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct.bundle import find_bundle
from tinct.coloring import chroma, luma_chroma, painting, palette, pooling, propagation
from tinct.coloring.palette import Palette
from tinct.coloring.warmth import warmed
from tinct.drawing import flats
from tinct.engine import Engine, Prediction
from tinct.errors import UsageError
from tinct.front import Front
from tinct.hints import Hint, rasterize
from tinct.proposal import Proposal
from tinct.resample import bicubic, resample_rows
from tinct.settings import Settings

Rgb = NDArray[Any]
Floats = NDArray[np.float32]

PARTS = 6  # of a picture's height and width, in which hints are counted
FEW = 6.0  # parts with hints beyond the first: a painting follows them by half where there are none


class Colorizer(Front):
    """A loaded model that colors any number of pictures; safe to use from several threads.

    Args:
        model: name of an installed model, or path of a bundle.
        device: ``auto``, ``cpu``, ``cuda``, ...; see :mod:`tinct.engine`.
        threads: that work on one picture; None means one for each core.

    Raises:
        ModelError: there is no such model, or it is damaged.
        DeviceError: the device is not available here.
        UsageError: the device is unknown, or ``threads`` is below 1.
    """

    def __init__(
        self, model: str | Path = "photo", *, device: str = "auto", threads: int | None = None
    ) -> None:
        self.bundle = find_bundle(model)
        self.engine = Engine(self.bundle, device=device, threads=threads)
        self.threads = threads

    @property
    def name(self) -> str:
        """The model's name."""
        return self.bundle.manifest.name

    @property
    def sha256(self) -> str:
        """The hash of the model's graph."""
        return self.bundle.manifest.sha256

    def choose(self, gray: NDArray[Any]) -> Colorizer:  # noqa: ARG002  (one model colors all)
        """Return itself."""
        return self

    def propose(
        self,
        gray: NDArray[Any],
        *,
        quality: str = "balanced",
        edge: chroma.Edge = "auto",
        bins: bool = False,
    ) -> Proposal:
        """Let the model look at a picture.

        Args:
            gray: uint8 or uint16 (H, W), sRGB-encoded.
            quality: ``fast``, ``balanced`` or ``best``, for which the model looks at the picture
                at several sizes (``manifest.looks``), and the mean is taken.
            edge: how the model's input gets sides of the right multiple; see
                :func:`tinct.coloring.chroma.working_shape`.
            bins: also keep the distribution over ab bins, if the model has one.

        Returns:
            What it proposes without hints.

        Raises:
            DeviceError: the device ran out of memory.
            ModelError: the model failed.
        """
        manifest = self.bundle.manifest
        fitted = self._fitted(gray, manifest.sizes[quality], edge)
        found = self.engine.run(fitted.lightness, None, bins=bins)
        predicted = _color_of(found)
        if quality == "best" and manifest.looks:
            predicted = predicted.copy()
            shown = _shown(predicted, fitted)
            for look in manifest.looks:
                other = self._fitted(gray, look, edge)
                seen = _shown(_color_of(self.engine.run(other.lightness, None)), other)
                shown += _resized(seen, shown.shape)
            shown /= np.float32(1 + len(manifest.looks))
        if manifest.task == "photo" and not self.bundle.paints:
            predicted = _without_margins(predicted, fitted)
        held = None if found.bins is None else found.bins[0]
        regions = fine = None
        if manifest.keeps_regions:
            shape = (predicted.shape[1], predicted.shape[2])
            fine = flats.drawn_regions(gray)
            regions = flats.sampled(fine, shape, cover=fitted.shape.cover)
            predicted = _pooled(predicted, fitted, regions)
        return Proposal(
            bundle=self.bundle,
            fitted=fitted,
            size=(gray.shape[0], gray.shape[1]),
            predicted=predicted,
            bins=held,
            color=predicted,
            regions=regions,
            fine=fine,
        )

    def adjust(
        self,
        proposal: Proposal,
        *,
        hints: tuple[Hint, ...] = (),
        reference: Palette | None = None,
        warmth: float = 0.0,
    ) -> Proposal:
        """Apply hints, a palette and warmth to what a model proposed; earlier ones are forgotten.

        The picture is not opened again, and the model does not look again, unless it has a use for
        hints of its own (``manifest.spreads_hints`` is false).

        Args:
            proposal: of this colorizer's model.
            hints: colors that are known.
            reference: the palette that the colors take.
            warmth: as in :class:`tinct.Settings`.
        """
        manifest, fitted = self.bundle.manifest, proposal.fitted
        found, planes, shading = proposal.predicted, None, None
        if hints:
            planes = self._planes(hints, proposal)
            if manifest.takes_hints and not manifest.spreads_hints:
                found = _color_of(self.engine.run(fitted.lightness, planes[None]))
                if proposal.regions is not None:
                    shading = found[0]
                    found = _pooled(found, fitted, proposal.regions)
                    # Where nothing is told, one hint says nothing, many say what the colors are.
                    others = _told(planes[3]) - 1
                    trust = np.float32(others**2 / (others**2 + FEW**2))
                    found = proposal.predicted + trust * (found - proposal.predicted)
        if reference is not None:
            found = _repainted(found, fitted, reference)
        if warmth:
            found = np.concatenate([found[:-2], warmed(found[-2:], warmth)])
        if planes is not None:  # what was said of a place goes before what was said of all
            kept = found if proposal.paints else found[-2:]
            found = propagation.follow(
                fitted.lightness[0, 0],
                kept,
                planes,
                regions=proposal.regions,
                shading=shading,
            )
        return replace(proposal, color=found)

    def vary(
        self,
        proposal: Proposal,
        *,
        count: int = 3,
        regions: int = 20,
        hints: tuple[Hint, ...] = (),
        reference: Palette | None = None,
        warmth: float = 0.0,
    ) -> list[Proposal]:
        """Make coherent alternatives: the most doubtful regions get other likely colors.

        In each of them all regions lean the same way, such as warmer or greener.

        Args:
            proposal: of this colorizer's model, with ``bins``.
            count: how many alternatives at most; fewer where the model has no doubt.
            regions: how many regions change at most.
            hints: that hold in all of them, also inside those regions.
            reference: as for :meth:`adjust`.
            warmth: likewise.

        Raises:
            UsageError: there are no ``bins``.
        """
        return [
            self.adjust(proposal, hints=(*others, *hints), reference=reference, warmth=warmth)
            for others in proposal.alternatives(count=count, regions=regions)
        ]

    def render(
        self,
        gray: NDArray[Any],
        settings: Settings | None = None,
        *,
        proposal: Proposal | None = None,
    ) -> Rgb:
        """Color a gray picture at full size.

        Args:
            gray: uint8 or uint16 (H, W), sRGB-encoded.
            settings: None means the defaults.
            proposal: adjusted already; None lets the model look.

        Returns:
            sRGB (H, W, 3), the dtype of ``gray``.

        Raises:
            UsageError: flat colors are asked for of a photograph.
            DeviceError: the device ran out of memory.
            ModelError: the model failed.
        """
        settings = settings or Settings()
        if settings.flat and self.bundle.manifest.task != "lineart":
            raise UsageError(f"Flat colors are for drawings; {self.name!r} colors photographs.")
        if proposal is None:
            proposal = self.adjust(
                self.propose(gray, quality=settings.quality),
                hints=settings.hints,
                reference=settings.reference,
                warmth=settings.warmth,
            )
        if proposal.paints:
            rgb = painting.paint_drawing(
                gray,
                proposal.color,
                proposal.fitted.lightness[0, 0],
                strength=settings.strength,
                cover=proposal.cover,
                regions=proposal.walls,
                threads=self.threads,
            )
        else:
            join = luma_chroma.compose_luma if settings.keep == "luma" else chroma.compose
            rgb = join(
                gray,
                proposal.ab,
                strength=settings.strength,
                cover=proposal.cover,
                threads=self.threads,
            )
        return flats.flatten(gray, rgb) if settings.flat else rgb

    def _fitted(self, gray: NDArray[Any], size: int, edge: chroma.Edge) -> chroma.Fitted:
        """Return the picture at one of the model's sizes."""
        manifest = self.bundle.manifest
        return chroma.fit(
            gray,
            size=size,
            multiple_of=manifest.multiple_of,
            max_long=max(manifest.max_long, size),
            edge=edge,
            unfade=manifest.task == "photo",
            threads=self.threads,
        )

    def _planes(self, hints: tuple[Hint, ...], proposal: Proposal) -> Floats:
        """Draw hints at working size, (4, h, w), with their own lightness or the picture's."""
        shape = proposal.fitted.shape
        drawn = rasterize(
            hints,
            shape.height,
            shape.width,
            lightness=proposal.fitted.lightness[0, 0, : shape.height, : shape.width],
            # A drawing does not tell how light the colors are that belong into it; the hints do.
            own_lightness=self.bundle.manifest.task == "lineart",
            size=proposal.size,
        )
        return np.pad(drawn, ((0, 0), (0, shape.bottom), (0, shape.right)))


def _told(mask: Floats) -> int:
    """Return in how many parts of a picture, ``PARTS`` by ``PARTS``, there is any hint.

    Of four grids, half a part apart, the one that says the least: a point on a border is one.
    """
    rows, columns = np.nonzero(mask)
    down, right = (
        (place + 0.5) * PARTS / side
        for place, side in zip((rows, columns), mask.shape, strict=True)
    )
    return min(
        len(np.unique((down + more).astype(int) * (PARTS + 1) + (right + beside).astype(int)))
        for more in (0, 0.5)
        for beside in (0, 0.5)
    )


def _color_of(found: Prediction) -> Floats:
    """Return a prediction for one picture, (2, h, w) or (3, h, w)."""
    color = found.lab if found.ab is None else found.ab
    assert color is not None
    first: Floats = color[0]
    return first


def _shown(planes: Floats, fitted: chroma.Fitted) -> Floats:
    """Return the part of small planes that shows the picture, a view."""
    rows, columns = (
        max(1, round(side * share))
        for side, share in zip(planes.shape[1:], fitted.shape.cover, strict=True)
    )
    return planes[:, :rows, :columns]


def _resized(planes: Floats, shape: tuple[int, ...]) -> Floats:
    """Return small planes (C, h, w) at another height and width."""
    down, right = (
        bicubic(after, before) for after, before in zip(shape[1:], planes.shape[1:], strict=True)
    )
    return np.stack([resample_rows(resample_rows(p, down).T, right).T for p in planes])


def _without_margins(ab: Floats, fitted: chroma.Fitted) -> Floats:
    """Return a proposal without color on the page or mount around a picture."""
    shape = fitted.shape
    shown = _shown(ab, fitted)
    kept = chroma.gray_margins(fitted.lightness[0, 0, : shape.height, : shape.width], shown)
    if kept is shown:
        return ab
    whole = np.zeros_like(ab)
    _shown(whole, fitted)[:] = kept
    return whole


def _pooled(painted: Floats, fitted: chroma.Fitted, regions: NDArray[np.int32]) -> Floats:
    """Return a painting with one color to a region."""
    paper = painting.reduced(fitted.lightness[0, 0], painted.shape[1]) / np.float32(100)
    return pooling.pool_chroma(painted, paper, regions)


def _repainted(found: Floats, fitted: chroma.Fitted, reference: Palette) -> Floats:
    """Return a prediction with the palette of a reference."""
    channels, height, width = found.shape
    lightness = found[:1]
    if channels == 2:
        step = fitted.lightness.shape[2] // height
        lightness = fitted.lightness[0].reshape(1, height, step, width, step).mean((2, 4))
    lab = np.concatenate([lightness, found[-2:]])
    lab[1:] = palette.repaint(lab, reference, cover=fitted.shape.cover)
    return lab if channels == 3 else lab[1:]
