"""Several runs and bundles -> one comparison: figures, pictures, curves.

Every system is measured as ``tinct evaluate`` measures it: as a bundle, by
:func:`tinct.measure.evaluate.score`, on the same pictures. A run is exported to a temporary
bundle first. A system that takes hints gets a second row, in which it is told hints of the kind it
was trained with. Networks that give back the color they are given are no colorizers and have a
table of their own. Pages: :mod:`tinct.measure.comparison_pages`.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinct.colorizer import Colorizer
from tinct.errors import PartialError, UsageError
from tinct.measure import evaluate, reconstruction
from tinct.measure.comparison import BASELINES, COLUMNS, TRUTH, Report, Row, Shown, Table
from tinct.measure.dataset import Pair
from tinct.measure.drawings import Draw
from tinct.measure.hint_protocols import HINT_PROTOCOLS, points_of
from tinct.measure.results import LearnedMetric, Results
from tinct.measure.systems import ROUNDS, Export, System, choose_folders, gather, time_networks
from tinct.measure.thumbnails import tile

SHOWN = 3
"""How many best, median and worst pictures are shown."""
NOISY = (
    f"Milliseconds are medians of {ROUNDS} runs on this machine, the networks taking turns; shared "
    "machines are noisy: compare rows, not reports."
)


def compare(
    models: Sequence[str],
    data: Sequence[str],
    *,
    show: Sequence[str] = (),
    limit: int | None = None,
    learned: evaluate.Learned | None = None,
    export: Export | None = None,
    draw: Callable[[], Draw] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Compare runs and bundles.

    Args:
        models: folders of runs, folders of bundles or names of installed ones.
        data: one folder with true pictures, or two: for photographs and, laid out as ``color/`` and
            ``sketch/``, for line art.
        show: folders, laid out as those of ``data``, whose pictures are shown instead of the
            measured ones, which may not be for publishing.
        limit: measure only so many pictures of each, evenly spread.
        learned: returns trained networks that measure the pictures, and notes on those that cannot
            be had.
        export: makes a run a bundle; without, runs are refused.
        draw: as for :func:`tinct.measure.evaluate.evaluate`.
        progress: called with (steps done, steps in all).

    Raises:
        UsageError: a folder holds no picture, or they are too many.
        TrainingError: a run has no checkpoint.
        ModelError: a bundle is missing or damaged.
        PartialError: a system failed on a picture; figures of different pictures are no comparison.
    """
    if not models:
        raise UsageError("a report needs at least one run or bundle")
    folders = choose_folders(data)
    shown = choose_folders(show) if show else {}
    metrics, notes = ([], []) if learned is None else learned()
    with tempfile.TemporaryDirectory(prefix="tinct-report-") as exported:
        systems = gather(models, Path(exported), taken=(TRUTH, *BASELINES.values()), export=export)
        colorizers = [s for s in systems if s.hints != "truth"]
        speeds = time_networks(systems)
        rounds = sum(1 + (s.hints in HINT_PROTOCOLS) for s in colorizers)
        steps = _Steps(progress, total=rounds * (2 if shown else 1))
        setup = _Setup(speeds, metrics, notes, steps, limit, shown, draw)
        tables = []
        for task, folder in folders.items():
            chosen = [s for s in colorizers if s.bundle.manifest.task == task]
            if chosen:
                tables.append(setup.table(task, folder, chosen))
        found = [
            reconstruction.measure(
                s.bundle,
                folders["photo"],
                label=s.label,
                latent=s.latent,
                limit=limit,
                ms=speeds[s.label],
            )
            for s in systems
            if s.hints == "truth"
        ]
    unfinished = [s.label for s in systems if s.bundle.manifest.recipe.get("finished") is False]
    return Report(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tables=tables,
        reconstructions=found,
        latents=_latents(systems, tables, found),
        curves={s.label: s.curves for s in systems if s.curves is not None},
        notes=(NOISY, *(f"{label}: its training is not finished." for label in unfinished)),
    )


