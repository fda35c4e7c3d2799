"""Hold what a picture file tells beside its pixels, and bring it up to date in a colored copy.

References:
    [1] ISO 16684-1:2019, Extensible Metadata Platform (XMP).
    [2] IPTC Photo Metadata Standard 2023.2: Digital Source Type,
        http://cv.iptc.org/newscodes/digitalsourcetype/.
    [3] Adobe Photoshop File Formats Specification, 2019: image resource blocks.
"""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
META = "adobe:ns:meta/"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
XML = "http://www.w3.org/XML/1998/namespace"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]


class PictureWarning(UserWarning):
    """Something about a picture that its owner should know, though the work goes on."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """Say which software colored a picture.

    Attributes:
        software: name and version, for example ``tinct 0.1.0``.
        model: name of the model.
    """

    software: str
    model: str

    def __str__(self) -> str:
        return f"{self.software} (model {self.model})"


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a picture file told beside its pixels.

    Attributes:
        format: ``jpeg``, ``png``, ``webp``, ``tiff``, ``avif``, ``heic``, ``gif``, ``bmp``,
            ``jp2``; "" for arrays.
        exif: EXIF from its byte order on, as it was read; None if there was none.
        xmp: the XMP packet as it was read, or None.
        iptc: Photoshop's image resource blocks [3], IPTC among them, or None.
        texts: key and text of the text chunks of a PNG.
        dpi: horizontal and vertical, or None if the file told none.
        had_icc: whether an ICC profile was embedded; the colored copy then carries one of sRGB.
        quality: 1..100, of a JPEG, estimated from its luma table; None for other formats.
        subsampling: of a JPEG in color; None for gray and for other formats.
        compression: of a TIFF: ``none``, ``lzw``, ``deflate``, ``packbits``, ``jpeg``, ``zstd``;
            None for others.
        lossless: whether a WebP was lossless.
        bits: per channel in the file, 1 to 32.
        page: which page or frame was read, from 0.
        pages: how many there are.
    """

    format: str = ""
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    had_icc: bool = False
    quality: int | None = None
    subsampling: Subsampling | None = None
    compression: str | None = None
    lossless: bool = False
    bits: int = 8
    page: int = 0
    pages: int = 1


def plausible_dpi(across: float, down: float) -> tuple[float, float] | None:
    """Return a resolution, or None if no picture has it: damaged files tell anything."""
    return (across, down) if 1 <= across <= 100_000 and 1 <= down <= 100_000 else None


class XmpError(ValueError):
    """The XMP packet is damaged."""


def revise_xmp(packet: bytes | None, *, note: Note | None, orientation: int = 1) -> bytes | None:
    """Bring an XMP packet up to date with the colored picture, and add the note.

    Orientation becomes that of the pixels; thumbnails and the statements about the old color space
    go; everything else stays.

    Args:
        packet: the packet as it was read, or None.
        note: which software colored the picture, or None to add nothing.
        orientation: 1..8, in which the pixels are stored; 1 is upright.

    Returns:
        The new packet; None if there was none and there is nothing to say.

    Raises:
        XmpError: the packet is damaged.
    """
    if packet is None and note is None:
        return None
    prefixes = {
        "x": META, "rdf": RDF, "xmp": XMP, "Iptc4xmpExt": IPTC_EXT,
        "tiff": TIFF, "exif": EXIF, "photoshop": PHOTOSHOP,
    }  # fmt: skip
    if packet is None:
        root = ET.Element(f"{{{META}}}xmpmeta")
        ET.SubElement(root, f"{{{RDF}}}RDF")
    else:
        root = _parse(packet, prefixes)
    tree = root if root.tag == f"{{{RDF}}}RDF" else root.find(f"{{{RDF}}}RDF")
    if tree is None:
        raise XmpError("it holds no RDF")
    description = f"{{{RDF}}}Description"
    about = f"{{{RDF}}}about"
    descriptions = [node for node in tree if node.tag == description]
    if not descriptions:
        descriptions = [ET.SubElement(tree, description, {about: ""})]
    for name in (
        f"{{{XMP}}}Thumbnails", f"{{{PHOTOSHOP}}}ICCProfile", f"{{{PHOTOSHOP}}}ColorMode",
        f"{{{EXIF}}}ColorSpace", f"{{{TIFF}}}PhotometricInterpretation",
        f"{{{TIFF}}}SamplesPerPixel",
    ):  # fmt: skip
        _remove(descriptions, name)
    if _remove(descriptions, f"{{{TIFF}}}Orientation"):
        descriptions[0].set(f"{{{TIFF}}}Orientation", str(orientation))
    if note is not None:
        for name, value in (
            (f"{{{IPTC_EXT}}}DigitalSourceType", SOURCE_TYPE),
            (f"{{{XMP}}}CreatorTool", str(note)),
        ):
            _remove(descriptions, name)
            ET.SubElement(descriptions[0], name).text = value
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'.encode()
        + _serialize(root, prefixes)
        + b'\n<?xpacket end="w"?>'
    )


