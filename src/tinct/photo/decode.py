"""Open picture files of every kind: their pixels in strips, their layout, their metadata.

The content decides what a file is, never its name. libvips reads; Pillow stands in for the few
formats that libvips' wheel lacks (BMP, JPEG 2000, PSD, TGA, ICO, TIFF in Lab), pillow-heif for
HEIC, tifffile and imagecodecs for JPEG XL and for rare kinds of TIFF.
"""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tinct import libvips
from tinct.errors import PictureError
from tinct.photo import decode_codecs, exif
from tinct.photo.decode_pillow import open_heic, open_pillow
from tinct.photo.jpeg_quality import read_frame, read_jpeg
from tinct.photo.lightness import CHANNELS, Layout
from tinct.photo.metadata import Metadata, PictureWarning, plausible_dpi, resources_of
from tinct.photo.png_chunks import read_facts
from tinct.photo.signatures import sniff
from tinct.photo.source import STRIP, Opened, check_size, damaged, scaled, unread
from tinct.photo.tiff_directories import OLD_JPEG, TiffFacts, without_broken
from tinct.photo.tiff_directories import read_facts as read_tiff_facts

ASSOCIATED = 1  # TIFF's ExtraSamples: multiplied with the colors, which libvips undoes
LOADERS = {"jpeg": "jpegload", "png": "pngload", "webp": "webpload", "tiff": "tiffload",
           "avif": "heifload", "gif": "gifload"}  # fmt: skip
TIFF_COMPRESSIONS = {
    1: "none",
    5: "lzw",
    6: "jpeg",
    7: "jpeg",
    8: "deflate",
    32773: "packbits",
    32946: "deflate",
}


def content_of(source: str | Path | bytes | BinaryIO) -> tuple[Path | bytes, str]:
    """Settle where a picture comes from, and what to call it in messages.

    Raises:
        PictureError: there is nothing to read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        content, name = bytes(source), "The picture"
    elif isinstance(source, (str, Path)):
        path = Path(source)
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            raise PictureError(f"{path} does not exist; check the name.") from None
        except (OSError, ValueError) as error:
            raise PictureError(
                f"{path} cannot be read: {_why(error)}; check its name and permissions."
            ) from error
        if stat.S_ISDIR(mode):
            raise PictureError(f"{path} is a folder; name the pictures in it.")
        if not stat.S_ISREG(mode):
            raise PictureError(
                f"{path} is not a regular file; hand the picture over through standard input."
            )
        if path.stat().st_size == 0:
            raise PictureError(f"{path} is empty; get a fresh copy of it.")
        return path, str(path)
    else:
        try:
            content = source.read()
        except OSError as error:
            raise PictureError(f"The picture cannot be read: {_why(error)}.") from error
        name = "The picture"
        if not isinstance(content, bytes):
            raise PictureError("The stream gives text; open it in binary mode.")
    if not content:
        raise PictureError(f"{name} is empty; check what was handed over.")
    return content, name


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _stream(content: Path | bytes) -> BinaryIO:
    return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)


def open_content(content: Path | bytes, *, name: str, page: int | None, max_pixels: int) -> Opened:
    """Read the header of a picture.

    Args:
        content: a file or its bytes.
        name: what to call it in messages.
        page: which page, from 0; None: the first, with a warning if there are more.
        max_pixels: refuse larger pictures.

    Raises:
        PictureError: it cannot be read; one sentence.
    """
    kind = _kind_of(content, name=name)
    if kind not in LOADERS:
        return _open_elsewhere(content, kind, name=name, max_pixels=max_pixels)
    if kind == "jpeg" and (opened := _open_jpeg12(content, name=name, max_pixels=max_pixels)):
        return opened
    settings: dict[str, Any] = {"access": "sequential", "fail_on": "error"}
    facts = read_tiff_facts(content, page=page) if kind == "tiff" else None
    if facts is not None and facts.broken is not None:
        content = without_broken(content, facts.broken)
        warnings.warn(
            f"{name} has later pages that are damaged: they were left out.",
            PictureWarning,
            stacklevel=3,
        )
    if facts is not None and (facts.unread or not _reads(content, facts, name=name)):
        return _open_rare(content, facts, name=name, page=page, max_pixels=max_pixels)
    if kind not in ("jpeg", "png") and (kind != "avif" or page is not None):
        settings["page"] = page or 0  # of an AVIF libvips takes the primary picture by itself
    if facts is not None:
        settings |= {"page": facts.page} | ({} if facts.sub is None else {"subifd": facts.sub})
    image = _load(content, kind, settings, name=name)
    if image is None:
        return open_pillow(content, kind, name=name, max_pixels=max_pixels)
    check_size(image.width, image.height, name=name, max_pixels=max_pixels)
    pages = int(image.get("n-pages")) if image.get_typeof("n-pages") else 1
    _warn_of_others(pages, facts, kind, name=name, page=page)
    if page is not None and page >= pages:
        raise PictureError(f"{name} has no page {page}; its pages are 0 to {pages - 1}.")
    metadata = _metadata(image, content, kind, page=settings.get("page", 0), pages=pages)

    def again() -> Any:
        return _load(content, kind, settings, name=name)

    opened = _opened(image, again, metadata, facts, name=name)
    if kind == "png":
        with _stream(content) as stream:
            return replace(opened, coding=read_facts(stream).coding)
    return opened


def _kind_of(content: Path | bytes, *, name: str) -> str:
    try:
        with _stream(content) as stream:
            return sniff(stream.read(64))
    except OSError as error:
        raise PictureError(
            f"{name} cannot be read: {_why(error)}; check its permissions."
        ) from error
    except PictureError as error:
        raise PictureError(f"{name} {error}.") from None


def _open_elsewhere(content: Path | bytes, kind: str, *, name: str, max_pixels: int) -> Opened:
    """Open a format that libvips' wheel does not read."""
    if kind == "heic":
        return open_heic(content, name=name, max_pixels=max_pixels)
    if kind == "jxl":
        _need_codecs(f"{name} is a JPEG XL picture")
        return decode_codecs.open_jxl(content, name=name, max_pixels=max_pixels)
    return open_pillow(content, kind, name=name, max_pixels=max_pixels)


