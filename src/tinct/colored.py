"""Colored pictures that are ready to be saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import tinct
from tinct import photo
from tinct.atomic import replacing
from tinct.bundle import Bundle
from tinct.photo import GrayJpeg, LargePhoto, Note, Photo

if TYPE_CHECKING:
    from PIL import Image

Rgb = NDArray[Any]


def _note(bundle: Bundle) -> Note:
    """Return the note that colored files carry: by which program and model."""
    return Note(software=f"tinct {tinct.__version__}", model=bundle.manifest.name)


@dataclass(frozen=True, eq=False, kw_only=True)
class Colored:
    """A colored picture, ready to be saved.

    Attributes:
        photo: what was opened, with its metadata.
        rgb: sRGB (H, W, 3), uint8 or uint16 as the picture.
        bundle: the model that colored it.
    """

    photo: Photo
    rgb: Rgb = field(repr=False)
    bundle: Bundle

    @property
    def note(self) -> Note:
        """The note that colored files carry: by which program and model."""
        return _note(self.bundle)

    def save(
        self,
        target: str | Path,
        *,
        file_format: str | None = None,
        overwrite: bool = False,
        ready: Callable[[Path], None] | None = None,
    ) -> None:
        """Write the picture with its metadata and the note, whole or not at all.

        Args:
            target: the file; its ending decides the format unless ``file_format`` does.
            file_format: a name of :func:`tinct.photo.formats`.
            overwrite: whether an existing file may be replaced.
            ready: called with the temporary path of the complete file, before it takes its name.

        Raises:
            SaveError: it exists already or cannot be written; it is as it was before.
        """
        photo.save_photo(
            self.rgb,
            self.photo,
            target,
            format=file_format,
            overwrite=overwrite,
            note=self.note,
            ready=ready,
        )

    def encode(self, file_format: str | None = None) -> bytes:
        """Return the bytes of a file, in the picture's own format unless told another.

        Raises:
            SaveError: the format cannot hold a picture of this size.
        """
        return photo.encode_photo(self.rgb, self.photo, format=file_format, note=self.note)

    def save_layers(self, target: str | Path, *, overwrite: bool = False) -> None:
        """Write layers for drawing programs (OpenRaster).

        Raises:
            SaveError: the file exists already or cannot be written.
        """
        from tinct.drawing import layers  # noqa: PLC0415

        art = self.bundle.manifest.task == "lineart"
        layers.write_layers(self.photo, self.rgb, target, drawing=art, overwrite=overwrite)

    def array(self) -> NDArray[Any]:
        """Return (H, W, 3), or (H, W, 4) with alpha, uint8 or uint16."""
        if self.photo.alpha is None:
            return self.rgb
        joined: NDArray[Any] = np.concatenate([self.rgb, self.photo.alpha[..., None]], axis=2)
        return joined

    def image(self) -> Image.Image:
        """Return a PIL image, RGB or RGBA, of 8 bits a channel."""
        from PIL import Image  # noqa: PLC0415

        out = self.array()
        if out.dtype == np.uint16:
            out = np.rint(out / np.float32(257)).astype(np.uint8)
        return Image.fromarray(out)


@dataclass(frozen=True, eq=False, kw_only=True)
class ColoredLarge:
    """A very large picture that gets its colors while it is saved.

    Attributes:
        photo: what was opened.
        seen: its gray codes, smaller, as the model saw it.
        paint: makes sRGB (h, W, 3) of gray codes (h, W) and the number of the first row.
        bundle: the model that colored it.
    """

    photo: LargePhoto
    seen: NDArray[Any] = field(repr=False)
    paint: Callable[[NDArray[Any], int], Rgb] = field(repr=False)
    bundle: Bundle

    def save(
        self,
        target: str | Path,
        *,
        file_format: str | None = None,
        overwrite: bool = False,
        ready: Callable[[Path], None] | None = None,
    ) -> None:
        """Write the picture with its metadata and the note, whole or not at all.

        Args:
            target: the file; its ending decides the format unless ``file_format`` does.
            file_format: ``tiff``, ``png`` or ``jpeg``.
            overwrite: whether an existing file may be replaced.
            ready: as for :meth:`Colored.save`.

        Raises:
            SaveError: it exists already or cannot be written; it is as it was before.
            PictureError: the picture is damaged.
        """
        photo.save_large(
            (self.paint(gray, row) for row, gray in self.photo.strips()),
            self.photo,
            target,
            format=file_format,
            overwrite=overwrite,
            note=_note(self.bundle),
            ready=ready,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ColoredJpeg:
    """A gray JPEG with color beside its gray, which is not touched, ready to be saved.

    Attributes:
        gray: the gray file.
        chroma: Cb and Cr, uint8 at half size, as the pixels are stored.
        bundle: the model that colored it.
    """

    gray: GrayJpeg
    chroma: tuple[NDArray[np.uint8], NDArray[np.uint8]] = field(repr=False)
    bundle: Bundle

    def encode(self, file_format: str | None = "jpeg") -> bytes:
        """Return the bytes of the colored JPEG.

        Args:
            file_format: ``jpeg``, the only one.

        Raises:
            PictureError: too much stands beside the picture to be kept.
        """
        assert file_format in (None, "jpeg"), file_format
        return self.gray.colored(self.chroma, note=_note(self.bundle))

    def save(
        self,
        target: str | Path,
        *,
        file_format: str | None = "jpeg",
        overwrite: bool = False,
        ready: Callable[[Path], None] | None = None,
    ) -> None:
        """Write the picture, whole or not at all.

        Args:
            target: the file.
            file_format: ``jpeg``, the only one.
            overwrite: whether an existing file may be replaced.
            ready: called with the temporary path of the complete file, before it takes its name.

        Raises:
            SaveError: the target exists already or cannot be written; it is as it was before.
            PictureError: too much stands beside the picture to be kept.
        """
        data = self.encode(file_format)
        with replacing(Path(target), overwrite=overwrite) as temporary:
            temporary.write_bytes(data)
            if ready is not None:
                ready(temporary)
