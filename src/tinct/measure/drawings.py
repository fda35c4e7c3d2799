"""Make color pictures into subjects of a measurement of line-art models: the input is a drawing.

A folder is laid out as ``color/`` and ``sketch/``, where a drawing has its color picture's name
(the ending may differ), or holds color pictures alone. Where there is no drawing, one is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct import color
from tinct.errors import PictureError
from tinct.measure.dataset import (
    Dataset,
    Gray,
    Pair,
    gray_of,
    lightness_of,
    list_pictures,
    open_rgb,
    to_bytes,
)
from tinct.photo import SUFFIXES
from tinct.resample import bicubic, resample_rows

Draw = Callable[[NDArray[np.float32]], NDArray[np.float32]]

SKETCH = "sketch"
SAME_SHAPE = 0.1  # the largest relative difference of aspects at which a sketch is the picture's
TAKEN = "made gray by their L*, resized bicubically where their size is not the truth's"
DRAWN = (
    "made from the truth's L* by an extended difference of Gaussians (sigma 0.5, k 1.6, gamma "
    "0.975, eps -0.005, phi 60); what made them counts in the peak memory"
)
ROWS = (
    "Row gray: the drawing itself. Row mean color: the true mean a*, b* of the picture everywhere "
    "under the drawing's lightness, chroma lowered at constant L* where sRGB cannot show it."
)


def find_drawings(
    folder: str | os.PathLike[str], *, limit: int | None = None, draw: Callable[[], Draw]
) -> Dataset:
    """Return the pictures of a folder as subjects with a drawing for input.

    Args:
        folder: see above; its color pictures are found as by
            :func:`tinct.measure.dataset.list_pictures`.
        limit: return only so many, evenly spaced.
        draw: called where a drawing is missing; returns what makes L* (H, W) the L* of a drawing.

    Raises:
        UsageError: the folder holds no picture, or the limit is below 1.
        MissingExtraError: from ``draw``.
    """
    files = list_pictures(folder, limit=limit)
    sketches = _sketches(Path(folder)) if files[0].parent != Path(folder) else {}
    found = sum(path.stem in sketches for path in files)
    artist = draw() if found < len(files) else None
    given = (
        "The input is a drawing, 8 bit, dark on white; the output is 8 bit, at the truth's size."
    )
    if found:
        given += f" {found} of {len(files)} drawings are those in {SKETCH}/: {TAKEN}."
    if artist is not None:
        given += f" {len(files) - found} of {len(files)} drawings are {DRAWN}."
    note = f"{found} of {len(files)} inputs are drawings from {SKETCH}/"
    note += "." if artist is None else ", the others were drawn from the true pictures."
    return Dataset(
        files=tuple(files),
        open=lambda path: open_drawing(path, sketch=sketches.get(path.stem), draw=artist),
        given=given,
        rows=ROWS,
        notes=(note,),
    )


def _sketches(root: Path) -> Mapping[str, Path]:
    """Return the drawings beside a folder's color pictures by their names without ending."""
    folder = root / SKETCH
    if not folder.is_dir():
        return {}
    files = sorted(folder.iterdir(), reverse=True)
    return {path.stem: path for path in files if path.suffix.lower() in SUFFIXES}


def open_drawing(path: Path, *, sketch: Path | None, draw: Draw | None) -> Pair:
    """Open a color picture and its drawing.

    Args:
        path: the color picture.
        sketch: its drawing; None where there is none.
        draw: makes L* (H, W) the L* of a drawing; needed without ``sketch``.

    Raises:
        PictureError: one of them cannot be read, they differ in shape, or the picture is too small
            to be drawn.
    """
    truth = open_rgb(path)
    height, width = truth.shape[:2]
    if sketch is not None:
        return Pair(path.name, path, truth, _resized(gray_of(open_rgb(sketch)), sketch, truth))
    assert draw is not None
    if min(height, width) < 2:
        raise PictureError(f"{path.name} is too small to be drawn; remove it or give its sketch.")
    drawn = draw(lightness_of(truth))
    return Pair(path.name, path, truth, to_bytes(color.lightness_to_gray(drawn)))


def _resized(drawing: Gray, sketch: Path, truth: NDArray[Any]) -> Gray:
    """Return a drawing at the size of the truth."""
    (height, width), (rows, columns) = truth.shape[:2], drawing.shape
    if (rows, columns) == (height, width):
        return drawing
    if abs(columns * height / (rows * width) - 1) > SAME_SHAPE:
        raise PictureError(
            f"{SKETCH}/{sketch.name} is {columns} x {rows} pixels, its color picture "
            f"{width} x {height}: they show different parts; cut them alike."
        )
    tall = resample_rows(drawing, bicubic(height, rows))
    return to_bytes(resample_rows(tall.T, bicubic(width, columns)).T / np.float32(255))