def _open_jpeg12(content: Path | bytes, *, name: str, max_pixels: int) -> Opened | None:
    """Open a JPEG of 12 bits; None if it has 8."""
    with _stream(content) as stream:
        frame = read_frame(stream)
    if frame is None or frame.bits != 12:
        return None
    check_size(frame.width, frame.height, name=name, max_pixels=max_pixels)
    _need_codecs(f"{name} is a JPEG of 12 bits")
    return decode_codecs.open_jpeg12(content, name=name)


def _reads(content: Path | bytes, facts: TiffFacts, *, name: str) -> bool:
    """Tell whether libvips opens a TIFF, or nothing else does."""
    settings = {"page": facts.page} | ({} if facts.sub is None else {"subifd": facts.sub})
    try:
        _load(content, "tiff", settings, name=name)
    except PictureError:
        # libtiff in Pillow overlooks what libvips does not: a library's mere remark is no error.
        return _pillow_tiff(content, facts, name=name, max_pixels=1 << 62) is None
    return True


def _warn_of_others(
    pages: int, facts: TiffFacts | None, kind: str, *, name: str, page: int | None
) -> None:
    others = pages - 1 - (facts.reduced if facts is not None else 0)
    if page is None and others > 0:
        what = "pages" if kind == "tiff" else "frames"
        warnings.warn(
            f"{name} has {others + 1} {what}: only the first is used.", PictureWarning, stacklevel=4
        )


def _open_rare(
    content: Path | bytes, facts: TiffFacts, *, name: str, page: int | None, max_pixels: int
) -> Opened:
    """Open a TIFF of a kind that libvips' wheel does not read."""
    opened: Opened | None = None
    if facts.unread != OLD_JPEG and not facts.raw and decode_codecs.works():
        opened = decode_codecs.open_tiff(
            content, name=name, page=facts.page, sub=facts.sub, max_pixels=max_pixels
        )
    if opened is None:
        simple = _pillow_tiff(content, facts, name=name, max_pixels=max_pixels)
        if simple is not None:
            return simple
    if opened is None:
        raise PictureError(unread(name, facts.unread, extra=not facts.raw) + ".")
    _warn_of_others(opened.metadata.pages, facts, "tiff", name=name, page=page)
    with _stream(content) as stream:
        metadata = _descriptive(opened.metadata, stream)
    turn = facts.orientation if facts.orientation in range(1, 9) else 1
    return replace(
        opened, metadata=metadata, orientation=turn or 1, premultiplied=facts.extra == ASSOCIATED
    )


