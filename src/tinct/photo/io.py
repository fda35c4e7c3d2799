"""The door itself: opens photographs, saves colored ones, tells the formats."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tinct.atomic import check_target, replacing
from tinct.errors import PictureError, SaveError, UsageError
from tinct.photo import decode, encode, lightness
from tinct.photo.decode_pillow import of_pillow
from tinct.photo.icc import ProfileError
from tinct.photo.metadata import Metadata, Note, PictureWarning
from tinct.photo.source import Opened, of_array

READ_ONLY = {
    "gif": (".gif",), "bmp": (".bmp",), "jp2": (".jp2", ".j2k"), "psd": (".psd",),
    "tga": (".tga",), "ico": (".ico",), "mpo": (".mpo",),
}  # fmt: skip
"""Formats that are read but not written, and their file name endings."""

MAX_PIXELS = 500_000_000
"""Larger pictures are refused unless the caller raises the limit."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Photo:
    """A picture's lightness and what belongs to it.

    Attributes:
        gray: (H, W), uint8 or uint16: the sRGB code of the neutral gray that has the picture's L*,
            upright.
        alpha: (H, W) of the same type, 0 clear, or None.
        was_color: whether the picture was in color already; its lightness is used all the same.
        metadata: what the file told beside its pixels.
    """

    gray: NDArray[Any]
    alpha: NDArray[Any] | None
    was_color: bool
    metadata: Metadata

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.gray.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.gray.shape[1])

    @property
    def depth(self) -> int:
        """Bits a channel: 8 or 16."""
        return self.gray.dtype.itemsize * 8

    @property
    def pixels(self) -> int:
        """Rows times columns."""
        return self.height * self.width


def open_photo(
    source: str | Path | bytes | BinaryIO, *, page: int | None = None, max_pixels: int = MAX_PIXELS
) -> Photo:
    """Open a photograph.

    Formats: JPEG (also MPO), PNG, WebP, TIFF, AVIF, GIF, BMP, JPEG 2000, PSD (flattened), TGA,
    ICO; HEIC if pillow-heif is installed; JPEG XL, JPEG of 12 bits and rare kinds of TIFF if
    tifffile and imagecodecs are. The content decides, not the name. Gray without a profile is taken
    as it is; anything else is read as luminance through its ICC profile (CMYK without one: through
    a general press profile) and coded with the curve of sRGB. Palette and 1 bit become 8 bits; 16
    bits stay;
    floats 0..1 become 16 bits, others are stretched, with a warning. EXIF orientation is applied.
    Memory: the gray result and a few strips.

    Args:
        source: a file name, the bytes of a file, or a binary stream, which is read to its end.
        page: which page of a TIFF or frame of an animation, from 0; None means the first, with a
            :class:`PictureWarning` if there are more.
        max_pixels: refuse larger pictures.

    Raises:
        PictureError: the picture is missing, empty, damaged, cut short, too large, or not a
            picture; one sentence.
    """
    if page is not None and page < 0:
        raise UsageError(f"Page {page} does not exist; pages count from 0.")
    content, name = decode.content_of(source)
    return _photo(
        decode.open_content(content, name=name, page=page, max_pixels=max_pixels), name=name
    )


def page_count(source: str | Path | bytes | BinaryIO) -> int:
    """Count the pages of a TIFF or the frames of an animation; 1 for everything else.

    Raises:
        PictureError: as in :func:`open_photo`.
    """
    content, name = decode.content_of(source)
    return decode.page_count_of(content, name=name)


def from_array(array: NDArray[Any]) -> Photo:
    """Take a photograph from an array.

    Args:
        array: (H, W) gray, (H, W, 3) RGB or (H, W, 2 or 4) with alpha; sRGB codes in uint8 or
            uint16, floats 0..1 (handled in 16 bits), or booleans. A gray uint8 or uint16 array is
            not copied.

    Raises:
        PictureError: the shape, type or values are others.
    """
    array = np.asarray(array)
    pixels = array[..., None] if array.ndim == 2 else array
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4) or pixels.size == 0:
        raise PictureError(
            f"An array of shape {array.shape} is no picture; "
            "hand over (H, W), (H, W, 3) or (H, W, 4)."
        )
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    elif pixels.dtype.kind == "f":
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= 0 and high <= 1):  # also true for NaN
            raise PictureError(
                f"Floats must lie in 0..1, not {low:g}..{high:g}; "
                "divide by the largest value first."
            )
        pixels = np.rint(pixels * np.float64(65535)).astype(np.uint16)
    elif pixels.dtype.kind != "u" or pixels.dtype.itemsize > 2:
        raise PictureError(
            f"An array of {pixels.dtype} is no picture; convert it to uint8, uint16 or floats 0..1."
        )
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    layout: lightness.Layout = "gray" if pixels.shape[2] < 3 else "rgb"
    return _photo(
        of_array(pixels, metadata=Metadata(), profile=None, layout=layout), name="The array"
    )


