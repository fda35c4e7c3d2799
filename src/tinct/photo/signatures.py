"""Tell the format of a file from how it begins."""

from __future__ import annotations

from tinct.errors import PictureError

SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"), (b"GIF89a", "gif"),
    (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"II+\0", "tiff"), (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cjP  ", "jp2"), (b"\xff\x4f\xff\x51", "jp2"),
    (b"\0\0\0\x0cJXL ", "jxl"), (b"\xff\x0a", "jxl"), (b"8BPS", "psd"),
)  # fmt: skip
FOREIGN = {
    b"%PDF": "a PDF",
    b"gimp": "a GIMP file",
    b"<svg": "an SVG drawing",
    b"<?xm": "an XML file",
    b"v/1\x01": "an OpenEXR picture",
    b"PK\x03\x04": "a ZIP archive",
    b"FUJI": "a camera raw file",
    b"SIMP": "a FITS file",
}


BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)


def sniff(head: bytes) -> str:
    """Tell the format of a file from its first 64 bytes.

    Returns:
        ``jpeg``, ``png``, ``webp``, ``tiff``, ``avif``, ``heic``, ``jxl``, ``gif``, ``bmp``,
        ``jp2``, ``psd``, ``tga`` or ``ico``.

    Raises:
        PictureError: it is something else; the text is the middle of a sentence, after the name of
            the file.
    """
    for start, name in SIGNATURES:
        if head.startswith(start):
            return name
    kind = _by_structure(head)
    if kind is not None:
        return kind
    for start, what in FOREIGN.items():
        if head.startswith(start):
            raise PictureError(
                f"is {what}, which tinct does not read; save it as TIFF, PNG or JPEG first"
            )
    raise PictureError(
        "is not a picture tinct knows (JPEG, PNG, WebP, TIFF, AVIF, HEIC, JPEG XL, GIF, BMP, "
        "JPEG 2000, PSD, TGA, ICO)"
    )


def _is_tga(head: bytes) -> bool:
    """Tell whether the header is plausible throughout: TGA has no signature."""
    if len(head) < 18:
        return False
    palette, kind, bits, descriptor = head[1], head[2], head[16], head[17]
    return (
        (palette, kind) in ((0, 2), (0, 3), (0, 10), (0, 11), (1, 1), (1, 9))
        and bits in (8, 15, 16, 24, 32)
        and descriptor & 0xC0 == 0
        and any(head[12:14])
        and any(head[14:16])
    )


def _by_structure(head: bytes) -> str | None:
    """Tell the formats whose first bytes alone do not."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    # Some programs write something into BMP's four reserved bytes: the size of the header that
    # follows tells it as well.
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BMP_HEADERS:
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
    if head[:4] == b"\0\0\1\0" and 0 < int.from_bytes(head[4:6], "little") < 64:
        return "ico"
    return "tga" if _is_tga(head) else None
