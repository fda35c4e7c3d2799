"""What ``tinct film.mp4`` does: one film, with its sound.

Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tinct.command import terminal
from tinct.command.terminal import ended
from tinct.errors import TinctError, UsageError
from tinct.settings import AUTO

if TYPE_CHECKING:
    from tinct.sidecar import ColorRecipe

FOR_FILMS = ("encoder", "crf", "frame_by_frame", "stills")
FOR_PICTURES = ("format", "layers", "save_recipe", "all_pages", "sheet", "watch", "force")


def is_meant(given: argparse.Namespace) -> bool:
    """Tell whether a command line is about a film.

    Raises:
        UsageError: about a film and other things, or about none with options for films.
    """
    from tinct.jobs.film_formats import is_film

    films = [name for name in given.pictures if name != "-" and is_film(Path(name))]
    if not films:
        _refuse(given, FOR_FILMS, "is for films")
        return False
    if len(given.pictures) > 1:
        raise UsageError("films are colored one at a time; give each a command of its own")
    _refuse(given, FOR_PICTURES, "is for pictures, not for films")
    return True


def _refuse(given: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if getattr(given, name) not in (None, False):
            raise UsageError(f"--{name.replace('_', '-')} {why}; leave it out")


def color(given: argparse.Namespace, recipe: ColorRecipe) -> int:
    """Color a film."""
    from tinct.colorizer import Colorizer
    from tinct.jobs.overlap import MOST, share
    from tinct.jobs.tracks import parse_timed
    from tinct.jobs.video import color_film

    (source,) = map(Path, given.pictures)
    target = _target(source, given.output)
    assert recipe.model is not None
    workers, threads = share(MOST, threads=given.threads)
    model = "photo" if recipe.model == AUTO else recipe.model
    with terminal.counter("coloring") as count:
        try:
            done = color_film(
                source,
                target,
                colorizer=Colorizer(model, device=given.device, threads=threads),
                settings=recipe.settings,
                codec=given.encoder,
                crf=given.crf,
                overwrite=given.overwrite,
                frame_by_frame=given.frame_by_frame,
                hints=[parse_timed(text) for text in given.hint],
                stills=None if given.stills is None else Path(given.stills),
                workers=workers,
                count=count,
            )
        except TinctError as error:
            if given.json:
                terminal.write_json(_as_dict(source, error=ended(error)))
            raise
    for remark in done.remarks:
        terminal.complain(f"tinct: {source}: {remark}")
    if given.json:
        held = _as_dict(source, target=target, warnings=done.remarks)
        terminal.write_json({**held, "frames": done.frames, "shots": done.shots})
    terminal.say(f"{source} -> {target}  ({done.frames} frames, {done.shots} shots)")
    return 0


def _target(source: Path, output: str | None) -> Path:
    """Return the name of the colored film."""
    from tinct.jobs.film_formats import FORMATS
    from tinct.jobs.paths import MARK, PIPE

    if output == PIPE:
        raise UsageError("a film does not go to stdout; give -o FILE.mp4")
    ending = source.suffix if source.suffix.lower() in FORMATS else ".mp4"
    name = f"{source.stem}{MARK}{ending}"
    if output is None:
        return source.with_name(name)
    target = Path(output)
    return target / name if target.is_dir() or output.endswith(("/", "\\")) else target


def _as_dict(
    source: Path,
    *,
    target: Path | None = None,
    warnings: tuple[str, ...] = (),
    error: str | None = None,
) -> dict[str, object]:
    """Return what became of a film as plain values for JSON."""
    return {
        "input": str(source),
        "output": None if target is None else str(target),
        "warnings": list(warnings),
        "error": error,
    }
