"""Files that are damaged, cut short, lying, foreign or too large: a clear sentence, no crash."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from made_pictures import XMP, exif_block, gamma, gray_profile, pil_bytes, ramp, tiff_bytes
from tinct.errors import PictureError
from tinct.photo import PictureWarning, decode, decode_pillow, open_photo, page_count
from tinct.photo.jpeg_quality import read_jpeg
from tinct.photo.source import scaled


def _png_claiming(width: int, height: int) -> bytes:
    """Make a PNG whose header promises more than it holds."""
    data = bytearray(pil_bytes(Image.fromarray(ramp()), "PNG"))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@cache
def samples() -> dict[str, bytes]:
    """Make one small picture of each format, with metadata."""
    image = Image.fromarray(ramp(48, 64))
    carried = {
        "exif": b"Exif\0\0" + exif_block(orientation=6),
        "icc_profile": gray_profile(gamma(2.2)),
    }
    found = {
        "jpeg": pil_bytes(image, "JPEG", xmp=XMP, **carried),
        "progressive": pil_bytes(image.convert("RGB"), "JPEG", progressive=True),
        "png": pil_bytes(image, "PNG", **carried),
        "png16": pil_bytes(Image.fromarray(ramp(dtype=np.uint16)), "PNG"),
        "palette": pil_bytes(image.convert("P"), "PNG"),
        "webp": pil_bytes(image, "WEBP"),
        "lossless": pil_bytes(image, "WEBP", lossless=True),
        "tiff": tiff_bytes(
            ramp(48, 64), compression="zlib", predictor=True, iccprofile=gray_profile(gamma(2.2))
        ),
        "tiff16": tiff_bytes(ramp(dtype=np.uint16), byteorder=">"),
        "bigtiff": tiff_bytes(ramp(), bigtiff=True),
        "float": tiff_bytes(ramp().astype(np.float32)),
        "pages": tiff_bytes(np.stack([ramp(), ramp()]), photometric="minisblack"),
        "gif": pil_bytes(image, "GIF"),
        "bmp": pil_bytes(image, "BMP"),
        "jp2": pil_bytes(image, "JPEG2000"),
        "avif": pil_bytes(image, "AVIF"),
        "cmyk": pil_bytes(image.convert("CMYK"), "JPEG"),
    }
    try:
        import pillow_heif
    except ImportError:
        return found
    stream = io.BytesIO()
    pillow_heif.from_pillow(image.convert("RGB")).save(stream)
    return found | {"heic": stream.getvalue()}


def bad_files() -> dict[str, bytes]:
    """Make files that cannot be opened, each in its own way."""
    good = samples()
    jpeg, png, tiff = good["jpeg"], good["png"], good["tiff"]
    found = {
        "text": b"Dear picture,\n",
        "zeros": bytes(5000),
        "noise": np.random.default_rng(0).bytes(5000),
        "pdf": b"%PDF-1.7\n" + bytes(100),
        "photoshop": b"8BPS" + bytes(100),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "xml": b"<?xml version='1.0'?><svg/>",
        "zip": b"PK\x03\x04" + bytes(100),
        "jpeg xl": b"\xff\x0a" + bytes(100),
        "a JPEG of two bytes": jpeg[:2],
        "a JPEG of its signature": jpeg[:4],
        "a JPEG without pixels": jpeg[: jpeg.index(b"\xff\xda")],
        "a JPEG without tables": jpeg[:2] + jpeg[jpeg.index(b"\xff\xc0") :],
        "a PNG of its signature": png[:8],
        "a PNG that lies about its size": _png_claiming(3000, 3000),
        "a PNG without width": _png_claiming(0, 10),
        "a PNG that is too large": _png_claiming(60_000, 60_000),
        "a PNG of 2 gigapixels square": _png_claiming(2**31 - 1, 2**31 - 1),
        "a PNG with a wrong checksum": png[:20] + b"\x7f" + png[21:],
        "a TIFF of its header": tiff[:8],
        "a TIFF whose directory is elsewhere": tiff[:4] + b"\xff\xff\xff\x7f" + tiff[8:],
        "a TIFF in doubles": tiff_bytes(ramp().astype(np.float64)),
        "a TIFF of complex numbers": tiff_bytes(ramp().astype(np.complex64)),
        "an AVIF of its header": good["avif"][:40],
        "a WebP of its header": good["webp"][:16],
    }
    for kind in (
        "jpeg",
        "progressive",
        "png",
        "png16",
        "webp",
        "lossless",
        "tiff",
        "tiff16",
        "gif",
        "bmp",
        "avif",
        "jp2",
        "cmyk",
    ):
        data = good[kind]
        for share in (0.3, 0.6, 0.9):
            found[f"{kind} cut at {share}"] = data[: int(len(data) * share)]
    return found


@pytest.mark.filterwarnings("ignore:.*CMYK without a color profile")
@pytest.mark.parametrize("name", bad_files())
def test_bad_files_give_one_sentence(name: str, tmp_path: Path) -> None:
    data = bad_files()[name]
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    for source, start in ((path, str(path)), (data, "The picture")):
        with pytest.raises(PictureError) as raised:
            open_photo(source)
        text = str(raised.value)
        assert text.startswith(start)
        assert text.endswith(".")
        assert "\n" not in text
        assert len(text) < 400 + len(start)
        assert "; " in text or "(" in text  # the remedy, or the formats that are read


def test_missing_and_odd_sources(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    for source, words in (
        (tmp_path / "none.jpg", "does not exist; check the name"),
        (tmp_path, "is a folder"),
        (tmp_path / "empty.jpg", "is empty"),
        (b"", "is empty"),
        (io.BytesIO(), "is empty"),
        ("a\0b", "cannot be read"),
        ("x" * 5000, "cannot be read"),
    ):
        with pytest.raises(PictureError, match=words):
            open_photo(source)  # type: ignore[arg-type]
    with pytest.raises(PictureError, match="binary mode"):
        open_photo(io.StringIO("text"))  # type: ignore[arg-type]

    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(PictureError, match="input/output error"):
        open_photo(Broken())  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PictureError, match="not a regular file"):
        open_photo(tmp_path / "pipe")


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(samples()["jpeg"])

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PictureError, match="permission denied; check its permissions"):
        open_photo(path)


def test_the_limit_on_pixels() -> None:
    for kind, data in samples().items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PictureWarning)
            count = open_photo(data).pixels
            assert open_photo(data, max_pixels=count).pixels == count
            with pytest.raises(PictureError, match=rf"the {count - 1} allowed.*max_pixels of"):
                open_photo(data, max_pixels=count - 1)
        assert page_count(data) == (2 if kind == "pages" else 1)


def test_heic_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    head = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic"
    with pytest.raises(PictureError, match="install it, or save the picture as JPEG"):
        open_photo(head + bytes(100))


def test_the_terminal_stays_clean(tmp_path: Path) -> None:
    """Libraries below write warnings to the terminal unless told otherwise."""
    for index, data in enumerate([*bad_files().values(), *samples().values()]):
        (tmp_path / f"{index}.jpg").write_bytes(data)
    script = f"""
