"""Measure any model on any folder of color pictures.

Every picture is turned gray, colored by the model and compared with itself as it was. For line-art
models it is turned into a drawing, or a drawing of it is taken. Two other ways to color stand
beside the model in every result: *gray* (the input as it is) and *mean color* (the true mean
a*, b* of each picture).
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinct import libvips
from tinct.atomic import check_target, replacing
from tinct.errors import MissingExtraError, TinctError, UsageError
from tinct.measure import dataset, drawings, html, memory, metrics
from tinct.measure.coherence import coherence
from tinct.measure.dataset import Dataset, Pair, Rgb
from tinct.measure.results import (
    SCHEMA_OF_SEVERAL,
    Failure,
    LearnedMetric,
    PictureScore,
    Results,
    Sample,
    figures_of,
    pool,
)
from tinct.measure.tables import hint_table, table
from tinct.photo import open_color

__all__ = ["check_output", "evaluate", "hint_table", "score", "table", "write_html", "write_json"]

SAMPLES = 4
"""How many best, median and worst pictures the HTML report shows."""
SAMPLE_SIDE = 320


def _protocol(given: str, rows: str) -> tuple[str, ...]:
    """Return what is done, in sentences, around two that depend on the kind of pictures."""
    return (
        "The truth is the file as 8-bit sRGB: upright, profile applied, transparency on white.",
        given,
        "Each figure is computed per picture over all its pixels; rows are means over pictures, "
        "every picture counting the same (PSNR median, peak memory: as their names say).",
        rows,
        "CIEDE2000 with kL = kC = kH = 1 on CIE Lab (D65); PSNR over the three sRGB channels, "
        "equal pictures count as 100 dB; SSIM with an 11 x 11 Gaussian of sigma 1.5, mean of the "
        "three sRGB channels; a*b* RMSE over pixels and both channels.",
        "Colorfulness (Hasler and Suesstrunk 2003), signed: sqrt(std(rg)^2 + std(yb)^2) + 0.3 "
        "sqrt(mean(rg)^2 + mean(yb)^2), rg = R - G, yb = (R + G) / 2 - B, 0..255; its share is the "
        "mean over pictures divided by the truth's mean.",
        "Blotches: root mean square distance of a*, b* from the mean of their region (L* smoothed, "
        "sigma 1.5, in steps of 12, connected), by area. Leak: at edges (L* changes by 20 or more "
        "over two pixels, by at most 5 from two to five pixels away on each side) the distance of "
        "a*, b* two pixels from the edge to those five pixels away, over that of the two sides. "
        "Both at a short side of at most 256, in the regions and at the edges of the truth.",
        "Seconds: from gray array to color array, after one run that does not count. Peak memory: "
        "resident memory of the whole process while it colored, before learned metrics are loaded.",
    )


PROTOCOL = _protocol(dataset.GIVEN, dataset.ROWS)
"""What is done with photographs."""


Painter = Callable[[Pair], Rgb]
Learned = Callable[[], tuple[list[LearnedMetric], list[str]]]
Task = Literal["photo", "lineart"]


def evaluate(
    folder: str | os.PathLike[str],
    *,
    model: str | Path = "photo",
    hints: int = 0,
    limit: int | None = None,
    quality: str = "balanced",
    seed: int = 0,
    learned: Learned | None = None,
    draw: Callable[[], drawings.Draw] | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Results:
    """Measure a model bundle on a folder of color pictures.

    A picture that fails is listed in the results and not counted; when they are written,
    :meth:`Results.raise_failures` makes it an error.

    Args:
        folder: color pictures, folders below are not read; or one with the folders ``color`` and
            perhaps ``sketch``, whose drawings a line-art model is given. Where there is no sketch,
            it is given a drawing made from the picture.
        model: name or path of the bundle.
        hints: points per picture whose true color the model is told, at random places, the same for
            the same file name and ``seed``.
        limit: score only so many pictures, evenly spaced in the order of names.
        quality: ``fast``, ``balanced`` or ``best``.
        seed: of the hints' places.
        learned: called when all pictures are colored; returns trained networks that measure them,
            and notes on those that cannot be had.
        draw: called where a drawing is missing; returns what draws it from the picture's L*.
        device: as for :class:`tinct.Colorizer`.
        threads: as for :class:`tinct.Colorizer`.
        progress: called with (pictures done, pictures in all).

    Returns:
        The figures, per picture and pooled.

    Raises:
        UsageError: the folder holds no picture, or a setting is wrong.
        MissingExtraError: drawings have to be made, and the training part is not installed.
        ModelError: the bundle is missing or damaged.
        DeviceError: the device is not available.
    """
    from tinct import bundle  # noqa: PLC0415
    from tinct.colorizer import Colorizer  # noqa: PLC0415

    if hints < 0:
        raise UsageError(f"{hints} hints cannot be given; ask for 0 or more.")
    found = bundle.find_bundle(model)
    manifest = found.manifest
    colorizer = Colorizer(found.path, device=device, threads=threads)

    def painter(pair: Pair) -> Rgb:
        points = dataset.random_hints(pair, count=hints, seed=seed)
        return np.asarray(colorizer(pair.gray, hints=points, quality=quality))

    remarks = []
    if hints:
        remarks.append(
            f"{hints} point hints per picture at uniformly random places (seed {seed} and the "
            "file's name), each with the truth's mean Lab color in a square of "
            f"{dataset.HINT_PATCH:.0%} of the short side, at least 3 pixels."
        )
    return score(
        folder,
        painter=painter,
        system=manifest.name if not hints else f"{manifest.name}, {hints} hints",
        model={
            "name": manifest.name,
            "sha256": manifest.sha256,
            "family": manifest.family,
            "task": manifest.task,
            "parameters": manifest.parameters,
        },
        settings={"quality": quality, "hints": hints, "seed": seed, "limit": limit},
        task="lineart" if manifest.task == "lineart" else "photo",
        remarks=remarks,
        limit=limit,
        learned=learned,
        draw=draw,
        progress=progress,
    )


def score(
    folder: str | os.PathLike[str],
    *,
    painter: Painter,
    system: str,
    model: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    task: Task = "photo",
    protocol: Sequence[str] | None = None,
    remarks: Sequence[str] = (),
    limit: int | None = None,
    learned: Learned | None = None,
    draw: Callable[[], drawings.Draw] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Results:
    """Measure anything that colors: the part of :func:`evaluate` that knows no models.

    Args:
        folder: as for :func:`evaluate`.
        painter: colors one pair; a :class:`TinctError` from it counts as that picture's failure.
        system: what is tested, for people.
        model: what to note about the model.
        settings: what to note about the settings.
        task: whether subjects are gray photographs or drawings.
        protocol: what was done, in sentences; None for what is always done.
        remarks: more sentences.
        limit: as for :func:`evaluate`.
        learned: as for :func:`evaluate`.
        draw: as for :func:`evaluate`.
        progress: as for :func:`evaluate`.

    Returns:
        The figures, per picture and pooled.

    Raises:
        UsageError: the folder holds no picture, or the limit is below 1.
        MissingExtraError: as for :func:`evaluate`.
    """
    source = _find(folder, task=task, limit=limit, draw=draw)
    files = source.files
    count = len(files)
    steps = count if learned is None else 2 * count

    def show(done: int) -> None:
        if progress is not None:
            progress(done, steps)

    pictures: list[PictureScore] = []
    failures: list[Failure] = []
    chosen: list[LearnedMetric] = []
    notes = ["learned metrics: none asked for."]
    warm = False
    with tempfile.TemporaryDirectory(prefix="tinct-evaluate-") as folder_of_results:
        results = _ColoredFiles(Path(folder_of_results))
        for done, path in enumerate(files):
            show(done)
            try:
                pair = source.open(path)
                if not warm:
                    painter(pair)
                    warm = True
                scored, ours = _score_picture(pair, painter)
            except TinctError as error:
                failures.append(Failure(path.name, str(error)))
                continue
            pictures.append(scored)
            results.keep(path.name, ours)
        paths = {path.name: path for path in files}
        # Only now: networks in memory and their threads would count as the painter's.
        if learned is not None:
            chosen, notes = learned()
        for done, picture in enumerate(pictures if chosen else []):
            show(count + done)
            pair = source.open(paths[picture.name])
            pictures[done] = _measure_learned(picture, pair, results.of(picture.name), chosen)
        samples = tuple(_samples(source, pictures, results))
    notes[:0] = source.notes
    said = _protocol(source.given, source.rows) if protocol is None else protocol
    show(steps)
    rows = pool(pictures)
    if any(metric.name == "classifier" for metric in chosen) and pictures:
        named = sum("classifier_loss" in picture.rows["truth"] for picture in pictures)
        if named < len(pictures):
            notes.append(
                f"classifier: {named} of {len(pictures)} file names begin with an ImageNet id."
            )
    return Results(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tinct=_version(),
        system=system,
        model=model,
        folder=Path(folder).resolve().name,
        settings=dict(settings or {}),
        protocol=[*said, *remarks, *(metric.protocol for metric in chosen)],
        notes=notes,
        machine=_machine(),
        failures=failures,
        rows=rows,
        pictures=pictures,
        samples=samples,
    )


def _find(
    folder: str | os.PathLike[str],
    *,
    task: Task,
    limit: int | None,
    draw: Callable[[], drawings.Draw] | None,
) -> Dataset:
    """Return the pictures of a folder as subjects for models of a kind."""
    if task == "lineart":
        return drawings.find_drawings(folder, limit=limit, draw=draw or _nobody_draws)
    return dataset.find_photographs(folder, limit=limit)


def _nobody_draws() -> drawings.Draw:
    raise MissingExtraError(
        "There is nothing that draws pictures without a sketch: pip install 'tinct[train]', or lay "
        "the folder out as color/ and sketch/ with a sketch for every picture."
    )


class _ColoredFiles:
    """Colored pictures in a folder, lossless, so that none is colored twice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, name: str, rgb: Rgb) -> None:
        image = libvips.image_of(rgb, interpretation="srgb")
        image.pngsave(str(self.folder / f"{name}.png"), compression=1)

    def of(self, name: str) -> Rgb:
        return open_color(self.folder / f"{name}.png")


