"""Pick a model for each picture: one for photographs, one for line drawings."""

from __future__ import annotations

import hashlib
import threading
import warnings
from pathlib import Path
from typing import Any, Unpack

from numpy.typing import NDArray

from tinct.bundle import find_for_task
from tinct.colorizer import Colorizer
from tinct.drawing.classify import tell_kind
from tinct.front import Front
from tinct.photo import PictureWarning
from tinct.settings import AUTO, Wanted

CLOSE = (
    "The picture could be a photograph or a drawing: the model for photographs colors it, which "
    "keeps its lightness. Pass the model lineart (--model lineart) to paint it."
)
NO_DRAWER = (
    "The picture looks like a line drawing, but no line-art model is installed: the photo model "
    "colors it. Pass a bundle's folder as the model (--model FOLDER)."
)


class Router(Front):
    """Colors photographs with one model and line drawings with another.

    The model for line art is the installed one, loaded when the first drawing comes.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ...; see :mod:`tinct.engine`.
        threads: that work on one picture; None means one for each core.

    Raises:
        ModelError: the model for photographs is missing or damaged.
        DeviceError: the device is not available here.
        UsageError: the device is unknown, or ``threads`` is below 1.
    """

    def __init__(self, *, device: str = "auto", threads: int | None = None) -> None:
        self.photo = Colorizer("photo", device=device, threads=threads)
        self.device = device
        self.threads = threads
        self._lineart: Colorizer | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """``auto``."""
        return AUTO

    @property
    def sha256(self) -> str:
        """The hash of both models' hashes; nothing is loaded for it."""
        drawer = find_for_task("lineart")
        hashes = [self.photo.sha256, "" if drawer is None else drawer.manifest.sha256]
        return hashlib.sha256(" ".join(hashes).encode("ascii")).hexdigest()

    @property
    def lineart(self) -> Colorizer | None:
        """The colorizer for line art; None where no such model is installed.

        Raises:
            ModelError: the model is damaged.
        """
        with self._lock:
            if self._lineart is None:
                bundle = find_for_task("lineart")
                if bundle is not None:
                    self._lineart = Colorizer(bundle.path, device=self.device, threads=self.threads)
            return self._lineart

    def choose(self, gray: NDArray[Any]) -> Colorizer:
        """Return the colorizer for a picture.

        Args:
            gray: uint8 or uint16 (H, W), sRGB-encoded.

        Warns:
            PictureWarning: the choice is close; or the picture looks like a line drawing, and no
                model for those is installed.

        Raises:
            ModelError: the model for line art is damaged.
        """
        verdict = tell_kind(gray)
        if verdict.close:
            warnings.warn(CLOSE, PictureWarning, stacklevel=3)
        if verdict.kind == "photo":
            return self.photo
        drawer = self.lineart
        if drawer is None:
            warnings.warn(NO_DRAWER, PictureWarning, stacklevel=3)
            return self.photo
        return drawer


def open_model(
    model: str | Path = AUTO, *, device: str = "auto", threads: int | None = None
) -> Front:
    """Return what colors with a model: a :class:`Router` for ``auto``, else a Colorizer.

    Args:
        model: ``auto``, the name of an installed model, or the path of a bundle.
        device: as for :class:`tinct.Colorizer`.
        threads: as for :class:`tinct.Colorizer`.

    Raises:
        ModelError: as for :class:`tinct.Colorizer`, like all others.
    """
    if model == AUTO:
        return Router(device=device, threads=threads)
    return Colorizer(model, device=device, threads=threads)


def colorize(
    picture: Any,
    *,
    model: str | Path = AUTO,
    device: str = "auto",
    threads: int | None = None,
    page: int | None = None,
    **settings: Unpack[Wanted],
) -> Any:
    """Color one picture; :class:`tinct.Colorizer` is the reusable form.

    Args:
        picture: as for calling a :class:`tinct.Colorizer`; the result is of the same kind.
        model: name of an installed model, or path of a bundle; ``auto`` takes one for photographs
            or one for line drawings.
        device: as for :class:`tinct.Colorizer`.
        threads: as for :class:`tinct.Colorizer`.
        page: which page of a file, from 0.
        **settings: as for calling a :class:`tinct.Colorizer`: values of :class:`tinct.Settings`.

    Raises:
        TinctError: as for :class:`tinct.Colorizer` and calling it.
    """
    return open_model(model, device=device, threads=threads)(picture, page=page, **settings)
