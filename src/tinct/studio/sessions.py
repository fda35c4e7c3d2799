"""The pictures that are open in the studio: each is opened and proposed once.

A changed hint costs its own step only: spreading it, and joining the preview with its colors.
"""

from __future__ import annotations

import base64
import io
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
from tinct.color import gray_to_lightness
from tinct.colored import Colored, ColoredJpeg
from tinct.coloring import suggest
from tinct.coloring.palette import Palette, read_palette
from tinct.colorizer import Colorizer
from tinct.drawing.transparency import visible
from tinct.errors import PictureError, UsageError
from tinct.front import Front
from tinct.hints import Hint, Point
from tinct.hints.files import as_json, from_json
from tinct.photo import Photo
from tinct.proposal import Proposal
from tinct.router import open_model
from tinct.settings import AUTO, Settings
from tinct.sidecar import ColorRecipe, parse_recipe

PREVIEW = 1400
"""Longest side of a preview, pixels."""
SMALL = 360
"""Longest side of the pictures of variants."""
WHITE = 40.0
"""Doubt that the map shows white, Lab units."""
MODELS = 4
"""Models that are held in memory."""


@dataclass(frozen=True)
class Wanted:
    """How a session's picture is to be colored.

    Attributes:
        hints: as in a color recipe.
        strength: factor on chroma.
        warmth: as in :class:`tinct.Settings`.
        model: a name, or ``auto``.
        keep: as in :class:`tinct.Settings`, like ``quality``.
    """

    hints: tuple[Hint, ...] = ()
    strength: float = 1.0
    warmth: float = 0.0
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
            keep=self.keep,
            quality=self.quality,
        )


