"""The pictures that are open in the studio: each is opened and proposed once.

A changed hint costs its own step only: spreading it, and joining the preview with its colors.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
import warnings
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinct import photo
from tinct.bundle import list_bundles
from tinct.coloring.palette import Palette, read_palette
from tinct.colorizer import Colorizer
from tinct.drawing.transparency import visible
from tinct.errors import UsageError
from tinct.front import Front
from tinct.hints import Hint
from tinct.hints.files import from_json
from tinct.photo import Photo
from tinct.proposal import Proposal
from tinct.router import open_model
from tinct.settings import AUTO, Settings
from tinct.sidecar import ColorRecipe, parse_recipe

PREVIEW = 1400
"""Longest side of a preview, pixels."""
HINT_PIXELS = 24_000_000
"""What all pictures in the hints of a request may have together."""
MODELS = 4
"""Models that are held in memory."""


@dataclass(frozen=True)
class Wanted:
    """How a session's picture is to be colored.

    Attributes:
        hints: as in a color recipe.
        strength: factor on chroma.
        warmth: as in :class:`tinct.Settings`.
        reference: the palette that the colors take, or None.
        model: a name, or ``auto``.
        keep: as in :class:`tinct.Settings`, like ``quality``.
    """

    hints: tuple[Hint, ...] = ()
    strength: float = 1.0
    warmth: float = 0.0
    reference: Palette | None = None
    model: str = AUTO
    keep: str = "auto"
    quality: str = "balanced"

    def settings(self) -> Settings:
        """Return the settings.

        Raises:
            UsageError: a value is out of range.
        """
        return Settings(
            hints=self.hints,
            strength=self.strength,
            warmth=self.warmth,
            reference=self.reference,
            keep=self.keep,
            quality=self.quality,
        )


@dataclass(eq=False)
class Session:
    """One open picture.

    Attributes:
        key: its name, which cannot be guessed.
        name: the file's name, for people.
        path: the uploaded file.
        picture: opened.
        preview: its gray codes at the size of a preview.
        warnings: what opening it said.
        wanted: how it is to be colored.
        version: counts the changes.
        used: when it was last asked for, monotonic seconds.
    """

    key: str
    name: str
    path: Path
    picture: Photo
    preview: NDArray[Any]
    warnings: tuple[str, ...]
    wanted: Wanted = field(default_factory=Wanted)
    version: int = 0
    used: float = field(default_factory=time.monotonic)
    lock: threading.RLock = field(default_factory=threading.RLock)
    proposals: dict[tuple[str, str], tuple[Colorizer, Proposal]] = field(default_factory=dict)
    rendered: dict[tuple[int, bool], bytes] = field(default_factory=dict)


class Studio:
    """Opens pictures, keeps them, colors them; safe to use from several threads.

    Args:
        sessions: how many pictures are kept.
        idle: seconds after which an unused one is dropped.
        pixels: larger pictures are refused.
        threads: that work on one picture; None means one for each core.
    """

    def __init__(
        self, *, sessions: int, idle: float, pixels: int, threads: int | None = None
    ) -> None:
        self.most = sessions
        self.idle = idle
        self.pixels = pixels
        self.threads = threads
        self.folder = Path(tempfile.mkdtemp(prefix="tinct-studio-"))
        self.held: OrderedDict[str, Session] = OrderedDict()
        self.fronts: OrderedDict[str, Front] = OrderedDict()
        self.lock = threading.Lock()

    def close(self) -> None:
        """Forget every picture."""
        with self.lock:
            self.held.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def front(self, model: str) -> Front:
        """Return what colors with a model, loaded once.

        Raises:
            ModelError: there is no such model.
            UsageError: it is a path: only installed models are used.
        """
        if model != AUTO and model not in {bundle.name for bundle in list_bundles()}:
            raise UsageError(f"There is no installed model {model[:60]!r}; ask /v1/models.")
        with self.lock:
            found = self.fronts.get(model)
            if found is None:
                found = open_model(model, threads=self.threads)
                self.fronts[model] = found
                while len(self.fronts) > MODELS:
                    self.fronts.popitem(last=False)
            self.fronts.move_to_end(model)
            return found

    def add(self, name: str, data: bytes) -> Session:
        """Open a picture.

        Raises:
            PictureError: it cannot be read.
            DeviceError, ModelError: it cannot be colored.
        """
        key = secrets.token_urlsafe(18)
        path = self.folder / key
        picture, told = opened(self.front(AUTO), data, self.pixels)
        path.write_bytes(data)
        session = Session(
            key=key,
            name=shown_name(name),
            path=path,
            picture=picture,
            preview=reduced(picture.gray, PREVIEW),
            warnings=told,
        )
        self.drop_old()
        with self.lock:
            self.held[key] = session
            while len(self.held) > self.most:
                _, oldest = self.held.popitem(last=False)
                oldest.path.unlink(missing_ok=True)
        return session

    def get(self, key: str) -> Session | None:
        """Return an open picture, or None."""
        self.drop_old()
        with self.lock:
            session = self.held.get(key)
            if session is not None:
                session.used = time.monotonic()
                self.held.move_to_end(key)
            return session

    def drop(self, key: str) -> bool:
        """Forget a picture; tell whether there was one."""
        with self.lock:
            session = self.held.pop(key, None)
        if session is None:
            return False
        session.path.unlink(missing_ok=True)
        return True

    def drop_old(self) -> None:
        """Forget what has not been used for long."""
        now = time.monotonic()
        with self.lock:
            old = [key for key, one in self.held.items() if now - one.used > self.idle]
        for key in old:
            self.drop(key)

    def change(self, session: Session, wanted: Wanted) -> None:
        """Change how a picture is to be colored.

        Raises:
            UsageError: a value is out of range, or there is no such model.
        """
        wanted.settings()
        self.front(wanted.model)
        with session.lock:
            session.wanted = wanted
            session.version += 1
            session.rendered.clear()

    def take_reference(self, session: Session, name: str, data: bytes) -> None:
        """Let a picture's colors take the palette of another picture.

        Raises:
            PictureError: the other picture cannot be read, or is too large.
            UsageError: it is gray.
        """
        palette = replace(read_palette(data, max_pixels=self.pixels), name=shown_name(name))
        self.change(session, replace(session.wanted, reference=palette))

    def drop_reference(self, session: Session) -> None:
        """Let a picture's colors be as the model proposes."""
        self.change(session, replace(session.wanted, reference=None))

    def proposed(self, session: Session) -> tuple[Colorizer, Proposal]:
        """Return what the model proposes without hints; it looks once."""
        with session.lock:
            model, quality = session.wanted.model, session.wanted.quality
            found = session.proposals.get((model, quality))
            if found is None:
                seen = visible(session.picture)
                colorizer = self.front(model).choose(seen)
                found = (colorizer, colorizer.propose(seen, quality=quality, bins=True))
                session.proposals = {**session.proposals, (model, quality): found}
            return found

    def adjusted(self, session: Session) -> tuple[Colorizer, Proposal]:
        """Return the proposal with the session's hints."""
        colorizer, proposal = self.proposed(session)
        wanted = session.wanted
        return colorizer, colorizer.adjust(
            proposal, hints=wanted.hints, reference=wanted.reference, warmth=wanted.warmth
        )

    def recipe(self, session: Session) -> dict[str, Any]:
        """Return the color recipe of a picture as plain JSON values."""
        colorizer, _ = self.proposed(session)
        wanted = session.wanted
        held = ColorRecipe(settings=wanted.settings(), model=wanted.model)
        if wanted.model != AUTO:
            held = held.of_bundle(colorizer.bundle)
        return held.as_dict()

    def take_recipe(self, session: Session, held: Any) -> None:
        """Color a picture by a recipe.

        Raises:
            UsageError: something in it is wrong, or names files; the message names the field.
        """
        recipe = parse_recipe(held, max_pixels=HINT_PIXELS)
        settings = recipe.settings
        names = {bundle.name for bundle in list_bundles()}
        self.change(
            session,
            Wanted(
                hints=settings.hints,
                strength=settings.strength,
                warmth=settings.warmth,
                reference=settings.reference,
                keep=settings.keep,
                quality=settings.quality,
                model=recipe.model if recipe.model in names else AUTO,
            ),
        )


