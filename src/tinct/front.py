"""What everyone calls who has pictures to color: open, color, save.

The command line, jobs and the studio hold a :class:`Front`. A subclass says which model colors
which picture: :class:`tinct.colorizer.Colorizer` is one model, :class:`tinct.router.Router` picks
one for each picture.
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
from tinct.colored import Colored, ColoredJpeg, ColoredLarge
from tinct.coloring import chroma, luma_chroma
from tinct.drawing.transparency import lay_on_paper, visible
from tinct.errors import UsageError
from tinct.photo import Photo, PictureWarning
from tinct.settings import Settings, Wanted, settings_of

if TYPE_CHECKING:
    from PIL import Image

    from tinct.colorizer import Colorizer

SEEN = {"fast": 320, "balanced": 360, "best": 512}
"""Least short side at which a JPEG is decoded for a model, by quality."""

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
        with ThreadPoolExecutor(1) as beside:
            beside.submit(lambda: gray.memory)  # it fails when it is used, if it does
            low, high, seen = map(gray.upright, gray.look(least=SEEN[settings.quality]))
            chosen = self.choose(seen)
            if chosen.bundle.paints or chosen.bundle.manifest.task != "photo":
                return None
            proposal = chosen.propose(seen, quality=settings.quality)
            proposal = chosen.adjust(
                replace(proposal, size=gray.size),
                hints=settings.hints,
                reference=settings.reference,
                warmth=settings.warmth,
            )
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

    def color_large(
        self,
        source: str | Path,
        settings: Settings | None = None,
        *,
        file_format: str,
        page: int | None = None,
        least: int = photo.LARGE,
    ) -> ColoredLarge | None:
        """Color a picture that is too large to be held: in strips, while it is saved.

        Args:
            source: a path.
            settings: None means the defaults.
            file_format: that of the result.
            page: as for :meth:`open`.
            least: pixels that the picture has at least.

        Returns:
            None where it is smaller, or must be held all the same: a turned picture, one with
            alpha, a drawing, which models paint, or luma is to be kept.

        Raises:
            PictureError: the picture cannot be read.
            DeviceError: the device ran out of memory.
            ModelError: the model failed.
        """
        settings = settings or Settings()
        if settings.keep == "luma" or settings.flat or file_format not in photo.STREAMED:
            return None
        large = photo.open_large(source, page=page, least=least)
        if large is None:
            return None
        seen, was_color = large.reduced(least=2 * SEEN[settings.quality])
        if was_color:
            warnings.warn(WAS_COLOR, PictureWarning, stacklevel=2)
        chosen = self.choose(seen)
        if chosen.bundle.paints or chosen.bundle.manifest.task != "photo":
            return None
        proposal = chosen.adjust(
            replace(chosen.propose(seen, quality=settings.quality), size=large.size),
            hints=settings.hints,
            reference=settings.reference,
            warmth=settings.warmth,
        )
        composer = chroma.Composer(
            proposal.ab,
            large.size,
            large.dtype,
            strength=settings.strength,
            cover=proposal.cover,
            threads=chosen.threads,
        )
        return ColoredLarge(photo=large, seen=seen, paint=composer.rows, bundle=chosen.bundle)

    def file(
        self,
        source: str | Path,
        target: str | Path,
        *,
        page: int | None = None,
        overwrite: bool = False,
        **settings: Unpack[Wanted],
    ) -> Colored | ColoredJpeg | ColoredLarge:
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
        large = self.color_large(source, chosen, file_format=photo.format_of(target), page=page)
        colored = large or self.color(self.open(source, page=page), chosen)
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


def _ready(picture: Photo) -> Photo:
    """Say when a file was in color already; lay ink without paper on white."""
    if picture.was_color:
        warnings.warn(WAS_COLOR, PictureWarning, stacklevel=4)
    return lay_on_paper(picture)