import pathlib, warnings
from tinct.errors import PictureError
from tinct.photo import open_photo
warnings.simplefilter("ignore")
for path in pathlib.Path({str(tmp_path)!r}).iterdir():
    try:
        open_photo(path)
    except PictureError:
        continue
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_is_light() -> None:
    heavy = "('pyvips', 'PIL', 'pillow_heif')"
    script = f"import sys, tinct.photo; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(sorted(samples())), data=st.data())
def test_mutated_files_are_pictures_or_errors(kind: str, data: st.DataObject) -> None:
    content = bytearray(samples()[kind])
    for _ in range(data.draw(st.integers(1, 8), label="changes")):
        place = data.draw(st.integers(0, min(len(content), 4000) - 1), label="place")
        content[place] = data.draw(st.integers(0, 255), label="value")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PictureWarning)
        try:
            picture = open_photo(bytes(content), max_pixels=1_000_000)
        except PictureError:
            return
    assert picture.gray.dtype in (np.uint8, np.uint16)
    assert picture.pixels > 0


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_jpeg_headers_of_noise(noise: bytes) -> None:
    tail = samples()["jpeg"]
    for data in (b"\xff\xd8" + noise, tail[:20] + noise + tail[20:]):
        quality, _ = read_jpeg(io.BytesIO(data))
        assert quality is None or 1 <= quality <= 100


def test_signatures() -> None:
    for kind in ("jpeg", "png", "webp", "tiff", "gif", "bmp", "jp2", "avif"):
        assert decode.sniff(samples()[kind][:64]) == kind
    assert decode.sniff(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic") == "heic"
    assert decode.sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf") == "avif"
    assert set(decode.LOADERS) & set(decode_pillow.PILLOW) == {"tiff"}


def test_signaling_nan_is_black() -> None:
    values = np.array([0x7FA00000, 0x3F800000], np.uint32).view(np.float32)  # NaN and 1
    np.testing.assert_array_equal(scaled(values, 0, 1), [0, 65535])
