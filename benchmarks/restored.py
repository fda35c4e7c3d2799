"""Color gray JPEGs of many encoders, and see whether each comes back byte for byte.

``python -m benchmarks.restored FOLDER [--model photo] [--limit N]`` takes the JPEGs of a folder and
those below it: gray ones as they are, of others a gray one is made by each encoder in turn. It
colors them, takes the gray back, and compares bytes, and the pixels that Pillow reads as gray. Also
used where installed: OpenCV, mozjpeg-lossless-optimization, jpeglib (several libjpegs).
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.kept import luma_of
from tinct import Colorizer
from tinct.errors import PictureError
from tinct.photo import restore_gray

Encode = Callable[[Image.Image], bytes]


def by_pillow(**options: Any) -> Encode:
    """Return an encoder of Pillow, which is libjpeg-turbo."""

    def encode(gray: Image.Image) -> bytes:
        held = io.BytesIO()
        gray.save(held, "jpeg", **options)
        return held.getvalue()

    return encode


def encoders() -> dict[str, Encode]:
    """Return what is installed, by name."""
    found = {
        "Pillow": by_pillow(quality=88),
        "Pillow, progressive": by_pillow(quality=75, progressive=True),
        "Pillow, optimized": by_pillow(quality=95, optimize=True),
        "Pillow, restart markers": by_pillow(quality=60, restart_marker_blocks=7),
        "Pillow, coarse": by_pillow(quality=10),
        "Pillow, EXIF turned": by_pillow(quality=85, exif=_turned()),
    }
    with suppress(ImportError):
        import cv2

        flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 3]
        found["OpenCV"] = lambda gray: cv2.imencode(".jpg", np.asarray(gray), flags)[1].tobytes()
    with suppress(ImportError):
        import mozjpeg_lossless_optimization as mozjpeg

        found["mozjpeg"] = lambda gray: mozjpeg.optimize(found["Pillow"](gray))
    with suppress(ImportError):
        import jpeglib

        for version in ("6b", "7", "8d", "9e", "turbo210", "mozjpeg403"):
            found[f"libjpeg {version}"] = _by_jpeglib(jpeglib, version)
    return found


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _by_jpeglib(jpeglib: Any, version: str) -> Encode:
    def encode(gray: Image.Image) -> bytes:
        with TemporaryDirectory() as folder, jpeglib.version(version):
            path = Path(folder) / "gray.jpg"
            pixels = np.ascontiguousarray(np.asarray(gray)[..., None])
            space = jpeglib.Colorspace.JCS_GRAYSCALE
            jpeglib.from_spatial(pixels, in_color_space=space).write_spatial(str(path), qt=85)
            return path.read_bytes()

    return encode


def sources(folder: Path, *, limit: int | None) -> Iterator[tuple[str, bytes]]:
    """Yield gray JPEGs, each with the name of what made it."""
    made = list(encoders().items())
    paths = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in (".jpg", ".jpeg")]
    for number, path in enumerate(paths[:limit]):
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            if image.mode == "L":
                yield "as found", data
                continue
            name, encode = made[number % len(made)]
            yield name, encode(image.convert("L"))


def outcome(colorizer: Colorizer, source: bytes) -> str:
    """Return what became of one gray JPEG: ``restored`` if all is well."""
    colored = colorizer(source)
    try:
        if restore_gray(colored) != source:
            return "other bytes"
    except PictureError:
        return "not restored"
    if not np.array_equal(luma_of(colored), luma_of(source)):
        return "other gray"
    return "restored"


def main(words: list[str] | None = None) -> int:
    """Run the command; it fails if any picture does not come back."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restored", description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--limit", type=int)
    given = parser.parse_args(words)
    colorizer = Colorizer(given.model)
    told: Counter[tuple[str, str]] = Counter()
    for name, source in sources(given.folder, limit=given.limit):
        told[name, outcome(colorizer, source)] += 1
    rows = [{"made by": name, "became": what, "pictures": n} for (name, what), n in told.items()]
    print(json.dumps(sorted(rows, key=lambda row: str(row["made by"])), indent=1))
    return 0 if {what for _, what in told} == {"restored"} else 1


if __name__ == "__main__":
    sys.exit(main())
