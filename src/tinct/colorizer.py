"""Color pictures: the only room that knows the order of the steps.

``picture -> photo -> chroma.fit -> engine.run -> chroma.compose -> picture``; for line art that a
model paints, :func:`tinct.coloring.painting.paint_drawing` takes the place of ``compose``. Every
front end calls :class:`Colorizer` and re-implements nothing.
"""

from __future__ import annotations

import copy
import os
import threading
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinct
from tinct import photo
from tinct.atomic import check_target
from tinct.bundle import QUALITIES, find_bundle, find_for_task, verify
from tinct.coloring import chroma, painting, palette, propagation
from tinct.coloring.chroma import STRONGEST
from tinct.coloring.palette import Palette, read_palette
from tinct.drawing import flats
from tinct.drawing.classify import tell_kind
from tinct.drawing.transparency import lay_on_paper
from tinct.engine import Engine
from tinct.errors import UsageError
from tinct.hints import rasterize
from tinct.hints.files import Given, read_hints
from tinct.photo import Note, Photo, PictureWarning

AUTO = "auto"
NO_DRAWER = (
    "The picture looks like a line drawing, but no line-art model is installed: the photo model "
    "colors it. Pass a bundle's folder as the model (--model FOLDER)."
)

Rgb = NDArray[Any]


