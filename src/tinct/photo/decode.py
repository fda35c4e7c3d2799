"""Open picture files of every kind: their pixels in strips, their layout, their metadata.

The content decides what a file is, never its name. libvips reads; Pillow stands in for the few
formats that libvips' wheel lacks (BMP, JPEG 2000, TIFF in Lab), pillow-heif for HEIC.
"""

from __future__ import annotations

import io
import stat
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tinct import libvips
from tinct.errors import PictureError
from tinct.photo import exif
from tinct.photo.decode_pillow import open_heic, open_pillow
from tinct.photo.jpeg_quality import read_jpeg
from tinct.photo.lightness import CHANNELS, Layout
from tinct.photo.metadata import Metadata, PictureWarning, plausible_dpi, resources_of
from tinct.photo.png_chunks import read_facts
from tinct.photo.source import STRIP, Opened, check_size, damaged, scaled, unread

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
NOT_READ = {34712: "JPEG 2000", 34925: "LZMA", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL"}
"""Compressions of TIFF that libvips' wheel does not read, by number."""

NEW_SUBFILE_TYPE, BITS, COMPRESSION, PHOTOMETRIC, PLANAR = 254, 258, 259, 262, 284
TILE_WIDTH, SUB_DIRECTORIES, EXTRA_SAMPLES = 322, 330, 338
MANY_PAGES = 1 << 16

SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"), (b"GIF89a", "gif"),
    (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"II+\0", "tiff"), (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cjP  ", "jp2"), (b"\xff\x4f\xff\x51", "jp2"),
)  # fmt: skip
FOREIGN = {
    b"%PDF": "a PDF",
    b"8BPS": "a Photoshop file",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"gimp": "a GIMP file",
    b"<svg": "an SVG drawing",
    b"<?xm": "an XML file",
    b"v/1\x01": "an OpenEXR picture",
    b"PK\x03\x04": "a ZIP archive",
    b"FUJI": "a camera raw file",
    b"SIMP": "a FITS file",
}


def sniff(head: bytes) -> str:
    """Tell the format of a file from its first 64 bytes.

    Returns:
        ``jpeg``, ``png``, ``webp``, ``tiff``, ``avif``, ``heic``, ``gif``, ``bmp`` or ``jp2``.

    Raises:
        PictureError: it is something else; the text is the middle of a sentence, after the name of
            the file.
    """
    for start, name in SIGNATURES:
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "bmp"
    if head[4:8] == b"ftyp":
        brands = [
            head[start : start + 4]
            for start in range(8, min(len(head), int.from_bytes(head[:4], "big")), 4)
        ]
        if b"avif" in brands or b"avis" in brands:
            return "avif"
        if set(brands) & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
            return "heic"
    for start, what in FOREIGN.items():
        if head.startswith(start):
            raise PictureError(
                f"is {what}, which tinct does not read; save it as TIFF, PNG or JPEG first"
            )
    raise PictureError(
        "is not a picture tinct knows (JPEG, PNG, WebP, TIFF, AVIF, HEIC, GIF, BMP, JPEG 2000)"
    )


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
    try:
        with _stream(content) as stream:
            kind = sniff(stream.read(64))
    except OSError as error:
        raise PictureError(
            f"{name} cannot be read: {_why(error)}; check its permissions."
        ) from error
    except PictureError as error:
        raise PictureError(f"{name} {error}.") from None
    if kind == "heic":
        return open_heic(content, name=name, max_pixels=max_pixels)
    if kind not in LOADERS:
        return open_pillow(content, kind, name=name, max_pixels=max_pixels)
    settings: dict[str, Any] = {"access": "sequential", "fail_on": "error"}
    facts = _tiff_facts(content, page=page) if kind == "tiff" else None
    if facts is not None and facts.unread:
        raise PictureError(unread(name, facts.unread) + ".")
    if kind not in ("jpeg", "png"):
        settings["page"] = page or 0
    if facts is not None:
        settings["page"] = facts.page
    image = _load(content, kind, settings, name=name)
    if image is None:
        return open_pillow(content, kind, name=name, max_pixels=max_pixels)
    check_size(image.width, image.height, name=name, max_pixels=max_pixels)
    pages = int(image.get("n-pages")) if image.get_typeof("n-pages") else 1
    others = pages - 1 - (facts.reduced if facts is not None else 0)
    if page is None and others > 0:
        what = "pages" if kind == "tiff" else "frames"
        warnings.warn(
            f"{name} has {others + 1} {what}: only the first is used.", PictureWarning, stacklevel=3
        )
    if page is not None and page >= pages:
        raise PictureError(f"{name} has no page {page}; its pages are 0 to {pages - 1}.")
    metadata = _metadata(image, content, kind, page=settings.get("page", 0), pages=pages)

    def again() -> Any:
        return _load(content, kind, settings, name=name)

    opened = _opened(image, again, metadata, facts, name=name)
    if kind == "png":
        with _stream(content) as stream:
            return replace(opened, gamma=read_facts(stream).gamma)
    return opened


@dataclass(frozen=True)
class _TiffFacts:
    """What the directories of a TIFF say that libvips does not tell.

    Attributes:
        page: the page that shows the picture: the first that is no reduced copy, or the one asked
            for.
        reduced: how many pages are reduced copies.
        extra: what the first channel beyond the colors is, as in ExtraSamples (1, 2: alpha); None
            where the file does not say.
        orientation: 1..8, or None.
        unread: what about the page libvips does not read, in words, or nothing.
    """

    page: int
    reduced: int
    extra: int | None
    orientation: int | None
    unread: str


def _tiff_facts(content: Path | bytes, *, page: int | None) -> _TiffFacts | None:
    """Read the directories of a TIFF; None where they are damaged."""
    pages: list[exif.Tags] = []
    try:
        with _stream(content) as stream:
            header = exif.read_header(stream)
            offset, seen = header.first, set[int]()
            while offset and offset not in seen and len(seen) < MANY_PAGES:
                seen.add(offset)
                tags, offset = exif.read_tags(stream, header, offset)
                pages.append(tags)
    except exif.ExifError:
        if not pages:
            return None

    def value(tags: exif.Tags, name: int, otherwise: int) -> int:
        found = exif.number(tags, name, header)
        return otherwise if found is None else found

    reduced = [bool(value(tags, NEW_SUBFILE_TYPE, 0) & 1) for tags in pages]
    whole = [number for number, small in enumerate(reduced) if not small]
    chosen = page if page is not None else (whole[0] if whole else 0)
    if chosen >= len(pages):
        return None
    tags = pages[chosen]
    bits, compression = value(tags, BITS, 1), value(tags, COMPRESSION, 1)
    planes, tiled = value(tags, PLANAR, 1) == 2, TILE_WIDTH in tags
    why = ""
    if compression == 6:
        why = "old-style JPEG inside"
    elif compression in NOT_READ:
        why = f"{NOT_READ[compression]} inside"
    elif bits not in (1, 2, 4, 8, 16, 32, 64):
        why = f"{bits} bits packed"
    elif bits in (2, 4) and value(tags, PHOTOMETRIC, 1) == 2:
        why = f"RGB of {bits} bits"
    elif planes and tiled:
        why = "tiles in planes"
    elif planes and value(tags, PHOTOMETRIC, 1) == 6:
        why = "YCbCr in planes"
    elif value(tags, PHOTOMETRIC, 1) == 32803 or (not whole and SUB_DIRECTORIES in tags):
        why = "a camera's raw data or a DNG; develop it first"
    return _TiffFacts(
        page=chosen,
        reduced=sum(reduced) if whole else 0,
        extra=exif.number(tags, EXTRA_SAMPLES, header),
        orientation=exif.number(tags, exif.ORIENTATION, header),
        unread=why,
    )


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
            operation, str(content) if isinstance(content, Path) else content, **settings
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
    facts: _TiffFacts | None,
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
            return replace(metadata, texts=read_facts(stream).texts)
        if kind == "webp":
            return replace(metadata, lossless=_lossless(stream))
        if kind == "tiff":
            try:
                block, compression = exif.from_tiff(stream, page=page)
            except exif.ExifError:
                return metadata
            return replace(metadata, exif=block, compression=TIFF_COMPRESSIONS.get(compression))
    return metadata
