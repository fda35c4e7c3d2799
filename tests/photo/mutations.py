"""Damaged picture files, made from sound ones: the same seed makes the same file anywhere.

``python -m tests.photo.mutations FIRST LAST`` opens the cases of a range in this process, with
limits on time and memory, and prints each that does anything but open or raise PictureError.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import signal
import struct
import sys
import tempfile
import warnings
import zlib
from functools import cache
from pathlib import Path
from types import FrameType

import numpy as np
from PIL import Image

from tinct.errors import PictureError
from tinct.photo import open_color, open_photo, save_photo

SECONDS = 10
BYTES = 3 << 30  # of address space, beyond what the libraries map before anything is read
PIXELS = 4_000_000
EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@cache
def sound() -> dict[str, bytes]:
    """Small sound files of every kind that is read."""
    import imagecodecs
    import pillow_heif
    import tifffile

    ramp = (np.add.outer(np.arange(48) * 3, np.arange(64) * 2) % 256).astype(np.uint8)
    rgb = np.dstack([ramp, ramp[::-1], ramp[:, ::-1]])
    gray, color = Image.fromarray(ramp), Image.fromarray(rgb)
    tags = Image.Exif()
    tags[271], tags[274] = "Zeiss", 6

    def pil(image: Image.Image, kind: str, **more: object) -> bytes:
        held = io.BytesIO()
        image.save(held, kind, **more)
        return held.getvalue()

    def tif(array: np.ndarray, **more: object) -> bytes:
        held = io.BytesIO()
        tifffile.imwrite(held, array, **more)
        return held.getvalue()

    heic = io.BytesIO()
    pillow_heif.from_pillow(color).save(heic)
    wide = ramp.astype(np.uint16) * 257
    psd = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 48, 64, 8, 3) + b"\0" * 14
    return {
        "jpeg": pil(gray, "JPEG", exif=tags),
        "progressive": pil(color, "JPEG", progressive=True, exif=tags),
        "cmyk": pil(color.convert("CMYK"), "JPEG"),
        "jpeg12": imagecodecs.jpeg8_encode(wide >> 4, bitspersample=12),
        "mpo": pil(color, "MPO", save_all=True, append_images=[color]),
        "png": pil(color, "PNG", exif=tags),
        "png16": pil(Image.fromarray(wide), "PNG"),
        "palette": pil(color.convert("P"), "PNG", transparency=3),
        "webp": pil(color, "WEBP", exif=tags),
        "lossless": pil(color, "WEBP", lossless=True),
        "gif": pil(gray, "GIF", save_all=True, append_images=[gray.rotate(90)]),
        "bmp": pil(color, "BMP"),
        "jp2": pil(color, "JPEG2000"),
        "avif": pil(color, "AVIF"),
        "heic": heic.getvalue(),
        "jxl": imagecodecs.jpegxl_encode(rgb),
        "jxl boxes": imagecodecs.jpegxl_encode(wide, lossless=True),
        "psd": psd + np.moveaxis(rgb, -1, 0).tobytes(),
        "tga": pil(color, "TGA", compression="tga_rle"),
        "ico": pil(color, "ICO", sizes=[(32, 24)]),
        "tiff": pil(gray, "TIFF", exif=tags),
        "lzw": pil(color, "TIFF", compression="tiff_lzw"),
        "g4": pil(gray.convert("1"), "TIFF", compression="group4"),
        "pages": pil(gray, "TIFF", save_all=True, append_images=[gray, gray]),
        "tiled": tif(rgb, photometric="rgb", tile=(16, 16)),
        "bigtiff": tif(wide, bigtiff=True, byteorder=">"),
        "floats": tif(ramp.astype(np.float32)),
        "planes": tif(np.moveaxis(rgb, -1, 0), planarconfig="separate", tile=(16, 16)),
        "lzma": tif(rgb, photometric="rgb", compression="lzma"),
    }


def case(number: int) -> tuple[str, bytes]:
    """Return the name and content of a damaged file."""
    kinds = list(sound())
    kind = kinds[number % len(kinds)]
    rng = np.random.default_rng(number)
    data = bytearray(sound()[kind])
    for _ in range(int(rng.integers(1, 4))):
        data = _damaged(data, rng)
    if kind.startswith("p") and data.startswith(b"\x89PNG") and rng.random() < 0.8:
        data = _with_checksums(data)
    return f"{kind} {number}", bytes(data)


def _damaged(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Damage a file in one way: half of them in its head, where the structure is."""
    if len(data) < 20:
        return data
    end = len(data) if rng.random() < 0.5 else min(len(data), 400)
    place = int(rng.integers(0, end - 8))
    how = int(rng.integers(0, 8))
    if how == 0:  # cut short
        return data[: int(rng.integers(1, len(data)))]
    if how == 1:  # bits flipped
        for spot in rng.integers(0, end, int(rng.integers(1, 12))):
            data[spot] ^= 1 << int(rng.integers(0, 8))
    elif how == 2:  # a length, an offset or a dimension that lies
        size = (1, 2, 4)[int(rng.integers(0, 3))]
        value = EXTREMES[int(rng.integers(0, len(EXTREMES)))] & (256**size - 1)
        order = "big" if rng.random() < 0.5 else "little"
        data[place : place + size] = value.to_bytes(size, order)
    elif how == 3:  # a part taken out
        del data[place : place + int(rng.integers(1, 40))]
    elif how == 4:  # a part twice
        data[place:place] = data[place : place + int(rng.integers(1, 80))]
    elif how == 5:  # noise
        length = int(rng.integers(1, 60))
        data[place : place + length] = rng.bytes(length)
    elif how == 6:  # the head of one kind before the body of another
        others = list(sound().values())
        head = others[int(rng.integers(0, len(others)))]
        cut = int(rng.integers(4, 200))
        data[:cut] = head[:cut]
    else:  # an entry of a directory: pointers, counts, types
        order = "<" if data[:2] == b"II" else ">"
        spot = place // 2 * 2
        data[spot : spot + 4] = struct.pack(order + "I", int(rng.integers(0, len(data) + 50)))
    return data


