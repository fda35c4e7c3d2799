"""Hold what an evaluation found: figures per picture, pooled rows, and what was done to get them.

A row is one way to color: ``truth``, ``gray`` (a* = b* = 0), ``mean_color`` (the true mean a*, b*
of each picture) and ``ours`` (the system under test). The first three stand beside every result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinct.errors import PartialError
from tinct.measure import metrics

SCHEMA = "tinct.measure/1"
SCHEMA_OF_SEVERAL = "tinct.evaluations/1"
PSNR_LIMIT = 100.0
"""What an infinite PSNR (picture and truth equal) counts as, dB."""

ROWS = ("truth", "gray", "mean_color", "ours")

Figures = Mapping[str, float]
Row = Mapping[str, float | None]


class LearnedMetric(Protocol):
    """A trained network that looks at the pictures.

    Attributes:
        name: one or two words, for the notes.
        protocol: one sentence that says exactly what is measured.
    """

    name: str
    protocol: str

    def __call__(
        self, pictures: Mapping[str, NDArray[np.uint8]], *, name: str
    ) -> dict[str, dict[str, float]]:
        """Return figures for each row.

        Args:
            pictures: for each row, ``truth`` among them, the picture (H, W, 3), all of one size.
            name: the file's name.

        Returns:
            For each row, figures by key; a row may be missing where nothing can be said.
        """


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        key: the name in the JSON.
        label: the name for people.
        digits: decimals shown.
        meaning: one sentence.
    """

    key: str
    label: str
    digits: int
    meaning: str


FIGURES = (
    Figure("ciede2000", "CIEDE2000", 2, "Mean color difference; lower is better."),
    Figure("ciede2000_of_gray", "... / gray's", 3, "The same as a share of the gray row's."),
    Figure("ciede2000_p95", "CIEDE2000 p95", 2, "95th percentile of a picture's pixels, mean."),
    Figure("psnr_mean", "PSNR mean, dB", 2, "In sRGB, mean over pictures; higher is better."),
    Figure("psnr_median", "PSNR median, dB", 2, "In sRGB, median over pictures."),
    Figure("psnr_over_gray", "... over gray's, dB", 2, "Median PSNR minus the gray row's."),
    Figure("ssim", "SSIM", 4, "Structural similarity of the three sRGB channels; 1 is best."),
    Figure("ab_rmse", "a*b* RMSE", 2, "Root mean square error of a* and b*; lower is better."),
    Figure("colorfulness", "colorfulness", 1, "Hasler and Suesstrunk, signed form."),
    Figure("colorfulness_share", "... / truth's", 3, "Mean colorfulness over the truth's mean."),
    Figure("blotches", "blotches", 2, "Variation of a*, b* inside regions of one lightness."),
    Figure("blotches_of_truth", "... / truth's", 3, "The same as a share of the truth's."),
    Figure("leak", "leak", 3, "Share of a color step that lies outside its edge of lightness."),
    Figure("leak_of_truth", "... / truth's", 3, "The same as a share of the truth's."),
    Figure("lightness_shift", "L* shift", 3, "Mean absolute change of L*; 0 is best."),
    Figure("classifier_loss", "classifier loss", 3, "Log loss of the true class."),
    Figure("classifier_top1", "classifier top-1", 3, "Share of pictures whose class is found."),
    Figure("classifier_share", "classifier share", 3, "Of gray's extra loss, the part won back."),
    Figure("vgg_distance", "VGG-16 perceptual distance", 4, "Unweighted; lower is better."),
    Figure("vgg_distance_of_gray", "... / gray's", 3, "The same as a share of the gray row's."),
    Figure("seconds", "seconds", 3, "To color one picture, mean."),
    Figure("peak_mb", "peak memory, MB", 0, "Highest of the process while coloring."),
)


@dataclass(frozen=True)
class PictureScore:
    """The figures of one picture.

    Attributes:
        name: the file's name.
        width: pixels.
        height: pixels.
        rows: figures by row and key; a key is missing where it says nothing.
    """

    name: str
    width: int
    height: int
    rows: Mapping[str, Figures]


@dataclass(frozen=True)
class Failure:
    """One picture that could not be scored, and why."""

    name: str
    error: str


@dataclass(frozen=True)
class Sample:
    """One picture to show, as small JPEGs.

    Attributes:
        kind: ``best``, ``median`` or ``worst``, by CIEDE2000.
        name: the file's name.
        ciede2000: of the picture as colored.
        gray: JPEG bytes of the input.
        ours: JPEG bytes of the result.
        truth: JPEG bytes of the truth.
    """

    kind: str
    name: str
    ciede2000: float
    gray: bytes
    ours: bytes
    truth: bytes


