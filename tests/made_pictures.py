"""Pictures, profiles and metadata blocks that the tests make for themselves."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageDraw


def ramp(height: int = 24, width: int = 40, *, dtype: Any = np.uint8) -> NDArray[Any]:
    """Make a smooth gray picture that uses the whole range."""
    y, x = np.mgrid[:height, :width]
    value = (x / max(width - 1, 1) * 0.8 + y / max(height - 1, 1) * 0.2) * np.iinfo(dtype).max
    return np.rint(value).astype(dtype)


def colors(height: int = 24, width: int = 40, *, dtype: Any = np.uint8) -> NDArray[Any]:
    """Make a smooth picture in strong colors."""
    gray = ramp(height, width, dtype=dtype)
    return np.stack([gray, gray[::-1], gray[:, ::-1]], axis=-1)


def pil_bytes(image: Image.Image, kind: str, **settings: Any) -> bytes:
    """Encode with Pillow."""
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def tiff_bytes(array: NDArray[Any], **settings: Any) -> bytes:
    """Encode with tifffile."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **settings)
    return stream.getvalue()


def read_pil(data: bytes) -> Image.Image:
    """Decode with Pillow."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def _s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ \0\0\0\0" + _s15(x) + _s15(y) + _s15(z)


def gamma(value: float) -> bytes:
    """Make a parametric curve of kind 0."""
    return b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + _s15(value)


def parametric(kind: int, *values: float) -> bytes:
    """Make a parametric curve of any kind."""
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(_s15, values))


def sampled(values: NDArray[Any]) -> bytes:
    """Make a curve of samples 0..1."""
    codes = np.rint(np.asarray(values) * 65535).astype(">u2").tobytes()
    return b"curv\0\0\0\0" + struct.pack(">I", len(values)) + codes + b"\0" * (len(codes) % 4)


def profile(space: bytes, tags: dict[bytes, bytes], *, pcs: bytes = b"XYZ ") -> bytes:
    """Put a display profile of ICC version 4 together."""
    text = "made for a test".encode("utf-16-be")
    words = b"mluc\0\0\0\0" + struct.pack(">II", 1, 12) + b"enUS"
    words += struct.pack(">II", len(text), 28) + text
    words += b"\0" * (-len(words) % 4)
    tags = {b"desc": words, b"cprt": words, b"wtpt": _xyz(0.9642, 1.0, 0.8249)} | tags
    offset = 132 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, offset + len(data), len(content))
        data += content + b"\0" * (-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", offset + len(data), b"lcms", 0x04300000, b"mntr", space, pcs)
    head += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28
    head += _s15(0.9642) + _s15(1.0) + _s15(0.8249)
    return head.ljust(128, b"\0") + table + data


def gray_profile(curve: bytes, *, pcs: bytes = b"XYZ ") -> bytes:
    """Make a profile for gray pictures."""
    return profile(b"GRAY", {b"kTRC": curve}, pcs=pcs)


def rgb_profile(matrix: NDArray[Any], curve: bytes) -> bytes:
    """Make a matrix profile: columns are the primaries in XYZ relative to D50."""
    tags = {name: _xyz(*matrix[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


MAKER_NOTE = b"MYNOTE" + bytes(range(200))


def exif_block(*, orientation: int = 1, order: str = "<", thumbnail: bytes = b"") -> bytes:
    """Make an EXIF block with a maker note, GPS, unknown tags, and a thumbnail."""
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "Maker"
    exif[0x0112] = orientation
    exif[0x0131] = "Scanner 1.0"
    exif[0x013B] = "Somebody"
    exif[0x8298] = "Public domain"
    inside = exif.get_ifd(0x8769)
    inside[0x9003] = "1931:02:03 04:05:06"
    inside[0x829A] = 0.008
    inside[0x927C] = MAKER_NOTE
    inside[0x9286] = b"ASCII\0\0\0a comment"
    inside[0xA001] = 65535
    inside[0xA002] = 40
    inside[0xA003] = 24
    inside[0xFDE8] = "an unknown tag"
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (48.0, 12.0, 30.5)
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    if thumbnail:
        block = _with_thumbnail(block, order, thumbnail)
    return block


def _with_thumbnail(block: bytes, order: str, thumbnail: bytes) -> bytes:
    first = struct.unpack_from(order + "I", block, 4)[0]
    count = struct.unpack_from(order + "H", block, first)[0]
    link = first + 2 + 12 * count
    start = len(block)
    entries = ((259, 3, 6), (513, 4, start + 2 + 36 + 4), (514, 4, len(thumbnail)))
    directory = struct.pack(order + "H", 3)
    for name, kind, value in entries:
        code = "HHIH2x" if kind == 3 else "HHII"
        directory += struct.pack(order + code, name, kind, 1, value)
    directory += struct.pack(order + "I", 0)
    block = block[:link] + struct.pack(order + "I", start) + block[link + 4 :]
    return block + directory + thumbnail


XMP = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:xap="http://ns.adobe.com/xap/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:my="http://example.org/my/" tiff:Orientation="6" xap:CreatorTool="Scanner 1.0" my:number="7">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Market &amp; square</rdf:li></rdf:Alt></dc:title>
<xap:Thumbnails>old</xap:Thumbnails></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def line_drawing(size: int = 256, *, width: int = 3, paper: int = 255, ink: int = 0) -> np.ndarray:
    """Return dark lines on light paper: a face and a scribble, gray, uint8."""
    image = Image.new("L", (size, size), paper)
    pen = ImageDraw.Draw(image)
    for x, y, radius in ((0.5, 0.5, 0.4), (0.36, 0.4, 0.06), (0.64, 0.4, 0.06)):
        box = [(x - radius) * size, (y - radius) * size, (x + radius) * size, (y + radius) * size]
        pen.ellipse(box, outline=ink, width=width)
    pen.arc([0.3 * size, 0.4 * size, 0.7 * size, 0.75 * size], 20, 160, fill=ink, width=width)
    turns = np.linspace(0, 40, 400)
    places = np.stack([turns / 40, 0.93 + 0.05 * np.sin(turns * 2)], axis=1) * size
    pen.line([tuple(place) for place in places], fill=ink, width=width)
    return np.asarray(image)