class Colorizer:
    """A loaded model that colors any number of pictures; safe to use from several threads.

    Args:
        model: name of an installed model, or path of a bundle; ``auto`` takes ``photo`` for
            photographs and the installed model for line art for line drawings, picture by picture.
        device: ``auto``, ``cpu``, ``cuda``, ...; see :mod:`tinct.engine`.
        threads: that work on one picture; None means one for each core.

    Raises:
        ModelError: there is no such model, or it is damaged.
        DeviceError: the device is not available here.
        UsageError: the device is unknown, or ``threads`` is below 1.
    """

    def __init__(
        self, model: str | Path = AUTO, *, device: str = "auto", threads: int | None = None
    ) -> None:
        self.bundle = find_bundle("photo" if model == AUTO else model)
        verify(self.bundle)
        self.engine = Engine(self.bundle, device=device, threads=threads)
        self.device = device
        self.threads = threads
        self._drawer: Colorizer | None = None
        self._lock = threading.Lock()
        self._for_photos = self if model != AUTO else copy.copy(self)
        self._for_photos._for_photos = self._for_photos

    def choose(self, gray: NDArray[Any]) -> Colorizer:
        """Return the colorizer for a picture: itself, unless the model is chosen automatically.

        Args:
            gray: uint8 or uint16 (H, W), sRGB-encoded.

        Warns:
            PictureWarning: the picture looks like a line drawing, and no model for those is
                installed.

        Raises:
            ModelError: the model for line art is damaged.
        """
        if self._for_photos is self or tell_kind(gray).kind == "photo":
            return self._for_photos
        with self._lock:
            if self._drawer is None:
                bundle = find_for_task("lineart")
                if bundle is None:
                    warnings.warn(NO_DRAWER, PictureWarning, stacklevel=3)
                    return self._for_photos
                self._drawer = Colorizer(bundle.path, device=self.device, threads=self.threads)
            return self._drawer

    @property
    def name(self) -> str:
        """The model's name; that for photographs where it is chosen automatically."""
        return self.bundle.manifest.name

    @property
    def paints(self) -> bool:
        """Whether the model paints lightness too, which it may do to line art."""
        manifest = self.bundle.manifest
        return manifest.task == "lineart" and manifest.predicts == "lab"

    @property
    def note(self) -> Note:
        """What colored files say about who colored them."""
        return Note(software=f"tinct {tinct.__version__}", model=self.name)

    def __call__(
        self,
        picture: Any,
        *,
        hints: Given = (),
        strength: float = 1.0,
        quality: str = "balanced",
        reference: Any = None,
        flat: bool = False,
        page: int | None = None,
    ) -> Any:
        """Color one picture and give back the same kind.

        Args:
            picture: a path or a PIL image (gives a PIL image, RGB or RGBA); the bytes of a file
                (gives bytes of the same format, metadata kept); or an array of sRGB codes, (H, W)
                or (H, W, 1 to 4), uint8, uint16 or floats 0..1 (gives (H, W, 3), with alpha
                (H, W, 4), of the same type).
            hints: colors that are known: one or more of what :func:`tinct.read_hints` takes.
            strength: factor on the colors' chroma, 0 (gray) to 1.5.
            quality: ``fast``, ``balanced`` or ``best``: the size at which the model works.
            reference: a picture whose palette the colors take: of any kind above but in color, or
                what :func:`tinct.coloring.palette.read_palette` gave; None: as the model proposes.
            flat: give each region that a drawing's lines enclose one color.
            page: which page of a file, from 0; None means the first, with a warning if there are
                more.

        Returns:
            The colored picture. Floats are handled in 16 bits. PIL holds 8 bits a channel, so that
            a 16-bit picture given as a path or PIL image comes back in 8; use bytes or arrays to
            keep 16.

        Raises:
            PictureError: the picture cannot be read.
            UsageError: a setting is out of range, or the picture is of no kind listed above.
            DeviceError: the device ran out of memory.
            ModelError: the model failed.
            SaveError: bytes were given whose size the format cannot be written in.
        """
        paint = partial(
            Colorizer.photo,
            hints=hints,
            strength=strength,
            quality=quality,
            reference=reference,
            flat=flat,
        )
        if isinstance(picture, (bytes, bytearray, memoryview)):
            opened = _opened(photo.open_photo(bytes(picture), page=page))
            chosen = self.choose(opened.gray)
            return photo.encode_photo(paint(chosen, opened), opened, note=chosen.note)
        if isinstance(picture, (str, os.PathLike)):
            opened = _opened(photo.open_photo(Path(picture), page=page))
            return _as_pil(paint(self, opened), opened)
        if page is not None:
            raise UsageError(f"Only files have pages; leave out page {page}.")
        if isinstance(picture, np.ndarray):
            opened = _opened(photo.from_array(picture))
            return _as_array(paint(self, opened), opened, like=picture)
        if hasattr(picture, "getbands") and hasattr(picture, "load"):
            opened = _opened(photo.from_pil(picture))
            return _as_pil(paint(self, opened), opened)
        raise UsageError(
            f"A {type(picture).__name__} is no picture; hand over a path, bytes, a PIL image "
            "or a NumPy array."
        )

    def file(
        self,
        source: str | Path,
        target: str | Path,
        *,
        hints: Given = (),
        strength: float = 1.0,
        quality: str = "balanced",
        reference: Any = None,
        flat: bool = False,
        page: int | None = None,
        overwrite: bool = False,
    ) -> None:
        """Color a file into another, with depth and metadata kept and a note in it.

        Args:
            source: the picture's file.
            target: the file to write; its ending decides the format.
            hints: as for calling the colorizer.
            strength: likewise.
            quality: likewise.
            reference: likewise.
            flat: likewise.
            page: likewise.
            overwrite: whether an existing target may be replaced.

        Raises:
            UsageError: source and target are the same file.
            SaveError: the target exists already or cannot be written; it is as it was before.
            PictureError: as for calling the colorizer, like all others.
        """
        same = False
        with suppress(OSError, ValueError):  # what is missing or has no possible name fails below
            same = Path(source).samefile(target)
        if same:
            raise UsageError(f"{target} is the picture itself; give another name.")
        check_target(Path(target), overwrite=overwrite)
        opened = _opened(photo.open_photo(Path(source), page=page))
        chosen = self.choose(opened.gray)
        rgb = chosen.photo(
            opened,
            hints=hints,
            strength=strength,
            quality=quality,
            reference=reference,
            flat=flat,
        )
        photo.save_photo(rgb, opened, target, overwrite=overwrite, note=chosen.note)

    def photo(
        self,
        picture: Photo,
        *,
        hints: Given = (),
        strength: float = 1.0,
        quality: str = "balanced",
        reference: Any = None,
        flat: bool = False,
    ) -> Rgb:
        """Color an opened photograph.

        Args:
            picture: from :mod:`tinct.photo`.
            hints: as for calling the colorizer.
            strength: likewise.
            quality: likewise.
            reference: likewise.
            flat: likewise.

        Returns:
            sRGB (H, W, 3), uint8 or uint16 as ``picture.gray``.

        Raises:
            UsageError: a setting is out of range.
            DeviceError: the device ran out of memory.
            ModelError: the model failed.
        """
        if not 0 <= strength <= STRONGEST:
            raise UsageError(f"The strength must lie in 0..{STRONGEST:g}, not {strength:g}.")
        if quality not in QUALITIES:
            raise UsageError(f"The quality must be {', '.join(QUALITIES)}, not {quality!r}.")
        chosen = self.choose(picture.gray)
        if flat and chosen.bundle.manifest.task != "lineart":
            raise UsageError(f"Flat colors are for drawings; {chosen.name!r} colors photographs.")
        wanted = None if reference is None else read_palette(reference)
        if chosen.paints:  # two paintings, one of them mirrored, would have no mean worth showing
            lab, fitted = chosen._predict(
                picture.gray, hints=hints, quality=quality, reference=wanted
            )
            rgb = painting.paint_drawing(
                picture.gray,
                lab,
                fitted.lightness[0, 0],
                strength=strength,
                cover=fitted.shape.cover,
                threads=self.threads,
            )
            return flats.flatten(picture.gray, rgb) if flat else rgb
        proposal, fitted = chosen._predict(
            picture.gray,
            hints=hints,
            quality=quality,
            mirror=quality == "best",
            reference=wanted,
        )
        rgb = chroma.compose(
            picture.gray,
            proposal[-2:],
            strength=strength,
            cover=fitted.shape.cover,
            threads=self.threads,
        )
        return flats.flatten(picture.gray, rgb) if flat else rgb

    def propose(
        self,
        gray: NDArray[Any],
        *,
        hints: Given = (),
        quality: str = "balanced",
        edge: chroma.Edge = "auto",
        mirror: bool = False,
    ) -> tuple[NDArray[np.float32], tuple[float, float]]:
        """Return the colors that the model proposes, at its own size.

        Args:
            gray: uint8 or uint16 (H, W), sRGB-encoded.
            hints: as for calling the colorizer.
            quality: likewise.
            edge: how the model's input gets sides of the right multiple; see
                :func:`tinct.coloring.chroma.working_shape`.
            mirror: average the proposal with that for the mirrored picture; twice the time.

        Returns:
            float32 (2, h, w), a*, b* in Lab units, and the shares of its height and width that
            show the picture; the rest is padding.

        Raises:
            DeviceError: the device ran out of memory.
            ModelError: the model failed.
        """
        chosen = self.choose(gray)
        proposal, fitted = chosen._predict(
            gray, hints=hints, quality=quality, edge=edge, mirror=mirror
        )
        return proposal[-2:], fitted.shape.cover

    def _predict(
        self,
        gray: NDArray[Any],
        *,
        hints: Given,
        quality: str,
        edge: chroma.Edge = "auto",
        mirror: bool = False,
        reference: Palette | None = None,
    ) -> tuple[NDArray[np.float32], chroma.Fitted]:
        """Return the model's (2 or 3, h, w), whichever it predicts, and what it has seen."""
        manifest = self.bundle.manifest
        size = manifest.sizes[quality]
        fitted = chroma.fit(
            gray,
            size=size,
            multiple_of=manifest.multiple_of,
            max_long=max(manifest.max_long, size),
            edge=edge,
            threads=self.threads,
        )
        # A drawing does not tell how light the colors are that belong into it; the hints do.
        own = manifest.task == "lineart"
        planes = _planes(hints, fitted, own_lightness=own, size=gray.shape) if hints else None
        proposal = self._run(fitted.lightness, planes)
        if mirror:
            turned = None if planes is None else np.ascontiguousarray(planes[..., ::-1])
            other = self._run(np.ascontiguousarray(fitted.lightness[..., ::-1]), turned)
            proposal = (proposal + other[..., ::-1]) * np.float32(0.5)
        if reference is not None:
            proposal = self._repainted(proposal, fitted, reference)
        if planes is not None:  # what was said of a place goes before what was said of all
            kept = proposal if self.paints else proposal[-2:]
            proposal = propagation.follow(fitted.lightness[0, 0], kept, planes[0])
        return proposal, fitted

    def _repainted(
        self, proposal: NDArray[np.float32], fitted: chroma.Fitted, reference: Palette
    ) -> NDArray[np.float32]:
        """Return a prediction with the palette of a reference."""
        _, height, width = proposal.shape
        lightness = proposal[:1]
        if not self.paints:
            step = fitted.lightness.shape[2] // height
            lightness = fitted.lightness[0].reshape(1, height, step, width, step).mean((2, 4))
        lab = np.concatenate([lightness, proposal[-2:]])
        lab[1:] = palette.repaint(lab, reference, cover=fitted.shape.cover)
        return lab if self.paints else lab[1:]

    def _run(
        self, lightness: NDArray[np.float32], planes: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return what the model predicts for one picture."""
        prediction = self.engine.run(lightness, planes)
        proposal = prediction.lab if prediction.ab is None else prediction.ab
        assert proposal is not None
        first: NDArray[np.float32] = proposal[0]
        return first


def _planes(
    given: Given, fitted: chroma.Fitted, *, own_lightness: bool, size: tuple[int, ...]
) -> NDArray[np.float32]:
    """Draw hints at working size, with their own lightness or that of the picture."""
    shape = fitted.shape
    drawn = rasterize(
        read_hints(given),
        shape.height,
        shape.width,
        lightness=fitted.lightness[0, 0, : shape.height, : shape.width],
        own_lightness=own_lightness,
        size=(size[0], size[1]),
    )
    return np.pad(drawn, ((0, 0), (0, shape.bottom), (0, shape.right)))[None]


def _opened(picture: Photo) -> Photo:
    """Say when a file was in color already; lay ink without paper on white."""
    if picture.was_color:
        warnings.warn(
            "The picture is in color already: its lightness is used.", PictureWarning, stacklevel=3
        )
    return lay_on_paper(picture)


def _as_array(rgb: Rgb, picture: Photo, *, like: NDArray[Any]) -> NDArray[Any]:
    """Return the result as an array of the type that was given."""
    channels = [rgb] if picture.alpha is None else [rgb, picture.alpha[..., None]]
    out: NDArray[Any] = np.concatenate(channels, axis=2)
    if like.dtype.kind == "f":
        return (out / np.float64(np.iinfo(out.dtype).max)).astype(like.dtype)
    return out


def _as_pil(rgb: Rgb, picture: Photo) -> Any:
    """Return the result as a PIL image of 8 bits a channel."""
    from PIL import Image  # noqa: PLC0415

    out = _as_array(rgb, picture, like=rgb)
    if out.dtype == np.uint16:
        out = np.rint(out / np.float32(257)).astype(np.uint8)
    return Image.fromarray(out)


def colorize(
    picture: Any,
    *,
    model: str | Path = AUTO,
    device: str = "auto",
    threads: int | None = None,
    hints: Given = (),
    strength: float = 1.0,
    quality: str = "balanced",
    reference: Any = None,
    flat: bool = False,
) -> Any:
    """Color one picture; see :class:`Colorizer`, which is the reusable form."""
    colorizer = Colorizer(model, device=device, threads=threads)
    return colorizer(
        picture, hints=hints, strength=strength, quality=quality, reference=reference, flat=flat
    )
