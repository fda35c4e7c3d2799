"""The way of a picture: open, propose, adjust, render, save. Nothing else knows the order.

A model proposes colors at its own size (:class:`Proposal`); hints and a palette adjust them;
rendering joins them with the picture at full size. A changed hint or strength needs neither the
file nor the first steps again. :class:`Colorizer` is one model, :class:`tinct.router.Router` picks
one for each picture; both open, color and save through :class:`Front`, which the command line, jobs
and the studio call.
"""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from tinct import photo
from tinct.atomic import check_target
from tinct.bundle import find_bundle, verify
from tinct.colored import Colored, ColoredJpeg
from tinct.coloring import chroma, luma_chroma, painting, palette, propagation, suggest
from tinct.coloring.palette import Palette
from tinct.drawing import flats
from tinct.drawing.transparency import lay_on_paper, visible
from tinct.engine import Engine, Prediction
from tinct.errors import UsageError
from tinct.hints import Hint, Point, rasterize
from tinct.photo import Photo, PictureWarning
from tinct.proposal import Proposal
from tinct.settings import Settings, Wanted, settings_of

if TYPE_CHECKING:
    from PIL import Image

SEEN = {"fast": 320, "balanced": 360, "best": 512}
"""Least short side at which a JPEG is decoded for a model, by quality."""

Rgb = NDArray[Any]
Floats = NDArray[np.float32]
Pixels = TypeVar("Pixels", bound=NDArray[Any])

ONE_BIT = (
    "The picture has 1 bit, black and white without tones between: a photograph like that hardly "
    "takes color. Scan it in gray."
)
WAS_COLOR = "The picture is in color already: its lightness is used."