def _pillow_tiff(
    content: Path | bytes, facts: TiffFacts | None, *, name: str, max_pixels: int
) -> Opened | None:
    """Open the first page of a TIFF of 8 bits with Pillow; None where that does not work."""
    if facts is None or facts.raw or facts.bits > 8 or facts.page or facts.sub is not None:
        return None
    try:
        return open_pillow(content, "tiff", name=name, max_pixels=max_pixels)
    except PictureError:
        return None


def _need_codecs(what: str) -> None:
    if not decode_codecs.works():
        raise PictureError(
            f"{what}, which needs an optional part; {decode_codecs.REMEDY}, or save it as PNG or "
            "TIFF."
        )


def _descriptive(metadata: Metadata, stream: BinaryIO) -> Metadata:
    """Add what a TIFF's tags tell about the picture, where they are sound."""
    try:
        block, compression = exif.from_tiff(stream, page=metadata.page)
    except exif.ExifError:
        return metadata
    return replace(metadata, exif=block, compression=TIFF_COMPRESSIONS.get(compression))


def page_count_of(content: Path | bytes, *, name: str) -> int:
    """Count the pages or frames of a picture.

    Raises:
        PictureError: it cannot be read.
    """
    opened = open_content(content, name=name, page=0, max_pixels=1 << 62)
    return opened.metadata.pages


def _load(content: Path | bytes, kind: str, settings: dict[str, Any], *, name: str) -> Any:
    """Open with libvips; None if it is a TIFF that libvips does not read but Pillow may."""
    pyvips = libvips.load()
    libvips.forget_errors()
    operation = LOADERS[kind] + ("" if isinstance(content, Path) else "_buffer")
    try:
        return pyvips.Operation.call(
            operation, os.fsencode(content) if isinstance(content, Path) else content, **settings
        )
    except pyvips.Error as error:
        text = libvips.reason(error)
        if "labq" in text:
            return None
        if "does not contain page" in text or "bad page" in text:
            raise PictureError(
                f"{name} has no page {settings['page']}; ask for a smaller number."
            ) from error
        raise PictureError(damaged(name, kind, text)) from error


def _opened(
    image: Any,
    again: Callable[[], Any],
    metadata: Metadata,
    facts: TiffFacts | None,
    *,
    name: str,
) -> Opened:
    """Settle layout and depth of a libvips image."""
    pyvips = libvips.load()
    layouts: dict[str, Layout] = {
        "b-w": "gray", "grey16": "gray", "srgb": "rgb", "rgb": "rgb", "rgb16": "rgb",
        "scrgb": "rgb", "cmyk": "cmyk", "lab": "lab", "labs": "lab", "labq": "lab",
    }  # fmt: skip
    few: Layout = "gray" if image.bands <= 2 else "rgb"
    layout = layouts.get(image.interpretation, few)
    if image.bands < CHANNELS[layout]:
        layout = few
    channels = CHANNELS[layout]
    alpha = image.bands > channels and image.coding == "none"
    if alpha and facts is not None and facts.extra not in (1, 2):
        alpha = False
        warnings.warn(
            f"{name} has {image.bands} channels: those after the colors are no transparency and "
            "are left out.",
            PictureWarning,
            stacklevel=4,
        )
    elif image.bands > channels + 1:
        warnings.warn(
            f"{name} has {image.bands} channels: those after alpha are left out.",
            PictureWarning,
            stacklevel=4,
        )
    wide = image.format != "uchar"
    if layout == "lab":
        wide = image.interpretation != "labq" and metadata.bits > 8
    plain = image.format in ("uchar", "ushort") or layout == "lab"

    def wanted() -> Any:
        source = again()
        if layout == "lab":
            return source.colourspace("lab")
        return (
            source.extract_band(0, n=channels + int(alpha)) if source.bands > channels else source
        )

    def strips() -> Iterator[tuple[int, NDArray[Any]]]:
        try:
            scale = None if plain else _range(wanted(), name=name)
            for row, strip in _rows(wanted()):
                yield row, strip if scale is None else scaled(strip, *scale)
        except pyvips.Error as error:
            raise PictureError(damaged(name, metadata.format, libvips.reason(error))) from error

    orientation = 1
    if facts is not None and facts.orientation is not None:
        orientation = facts.orientation
    elif metadata.format == "tiff" and image.get_typeof("orientation"):
        orientation = int(image.get("orientation"))
    elif metadata.format in ("jpeg", "png", "webp") and metadata.exif is not None:
        orientation = exif.read_orientation(metadata.exif)
    profile = bytes(image.get("icc-profile-data")) if image.get_typeof("icc-profile-data") else None
    dtype: np.dtype[Any] = np.dtype(np.uint16 if wide else np.uint8)
    return Opened(
        layout, alpha, dtype, image.width, image.height,
        orientation if 1 <= orientation <= 8 else 1, profile, metadata, strips,
    )  # fmt: skip