def as_utf8(packet: bytes) -> bytes:
    """Return a packet in UTF-8: from marked UTF-16, or mended where single bytes are Latin-1.

    A packet that declares its encoding is left to the parser.
    """
    if packet.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = packet.decode("utf-16", "replace")
        return re.sub(r"^\s*<\?xml[^>]*\?>", "", text).strip("\0 \t\r\n").encode()
    packet = packet.strip(b"\0 \t\r\n")
    if b"encoding=" in packet[:80]:
        return packet
    # "surrogateescape" gives each byte that is no UTF-8 as U+DC00 and its value.
    text = packet.decode("utf-8", "surrogateescape")
    return re.sub("[\udc80-\udcff]", lambda found: chr(ord(found[0]) - 0xDC00), text).encode()


def _parse(packet: bytes, prefixes: dict[str, str]) -> ET.Element:
    """Parse a packet and gather the prefixes it uses; refuse entities, which XMP does not allow."""
    packet = as_utf8(packet)
    if b"<!" in packet.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        raise XmpError("it declares entities")
    root: ET.Element | None = None
    try:
        for event, item in ET.iterparse(BytesIO(packet), events=("start", "start-ns")):
            if event == "start-ns":
                prefix, address = item
                if prefix and address not in prefixes.values():
                    while prefix in prefixes:
                        prefix += "_"
                    prefixes[prefix] = address
            elif root is None:
                root = item
    except (ET.ParseError, ValueError, LookupError) as error:
        raise XmpError(str(error)) from error
    if root is None:
        raise XmpError("it is empty")
    return root


def _remove(descriptions: list[ET.Element], name: str) -> bool:
    """Remove a property, written as attribute or element; tell whether it was there."""
    found = False
    for node in descriptions:
        found |= node.attrib.pop(name, None) is not None
        for child in node.findall(name):
            node.remove(child)
            found = True
    return found


def _serialize(root: ET.Element, prefixes: dict[str, str]) -> bytes:
    """Write XML with the given prefixes; those known to the whole process stay as they are."""
    names = {address: prefix for prefix, address in prefixes.items()} | {XML: "xml"}

    def short(name: str) -> str:
        if not name.startswith("{"):
            return name
        address, local = name[1:].split("}", 1)
        if address not in names:
            names[address] = f"tinct{len(names)}"
        return f"{names[address]}:{local}"

    for node in root.iter():
        if isinstance(node.tag, str):
            node.tag = short(node.tag)
            attributes = {short(key): value for key, value in node.attrib.items()}
            node.attrib.clear()
            node.attrib.update(attributes)
    for address, prefix in names.items():
        if prefix != "xml":
            root.set(f"xmlns:{prefix}", address)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=False)
    return data


def _blocks(resources: bytes) -> list[tuple[int, bytes, bytes]]:
    """Split image resource blocks [3] into number, payload and the whole; stop at damage."""
    found = []
    start = 0
    while resources[start : start + 4] in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"):
        if start + 12 > len(resources):
            break
        (number,) = struct.unpack_from(">H", resources, start + 4)
        name = 1 + resources[start + 6]
        begin = start + 6 + name + name % 2
        if begin + 4 > len(resources):
            break
        (size,) = struct.unpack_from(">I", resources, begin)
        end = begin + 4 + size + size % 2
        if begin + 4 + size > len(resources):
            break
        block = resources[start:end].ljust(end - start, b"\0")
        found.append((number, resources[begin + 4 : begin + 4 + size], block))
        start = end
    return found


IPTC_BLOCK = 0x0404
STALE_BLOCKS = (0x0409, 0x040C, 0x040F)  # two kinds of thumbnail, the ICC profile


def revise_resources(resources: bytes | None) -> bytes | None:
    """Take out of Photoshop's resource blocks what shows or describes the old picture."""
    if resources is None:
        return None
    kept = [block for number, _, block in _blocks(resources) if number not in STALE_BLOCKS]
    return b"".join(kept) or None


def iptc_of(resources: bytes) -> bytes | None:
    """Return the IPTC record inside Photoshop's resource blocks, or None."""
    return next((data for number, data, _ in _blocks(resources) if number == IPTC_BLOCK), None)


def resources_of(iptc: bytes) -> bytes:
    """Wrap an IPTC record as one of Photoshop's resource blocks."""
    return b"8BIM" + struct.pack(">HHI", IPTC_BLOCK, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