class _Steps:
    """Count the steps of several measurements as one."""

    def __init__(self, progress: Callable[[int, int], None] | None, *, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def show(self, done: int, of: int) -> None:
        if self._progress is not None:
            self._progress(self._done * of + done, self._total * of)
        self._done += done == of


@dataclass(frozen=True)
class _Setup:
    """What the measurements of all tasks share.

    Attributes:
        speeds: milliseconds by label of the system.
        learned: trained networks that measure the pictures.
        notes: what could not be done.
        steps: counts.
        limit: measure only so many pictures.
        show: folders of the pictures that are shown, by task; those measured where there is none.
        draw: returns what draws pictures that have no sketch.
    """

    speeds: Mapping[str, float]
    learned: Sequence[LearnedMetric]
    notes: Sequence[str]
    steps: _Steps
    limit: int | None
    show: Mapping[str, str]
    draw: Callable[[], Draw] | None

    def table(self, task: str, folder: str, systems: Sequence[System]) -> Table:
        """Measure the systems of one task."""
        rows: list[Row] = []
        sparing: list[LearnedMetric] = [_Sparing(metric) for metric in self.learned]
        found, album = self._colored(task, folder, systems, learned=sparing, limit=self.limit)
        protocol: list[str] = []
        for (system, kind), results in found.items():
            label = _label(system, kind)
            protocol += results.protocol
            if kind != "none":
                protocol += [f"+ {HINT_PROTOCOLS[kind].label}: {HINT_PROTOCOLS[kind].meaning}"]
            figures = _figures(results.rows["ours"], system, self.speeds[system.label])
            rows.append(Row(label, "system" if kind == "none" else "told", system.label, figures))
        first = next(iter(found.values()))
        gray = [
            Row(label, "baseline", label, _figures(first.rows[row], None, None))
            for row, label in BASELINES.items()
        ]
        notes = [*self.notes, *first.notes]
        if task in self.show:
            found, album = self._colored(task, self.show[task], systems, learned=[], limit=None)
            place = Path(self.show[task]).resolve().name
            notes.append(f"The pictures shown are those of {place}, not among those measured.")
        by_label = {_label(system, kind): results for (system, kind), results in found.items()}
        return Table(
            task=task,
            folder=first.folder,
            n=first.n,
            rows=[*gray, *rows],
            shown=choose_pictures(by_label, [r.label for r in rows if r.kind == "system"], album),
            protocol=list(dict.fromkeys(protocol)),
            notes=list(dict.fromkeys(notes)),
            machine=first.machine,
        )

    def _colored(
        self,
        task: str,
        folder: str,
        systems: Sequence[System],
        *,
        learned: list[LearnedMetric],
        limit: int | None,
    ) -> tuple[dict[tuple[System, str], Results], dict[str, dict[str, bytes]]]:
        """Color a folder with all systems, each also told hints where it takes them.

        Returns:
            Results by system and kind of hints; small pictures by label and name.
        """
        album: dict[str, dict[str, bytes]] = {TRUTH: {}, BASELINES["gray"]: {}}
        found: dict[tuple[System, str], Results] = {}
        for system in systems:
            for kind in ("none", system.hints) if system.hints in HINT_PROTOCOLS else ("none",):
                label = _label(system, kind)
                results = evaluate.score(
                    folder,
                    painter=_painter(system, kind, album, album.setdefault(label, {})),
                    system=label,
                    task="lineart" if task == "lineart" else "photo",
                    limit=limit,
                    learned=(lambda: (learned, [])) if learned else None,
                    draw=self.draw,
                    progress=self.steps.show,
                )
                _refuse_failures(results)
                found[system, kind] = results
        return found, album


def _label(system: System, kind: str) -> str:
    """Return the name of a system's row, alone or told hints."""
    return system.label if kind == "none" else f"{system.label} + {HINT_PROTOCOLS[kind].label}"


def _painter(
    system: System, kind: str, album: dict[str, dict[str, bytes]], own: dict[str, bytes]
) -> evaluate.Painter:
    """Return what colors a pair with a system and keeps a small picture of it."""
    colorizer = Colorizer(system.bundle.path)

    def painter(pair: Pair) -> NDArray[np.uint8]:
        points = points_of(pair, kind) if kind != "none" else []
        rgb = np.asarray(colorizer(pair.gray, hints=points))
        if pair.name not in own:
            own[pair.name] = tile(rgb)
        if pair.name not in album[TRUTH]:
            album[TRUTH][pair.name] = tile(pair.truth)
            album[BASELINES["gray"]][pair.name] = tile(pair.gray)
        return rgb

    return painter


def _refuse_failures(results: Results) -> None:
    """Raise PartialError where a picture failed."""
    if results.failures:
        first = results.failures[0]
        raise PartialError(
            f"{results.system} failed on {len(results.failures)} of "
            f"{results.n + len(results.failures)} pictures, the first is {first.name}: "
            f"{first.error}"
        )


def _figures(
    pooled: Mapping[str, float | None], system: System | None, ms: float | None
) -> dict[str, float | None]:
    """Return a row's figures by column."""
    figures: dict[str, float | None] = {column.key: pooled.get(column.key) for column in COLUMNS}
    if system is not None:
        manifest = system.bundle.manifest
        figures["parameters"] = manifest.parameters
        figures["megabytes"] = system.bundle.model_path.stat().st_size / 1e6
        figures["ms"] = ms
        figures["seen"] = manifest.recipe.get("seen")
    return figures


def choose_pictures(
    found: Mapping[str, Results], systems: Sequence[str], album: Mapping[str, Mapping[str, bytes]]
) -> list[Shown]:
    """Return the best, median and worst pictures by mean CIEDE2000.

    Args:
        found: by label of the row.
        systems: the labels whose mean decides.
        album: small JPEGs by label and name.
    """
    of = {
        label: {p.name: p.rows["ours"]["ciede2000"] for p in results.pictures}
        for label, results in found.items()
    }
    names = list(of[systems[0]])
    means = {name: math.fsum(of[label][name] for label in systems) / len(systems) for name in names}
    ranked = sorted(names, key=lambda name: means[name])
    count = min(SHOWN, len(ranked) // 3 or 1)
    middle = (len(ranked) - count) // 2
    groups = {
        "best": ranked[:count],
        "median": ranked[middle : middle + count] if len(ranked) > 1 else [],
        "worst": ranked[: -count - 1 : -1] if len(ranked) > 2 else [],
    }
    return [
        Shown(
            kind=kind,
            name=name,
            ciede2000=means[name],
            of={label: of[label][name] for label in of},
            tiles={label: tiles[name] for label, tiles in album.items()},
        )
        for kind, group in groups.items()
        for name in group
    ]


class _Sparing:
    """A learned metric that sees the baselines of a picture once, not for every system."""

    def __init__(self, metric: LearnedMetric) -> None:
        self.name, self.protocol, self._metric = metric.name, metric.protocol, metric
        self._known: dict[str, dict[str, dict[str, float]]] = {}

    def __call__(
        self, pictures: Mapping[str, NDArray[np.uint8]], *, name: str
    ) -> dict[str, dict[str, float]]:
        """Return the figures for each row."""
        if name not in self._known:
            found = self._metric(pictures, name=name)
            self._known[name] = {row: part for row, part in found.items() if row != "ours"}
            return found
        few = {row: pictures[row] for row in ("truth", "ours")}
        return {**self._known[name], **self._metric(few, name=name)}


def _latents(
    systems: Sequence[System],
    tables: Sequence[Table],
    found: Sequence[reconstruction.Reconstruction],
) -> dict[str, list[tuple[float, float]]]:
    """Return error against latent size, where several autoencoders differ in it."""
    sizes = {s.label: float(s.latent) for s in systems if s.latent is not None}
    errors = {r.label: r.ciede2000 for r in found}
    series = {"reconstruction": sorted((sizes[k], e) for k, e in errors.items() if k in sizes)}
    held = [
        (sizes[row.label], row.figures["ciede2000"])
        for table in tables
        for row in table.rows
        if row.kind == "system" and row.label in sizes
    ]
    series["colorization"] = sorted((size, e) for size, e in held if e is not None)
    return {name: pairs for name, pairs in series.items() if len({x for x, _ in pairs}) > 1}
