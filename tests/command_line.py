"""What the tests of the command line share."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiny_models import A, B

LIGHTNESS = 80
PROPOSED = (A[0] * LIGHTNESS + A[1], B[0] * LIGHTNESS + B[1])  # a*, b* of the model "tiny"

Captured = pytest.CaptureFixture[str]


def tinct_process(*words: str | Path, **more: object) -> subprocess.CompletedProcess[bytes]:
    """Run ``python -m tinct`` as a process of its own."""
    command = [sys.executable, "-m", "tinct", *map(str, words)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, **more)  # type: ignore[call-overload,no-any-return]


def chroma_of(path: Path | io.BytesIO) -> np.ndarray:
    """Return the mean a*, b* of a picture by scikit-image."""
    from skimage.color import rgb2lab

    with Image.open(path) as image:
        return rgb2lab(np.asarray(image.convert("RGB")))[4:-4, 16:-16, 1:].mean((0, 1))
