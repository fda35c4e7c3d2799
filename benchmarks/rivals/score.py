"""Hand gray pictures to another system, and score what it made of them like tinct's own.

python -m benchmarks.rivals.score gray TRUTHS GRAYS
python -m benchmarks.rivals.score score OUTPUTS TRUTHS [--name NAME] [--json FILE] [--html FILE]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from tinct.errors import PictureError, TinctError, UsageError
from tinct.measure import evaluate
from tinct.measure.dataset import Pair, Rgb, list_pictures, open_pair, open_rgb
from tinct.measure.results import LearnedMetric, PictureScore, Results, pool

NOT_OURS = ("seconds", "peak_mb")
"""Figures that tell of reading a file here, not of the system's own work."""


def write_grays(truths: Path, grays: Path) -> int:
    """Write the gray input of every true picture as PNG: exactly what tinct's models are given.

    Args:
        truths: folder of color pictures.
        grays: folder to write to; made if missing.

    Returns:
        How many were written.
    """
    grays.mkdir(parents=True, exist_ok=True)
    files = list_pictures(truths)
    for path in files:
        Image.fromarray(open_pair(path).gray).save(grays / f"{path.stem}.png")
    return len(files)


def score(
    outputs: Path, truths: Path, *, name: str, learned: bool = True, resize: bool = False
) -> Results:
    """Score a folder of colored pictures against the true ones.

    Args:
        outputs: color pictures with the names of the true ones; endings may differ.
        truths: folder of true pictures.
        name: of the system, for people.
        learned: whether trained networks look at the pictures too.
        resize: bring outputs of another size to the truth's (bicubic) instead of refusing them.

    Returns:
        The same figures as for a model of tinct, without seconds and memory.

    Raises:
        UsageError: a folder holds no picture, or two outputs have one name.
    """
    known: dict[str, Path] = {}
    for path in list_pictures(outputs):
        if path.stem in known:
            raise UsageError(
                f"{outputs} holds two pictures called {path.stem}: "
                f"{known[path.stem].name} and {path.name}; remove one."
            )
        known[path.stem] = path
    resized: set[str] = set()

    def painter(pair: Pair) -> Rgb:
        path = known.get(pair.path.stem)
        if path is None:
            raise PictureError(f"{outputs.name} holds no output for {pair.name}; make it.")
        rgb = open_rgb(path)
        if rgb.shape == pair.truth.shape:
            return rgb
        if not resize:
            raise PictureError(
                f"{path.name} is {rgb.shape[1]} x {rgb.shape[0]}, not "
                f"{pair.truth.shape[1]} x {pair.truth.shape[0]}; --resize allows that."
            )
        resized.add(pair.name)
        height, width = pair.gray.shape
        image = Image.fromarray(np.ascontiguousarray(rgb))
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))

    protocol = [
        *evaluate.PROTOCOL,
        "Ours: files made elsewhere from the gray inputs; their seconds and memory are not known.",
    ]
    results = evaluate.score(
        truths,
        painter=painter,
        system=name,
        settings={"outputs": outputs.resolve().name, "resize": resize},
        protocol=protocol,
        learned=_available if learned else None,
    )
    pictures = [_without_cost(picture) for picture in results.pictures]
    notes = list(results.notes)
    if resized:
        notes.append(f"{len(resized)} of {len(pictures)} outputs had another size: resized.")
    return replace(results, pictures=pictures, rows=pool(pictures), notes=notes)


def _available() -> tuple[list[LearnedMetric], list[str]]:
    from tinct.train import learned_metrics

    return learned_metrics.available()


def _without_cost(picture: PictureScore) -> PictureScore:
    ours = {key: value for key, value in picture.rows["ours"].items() if key not in NOT_OURS}
    return replace(picture, rows={**picture.rows, "ours": ours})


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line asks for.

    Raises:
        TinctError: as the functions do; PartialError when an output is missing or unfit.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals.score")
    commands = parser.add_subparsers(dest="command", required=True)
    grays = commands.add_parser("gray", help="write the gray inputs")
    grays.add_argument("truths", type=Path, help="folder of color pictures")
    grays.add_argument("grays", type=Path, help="folder to write PNG files to")
    scoring = commands.add_parser("score", help="score colored pictures")
    scoring.add_argument("outputs", type=Path, help="folder of colored pictures")
    scoring.add_argument("truths", type=Path, help="folder of true pictures, same names")
    scoring.add_argument("--name", default="rival", help="of the system (default: rival)")
    scoring.add_argument("--no-learned", action="store_true", help="without trained networks")
    scoring.add_argument("--resize", action="store_true", help="allow outputs of another size")
    scoring.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    scoring.add_argument("--html", type=Path, metavar="FILE", help="write a report to FILE")
    given = parser.parse_args(argv)
    if given.command == "gray":
        print(f"{write_grays(given.truths, given.grays)} gray pictures are in {given.grays}")
        return
    results = score(
        given.outputs,
        given.truths,
        name=given.name,
        learned=not given.no_learned,
        resize=given.resize,
    )
    if given.json:
        evaluate.write_json(results, given.json)
    if given.html:
        evaluate.write_html(results, given.html)
    Console().print(evaluate.table(results))
    results.raise_failures()


if __name__ == "__main__":
    try:
        main()
    except TinctError as error:
        sys.exit(f"{error}")