class Front(ABC):
    """What everyone calls who has pictures to color; subclasses say which model colors which."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The model's name, or ``auto``."""

    @property
    @abstractmethod
    def sha256(self) -> str:
        """The hash of what decides the colors, hexadecimal: of the model's graph, or of several."""

    @abstractmethod
    def choose(self, gray: NDArray[Any]) -> Colorizer:
        """Return the colorizer for a picture.

        Args:
            gray: uint8 or uint16 (H, W), sRGB-encoded.
        """

    @overload
    def __call__(
        self,
        picture: str | os.PathLike[str],
        *,
        page: int | None = None,
        **settings: Unpack[Wanted],
    ) -> Image.Image: ...
    @overload
    def __call__(
        self,
        picture: bytes | bytearray | memoryview,
        *,
        page: int | None = None,
        **settings: Unpack[Wanted],
    ) -> bytes: ...
    @overload
    def __call__(
        self, picture: Pixels, *, page: None = None, **settings: Unpack[Wanted]
    ) -> Pixels: ...
    @overload
    def __call__(
        self, picture: Image.Image, *, page: None = None, **settings: Unpack[Wanted]
    ) -> Image.Image: ...

    def __call__(self, picture: Any, *, page: int | None = None, **settings: Unpack[Wanted]) -> Any:
        """Color one picture and give back the same kind.

        Args:
            picture: a path or a PIL image (gives a PIL image, RGB or RGBA); the bytes of a file
                (gives bytes of the same format, metadata kept); or an array of sRGB codes, (H, W)
                or (H, W, 1 to 4), uint8, uint16 or floats 0..1 (gives (H, W, 3), with alpha
                (H, W, 4), of the same type).
            page: which page of a file, from 0; None means the first, with a warning if there are
                more.
            **settings: values of :class:`tinct.Settings` by name, or ``settings=`` with one of it.

        Returns:
            The colored picture. Floats are handled in 16 bits. PIL holds 8 bits a channel, so that
            a 16-bit picture given as a path or PIL image comes back in 8; use bytes or arrays to
            keep 16.

        Raises:
            PictureError: the picture cannot be read.
            UsageError: a setting is unknown or out of range, or the picture is of no kind listed
                above.
            DeviceError: the device ran out of memory.
            ModelError: the model failed.
            SaveError: bytes were given whose size the format cannot be written in.
        """
        chosen = settings_of(settings)
        if isinstance(picture, (bytes, bytearray, memoryview)):
            kept = self.color_jpeg(bytes(picture), chosen) if page is None else None
            if kept is not None:
                return kept.encode()
            return self.color(self.open(bytes(picture), page=page), chosen).encode()
        if isinstance(picture, (str, os.PathLike)):
            return self.color(self.open(Path(picture), page=page), chosen).image()
        if page is not None:
            raise UsageError(f"Only files have pages; leave out page {page}.")
        if isinstance(picture, np.ndarray):
            out = self.color(_ready(photo.from_array(picture)), chosen).array()
            if picture.dtype.kind == "f":
                return (out / np.float64(np.iinfo(out.dtype).max)).astype(picture.dtype)
            return out
        if hasattr(picture, "getbands") and hasattr(picture, "load"):
            return self.color(_ready(photo.from_pil(picture)), chosen).image()
        raise UsageError(
            f"A {type(picture).__name__} is no picture; hand over a path, bytes, a PIL image "
            "or a NumPy array."
        )

    def open(
        self,
        source: str | Path | bytes,
        *,
        page: int | None = None,
        max_pixels: int = photo.MAX_PIXELS,
    ) -> Photo:
        """Open a picture as it is to be colored: ink without paper lies on white.

        Args:
            source: a path or the bytes of a file.
            page: which page, from 0; None means the first, with a warning if there are more.
            max_pixels: refuse larger pictures.

        Warns:
            PictureWarning: the picture is in color already, or something else is worth knowing.

        Raises:
            PictureError: it cannot be read.
        """
        return _ready(photo.open_photo(source, page=page, max_pixels=max_pixels))

    def color(self, picture: Photo, settings: Settings | None = None) -> Colored:
        """Color an opened picture.

        Args:
            picture: from :meth:`open`.
            settings: None means the defaults.

        Raises:
            UsageError: flat colors are asked for of a photograph.
            DeviceError: the device ran out of memory.
            ModelError: the model failed.
        """
        chosen = self.choose(visible(picture))
        if picture.metadata.bits == 1 and chosen.bundle.manifest.task == "photo":
            warnings.warn(ONE_BIT, PictureWarning, stacklevel=2)
        return Colored(
            photo=picture, rgb=chosen.render(picture.gray, settings), bundle=chosen.bundle
        )

    def color_jpeg(
        self,
        source: str | Path | bytes,
        settings: Settings | None = None,
        *,
        max_pixels: int = photo.MAX_PIXELS,
    ) -> ColoredJpeg | None:
        """Color a gray JPEG as a JPEG whose gray is not touched.

        Args:
            source: a path or the bytes of a file.
            settings: None means the defaults.
            max_pixels: refuse larger pictures.

        Returns:
            None where that is not possible or not asked for: the file is no gray JPEG of 8 bits, or
            is a drawing, which models paint; or lightness is to be kept instead of luma.

        Raises:
            PictureError: the picture cannot be read.
            DeviceError: the device ran out of memory.
            ModelError: the model failed.
        """
        settings = settings or Settings()
        if settings.keep == "lightness" or settings.flat:
            return None
        gray = photo.open_gray_jpeg(source, max_pixels=max_pixels)
        if gray is None:
            return None
        with ThreadPoolExecutor(1) as beside:  # one core decodes while the other asks the model
            decoding = beside.submit(gray.extremes)
            seen = gray.reduced(least=SEEN[settings.quality])
            chosen = self.choose(seen)
            if chosen.bundle.paints or chosen.bundle.manifest.task != "photo":
                return None
            mirror = settings.quality == "best"
            proposal = chosen.propose(seen, quality=settings.quality, mirror=mirror)
            proposal = chosen.adjust(
                replace(proposal, size=gray.size),
                hints=settings.hints,
                reference=settings.reference,
                mirror=mirror,
            )
            low, high = (gray.upright(plane) for plane in decoding.result())
        planes = luma_chroma.chroma_planes(
            (low, high),
            seen,
            proposal.ab,
            strength=settings.strength,
            cover=proposal.cover,
            threads=chosen.threads,
        )
        cb, cr = (gray.stored(plane) for plane in planes)
        return ColoredJpeg(gray=gray, chroma=(cb, cr), bundle=chosen.bundle)

    def file(
        self,
        source: str | Path,
        target: str | Path,
        *,
        page: int | None = None,
        overwrite: bool = False,
        **settings: Unpack[Wanted],
    ) -> Colored | ColoredJpeg:
        """Color a file into another, with depth and metadata kept and a note in it.

        Args:
            source: the picture's file.
            target: the file to write; its ending decides the format.
            page: as for calling the colorizer.
            overwrite: whether an existing target may be replaced.
            **settings: as for calling the colorizer.

        Returns:
            What was written.

        Raises:
            UsageError: source and target are the same file.
            SaveError: the target exists already or cannot be written; it is as it was before.
            PictureError: as for calling the colorizer, like all others.
        """
        chosen = settings_of(settings)
        same = False
        with suppress(OSError, ValueError):  # what is missing or has no possible name fails below
            same = Path(source).samefile(target)
        if same:
            raise UsageError(f"{target} is the picture itself; give another name.")
        check_target(Path(target), overwrite=overwrite)
        if page is None and photo.format_of(target) == "jpeg":
            kept = self.color_jpeg(source, chosen)
            if kept is not None:
                kept.save(target, overwrite=overwrite)
                return kept
        colored = self.color(self.open(source, page=page), chosen)
        colored.save(target, overwrite=overwrite)
        return colored

    def map(
        self, pictures: Iterable[Any], *, workers: int = 2, **settings: Unpack[Wanted]
    ) -> Iterator[Any]:
        """Color many pictures; decoding, network and encoding of neighbors overlap.

        Args:
            pictures: of any kind that the colorizer can be called with; looked at a few ahead.
            workers: pictures in work at a time.
            **settings: as for calling the colorizer.

        Yields:
            The colored pictures in the same order, each of the kind that was given. A picture that
            cannot be colored raises when its turn comes.

        Raises:
            UsageError: a setting is unknown or out of range, or there is no worker.
        """
        if workers < 1:
            raise UsageError(f"{workers} workers color nothing; give 1 or more.")
        chosen = settings_of(settings)
        return self._mapped(pictures, workers=workers, settings=chosen)

    def _mapped(
        self, pictures: Iterable[Any], *, workers: int, settings: Settings
    ) -> Iterator[Any]:
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[Any]] = deque()
            try:
                for picture in pictures:
                    waiting.append(pool.submit(self.__call__, picture, settings=settings))
                    if len(waiting) > workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()


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
        verify(self.bundle)
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
        mirror: bool = False,
        bins: bool = False,
    ) -> Proposal:
        """Let the model look at a picture.

        Args:
            gray: uint8 or uint16 (H, W), sRGB-encoded.
            quality: ``fast``, ``balanced`` or ``best``.
            edge: how the model's input gets sides of the right multiple; see
                :func:`tinct.coloring.chroma.working_shape`.
            mirror: average the proposal with that for the mirrored picture; twice the time.
            bins: also keep the distribution over ab bins, if the model has one.

        Returns:
            What it proposes without hints.

        Raises:
            DeviceError: the device ran out of memory.
            ModelError: the model failed.
        """
        manifest = self.bundle.manifest
        size = manifest.sizes[quality]
        fitted = chroma.fit(
            gray,
            size=size,
            multiple_of=manifest.multiple_of,
            max_long=max(manifest.max_long, size),
            edge=edge,
            unfade=manifest.task == "photo",
            threads=self.threads,
        )
        found = self.engine.run(fitted.lightness, None, bins=bins)
        predicted = _color_of(found)
        if mirror:
            predicted = _mean(predicted, self._mirrored(fitted, None))
        if manifest.task == "photo" and not self.bundle.paints:
            predicted = _without_margins(predicted, fitted)
        held = None if found.bins is None else found.bins[0]
        return Proposal(
            bundle=self.bundle,
            fitted=fitted,
            size=(gray.shape[0], gray.shape[1]),
            predicted=predicted,
            bins=held,
            color=predicted,
        )

    def adjust(
        self,
        proposal: Proposal,
        *,
        hints: tuple[Hint, ...] = (),
        reference: Palette | None = None,
        mirror: bool = False,
    ) -> Proposal:
        """Apply hints and a palette to what a model proposed; earlier ones are forgotten.

        The picture is not opened again, and the model does not look again, unless it has a use for
        hints of its own (``manifest.spreads_hints`` is false).

        Args:
            proposal: of this colorizer's model.
            hints: colors that are known.
            reference: the palette that the colors take.
            mirror: as for :meth:`propose`.
        """
        manifest, fitted = self.bundle.manifest, proposal.fitted
        found, planes = proposal.predicted, None
        if hints:
            planes = self._planes(hints, proposal)
            if manifest.takes_hints and not manifest.spreads_hints:
                found = _color_of(self.engine.run(fitted.lightness, planes[None]))
                if mirror:
                    found = _mean(found, self._mirrored(fitted, planes))
        if reference is not None:
            found = _repainted(found, fitted, reference)
        if planes is not None:  # what was said of a place goes before what was said of all
            kept = found if proposal.paints else found[-2:]
            found = propagation.follow(fitted.lightness[0, 0], kept, planes)
        return replace(proposal, color=found)

    def vary(
        self,
        proposal: Proposal,
        *,
        count: int = 3,
        regions: int = 3,
        hints: tuple[Hint, ...] = (),
        reference: Palette | None = None,
    ) -> list[Proposal]:
        """Make coherent alternatives: the most doubtful regions get their other likely colors.

        Args:
            proposal: of this colorizer's model, with ``bins``.
            count: how many alternatives at most; fewer where the model has no doubt.
            regions: how many regions change at most.
            hints: that hold in all of them, also inside those regions.
            reference: as for :meth:`adjust`.

        Raises:
            UsageError: there are no ``bins``.
        """
        found = proposal.suggest(count=regions, colors=count + 1)
        made = []
        for choice in suggest.alternatives(found, count=count):
            others = tuple(
                Point(x=x, y=y, color=(region.lightness, *likely.ab), radius=0.02)
                for region, likely in choice
                for x, y in suggest.interior(region.mask, cover=proposal.cover)
            )
            made.append(self.adjust(proposal, hints=(*others, *hints), reference=reference))
        return made

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
            # Two paintings, one of them mirrored, would have no mean worth showing.
            mirror = settings.quality == "best" and not self.bundle.paints
            proposal = self.adjust(
                self.propose(gray, quality=settings.quality, mirror=mirror),
                hints=settings.hints,
                reference=settings.reference,
                mirror=mirror,
            )
        if proposal.paints:
            rgb = painting.paint_drawing(
                gray,
                proposal.color,
                proposal.fitted.lightness[0, 0],
                strength=settings.strength,
                cover=proposal.cover,
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

    def _mirrored(self, fitted: chroma.Fitted, planes: Floats | None) -> Floats:
        """Return what the model predicts for the mirrored picture, mirrored back."""
        turned = None if planes is None else np.ascontiguousarray(planes[None, ..., ::-1])
        found = self.engine.run(np.ascontiguousarray(fitted.lightness[..., ::-1]), turned)
        return _color_of(found)[..., ::-1]

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


def _color_of(found: Prediction) -> Floats:
    """Return a prediction for one picture, (2, h, w) or (3, h, w)."""
    color = found.lab if found.ab is None else found.ab
    assert color is not None
    first: Floats = color[0]
    return first


def _without_margins(ab: Floats, fitted: chroma.Fitted) -> Floats:
    """Return a proposal without color on the page or mount around a picture."""
    shape = fitted.shape
    rows, columns = (
        max(1, round(side * share)) for side, share in zip(ab.shape[1:], shape.cover, strict=True)
    )
    shown = ab[:, :rows, :columns]
    kept = chroma.gray_margins(fitted.lightness[0, 0, : shape.height, : shape.width], shown)
    if kept is shown:
        return ab
    whole = np.zeros_like(ab)
    whole[:, :rows, :columns] = kept
    return whole


def _mean(one: Floats, other: Floats) -> Floats:
    return (one + other) * np.float32(0.5)


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


def _ready(picture: Photo) -> Photo:
    """Say when a file was in color already; lay ink without paper on white."""
    if picture.was_color:
        warnings.warn(WAS_COLOR, PictureWarning, stacklevel=4)
    return lay_on_paper(picture)
