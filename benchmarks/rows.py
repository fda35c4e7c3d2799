"""What is measured: one function for each row, each with its floor and its goal."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import pictures
from benchmarks.clock import Runs, alternate, peak_memory, run

MB = 1 << 20


@dataclass(frozen=True)
class Setting:
    """What the rows are given.

    Attributes:
        model: name or path of the bundle.
        folder: an empty folder for pictures.
        repeats: how often each side runs.
        scale: share of the pixels of every picture; below 1 only to try the benchmarks out.
    """

    model: str
    folder: Path
    repeats: int
    scale: float = 1.0

    def photograph(self, megapixels: float) -> Path:
        """Return a gray JPEG of that size, made once."""
        path = self.folder / f"gray-{megapixels:g}.jpg"
        if not path.exists():
            pictures.write_photograph(path, megapixels=megapixels * self.scale)
        return path


@dataclass(frozen=True)
class Row:
    """One line of the result.

    Attributes:
        name: short, stable.
        what: what was measured.
        unit: of the figures: s, ms or MB.
        ours: figures of tinct.
        floor: what it is measured against, in words, or None.
        against: figures of the floor, or None.
        goal: the most that ``goal_of`` may be, or None where there is no goal.
        goal_of: ``ratio`` (ours over the floor, medians) or ``ours``.
        note: other figures for scale, and what to know.
    """

    name: str
    what: str
    unit: str
    ours: Runs
    floor: str | None
    against: Runs | None
    goal: float | None
    goal_of: str
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Median of ours over median of the floor."""
        return None if self.against is None else self.ours.median / self.against.median

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is no goal."""
        if self.goal is None:
            return None
        value = self.ratio if self.goal_of == "ratio" else self.ours.median
        return value is not None and value <= self.goal

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain values."""
        return {
            "name": self.name,
            "what": self.what,
            "unit": self.unit,
            "ours": {"median": self.ours.median, "runs": list(self.ours.runs)},
            "floor": self.floor,
            "floor_runs": None
            if self.against is None
            else {"median": self.against.median, "runs": list(self.against.runs)},
            "ratio": self.ratio,
            "goal": None if self.goal is None else {"of": self.goal_of, "at_most": self.goal},
            "met": self.met,
            "note": self.note,
        }


def photo_12mp(setting: Setting) -> list[Row]:
    """Measure a 12-megapixel gray JPEG to a color JPEG in a warm process, against Pillow."""
    return [_against_pillow(setting, 12, keep="auto", goal=1.0), _exact_lightness(setting)]


def photo_100mp(setting: Setting) -> list[Row]:
    """Measure a 100-megapixel gray JPEG likewise."""
    return [_against_pillow(setting, 100, keep="auto", goal=0.7)]


def _exact_lightness(setting: Setting) -> Row:
    return _against_pillow(setting, 12, keep="lightness", goal=None)


def _against_pillow(setting: Setting, megapixels: int, *, keep: str, goal: float | None) -> Row:
    """Measure one size and way, warm, against Pillow opening and saving the colored picture."""
    from PIL import Image

    from tinct import Colorizer
    from tinct.jobs.batch import Outputs, color_all
    from tinct.jobs.paths import Job
    from tinct.settings import Settings

    source = setting.photograph(megapixels)
    target = setting.folder / "colored.jpg"
    plain = setting.folder / "plain.jpg"
    copy = setting.folder / "copy.jpg"
    colorizer = Colorizer(setting.model)

    def ours() -> None:
        (result,) = color_all(
            [Job(source, target)],
            colorizer=colorizer,
            settings=Settings(keep=keep),
            outputs=Outputs(overwrite=True),
        )
        if result.error is not None:
            raise result.error

    def floor() -> None:
        with Image.open(plain) as image:
            image.save(copy, quality=pictures.QUALITY)

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        ours()
        with Image.open(target) as image:  # as any program stores it: one scan
            image.save(plain, quality=pictures.QUALITY)
        timed, against = alternate(ours, floor, repeats=setting.repeats)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    exact = keep == "lightness"
    return Row(
        name=f"photo_{megapixels}mp" + ("_lightness" if exact else ""),
        what=f"{megapixels}-megapixel gray JPEG to color JPEG, "
        + ("every pixel's L* kept" if exact else "its gray copied")
        + ", end to end, warm process",
        unit="s",
        ours=timed,
        floor="Pillow opening the color picture and saving it with the same quality",
        against=against,
        goal=goal,
        goal_of="ratio",
    )


