"""Find out what works on this computer: versions, devices, formats, models, optional parts.

Examining never fails: what does not work becomes a line of the report, and a problem when pictures
cannot be colored because of it.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import Any

from tinct import __version__

BASE = (
    "fastapi", "msgspec", "numpy", "onnxruntime", "pillow", "pyvips", "pyvips-binary", "rich",
    "uvicorn",
)  # fmt: skip
EXTRAS = {
    "heic": ("pillow_heif",),
    "formats": ("imagecodecs", "pillow_heif", "tifffile"),
    "watch": ("watchfiles",),
    "ray": ("ray",),
    "video": ("av", "cv2"),
    "train": (
        *("torch", "torchvision", "timm", "lightning_fabric", "onnx", "safetensors", "tensorboard"),
        "matplotlib",
    ),
}


@dataclass
class Diagnosis:
    """Everything that was found, in plain values."""

    tinct: str = __version__
    python: str = platform.python_version()
    system: str = ""
    cores: int = 1
    versions: dict[str, str | None] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)
    providers: list[str] = field(default_factory=list)
    formats: list[dict[str, Any]] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    extras: dict[str, list[str]] = field(default_factory=dict)  # extra -> what is missing of it
    trial: str = ""
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the report as lines for people."""
        rows = [
            ("tinct", self.tinct),
            ("Python", f"{self.python} on {self.system}"),
            ("cores", str(self.cores)),
            *((name, version or "missing") for name, version in self.versions.items()),
            ("devices", f"{', '.join(self.devices) or 'none'}  ({', '.join(self.providers)})"),
            ("reads", ", ".join(row["name"] for row in self.formats if row["reads"]) or "nothing"),
            (
                "writes",
                ", ".join(row["name"] for row in self.formats if row["writes"]) or "nothing",
            ),
            *(("model", f"{row['name']}: {row['state']}, {row['path']}") for row in self.models),
            *(
                (f"[{name}]", f"missing: {', '.join(missing)}" if missing else "installed")
                for name, missing in self.extras.items()
            ),
            ("trial", self.trial),
        ]
        text = [f"{name:<14} {value}" for name, value in rows if value]
        return [*text, "", *(self.problems or ["Everything needed to color pictures works."])]


def examine() -> Diagnosis:
    """Return what works here; never raises.

    Returns:
        A report whose ``problems`` is empty when pictures can be colored.
    """
    report = Diagnosis(system=f"{platform.system()} {platform.machine()}", cores=_cores())
    for name in BASE:
        try:
            report.versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            report.versions[name] = None
    report.extras = {
        name: [part for part in parts if find_spec(part) is None] for name, parts in EXTRAS.items()
    }
    with _finding(report, "no device can run models"):
        from tinct import engine

        report.devices = ["auto", *engine.devices()]
        report.providers = engine.providers()
    with _finding(report, "no picture can be read or written"):
        from tinct import libvips, photo

        report.versions["libvips"] = libvips.version()
        report.formats = [asdict(kind) for kind in photo.formats()]
    with _finding(report, "the models cannot be listed"):
        _examine_models(report)
    if not report.problems:
        with _finding(report, "a test picture cannot be colored"):
            _try_out(report)
    return report


@contextmanager
def _finding(report: Diagnosis, what: str) -> Iterator[None]:
    """Turn any failure inside into a problem of ``report``."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - finding out what fails is this room's task
        report.problems.append(f"Problem: {what}: {error}")


def _cores() -> int:
    """Return how many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _examine_models(report: Diagnosis) -> None:
    """List the models and check their files."""
    from tinct.bundle import survey, verify
    from tinct.errors import ModelError

    bundles, broken = survey()
    for bundle in bundles:
        state = "intact"
        try:
            verify(bundle)
        except ModelError as error:
            state = f"damaged: {error}"
        report.models.append({"name": bundle.name, "path": str(bundle.path), "state": state})
    for bad in broken:
        report.models.append(
            {"name": bad.name, "path": str(bad.path), "state": f"broken: {bad.error}"}
        )


def _try_out(report: Diagnosis) -> None:
    """Color a small gray ramp with the default model."""
    import numpy as np

    from tinct.router import colorize

    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    began = time.perf_counter()
    colored = colorize(ramp)
    assert colored.shape == (48, 64, 3)
    report.trial = f"colored a 64 x 48 test picture in {time.perf_counter() - began:.1f} s"
