"""Measure what it costs to leave a JPEG's gray as it is.

``python -m benchmarks.kept FOLDER [--model photo] [--limit N]`` makes gray JPEGs of color pictures
(their luma Y' [1], quality 90), colors each with its L* kept and with its luma kept, and tells, as
other programs decode the results: how far L* is from the gray's, the CIEDE2000 to the truth, and
whether the gray that Pillow reads out of the colored file is the gray file's.

References:
    [1] Recommendation ITU-R BT.601-7, 2011.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinct import Colorizer
from tinct.color import rgb_to_lab
from tinct.measure import metrics
from tinct.measure.dataset import list_pictures, open_pair

QUALITY = 90
WAYS = ("lightness", "luma")


def gray_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Return a gray JPEG of a color picture."""
    held = io.BytesIO()
    Image.fromarray(rgb).convert("L").save(held, "jpeg", quality=QUALITY)
    return held.getvalue()


def luma_of(data: bytes) -> NDArray[np.uint8]:
    """Return the gray that Pillow reads out of a JPEG, gray or in color."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft("L", image.size)
        return np.asarray(image)


def measure(colorizer: Colorizer, rgb: NDArray[np.uint8]) -> dict[str, dict[str, float]]:
    """Return the figures of one picture, by what is kept.

    Args:
        colorizer: with a model for photographs.
        rgb: uint8 (H, W, 3), the truth.
    """
    source = gray_jpeg(rgb)
    gray, truth = luma_of(source), rgb_to_lab(rgb / 255.0)
    seen = rgb_to_lab(np.repeat(gray[..., None], 3, axis=2) / 255.0)[..., 0]
    told = {}
    for way in WAYS:
        data = colorizer(source, keep=way)
        with Image.open(io.BytesIO(data)) as image:
            lab = rgb_to_lab(np.asarray(image.convert("RGB")) / 255.0)
        shift = np.abs(lab[..., 0] - seen)
        told[way] = {
            "shift_mean": float(shift.mean()),
            "shift_p99": float(np.quantile(shift, 0.99)),
            "ciede2000": float(metrics.ciede2000(lab, truth).mean()),
            "chroma": float(np.hypot(lab[..., 1], lab[..., 2]).mean()),
            "gray_untouched": float(np.array_equal(luma_of(data), gray)),
        }
    return told


def main(words: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kept", description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--limit", type=int)
    given = parser.parse_args(words)
    colorizer = Colorizer(given.model)
    rows = []
    for path in list_pictures(given.folder, limit=given.limit):
        rows.append(measure(colorizer, open_pair(path).truth))
        print(f"\r{len(rows)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    means = {
        way: {name: float(np.mean([row[way][name] for row in rows])) for name in rows[0][way]}
        for way in WAYS
    }
    print(json.dumps({"model": given.model, "pictures": len(rows), **means}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
