"""Rows about kinds of files and folders: TIFF of 16 bits, PNG, two hundred JPEGs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import pictures
from benchmarks.clock import Runs, alternate, peak_memory
from benchmarks.rows import Row, Setting

MANY = 200


def formats(setting: Setting) -> list[Row]:
    """Measure 12 megapixels in formats whose every pixel's L* is kept, against libvips."""
    return [
        _against_libvips(setting, "tiff_16bit", "16-bit gray TIFF", ".tif"),
        _against_libvips(setting, "png", "gray PNG", ".png"),
    ]


def _write(path: Path, *, megapixels: float, deep: bool) -> None:
    import pyvips

    height = max(1, round((megapixels * 1e6 * 3 / 4) ** 0.5))
    gray = np.asarray(pictures.photograph(round(height * 4 / 3), height))
    if deep:  # finer grain in the lower eight bits, as scanners have it
        fine = np.random.default_rng(1).integers(0, 256, gray.shape, np.uint16)
        gray = gray.astype(np.uint16) * np.uint16(256) + fine
    image = pyvips.Image.new_from_array(gray)
    image.copy(interpretation="grey16" if deep else "b-w").write_to_file(str(path))


def _against_libvips(setting: Setting, name: str, what: str, ending: str) -> Row:
    import pyvips

    from tinct import Colorizer

    source, target, copy = (
        setting.folder / f"{stem}-{name}{ending}" for stem in ("gray", "colored", "copy")
    )
    _write(source, megapixels=12 * setting.scale, deep=name == "tiff_16bit")
    colorizer = Colorizer(setting.model)

    def ours() -> None:
        colorizer.file(source, target, overwrite=True)

    def floor() -> None:
        pyvips.Image.new_from_file(str(target), access="sequential").write_to_file(str(copy))

    ours()
    timed, against = alternate(ours, floor, repeats=setting.repeats)
    return Row(
        name=f"photo_12mp_{name}",
        what=f"12-megapixel {what} to color, every pixel's L* kept, end to end, warm process",
        unit="s",
        ours=timed,
        floor="libvips opening the color picture and saving it",
        against=against,
        goal=1.5,
        goal_of="ratio",
    )


def gigapixel(setting: Setting) -> list[Row]:
    """Measure the highest memory for a gray TIFF of 1 gigapixel, and how long it takes."""
    import pyvips

    width, height = round(40_000 * setting.scale**0.5), round(25_000 * setting.scale**0.5)
    source, target = setting.folder / "vast.tif", setting.folder / "vast-color.tif"
    place = pyvips.Image.xyz(width, height)
    waves = (place[0] * (1 / 900)).sin() * (place[1] * (1 / 700)).cos()
    gray = waves * 90 + 128 + pyvips.Image.gaussnoise(width, height, mean=0, sigma=6)
    gray.cast("uchar").copy(interpretation="b-w").tiffsave(str(source), compression="lzw")
    words = [sys.executable, "-m", "tinct", "colorize", str(source), "-o", str(target)]
    began = time.perf_counter()
    peak = peak_memory([*words, "--overwrite", "--model", setting.model])
    spent = time.perf_counter() - began
    return [
        Row(
            name="memory_gigapixel",
            what=f"highest memory, a gray TIFF of {width * height / 1e6:.0f} megapixels, once",
            unit="MB",
            ours=Runs((peak,)),
            floor=None,
            against=None,
            goal=500,
            goal_of="ours",
            note=f"It took {spent:.0f} s, LZW read and written.",
        )
    ]


def folder(setting: Setting) -> list[Row]:
    """Measure a folder of JPEGs of 1 megapixel against the network alone, as often."""
    from tinct.bundle import find_bundle
    from tinct.coloring.chroma import working_shape
    from tinct.colorizer import Colorizer
    from tinct.engine import Engine
    from tinct.jobs.batch import Outputs, color_all
    from tinct.jobs.overlap import share
    from tinct.jobs.paths import Job
    from tinct.settings import Settings

    count = max(4, round(MANY * min(1, setting.scale)))
    few = [setting.folder / f"one-of-many-{number}.jpg" for number in range(4)]
    for number, path in enumerate(few):
        pictures.write_photograph(path, megapixels=setting.scale, seed=number)
    jobs = [
        Job(few[number % 4], setting.folder / "many" / f"{number}.jpg") for number in range(count)
    ]
    (setting.folder / "many").mkdir(exist_ok=True)
    workers, threads = share(count, threads=None)
    colorizer = Colorizer(setting.model, threads=threads)
    engine = Engine(find_bundle(setting.model))
    held = engine.manifest
    shape = working_shape(
        866, 1155, size=held.sizes["balanced"], multiple_of=held.multiple_of, max_long=held.max_long
    )
    sides = (shape.height + shape.bottom, shape.width + shape.right)
    lightness = np.linspace(0, 100, sides[0] * sides[1], dtype=np.float32).reshape(1, 1, *sides)

    def ours() -> None:
        outputs = Outputs(overwrite=True)
        for result in color_all(
            jobs, colorizer=colorizer, settings=Settings(), outputs=outputs, workers=workers
        ):
            if result.error is not None:
                raise result.error

    def floor() -> None:
        for _ in range(count):
            engine.run(lightness)

    timed, against = alternate(ours, floor, repeats=max(1, setting.repeats // 2), warm_up=False)
    return [
        Row(
            name="folder",
            what=f"{count} gray JPEGs of 1 megapixel to color JPEGs, several at a time",
            unit="s",
            ours=timed,
            floor=f"the network alone, {count} times, all cores",
            against=against,
            goal=1.25,
            goal_of="ratio",
            note="A ratio of 1.25 is 0.8 of the pictures a second that the network alone makes.",
        )
    ]
