"""What the studio gives away: colored files, of open pictures and of those sent once."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinct import photo
from tinct.colored import Colored, ColoredJpeg
from tinct.errors import PictureError
from tinct.settings import Settings
from tinct.studio.sessions import Session, Studio, opened, shown_name


@dataclass(frozen=True)
class Once:
    """A picture that is colored and not kept: its name, and the bytes of its file."""

    name: str
    data: bytes = field(repr=False)


def open_once(name: str, data: bytes) -> Once:
    """Take a picture that is colored once and not kept."""
    if not data:
        raise PictureError("The picture is empty; check what was sent.")
    return Once(shown_name(name), data)


def color_once(
    studio: Studio, once: Once, settings: Settings, *, model: str, file_format: str | None
) -> tuple[bytes, str, str]:
    """Color a picture; return the file, its format and the model's name.

    Raises:
        PictureError: it cannot be read.
        SaveError: the format does not suit.
    """
    front = studio.front(model)
    if file_format in (None, "jpeg"):
        kept = front.color_jpeg(once.data, settings, max_pixels=studio.pixels)
        if kept is not None:
            return kept.encode(), "jpeg", kept.bundle.name
    picture, _ = opened(front, once.data, studio.pixels)
    colored = front.color(picture, settings)
    kind = file_format or photo.format_of("x" + photo.suffix_for(picture))
    return colored.encode(kind), kind, colored.bundle.name


def export(studio: Studio, session: Session, file_format: str | None) -> tuple[bytes, str]:
    """Return the colored file at full size with its metadata, and its format.

    Raises:
        SaveError: the format does not suit.
    """
    with session.lock:
        wanted = session.wanted
        settings = wanted.settings()
        front = studio.front(wanted.model)
        kind = file_format or photo.format_of("x" + photo.suffix_for(session.picture))
        if kind == "jpeg":
            kept: ColoredJpeg | None = front.color_jpeg(session.path, settings)
            if kept is not None:
                return kept.encode(), kind
        colorizer, proposal = studio.adjusted(session)
        rgb = colorizer.render(session.picture.gray, settings, proposal=proposal)
        colored = Colored(photo=session.picture, rgb=rgb, bundle=colorizer.bundle)
        if kind == "ora":
            path = session.path.with_suffix(".ora")
            colored.save_layers(path, overwrite=True)
            data = path.read_bytes()
            path.unlink()
            return data, kind
        return colored.encode(kind), kind
