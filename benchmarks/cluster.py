"""How many pictures a cluster colors in a second: ``python -m benchmarks.cluster``.

The same gray JPEGs of one megapixel are colored by Ray Data with one actor and with two, on this
machine alone, and by the folder job with one worker and with two. Two amounts of pictures each: the
difference leaves out the seconds in which a cluster starts and its actors load their models, which
a long job does not notice.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.pictures import write_photograph
from tinct.colorizer import Colorizer
from tinct.jobs.batch import Outputs, color_all
from tinct.jobs.cluster import Crew, color_cluster
from tinct.jobs.paths import Job
from tinct.settings import Settings

KINDS = 4  # of pictures; the others are copies


def on_cluster(source: Path, target: Path, *, workers: int) -> float:
    """Color a folder with so many actors of one core; return the seconds without Ray's start."""
    told = color_cluster(str(source), str(target), model="photo", crew=Crew(workers=workers))
    assert not told.failed, told.failures
    return told.seconds


def in_folder(source: Path, target: Path, *, workers: int) -> float:
    """Color a folder with so many workers of one thread; return the seconds."""
    began = time.perf_counter()
    jobs = [Job(path, target / path.name) for path in sorted(source.iterdir())]
    target.mkdir()
    for result in color_all(
        jobs,
        colorizer=Colorizer("photo", threads=1),
        settings=Settings(),
        outputs=Outputs(overwrite=True),
        workers=workers,
    ):
        if result.error is not None:
            raise result.error
    return time.perf_counter() - began


def main() -> None:
    """Print a line of JSON for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=40, help="pictures of the short job")
    parser.add_argument("--many", type=int, default=400, help="pictures of the long one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as held:
        room = Path(held)
        sources: list[Path] = []
        for count in (given.few, given.many):
            source = room / f"{count}"
            source.mkdir()
            for number in range(count):
                path = source / f"{number:04d}.jpg"
                if number < KINDS:
                    write_photograph(path, megapixels=1, seed=number)
                else:
                    shutil.copyfile(source / f"{number % KINDS:04d}.jpg", path)
            sources.append(source)
        for name, way in (("folder", in_folder), ("cluster", on_cluster)):
            for workers in (1, 2):
                seconds = [
                    way(source, room / f"{name}-{workers}-{source.name}", workers=workers)
                    for source in sources
                ]
                each = (seconds[1] - seconds[0]) / (given.many - given.few)
                told = {
                    "way": name,
                    "workers": workers,
                    "pictures_per_s": round(1 / each, 2),
                    "start_s": round(seconds[0] - given.few * each, 1),
                }
                print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