def _with_checksums(data: bytearray) -> bytearray:
    """Mend the checksums of a PNG, so that what is damaged is reached."""
    place = 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        end = place + 8 + length
        if end + 4 > len(data):
            break
        data[end : end + 4] = zlib.crc32(data[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return data


def attempt(name: str, data: bytes, folder: Path) -> str | None:
    """Open a file in every way there is, and save it; return what went wrong, or None."""

    def late(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"took longer than {SECONDS} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        try:
            opened = open_photo(data, max_pixels=PIXELS)
        except PictureError as error:
            text = str(error)
            if "\n" in text or not text.endswith("."):
                return f"no one sentence: {text!r}"
        else:
            if name.endswith("0"):
                rgb = np.repeat(opened.gray[..., None], 3, axis=2)
                save_photo(rgb, opened, folder / "x.png", overwrite=True)
                if open_photo(folder / "x.png").gray.shape != opened.gray.shape:
                    return "saved at another size"
        with contextlib.suppress(PictureError):
            open_color(data, max_pixels=PIXELS)
        left = sorted(path.name for path in folder.iterdir() if path.name != "x.png")
        return f"left {left}" if left else None
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)


def say(line: str) -> None:
    """Print a line at once: the process may die with the next case."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(first: int, last: int) -> None:
    """Try the cases ``first`` to ``last - 1``; print a line of JSON for each that goes wrong."""
    warnings.simplefilter("ignore")
    sound()
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + BYTES, mapped + BYTES))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            name, data = case(number)
            say(json.dumps({"begun": name}))
            wrong = attempt(name, data, Path(folder))
            if wrong is not None:
                say(json.dumps({"case": name, "wrong": wrong}))
    say(json.dumps({"done": last - first}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