def network(setting: Setting) -> list[Row]:
    """Measure the network alone at its working size for a 4:3 picture."""
    import numpy as np

    from tinct.bundle import find_bundle
    from tinct.coloring.chroma import working_shape
    from tinct.engine import Engine

    bundle = find_bundle(setting.model)
    held = bundle.manifest
    engine = Engine(bundle)
    rows = []
    for quality, size in held.sizes.items():
        shape = working_shape(
            3000, 4000, size=size, multiple_of=held.multiple_of, max_long=held.max_long
        )
        height, width = shape.height + shape.bottom, shape.width + shape.right
        lightness = np.linspace(0, 100, height * width, dtype=np.float32).reshape(
            1, 1, height, width
        )

        def work(lightness: np.ndarray = lightness) -> object:
            return engine.run(lightness)

        timed, _ = alternate(work, None, repeats=max(setting.repeats, 5))
        rows.append(
            Row(
                name=f"network_{quality}",
                what=f"the network alone, {quality}: {width} x {height}",
                unit="ms",
                ours=Runs(tuple(seconds * 1000 for seconds in timed.runs)),
                floor=None,
                against=None,
                goal=60 if quality == "balanced" else None,
                goal_of="ours",
                note="Not measured here, for scale, their own code on 2 cores: DDColor-T at 512 "
                "px 1800 ms, DeOldify at its default 6800-8100 ms.",
            )
        )
    return rows


