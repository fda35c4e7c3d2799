"""Count how often photographs and line drawings are told apart.

``python -m benchmarks.classify --photos FOLDER --drawings FOLDER --drawn FOLDER [--worse]`` prints
a line of JSON for each folder. The pictures in ``--drawn`` are in color and become drawings (XDoG).
``--worse`` puts everything through what scans and age do: paper tone, pale ink, uneven light,
noise, margins, other sizes, JPEG; the same picture is always treated in the same way.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tinct import color
from tinct.drawing.classify import tell_kind
from tinct.measure.dataset import gray_of, list_pictures, open_rgb
from tinct.train.data.lineart import standard

Gray = NDArray[np.uint8]


def main() -> int:
    """Count for every folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classify", description=__doc__)
    for name in ("photos", "drawings", "drawn"):
        parser.add_argument(f"--{name}", action="append", default=[], metavar="FOLDER")
    parser.add_argument("--worse", action="store_true")
    parser.add_argument("--limit", type=int, help="only so many of each folder, evenly spaced")
    given = parser.parse_args()
    for role, folders in ((r, getattr(given, r)) for r in ("photos", "drawings", "drawn")):
        for folder in folders:
            wrong = []
            files = list_pictures(folder, limit=given.limit)
            for path in files:
                gray = np.asarray(gray_of(open_rgb(path)))
                if role == "drawn":
                    gray = draw(gray)
                if given.worse:
                    rng = np.random.default_rng(zlib.crc32(path.name.encode()))
                    gray = age(gray, rng) if role == "photos" else scan(gray, rng)
                if (tell_kind(gray).kind == "photo") != (role == "photos"):
                    wrong.append(path.name)
            share = round(1 - len(wrong) / len(files), 4)
            print(
                json.dumps(
                    {
                        "folder": str(Path(folder)),
                        "as": role,
                        "pictures": len(files),
                        "right": share,
                        "wrong": wrong[:20],
                    }
                )
            )
            sys.stdout.flush()
    return 0


def draw(gray: Gray) -> Gray:
    """Draw a picture as the training does."""
    lightness = color.gray_to_lightness(gray / np.float32(255)).astype(np.float32)
    drawn = standard(torch.from_numpy(lightness)[None, None])[0, 0].numpy()
    codes: Gray = np.rint(color.lightness_to_gray(drawn) * 255).clip(0, 255).astype(np.uint8)
    return codes


def scan(gray: Gray, rng: np.random.Generator) -> Gray:
    """Make a drawing look like a scan or a photograph of it."""
    plane = _sized(gray, rng, largest=3.5)
    if rng.random() < 0.4:
        plane = np.pad(plane, _margins(plane, rng, most=0.6), constant_values=1)
    paper = rng.uniform(0.6, 1)
    ink = rng.uniform(0, 0.6) * paper if rng.random() < 0.5 else rng.uniform(0, 0.2)
    plane = ink + (paper - ink) * plane ** rng.uniform(0.6, 1.5)
    if rng.random() < 0.5:
        plane = plane * (1 + rng.uniform(0, 0.06) * _clouds(rng, plane.shape, 3))
    if rng.random() < 0.4:
        rows = max(8, plane.shape[0] // 16)
        plane = plane + rng.uniform(0, 0.02) * _clouds(rng, plane.shape, rows)
    return _noisy(plane, rng)


def age(gray: Gray, rng: np.random.Generator) -> Gray:
    """Make a photograph look like an old or a bad one."""
    plane = _sized(gray, rng, largest=2.5)
    if rng.random() < 0.5:
        low, high = rng.uniform(0, 0.4), rng.uniform(0.65, 1)
        plane = low + (high - low) * plane
    if rng.random() < 0.3:
        plane = np.clip(plane * rng.uniform(1, 1.6), 0, 1)
    if rng.random() < 0.4:
        edge = rng.uniform(0.8, 1)
        plane = np.pad(plane, _margins(plane, rng, most=0.15), constant_values=edge)
    return _noisy(plane, rng)


def _sized(gray: Gray, rng: np.random.Generator, *, largest: float) -> NDArray[Any]:
    scale = rng.uniform(0.7, largest) if rng.random() < 0.6 else 1.0
    image = Image.fromarray(gray)
    size = max(32, round(image.width * scale)), max(32, round(image.height * scale))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC)) / np.float32(255)


def _margins(
    plane: NDArray[Any], rng: np.random.Generator, *, most: float
) -> list[tuple[int, int]]:
    return [(round(rng.uniform(0, most) * n), round(rng.uniform(0, most) * n)) for n in plane.shape]


def _clouds(rng: np.random.Generator, shape: tuple[int, ...], coarse: int) -> NDArray[Any]:
    field = Image.fromarray(rng.normal(size=(coarse, coarse)).astype(np.float32))
    return np.asarray(field.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def _noisy(plane: NDArray[Any], rng: np.random.Generator) -> Gray:
    if rng.random() < 0.6:
        plane = plane + rng.uniform(0, 0.04) * rng.normal(size=plane.shape)
    codes = np.rint(plane.clip(0, 1) * 255).astype(np.uint8)
    held = io.BytesIO()
    Image.fromarray(codes).save(held, "JPEG", quality=int(rng.uniform(50, 96)))
    return np.asarray(Image.open(held))


if __name__ == "__main__":
    raise SystemExit(main())