def _rows(image: Any) -> Iterator[tuple[int, NDArray[Any]]]:
    """Read a libvips image from top to bottom; a whole picture is never held."""
    kinds = {
        "uchar": np.uint8, "ushort": np.uint16, "uint": np.uint32, "char": np.int8,
        "short": np.int16, "int": np.int32, "float": np.float32, "double": np.float64,
    }  # fmt: skip
    region = libvips.load().Region.new(image)
    step = max(16, STRIP // image.width // 16 * 16)
    for row in range(0, image.height, step):
        height = min(step, image.height - row)
        pixels = np.frombuffer(region.fetch(0, row, image.width, height), kinds[image.format])
        yield row, pixels.reshape(height, image.width, image.bands)


def _range(image: Any, *, name: str) -> tuple[float, float]:
    """Find the values that become black and white in a picture of floats or of unusual integers."""
    low, high = np.inf, -np.inf
    for _, strip in _rows(image):
        finite = strip[np.isfinite(strip)] if strip.dtype.kind == "f" else strip
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        raise PictureError(f"{name} holds no finite values; export it again as 16-bit TIFF.")
    if image.format in ("float", "double") and low >= 0 and high <= 1:
        return 0.0, 1.0
    low = min(low, 0.0)
    high = high if high > low else low + 1
    warnings.warn(
        f"{name} holds values from {low:g} to {high:g}: they were stretched from black to white.",
        PictureWarning,
        stacklevel=5,
    )
    return low, high


def _block(image: Any, name: str) -> bytes | None:
    return (bytes(image.get(name)) or None) if image.get_typeof(name) else None


def _lossless(stream: BinaryIO) -> bool:
    """Tell whether a WebP, or its first frame, is coded without loss, from its RIFF chunks."""
    stream.seek(12)
    while len(head := stream.read(8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name in (b"VP8L", b"VP8 "):
            return name == b"VP8L"
        # The chunks of a frame come after its 16 bytes of place and time.
        stream.seek(16 if name == b"ANMF" else size + size % 2, io.SEEK_CUR)
    return False


def _metadata(image: Any, content: Path | bytes, kind: str, *, page: int, pages: int) -> Metadata:
    """Gather what libvips and the file itself tell."""
    block = _block(image, "exif-data")
    if block is not None and block.startswith(b"Exif\0\0"):
        block = block[6:]
    iptc = _block(image, "iptc-data")
    if kind == "jpeg" and iptc is not None:
        iptc = iptc.removeprefix(b"Photoshop 3.0\0")
    elif kind == "tiff":
        iptc = _block(image, "photoshop-data") or (None if iptc is None else resources_of(iptc))
    known = image.get_typeof("resolution-unit") or abs(image.xres * 25.4 - 72) > 0.1
    told = (
        known and image.xres != 1.0
    )  # libvips says 1 pixel a millimeter where a file says nothing
    dpi = plausible_dpi(image.xres * 25.4, image.yres * 25.4) if told else None
    metadata = Metadata(
        format=kind,
        exif=block,
        xmp=_block(image, "xmp-data"),
        iptc=iptc,
        dpi=dpi,
        had_icc=bool(image.get_typeof("icc-profile-data")),
        page=page,
        pages=pages,
        bits=int(image.get("bits-per-sample")) if image.get_typeof("bits-per-sample") else 8,
    )
    with _stream(content) as stream:
        if kind == "jpeg":
            quality, subsampling = read_jpeg(stream)
            return replace(metadata, quality=quality, subsampling=subsampling)
        if kind == "png":
            facts = read_facts(stream)
            return replace(metadata, texts=facts.texts, exif=metadata.exif or facts.exif)
        if kind == "webp":
            return replace(metadata, lossless=_lossless(stream))
        if kind == "tiff":
            return _descriptive(metadata, stream)
    return metadata