def is_reversible(session: Session) -> bool:
    """Tell whether the picture saved as a JPEG would keep its gray untouched."""
    return photo.open_gray_jpeg(session.path) is not None


def hints_of(held: Any) -> tuple[Hint, ...]:
    """Read the hints of a request: points, strokes and what stays gray; no files.

    Raises:
        UsageError: something in them is wrong; the message names the field.
    """
    return from_json(held, folder=None, max_pixels=HINT_PIXELS)


def opened(front: Front, data: bytes, pixels: int) -> tuple[Photo, tuple[str, ...]]:
    """Open a picture of at most so many pixels; return it and what opening it said.

    Raises:
        PictureError: it cannot be read.
        DeviceError, ModelError: it cannot be colored.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", photo.PictureWarning)
        picture = front.open(data, max_pixels=pixels)
    return picture, tuple(dict.fromkeys(str(one.message) for one in caught))


def reduced(gray: NDArray[Any], longest: int) -> NDArray[Any]:
    """Return 8-bit gray codes whose longer side is at most ``longest``."""
    if gray.dtype == np.uint16:
        gray = (gray >> 8).astype(np.uint8)
    height, width = gray.shape
    scale = longest / max(height, width)
    if scale >= 1:
        return gray
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.LANCZOS))


def shown_name(name: str) -> str:
    """Return a file's name as it may be shown and proposed for saving: no folders, no controls."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*')
    return kept.strip(". ")[:120] or "picture"