def check_output(path: str | os.PathLike[str]) -> None:
    """Find out before the long work whether a report can be written.

    Raises:
        SaveError: it cannot.
    """
    check_target(Path(path), overwrite=True)


def write_json(results: Results | Sequence[Results], path: str | os.PathLike[str]) -> None:
    """Write results as JSON; :meth:`Results.to_json` documents the keys.

    Args:
        results: of one evaluation; or of several, which become the list ``evaluations`` under the
            schema ``tinct.evaluations/1``.
        path: the file, which may exist.

    Raises:
        SaveError: the file cannot be written.
    """
    held: dict[str, Any]
    if isinstance(results, Results):
        held = results.to_json()
    else:
        held = {"schema": SCHEMA_OF_SEVERAL, "evaluations": [part.to_json() for part in results]}
    _write(json.dumps(held, indent=1, allow_nan=False) + "\n", Path(path))


def write_html(results: Results, path: str | os.PathLike[str]) -> None:
    """Write the results as one HTML page with the best, median and worst pictures in it.

    Raises:
        SaveError: the file cannot be written.
    """
    _write(html.render(results), Path(path))


def _score_picture(pair: Pair, painter: Painter) -> tuple[PictureScore, Rgb]:
    """Color one pair in every way and measure each; also return it as the painter colors it."""
    rows: dict[str, dict[str, float]] = {
        "truth": {"colorfulness": metrics.colorfulness(pair.truth)}
        | coherence(pair.truth, pair.truth)
    }
    ways = {"gray": dataset.gray_rgb, "mean_color": dataset.mean_color, "ours": painter}
    picture = pair.truth
    for row, way in ways.items():
        memory.forget_peak()
        start = time.perf_counter()
        picture = way(pair)
        seconds = time.perf_counter() - start
        peak = memory.peak_mb()
        rows[row] = figures_of(metrics.compare(picture, pair.truth))
        rows[row] |= coherence(picture, pair.truth)
        rows[row]["seconds"] = seconds
        if peak is not None:
            rows[row]["peak_mb"] = peak
    height, width = pair.gray.shape
    return PictureScore(pair.name, width, height, rows), picture


