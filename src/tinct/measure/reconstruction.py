"""Measure networks that give back the color picture they are given.

Such a network is no colorizer: it sees the truth. It is measured at its own working size, where
nothing but the network is between the picture and its copy, so that its error is that of its
latent space.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinct import color
from tinct.bundle import Bundle
from tinct.coloring.chroma import working_shape
from tinct.engine import Engine
from tinct.measure import dataset, metrics
from tinct.measure.results import figures_of


@dataclass(frozen=True)
class Reconstruction:
    """What was found for one network.

    Attributes:
        label: its name.
        latent: numbers in each cell of its latent space; None if it has none.
        ciede2000: to the picture at working size, mean over pictures.
        psnr_mean: dB, in sRGB.
        psnr_median: dB, in sRGB.
        ssim: mean over pictures and channels.
        parameters: numbers that were learned.
        megabytes: size of the network's file.
        ms: the network alone.
        seen: pictures seen in training, or None.
        n: how many pictures were measured.
        folder: the folder's name.
    """

    label: str
    latent: int | None
    ciede2000: float
    psnr_mean: float
    psnr_median: float
    ssim: float
    parameters: int
    megabytes: float
    ms: float
    seen: int | None
    n: int
    folder: str

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return asdict(self)


def measure(
    bundle: Bundle, folder: str, *, label: str, latent: int | None, limit: int | None, ms: float
) -> Reconstruction:
    """Measure a bundle that gives back its hints.

    Args:
        bundle: trained with ``data.hints = "truth"``.
        folder: true pictures.
        label: for people.
        latent: numbers in each cell of its latent space.
        limit: measure only so many pictures, evenly spread.
        ms: what is known of its speed.

    Raises:
        UsageError: the folder holds no picture.
        PictureError: one of them cannot be read.
    """
    engine = Engine(bundle)
    files = dataset.list_pictures(folder, limit=limit)
    found = []
    for path in files:
        truth = shrink(bundle, dataset.open_rgb(path))
        found.append(figures_of(metrics.compare(give_back(engine, truth), truth)))
    of = {key: [figures[key] for figures in found] for key in found[0]}
    return Reconstruction(
        label=label,
        latent=latent,
        ciede2000=math.fsum(of["ciede2000"]) / len(found),
        psnr_mean=math.fsum(of["psnr"]) / len(found),
        psnr_median=statistics.median(of["psnr"]),
        ssim=math.fsum(of["ssim"]) / len(found),
        parameters=bundle.manifest.parameters,
        megabytes=bundle.model_path.stat().st_size / 1e6,
        ms=ms,
        seen=bundle.manifest.recipe.get("seen"),
        n=len(found),
        folder=Path(folder).resolve().name,
    )


def shrink(bundle: Bundle, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture at the working size of a bundle, its sides multiples of what it takes."""
    held = bundle.manifest
    size = held.sizes["balanced"]
    shape = working_shape(
        *rgb.shape[:2],
        size=size,
        multiple_of=held.multiple_of,
        max_long=max(held.max_long, size),
        edge="resize",
    )
    image = Image.fromarray(np.ascontiguousarray(rgb))
    return np.asarray(image.resize((shape.width, shape.height), Image.Resampling.BICUBIC))


def give_back(engine: Engine, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what a network makes of a color picture, uint8 (H, W, 3), at the same size."""
    lab = color.rgb_to_lab(rgb / 255.0).transpose(2, 0, 1)[None].astype(np.float32)
    hint = np.concatenate([lab, np.ones_like(lab[:, :1])], axis=1)
    made = engine.run(np.ascontiguousarray(lab[:, :1]), hint).lab
    assert made is not None, "a network that gives back color predicts lab"
    shown = color.lab_to_rgb(color.fit_gamut(made[0].transpose(1, 2, 0).astype(np.float64)))
    return np.asarray(np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8))