def from_pil(image: Any) -> Photo:
    """Take a photograph from a Pillow image of any mode.

    EXIF orientation and ICC profile count as in a file. Modes F outside 0..1 and I outside 0..65535
    are stretched, with a :class:`PictureWarning`.

    Raises:
        PictureError: Pillow cannot decode it.
    """
    if image.width == 0 or image.height == 0:
        raise PictureError("The image has no pixels; hand over another.")
    try:
        image.load()
        opened = of_pillow(image)
    except (OSError, ValueError, SyntaxError, EOFError, KeyError) as error:
        raise PictureError(
            f"Pillow cannot decode the image ({error}); get a fresh copy of its file."
        ) from error
    return _photo(opened, name="The image")


def turned(upright: NDArray[Any], orientation: int) -> NDArray[Any]:
    """View an upright array in the orientation in which the file stores it [1..8]."""
    views = {
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright.T[::-1, ::-1],
        8: np.rot90(upright, -1),
    }
    return views.get(orientation, upright)


def _photo(opened: Opened, *, name: str) -> Photo:
    """Read the pixels of an opened picture, strip by strip, into upright arrays."""
    if opened.layout == "cmyk" and opened.profile is None:
        warnings.warn(
            f"{name} is CMYK without a color profile: a general press profile was assumed.",
            PictureWarning,
            stacklevel=3,
        )
    try:
        read = lightness.reader(opened.layout, opened.dtype, opened.profile, coding=opened.coding)
    except ProfileError as error:
        warnings.warn(
            f"{name}: the ICC profile was ignored: {error}.", PictureWarning, stacklevel=3
        )
        read = lightness.reader(opened.layout, opened.dtype, None)
    shape = (opened.height, opened.width)
    if opened.orientation >= 5:
        shape = (opened.width, opened.height)
    try:
        gray = np.empty(shape, opened.dtype)
        alpha = np.empty(shape, opened.dtype) if opened.alpha else None
    except MemoryError as error:
        raise PictureError(f"{name} does not fit into memory; make it smaller.") from error
    stored = turned(gray, opened.orientation)
    stored_alpha = None if alpha is None else turned(alpha, opened.orientation)
    channels = lightness.CHANNELS[opened.layout]
    colored = 0
    for row, strip in opened.strips():
        rows = slice(row, row + strip.shape[0])
        colors = strip[..., :channels]
        if opened.premultiplied and opened.alpha:
            colors = _undone(colors, strip[..., channels])
        stored[rows], count = read(colors)
        colored += count
        if stored_alpha is not None:
            stored_alpha[rows] = strip[..., channels]
    was_color = colored > lightness.SHARE * gray.size
    if alpha is not None and opened.metadata.format and not alpha.any():
        warnings.warn(
            f"{name} is clear everywhere: its transparency was left out.",
            PictureWarning,
            stacklevel=3,
        )
        alpha = None
    elif alpha is not None and opened.metadata.format == "gif" and alpha.min() == 255:
        alpha = None  # libvips gives an animation alpha that no frame of it has
    return Photo(gray=gray, alpha=alpha, was_color=was_color, metadata=opened.metadata)