@dataclass(frozen=True)
class Results:
    """Everything one evaluation found.

    Attributes:
        created: date and time, UTC, ISO 8601.
        tinct: the version of tinct.
        system: what was tested, for people.
        model: name, sha256 of the network and more, or None if no bundle was run.
        folder: the name of the folder with the true pictures.
        settings: what was asked for.
        protocol: sentences that say exactly what was done.
        notes: what could not be done, such as learned metrics that cannot be had.
        machine: where it ran: system, cores, versions.
        failures: pictures that could not be scored.
        rows: pooled figures by row and key; None where a figure says nothing.
        pictures: the figures of each picture, in the order of their names.
        samples: pictures for the HTML report; not part of the JSON.
    """

    created: str
    tinct: str
    system: str
    model: Mapping[str, Any] | None
    folder: str
    settings: Mapping[str, Any]
    protocol: Sequence[str]
    notes: Sequence[str]
    machine: Mapping[str, Any]
    failures: Sequence[Failure]
    rows: Mapping[str, Row]
    pictures: Sequence[PictureScore]
    samples: Sequence[Sample] = ()

    @property
    def n(self) -> int:
        """The number of pictures that were scored."""
        return len(self.pictures)

    def row_label(self, row: str) -> str:
        """Return a row's name for people."""
        return self.system if row == "ours" else row.replace("_", " ")

    def raise_failures(self) -> None:
        """Raise if any picture could not be scored.

        Raises:
            PartialError: names how many and the first of them.
        """
        if self.failures:
            first = self.failures[0]
            raise PartialError(
                f"{len(self.failures)} of {self.n + len(self.failures)} pictures could not be "
                f"scored, the first is {first.name}: {first.error}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the results as plain values under the schema ``tinct.measure/1``.

        Keys, in this order: ``schema``, ``created``, ``tinct``, ``system``, ``model`` (object or
        null), ``folder``, ``n``, ``settings``, ``protocol`` (sentences), ``notes``, ``machine``,
        ``failures`` (``name``, ``error``), ``rows`` (for each of ``truth``, ``gray``,
        ``mean_color``, ``ours`` the keys of :data:`FIGURES`, a number or null) and ``pictures``
        (``name``, ``width``, ``height``, ``rows``: figures by row and key).
        """
        return {
            "schema": SCHEMA,
            "created": self.created,
            "tinct": self.tinct,
            "system": self.system,
            "model": None if self.model is None else dict(self.model),
            "folder": self.folder,
            "n": self.n,
            "settings": dict(self.settings),
            "protocol": list(self.protocol),
            "notes": list(self.notes),
            "machine": dict(self.machine),
            "failures": [asdict(failure) for failure in self.failures],
            "rows": {row: dict(figures) for row, figures in self.rows.items()},
            "pictures": [
                {
                    "name": picture.name,
                    "width": picture.width,
                    "height": picture.height,
                    "rows": {row: dict(figures) for row, figures in picture.rows.items()},
                }
                for picture in self.pictures
            ],
        }


def figures_of(comparison: metrics.Comparison) -> dict[str, float]:
    """Return a comparison as figures that JSON can hold: an infinite PSNR becomes 100 dB."""
    figures = asdict(comparison)
    figures["psnr"] = min(figures["psnr"], PSNR_LIMIT)
    return figures


def pool(pictures: Sequence[PictureScore]) -> dict[str, Row]:
    """Pool the figures of single pictures into rows; every picture counts the same.

    Args:
        pictures: scored pictures.

    Returns:
        For each row of :data:`ROWS` that occurs, all keys of :data:`FIGURES`; None where there is
        nothing to pool.
    """
    known = [row for row in ROWS if any(row in picture.rows for picture in pictures)]
    plain = {row: _pool_row([p.rows[row] for p in pictures if row in p.rows]) for row in known}
    gray, truth = plain.get("gray", {}), plain.get("truth", {})
    rows: dict[str, Row] = {}
    for row, pooled in plain.items():
        joined = dict(pooled)
        joined["colorfulness_share"] = _ratio(pooled["colorfulness"], truth.get("colorfulness"))
        loss, gray_loss, true_loss = (part.get("classifier_loss") for part in (pooled, gray, truth))
        if loss is not None and gray_loss is not None and true_loss is not None:
            joined["classifier_share"] = _ratio(gray_loss - loss, gray_loss - true_loss)
        joined["blotches_of_truth"] = _ratio(pooled["blotches"], truth.get("blotches"))
        joined["leak_of_truth"] = _ratio(pooled["leak"], truth.get("leak"))
        joined["ciede2000_of_gray"] = _ratio(pooled["ciede2000"], gray.get("ciede2000"))
        joined["vgg_distance_of_gray"] = _ratio(pooled["vgg_distance"], gray.get("vgg_distance"))
        median, gray_median = pooled["psnr_median"], gray.get("psnr_median")
        if median is not None and gray_median is not None:
            joined["psnr_over_gray"] = median - gray_median
        rows[row] = {figure.key: joined.get(figure.key) for figure in FIGURES}
    return rows


def _pool_row(pictures: Sequence[Figures]) -> dict[str, float | None]:
    """Return the figures of one row that need no other row."""

    def values(key: str) -> list[float]:
        return [picture[key] for picture in pictures if key in picture]

    means = (
        *("ciede2000", "ciede2000_p95", "ssim", "ab_rmse", "colorfulness", "lightness_shift"),
        *("blotches", "leak", "classifier_loss", "classifier_top1", "vgg_distance", "seconds"),
    )
    pooled = {key: _mean(values(key)) for key in means}
    psnr = values("psnr")
    pooled["psnr_mean"] = _mean(psnr)
    pooled["psnr_median"] = float(np.median(psnr)) if psnr else None
    pooled["peak_mb"] = max(values("peak_mb"), default=None)
    return pooled


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return math.fsum(values) / len(values) if values else None


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole
