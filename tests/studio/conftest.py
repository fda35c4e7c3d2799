"""A real server with the real model, and Debian's Chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CAT = Path(__file__).parents[2] / "examples" / "pictures" / "cat.jpg"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of ``tinct serve``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tinct", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    yield address
    process.terminate()
    assert process.wait(timeout=40) in (0, -15, 130)
    process.stdout.close()


@pytest.fixture(scope="session")
def cat() -> Path:
    """A gray JPEG of a cat."""
    return CAT
