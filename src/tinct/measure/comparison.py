"""What a report holds, as frozen values and as JSON; found by :mod:`tinct.measure.compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tinct
from tinct.measure.reconstruction import Reconstruction

SCHEMA = "tinct.report/1"


@dataclass(frozen=True)
class Column:
    """One column of the tables.

    Attributes:
        key: the name in the JSON.
        label: the name for people.
        digits: decimals shown.
        better: ``low`` or ``high``, or empty where neither is.
        meaning: one sentence.
    """

    key: str
    label: str
    digits: int
    better: str
    meaning: str


COLUMNS = (
    Column("ciede2000", "CIEDE2000", 2, "low", "Mean color difference to the truth."),
    Column("ciede2000_of_gray", "/ gray's", 3, "low", "The same as a share of the gray row's."),
    Column("psnr_mean", "PSNR mean, dB", 2, "high", "In sRGB, mean over pictures."),
    Column("psnr_median", "PSNR median, dB", 2, "high", "In sRGB, median over pictures."),
    Column("ssim", "SSIM", 4, "high", "Structural similarity of the sRGB channels; 1 is best."),
    Column("vgg_distance", "VGG-16 distance", 4, "low", "Perceptual distance to the truth."),
    Column("colorfulness_share", "colorfulness", 2, "", "As a share of the truth's; 1 is as much."),
    Column("parameters", "parameters", 0, "", "Numbers that were learned."),
    Column("megabytes", "MB", 1, "", "Size of the network's file, 10^6 bytes."),
    Column("ms", "ms", 1, "", "The network alone on a 4:3 picture at its working size, median."),
    Column("seen", "pictures seen", 0, "", "In training, repetitions counted."),
)
TRUTH = "truth"
BASELINES = {"gray": "gray", "mean_color": "mean color, told"}


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        label: for people.
        kind: ``baseline``, ``system``, or ``told`` for a system that is told hints of the truth.
        system: label of the system; that of the row for a baseline.
        figures: by key of :data:`COLUMNS`; None where a figure says nothing.
    """

    label: str
    kind: str
    system: str
    figures: Mapping[str, float | None]


@dataclass(frozen=True)
class Shown:
    """One picture as every row has it.

    Attributes:
        kind: ``best``, ``median`` or ``worst`` by ``ciede2000``.
        name: the file's name.
        ciede2000: mean over the systems (without those told hints).
        of: CIEDE2000 by label of the row.
        tiles: small JPEGs: ``truth``, then by label of the row.
    """

    kind: str
    name: str
    ciede2000: float
    of: Mapping[str, float]
    tiles: Mapping[str, bytes]


@dataclass(frozen=True)
class Table:
    """What was found with the pictures of one folder.

    Attributes:
        task: ``photo`` or ``lineart``.
        folder: the folder's name.
        n: how many pictures were scored.
        rows: gray and mean color, then the systems in the order they were given.
        shown: best, median and worst pictures.
        protocol: what was done, in sentences.
        notes: what could not be done.
        machine: where it ran.
    """

    task: str
    folder: str
    n: int
    rows: Sequence[Row]
    shown: Sequence[Shown]
    protocol: Sequence[str]
    notes: Sequence[str]
    machine: Mapping[str, Any]


@dataclass(frozen=True)
class Report:
    """A whole comparison.

    Attributes:
        created: date and time, UTC, ISO 8601.
        tables: one for photographs, one for line art, where there are such systems.
        reconstructions: figures of networks that give back the color they are given.
        latents: pairs of latent size and CIEDE2000 by what the autoencoders do.
        curves: the course of training by label.
        notes: what to keep in mind.
    """

    created: str
    tables: Sequence[Table]
    reconstructions: Sequence[Reconstruction]
    latents: Mapping[str, Sequence[tuple[float, float]]]
    curves: Mapping[str, Mapping[str, Any]]
    notes: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values under the schema ``tinct.report/1``; no pictures."""
        return {
            "schema": SCHEMA,
            "created": self.created,
            "tinct": tinct.__version__,
            "notes": list(self.notes),
            "tables": [
                {
                    "task": table.task,
                    "folder": table.folder,
                    "n": table.n,
                    "rows": [
                        {"label": r.label, "kind": r.kind, "system": r.system, **r.figures}
                        for r in table.rows
                    ],
                    "shown": [
                        {
                            "kind": s.kind,
                            "name": s.name,
                            "ciede2000": s.ciede2000,
                            "of": dict(s.of),
                        }
                        for s in table.shown
                    ],
                    "protocol": list(table.protocol),
                    "notes": list(table.notes),
                    "machine": dict(table.machine),
                }
                for table in self.tables
            ],
            "reconstructions": [found.to_json() for found in self.reconstructions],
            "latents": {name: [list(pair) for pair in held] for name, held in self.latents.items()},
            "curves": {label: dict(curves) for label, curves in self.curves.items()},
        }