def _measure_learned(
    score: PictureScore, pair: Pair, ours: Rgb, learned: Sequence[LearnedMetric]
) -> PictureScore:
    """Add what trained networks say of one pair, colored in every way."""
    pictures = {
        "truth": pair.truth,
        "gray": dataset.gray_rgb(pair),
        "mean_color": dataset.mean_color(pair),
        "ours": ours,
    }
    rows = {row: dict(figures) for row, figures in score.rows.items()}
    for metric in learned:
        for row, figures in metric(pictures, name=pair.name).items():
            rows[row].update(figures)
    return replace(score, rows=rows)


def _samples(
    source: Dataset, pictures: Sequence[PictureScore], results: _ColoredFiles
) -> Iterator[Sample]:
    """Return the best, median and worst pictures for the report."""
    paths = {path.name: path for path in source.files}
    ranked = sorted(pictures, key=lambda picture: picture.rows["ours"]["ciede2000"])
    count = min(SAMPLES, len(ranked) // 3 or 1)
    middle = (len(ranked) - count) // 2
    groups = {
        "best": ranked[:count],
        "median": ranked[middle : middle + count] if len(ranked) > 1 else [],
        "worst": ranked[: -count - 1 : -1] if len(ranked) > 2 else [],
    }
    for kind, group in groups.items():
        for picture in group:
            pair = source.open(paths[picture.name])
            yield Sample(
                kind=kind,
                name=picture.name,
                ciede2000=picture.rows["ours"]["ciede2000"],
                gray=_small_jpeg(pair.gray),
                ours=_small_jpeg(results.of(picture.name)),
                truth=_small_jpeg(pair.truth),
            )


def _small_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    interpretation = "srgb" if pixels.ndim == 3 else "b-w"
    image = libvips.image_of(pixels, interpretation=interpretation)
    small = image.thumbnail_image(SAMPLE_SIDE, height=SAMPLE_SIDE, size="down")
    return bytes(small.jpegsave_buffer(Q=85, strip=True))


def _version() -> str:
    import tinct  # noqa: PLC0415

    return str(tinct.__version__)


def _machine() -> dict[str, Any]:
    import onnxruntime  # noqa: PLC0415

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
        "libvips": libvips.version(),
    }


def _write(text: str, path: Path) -> None:
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")