@dataclass(frozen=True)
class Once:
    """A picture that is colored and not kept: its name, and the bytes of its file."""

    name: str
    data: bytes = field(repr=False)


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
        reference: the palette that the colors take, or None.
        reference_name: the name of the file that it is from.
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
    reference: Palette | None = None
    reference_name: str = ""
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
        picture, told = _opened(self.front(AUTO), data, self.pixels)
        path.write_bytes(data)
        session = Session(
            key=key,
            name=_shown(name),
            path=path,
            picture=picture,
            preview=_reduced(picture.gray, PREVIEW),
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
        self._refer(session, read_palette(data), _shown(name))

    def drop_reference(self, session: Session) -> None:
        """Let a picture's colors be as the model proposes."""
        self._refer(session, None, "")

    def _refer(self, session: Session, palette: Palette | None, name: str) -> None:
        with session.lock:
            session.reference, session.reference_name = palette, name
            session.version += 1
            session.rendered.clear()

    def proposed(self, session: Session) -> tuple[Colorizer, Proposal]:
        """Return what the model proposes without hints; it looks once."""
        with session.lock:
            model, quality = session.wanted.model, session.wanted.quality
            found = session.proposals.get((model, quality))
            if found is None:
                seen = visible(session.picture)
                colorizer = self.front(model).choose(seen)
                mirror = quality == "best" and not colorizer.bundle.paints
                found = (
                    colorizer,
                    colorizer.propose(seen, quality=quality, mirror=mirror, bins=True),
                )
                session.proposals = {**session.proposals, (model, quality): found}
            return found

    def adjusted(self, session: Session) -> tuple[Colorizer, Proposal]:
        """Return the proposal with the session's hints."""
        colorizer, proposal = self.proposed(session)
        wanted = session.wanted
        return colorizer, colorizer.adjust(
            proposal, hints=wanted.hints, reference=session.reference, warmth=wanted.warmth
        )

    def view(self, session: Session, *, whole: bool = False) -> bytes:
        """Return the colored picture as JPEG, as a preview or at full size."""
        with session.lock:
            held = session.rendered.get((session.version, whole))
            if held is not None:
                return held
            colorizer, proposal = self.adjusted(session)
            gray = session.picture.gray if whole else session.preview
            settings = Settings(strength=session.wanted.strength)
            rgb = colorizer.render(gray, settings, proposal=proposal)
            data = _jpeg(rgb)
            session.rendered[(session.version, whole)] = data
            return data

    def gray(self, session: Session) -> bytes:
        """Return the preview without color as JPEG."""
        return _jpeg(session.preview)

    def doubt(self, session: Session) -> bytes:
        """Return the map of doubt as PNG: black is sure, white is :data:`WHITE` and more."""
        _, proposal = self.proposed(session)
        codes = np.rint(np.clip(proposal.doubt() / WHITE, 0, 1) * 255).astype(np.uint8)
        height, width = session.preview.shape
        image = Image.fromarray(codes).resize((width, height), Image.Resampling.BICUBIC)
        held = io.BytesIO()
        image.save(held, "PNG")
        return held.getvalue()

    def variants(self, session: Session, *, count: int = 3) -> list[dict[str, Any]]:
        """Return coherent alternatives: the hints that make them, and a small picture of each."""
        colorizer, proposal = self.proposed(session)
        small = _reduced(session.preview, SMALL)
        found = []
        regions = proposal.suggest(count=3, colors=count + 1)
        for choice in suggest.alternatives(regions, count=count):
            hints = tuple(
                Point(x=x, y=y, color=(region.lightness, *likely.ab), radius=0.02)
                for region, likely in choice
                for x, y in suggest.interior(region.mask, cover=proposal.cover)
            )
            adjusted = colorizer.adjust(
                proposal,
                hints=(*hints, *session.wanted.hints),
                reference=session.reference,
                warmth=session.wanted.warmth,
            )
            picture = base64.b64encode(_jpeg(colorizer.render(small, proposal=adjusted)))
            found.append(
                {
                    "hints": [as_json(hint) for hint in hints],
                    "picture": f"data:image/jpeg;base64,{picture.decode()}",
                }
            )
        return found

    def likely(self, session: Session, x: float, y: float) -> list[dict[str, Any]]:
        """Return the likeliest colors at a place, at its lightness.

        Raises:
            UsageError: the model has no distribution of colors.
        """
        _, proposal = self.proposed(session)
        height, width = session.preview.shape
        row, column = min(int(y * height), height - 1), min(int(x * width), width - 1)
        codes = session.preview[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
        lightness = float(gray_to_lightness(codes.mean() / 255))
        return [
            {"color": one.at(lightness), "share": round(one.share, 3)}
            for one in proposal.likely_at(x, y)
        ]

    def regions(self, session: Session) -> list[dict[str, Any]]:
        """Return the places where a hint would help most, with likely colors.

        Raises:
            UsageError: the model has no distribution of colors.
        """
        _, proposal = self.proposed(session)
        return [
            {
                "x": round(region.x, 4),
                "y": round(region.y, 4),
                "area": round(region.area, 4),
                "doubt": round(region.doubt, 2),
                "colors": [
                    {"color": one.at(region.lightness), "share": round(one.share, 3)}
                    for one in region.colors
                ],
            }
            for region in proposal.suggest()
        ]

    def open_once(self, name: str, data: bytes) -> Once:
        """Take a picture that is colored once and not kept."""
        if not data:
            raise PictureError("The picture is empty; check what was sent.")
        return Once(_shown(name), data)

    def color_once(
        self, once: Once, settings: Settings, *, model: str, file_format: str | None
    ) -> tuple[bytes, str, str]:
        """Color a picture; return the file, its format and the model's name.

        Raises:
            PictureError: it cannot be read.
            SaveError: the format does not suit.
        """
        front = self.front(model)
        if file_format in (None, "jpeg"):
            kept = front.color_jpeg(once.data, settings, max_pixels=self.pixels)
            if kept is not None:
                return kept.encode(), "jpeg", kept.bundle.name
        picture, _ = _opened(front, once.data, self.pixels)
        colored = front.color(picture, settings)
        kind = file_format or photo.format_of("x" + photo.suffix_for(picture))
        return colored.encode(kind), kind, colored.bundle.name

    def export(self, session: Session, file_format: str | None) -> tuple[bytes, str]:
        """Return the colored file at full size with its metadata, and its format.

        Raises:
            SaveError: the format does not suit.
        """
        with session.lock:
            wanted = session.wanted
            settings = replace(wanted.settings(), reference=session.reference)
            front = self.front(wanted.model)
            kind = file_format or photo.format_of("x" + photo.suffix_for(session.picture))
            if kind == "jpeg":
                kept: ColoredJpeg | None = front.color_jpeg(session.path, settings)
                if kept is not None:
                    return kept.encode(), kind
            colorizer, proposal = self.adjusted(session)
            rgb = colorizer.render(session.picture.gray, settings, proposal=proposal)
            colored = Colored(photo=session.picture, rgb=rgb, bundle=colorizer.bundle)
            if kind == "ora":
                path = session.path.with_suffix(".ora")
                colored.save_layers(path, overwrite=True)
                data = path.read_bytes()
                path.unlink()
                return data, kind
            return colored.encode(kind), kind

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
        recipe = parse_recipe(held)
        settings = recipe.settings
        names = {bundle.name for bundle in list_bundles()}
        self.change(
            session,
            Wanted(
                hints=settings.hints,
                strength=settings.strength,
                warmth=settings.warmth,
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
    return from_json(held, folder=None)


def _opened(front: Front, data: bytes, pixels: int) -> tuple[Photo, tuple[str, ...]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", photo.PictureWarning)
        picture = front.open(data, max_pixels=pixels)
    return picture, tuple(dict.fromkeys(str(one.message) for one in caught))


def _reduced(gray: NDArray[Any], longest: int) -> NDArray[Any]:
    """Return 8-bit gray codes whose longer side is at most ``longest``."""
    if gray.dtype == np.uint16:
        gray = (gray >> 8).astype(np.uint8)
    height, width = gray.shape
    scale = longest / max(height, width)
    if scale >= 1:
        return gray
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.LANCZOS))


def _jpeg(pixels: NDArray[Any]) -> bytes:
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=88)
    return held.getvalue()


def _shown(name: str) -> str:
    """Return a file's name as it may be shown and proposed for saving: no folders, no controls."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*')
    return kept.strip(". ")[:120] or "picture"