def hints(setting: Setting) -> list[Row]:
    """Measure spreading ten hints, against the network that runs before it."""
    import numpy as np

    from tinct.bundle import find_bundle
    from tinct.coloring.chroma import fit
    from tinct.coloring.propagation import follow
    from tinct.engine import Engine
    from tinct.hints import Point, rasterize
    from tinct.photo import open_photo

    bundle = find_bundle(setting.model)
    held = bundle.manifest
    engine = Engine(bundle)
    gray = open_photo(setting.photograph(1)).gray
    fitted = fit(
        gray, size=held.sizes["balanced"], multiple_of=held.multiple_of, max_long=held.max_long
    )
    lightness = fitted.lightness[0, 0]
    height, width = lightness.shape
    random = np.random.default_rng(0)
    points = [
        Point(x=x, y=y, color=(50.0, 80 * a - 40, 80 * b - 40))
        for x, y, a, b in random.uniform(0, 1, (10, 4))
    ]
    planes = rasterize(points, height, width, lightness=lightness)
    proposal = np.zeros((2, height // 2, width // 2), np.float32)
    timed, against = alternate(
        lambda: follow(lightness, proposal, planes),
        lambda: engine.run(fitted.lightness, planes[None] if held.takes_hints else None),
        repeats=max(setting.repeats, 5),
    )
    return [
        Row(
            name="hints",
            what=f"spreading ten hints: {width} x {height}, one core",
            unit="ms",
            ours=Runs(tuple(seconds * 1000 for seconds in timed.runs)),
            floor="the network alone, the same picture, all cores",
            against=Runs(tuple(seconds * 1000 for seconds in against.runs)) if against else None,
            goal=1,
            goal_of="ratio",
        )
    ]


def cold_start(setting: Setting) -> list[Row]:
    """Measure one picture of 1 megapixel from a cold shell."""
    source = setting.photograph(1)
    timed, against = alternate(
        lambda: run(_command(setting, source)),
        lambda: run([sys.executable, "-c", "import numpy, onnxruntime"]),
        repeats=setting.repeats,
    )
    return [
        Row(
            name="cold_start",
            what="tinct photo.jpg from a cold shell, 1 megapixel",
            unit="s",
            ours=timed,
            floor='python -c "import numpy, onnxruntime"',
            against=against,
            goal=2,
            goal_of="ratio",
        )
    ]


def memory(setting: Setting) -> list[Row]:
    """Measure the highest memory of a process that colors one picture."""
    rows = []
    for megapixels, goal in ((1, 350), (12, 450), (100, 400)):
        command = _command(setting, setting.photograph(megapixels))
        peaks = tuple(peak_memory(command) for _ in range(setting.repeats))
        rows.append(
            Row(
                name=f"memory_{megapixels}mp",
                what=f"highest memory, one gray JPEG of {megapixels} megapixels",
                unit="MB",
                ours=Runs(peaks),
                floor=None,
                against=None,
                goal=goal,
                goal_of="ours",
                note="Resident memory of the whole process. Not measured here, for scale: "
                "DDColor-T at 512 px 2000 MB, DeOldify 3100-4400 MB.",
            )
        )
    return rows


def install(setting: Setting) -> list[Row]:
    """Measure the base install: what is downloaded, what it takes on disk, and the wheel."""
    project = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory(dir=setting.folder) as scratch:
        wheels = Path(scratch) / "wheels"
        place = Path(scratch) / "place"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
        run([*pip, "wheel", str(project), "-w", str(wheels)])
        run([*pip, "install", "--no-index", "-f", str(wheels), "--target", str(place), "tinct"])
        download = sum(path.stat().st_size for path in wheels.iterdir())
        wheel = sum(path.stat().st_size for path in wheels.glob("tinct-*.whl"))
        on_disk = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        shutil.rmtree(place)
    measured = (
        ("install_download", "base install (no torch): all wheels together", download, 120),
        ("install_on_disk", "base install (no torch): unpacked and compiled", on_disk, 350),
        ("install_wheel", "the wheel of tinct itself", wheel, 40),
    )
    return [
        Row(name, what, "MB", Runs((size / MB,)), None, None, goal, "ours")
        for name, what, size, goal in measured
    ]


def _command(setting: Setting, source: Path) -> list[str]:
    target = setting.folder / "from-shell.jpg"
    words = [sys.executable, "-m", "tinct", "colorize", str(source), "-o", str(target)]
    return [*words, "--overwrite", "--model", setting.model]


def formats(setting: Setting) -> list[Row]:
    """Measure TIFF of 16 bits and PNG; see :mod:`benchmarks.file_rows`."""
    from benchmarks import file_rows

    return file_rows.formats(setting)


def folder(setting: Setting) -> list[Row]:
    """Measure a folder of JPEGs; see :mod:`benchmarks.file_rows`."""
    from benchmarks import file_rows

    return file_rows.folder(setting)


def gigapixel(setting: Setting) -> list[Row]:
    """Measure a gray TIFF of 1 gigapixel; see :mod:`benchmarks.file_rows`."""
    from benchmarks import file_rows

    return file_rows.gigapixel(setting)


ROWS: dict[str, Callable[[Setting], list[Row]]] = {
    "photo": photo_12mp,
    "large": photo_100mp,
    "formats": formats,
    "folder": folder,
    "network": network,
    "hints": hints,
    "cold": cold_start,
    "memory": memory,
}


def training(setting: Setting) -> list[Row]:
    """Measure the training loop; see :mod:`benchmarks.training`, which needs the extra [train]."""
    from benchmarks import training as room

    return room.training(setting)


SLOW_ROWS: dict[str, Callable[[Setting], list[Row]]] = {
    "install": install,
    "training": training,
    "gigapixel": gigapixel,
}
