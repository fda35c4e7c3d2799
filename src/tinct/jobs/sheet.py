"""A contact sheet: pictures before and after, the most doubtful first.

As one HTML page without script or other files, with links to the pictures, or as one JPEG.
"""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tinct import photo
from tinct.atomic import replacing
from tinct.errors import PictureError, SaveError, UsageError

MADE_BY = "tinct contact sheet"
SHOWN = 60  # pictures on a sheet: the most doubtful of all
SIDE = 320  # longest side of a small picture, pixels
QUALITY = 82
MARGIN, CAPTION, ACROSS = 8, 18, 3

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-size: .85rem; overflow-wrap: anywhere; }
figure div { display: grid; grid-template-columns: 1fr 1fr; gap: .25rem; }
img { width: 100%; height: auto; display: block; background: #888; }
"""


@dataclass(frozen=True)
class Pair:
    """A picture, its result, and how unsure the model is of it, 0 to 1."""

    source: Path
    result: Path
    doubt: float


@dataclass(frozen=True)
class _Small:
    pair: Pair
    before: Image.Image
    after: Image.Image


def check_sheet(target: Path) -> None:
    """Find out early whether a sheet can be written.

    Raises:
        UsageError: the name ends in neither .html nor .jpg.
        SaveError: a file that is no sheet has that name.
    """
    if target.suffix.lower() not in (".html", ".htm", ".jpg", ".jpeg"):
        raise UsageError(f"{target} is no name for a contact sheet; end it in .html or .jpg.")
    if os.path.lexists(target) and not _is_sheet(target):
        raise SaveError(f"{target} exists already and is no contact sheet; choose another name.")


def write_sheet(target: Path, pairs: Sequence[Pair], *, shown: int = SHOWN) -> int:
    """Write a contact sheet, over an earlier one if there is one.

    Args:
        target: its name; the ending decides between HTML and JPEG.
        pairs: all pictures that were colored.
        shown: how many of them are shown at most.

    Returns:
        How many are shown; those that cannot be read any more are left out.

    Raises:
        UsageError: as for :func:`check_sheet`.
        SaveError: likewise, or it cannot be written.
    """
    check_sheet(target)
    ordered = sorted(pairs, key=lambda pair: (-pair.doubt, pair.source))
    small = list(_small(ordered[:shown]))
    data = _jpeg_sheet(small) if target.suffix.lower() in (".jpg", ".jpeg") else None
    if data is None:
        data = _page(small, total=len(pairs), folder=target.parent).encode("utf-8")
    with replacing(target, overwrite=True) as temporary:
        temporary.write_bytes(data)
    return len(small)


def _is_sheet(target: Path) -> bool:
    try:
        with target.open("rb") as file:
            return MADE_BY.encode() in file.read(2048)
    except OSError:
        return False


def _small(pairs: Iterable[Pair]) -> Iterable[_Small]:
    for pair in pairs:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gray = photo.open_photo(pair.source).gray
                rgb = photo.open_color(pair.result)
        except PictureError:
            continue
        if gray.dtype == np.uint16:
            gray = (gray >> 8).astype(np.uint8)
        yield _Small(pair, _thumbnail(Image.fromarray(gray)), _thumbnail(Image.fromarray(rgb)))


def _thumbnail(image: Image.Image) -> Image.Image:
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=3)
    return image.convert("RGB")


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY, comment=MADE_BY.encode())
    return stream.getvalue()


def _page(small: Sequence[_Small], *, total: int, folder: Path) -> str:
    title = f"{len(small)} of {total} pictures, the most doubtful first"
    figures = "\n".join(_figure(one, folder=folder) for one in small)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="{MADE_BY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>\n<main>\n{figures}\n</main></body></html>\n"
    )


def _figure(one: _Small, *, folder: Path) -> str:
    parts = []
    for path, image in ((one.pair.source, one.before), (one.pair.result, one.after)):
        data = "data:image/jpeg;base64," + base64.b64encode(_jpeg(image)).decode("ascii")
        parts.append(
            f'<a href="{escape(_link(path, folder))}">'
            f'<img loading="lazy" alt="{escape(_shown(path))}" src="{data}"></a>'
        )
    caption = f"{escape(_shown(one.pair.source))}, doubt {one.pair.doubt:.2f}"
    return f"<figure><div>{''.join(parts)}</div><figcaption>{caption}</figcaption></figure>"


def _shown(path: Path) -> str:
    """Return a path as text that any page can hold."""
    return str(path).encode("utf-8", "replace").decode("utf-8")


def _link(path: Path, folder: Path) -> str:
    """Return a link from a page in ``folder``."""
    try:
        return quote(os.fsencode(os.path.relpath(path, folder)).replace(b"\\", b"/"))
    except ValueError:  # another drive
        return path.absolute().as_uri()


def _jpeg_sheet(small: Sequence[_Small]) -> bytes:
    wide = SIDE // 2
    across = max(1, min(ACROSS, len(small)))
    down = max(1, -(-len(small) // across))
    width, height = 2 * wide + MARGIN, wide + CAPTION + MARGIN
    page = Image.new("RGB", (across * width + MARGIN, down * height + MARGIN), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(11)
    for number, one in enumerate(small):
        left = MARGIN + number % across * width
        top = MARGIN + number // across * height
        for step, image in enumerate((one.before, one.after)):
            image.thumbnail((wide - 1, wide), Image.Resampling.BICUBIC)
            page.paste(image, (left + step * wide, top))
        text = f"{one.pair.doubt:.2f}  {_shown(Path(one.pair.source.name))}"
        while font.getlength(text) > 2 * wide and len(text) > 8:
            text = text.rstrip("\u2026")[:-1] + "\u2026"
        draw.text((left, top + wide + 2), text, fill="black", font=font)
    return _jpeg(page)
