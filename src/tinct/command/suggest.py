"""The command ``tinct suggest``: where a model is unsure, likely colors, and variants."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinct.command import terminal
from tinct.errors import SaveError

if TYPE_CHECKING:
    from tinct.coloring.suggest import Doubtful
    from tinct.colorizer import Colorizer
    from tinct.photo import Photo
    from tinct.proposal import Proposal

BRIGHTEST = 60.0
"""Doubt that the map shows white, Lab units."""


def suggest(given: argparse.Namespace) -> int:
    """Print doubtful places, draw the map, write variants."""
    from tinct.atomic import check_target
    from tinct.drawing.transparency import visible
    from tinct.photo import PictureWarning
    from tinct.router import open_model

    source = Path(given.picture)
    targets = _targets(given, source)
    for target in [*targets, *([Path(given.map)] if given.map else [])]:
        check_target(target, overwrite=given.overwrite)
    front = open_model(given.model, device=given.device, threads=given.threads)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", PictureWarning)
        picture = front.open(source)
    for text in dict.fromkeys(str(one.message) for one in caught):
        terminal.complain(f"tinct: {text.removesuffix('.')}")
    colorizer = front.choose(visible(picture))
    proposal = colorizer.propose(visible(picture), quality=given.quality, bins=True)
    regions = proposal.suggest(count=given.count, colors=given.colors)
    if given.map:
        _draw_map(proposal, picture, Path(given.map), overwrite=given.overwrite)
    written = []
    if targets:
        made = colorizer.vary(proposal, count=len(targets))
        if len(made) < len(targets):
            terminal.complain(
                f"tinct: the model has only {len(made)} other colors to offer for {source}"
            )
        for target, one in zip(targets, made, strict=False):
            _save(colorizer, picture, one, target, overwrite=given.overwrite)
            written.append(str(target))
    if given.json:
        found = [_as_dict(region) for region in regions]
        told = {"input": str(source), "model": colorizer.name, "regions": found}
        terminal.write_json({**told, "variants": written})
    else:
        _write(regions)
        for name in written:
            terminal.say(f"{source} -> {name}")
    return 0


def _targets(given: argparse.Namespace, source: Path) -> list[Path]:
    """Return the names of the variants."""
    from tinct import photo

    folder = Path(given.output) if given.output else source.parent
    if given.output and not folder.is_dir():
        raise SaveError(f"{folder} is no folder; make it first, or name another with -o")
    endings = {e for f in photo.formats() if f.writes for e in f.suffixes}
    ending = source.suffix if source.suffix.lower() in endings else ".png"
    count = given.variants or 0
    return [folder / f"{source.stem}.variant{n}{ending}" for n in range(1, count + 1)]


def _save(
    colorizer: Colorizer, picture: Photo, proposal: Proposal, target: Path, *, overwrite: bool
) -> None:
    from tinct.colored import Colored

    rgb = colorizer.render(picture.gray, proposal=proposal)
    colored = Colored(photo=picture, rgb=rgb, bundle=colorizer.bundle)
    colored.save(target, overwrite=overwrite)


def _draw_map(proposal: Proposal, picture: Photo, target: Path, *, overwrite: bool) -> None:
    """Write the map of doubt at the picture's size: black is sure, white is 60 Lab units and up."""
    import numpy as np
    from PIL import Image

    from tinct.atomic import replacing

    codes = np.rint(np.clip(proposal.doubt() / BRIGHTEST, 0, 1) * 255).astype(np.uint8)
    size = (picture.width, picture.height)
    drawn = Image.fromarray(codes).resize(size, Image.Resampling.BICUBIC)
    kind = Image.registered_extensions().get(target.suffix.lower())
    if kind not in ("PNG", "JPEG", "TIFF", "WEBP"):
        raise SaveError(f"{target} must end with .png, .jpg, .tif or .webp; give another name")
    with replacing(target, overwrite=overwrite) as temporary:
        drawn.save(temporary, kind)


def _as_dict(region: Doubtful) -> dict[str, Any]:
    """Return a region as plain values for JSON."""
    return {
        "x": round(region.x, 4),
        "y": round(region.y, 4),
        "area": round(region.area, 4),
        "doubt": round(region.doubt, 2),
        "colors": [
            {
                "color": likely.at(region.lightness),
                "ab": [round(value, 1) for value in likely.ab],
                "share": round(likely.share, 3),
            }
            for likely in region.colors
        ],
    }


def _write(regions: list[Doubtful]) -> None:
    """Print the regions as a table."""
    if not regions:
        terminal.say("the model is sure of this picture")
        return
    terminal.write_table(
        ("place", "area", "doubt", "likely colors"),
        [
            (
                f"{region.x:.2f},{region.y:.2f}",
                f"{region.area:.0%}",
                f"{region.doubt:.0f}",
                "  ".join(f"{c.at(region.lightness)} {c.share:.0%}" for c in region.colors),
            )
            for region in regions
        ],
    )