def _undone(colors: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Return colors (h, w, C) that were multiplied with alpha (h, w) as they were before."""
    top = np.iinfo(colors.dtype).max
    share = np.maximum(alpha[..., None].astype(np.float32), 1) / top
    return np.asarray(np.rint(np.minimum(colors / share, top)).astype(colors.dtype))


def save_photo(
    rgb: NDArray[Any],
    photo: Photo,
    target: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    overwrite: bool = False,
    note: Note | None = None,
    ready: Callable[[Path], None] | None = None,
) -> None:
    """Save a colored picture; the target is complete afterwards, or as it was before.

    Args:
        rgb: (H, W, 3) of the size and type of ``photo.gray``; sRGB codes.
        photo: the picture it was made from: alpha and metadata are taken from it.
        target: the file to write.
        format: one of the names in :func:`formats`; None: what the target's ending says.
        overwrite: whether an existing file may be replaced.
        note: which software colored it, to be written into XMP and EXIF; None: say nothing.
        ready: as for :func:`tinct.atomic.replacing`.

    Warns:
        PictureWarning: the format cannot hold 16 bits (JPEG, WebP: rounded to 8; AVIF, HEIC: to
            12) or alpha (JPEG: shown on white).

    Raises:
        SaveError: the target exists already, cannot be written, or the format does not suit.
        UsageError: ``rgb`` does not fit ``photo``.
    """
    target = Path(target)
    kind = format_of(target) if format is None else format
    _check(rgb, photo, kind)
    check_target(target, overwrite=overwrite)
    with replacing(target, overwrite=overwrite, ready=ready) as temporary:
        try:
            encode.encode(
                rgb,
                alpha=photo.alpha,
                metadata=photo.metadata,
                kind=kind,
                note=note,
                path=temporary,
            )
        except SaveError as error:
            raise SaveError(f"{target} cannot be written: {error}") from error


def encode_photo(
    rgb: NDArray[Any],
    photo: Photo,
    *,
    format: str | None = None,  # noqa: A002
    note: Note | None = None,
) -> bytes:
    """Encode a colored picture as the bytes of a file.

    Args:
        rgb: as in :func:`save_photo`.
        photo: as in :func:`save_photo`.
        format: one of the names in :func:`formats`; None: that of ``photo``, or PNG if tinct does
            not write that.
        note: as in :func:`save_photo`.

    Raises:
        SaveError: the format does not suit.
        UsageError: ``rgb`` does not fit ``photo``.
    """
    kind = format_of(f"x{suffix_for(photo)}") if format is None else format
    _check(rgb, photo, kind)
    return encode.encode(
        rgb, alpha=photo.alpha, metadata=photo.metadata, kind=kind, note=note, path=None
    )


def _check(rgb: NDArray[Any], photo: Photo, kind: str) -> None:
    if rgb.shape != (photo.height, photo.width, 3) or rgb.dtype != photo.gray.dtype:
        raise UsageError(
            f"An array of {rgb.dtype} and shape {rgb.shape} does not fit a picture of "
            f"{photo.gray.dtype} and {photo.height} x {photo.width}; "
            "hand over (H, W, 3) of the same type."
        )
    encode.check(kind, width=photo.width, height=photo.height)


def format_of(target: str | Path) -> str:
    """Tell the format that a file name's ending asks for.

    Raises:
        SaveError: tinct writes no such format.
    """
    suffix = Path(target).suffix.lower()
    for name, kind in encode.TARGETS.items():
        if suffix in kind.suffixes:
            return name
    known = " ".join(kind.suffixes[0] for kind in encode.TARGETS.values())
    raise SaveError(f"{target} has an ending that tinct does not write; choose one of {known}.")


def suffix_for(photo: Photo, source: str | Path = "") -> str:
    """Choose the file name ending for a colored copy.

    Args:
        photo: the picture.
        source: the name it was read from; its own ending is kept if it is one of the format's.

    Returns:
        The ending, with its dot; that of PNG where tinct does not write the picture's own format.
    """
    kind = photo.metadata.format
    if kind not in encode.TARGETS or kind in encode.missing_parts():
        return ".png"
    suffix = Path(source).suffix
    endings = encode.TARGETS[kind].suffixes
    return suffix if suffix.lower() in endings else endings[0]


@dataclass(frozen=True)
class Format:
    """What tinct does with one format here: names, endings, reading, writing, what it keeps."""

    name: str
    suffixes: tuple[str, ...]
    reads: bool
    writes: bool
    remark: str


def formats() -> list[Format]:
    """List the formats that are read and written on this computer."""
    missing = encode.missing_parts()
    found = []
    for name, kind in encode.TARGETS.items():
        remark = f"{'16' if kind.wide else '8'} bits, {'alpha' if kind.alpha else 'no alpha'}"
        if name in ("avif", "heic"):
            remark = "12 bits, alpha"
        works = name not in missing
        remark = remark if works else f"needs {missing[name]}"
        found.append(Format(name, kind.suffixes, works, works, remark))
    for name, endings in READ_ONLY.items():
        found.append(Format(name, endings, True, False, "written as PNG"))
    return found
