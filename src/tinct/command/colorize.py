"""The command ``tinct colorize``: pictures, files, folders or a pipe.

Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tinct import __version__
from tinct.command import film, terminal
from tinct.command.terminal import ended
from tinct.errors import PartialError, SaveError, TinctError, UsageError
from tinct.settings import AUTO

if TYPE_CHECKING:
    from tinct.front import Front
    from tinct.jobs.batch import Outputs, Result
    from tinct.jobs.ledger import Ledger
    from tinct.jobs.paths import Job
    from tinct.sidecar import ColorRecipe, Keeper


def colorize(given: argparse.Namespace) -> int:
    """Color pictures."""
    about_film = film.is_meant(given)
    if not about_film:
        _load_ahead(given)
    from tinct import sidecar
    from tinct.colorizer import Colorizer
    from tinct.jobs import batch
    from tinct.jobs.overlap import MOST, share
    from tinct.jobs.paths import Choice, plan
    from tinct.router import open_model

    recipe = _recipe(given, hints=() if about_film else given.hint)
    assert recipe.model is not None
    if given.raw is not None:
        return _raw(given, recipe)
    if about_film:
        return film.color(given, recipe)
    outputs = batch.Outputs(
        file_format=given.format,
        overwrite=given.overwrite,
        force=given.force,
        all_pages=given.all_pages,
        layers=given.layers,
        doubt=given.sheet is not None,
    )
    told: set[str] = set()

    def tell(text: str) -> None:
        if text not in told:  # whoever watches looks again and again
            terminal.complain(f"tinct: {text}")
        told.add(text)

    def planned() -> list[Job]:
        return plan(
            given.pictures,
            output=given.output,
            file_format=given.format,
            choice=Choice(recursive=given.recursive, pattern=given.glob, empty=given.watch),
            tell=tell,
        )

    jobs = planned()
    if any(job.target is None for job in jobs):
        _check_stdout(json=given.json)
    if given.layers is not None:
        _check_layers(given, count=len(jobs))
    if given.sheet is not None:
        from tinct.jobs.sheet import check_sheet

        check_sheet(Path(given.sheet))
    if given.watch:
        _check_watch(given)
    keeper = None
    if given.save_recipe is not None:
        named = None if given.save_recipe is True else given.save_recipe
        keeper = sidecar.Keeper(named, overwrite=given.overwrite)
        # What a journal says is done keeps its recipe; the others are told when their turn comes.
        keeper.check([(job.source, job.target) for job in jobs if job.root is None])
    workers, threads = share(MOST if given.watch else len(jobs), threads=given.threads)
    colorizer = open_model(recipe.model, device=given.device, threads=threads)
    if isinstance(colorizer, Colorizer) and (mismatch := recipe.mismatch(colorizer.bundle)):
        terminal.complain(f"tinct: {given.recipe}: {mismatch}")
    work = _Work(given, recipe, outputs, colorizer, keeper, workers)
    if given.watch:
        _watch(given, planned, work)
    results = work.color(jobs)
    failed = [result.error for result in results if result.error]
    if len(results) > 1 and failed:
        raise PartialError(f"{len(failed)} of {len(results)} pictures failed, see above")
    return failed[0].exit_code if failed else 0


def _load_ahead(given: argparse.Namespace) -> None:
    """Begin to load the model of a single picture, while the rest of tinct is imported."""
    names = given.pictures
    if len(names) != 1 or given.recipe or given.watch:
        return
    from tinct.bundle import find_bundle
    from tinct.engine import load_ahead

    with suppress(TinctError, OSError, ValueError):  # whoever needs the model or file will tell
        if not Path(names[0]).is_file():
            return
        bundle = find_bundle("photo" if given.model in (None, AUTO) else given.model)
        load_ahead(bundle, device=given.device, threads=given.threads)


@dataclass(frozen=True)
class _Work:
    """What is done with pictures, once everything has been checked."""

    given: argparse.Namespace
    recipe: ColorRecipe
    outputs: Outputs
    colorizer: Front
    keeper: Keeper | None
    workers: int

    def color(self, jobs: Sequence[Job]) -> list[Result]:
        """Color pictures and tell what becomes of them."""
        from tinct.jobs import batch

        began = time.perf_counter()
        results: list[Result] = []
        settings = self.recipe.settings
        with self.ledger(jobs) as ledger, terminal.progress("coloring", total=len(jobs)) as steps:
            try:
                for result in batch.color_all(
                    jobs,
                    colorizer=self.colorizer,
                    settings=settings,
                    outputs=self.outputs,
                    ledger=ledger,
                    workers=min(self.workers, len(jobs)),
                ):
                    kept = result
                    if self.keeper is not None:
                        kept = _kept(result, keeper=self.keeper, recipe=self.recipe)
                    results.append(kept)
                    _report(kept, show=steps.show, json=self.given.json)
                    steps.step()
            finally:
                self.close(ledger, results)
        if len(results) > 1 and not self.given.json:
            terminal.say(_summary(results, seconds=time.perf_counter() - began))
        return results

    def ledger(self, jobs: Sequence[Job]) -> AbstractContextManager[Ledger | None]:
        """Return the journals of the folders that results go to; None where there are none."""
        if all(job.root is None for job in jobs):
            return nullcontext()
        from tinct.jobs.ledger import Ledger

        model = self.colorizer.sha256
        return Ledger(jobs, settings=self.recipe.settings, outputs=self.outputs, model=model)

    def close(self, ledger: Ledger | None, results: list[Result]) -> None:
        """Write the report and the contact sheet; a failure is told, for the pictures are done."""
        try:
            if ledger is not None:
                from tinct.jobs.report import write_reports

                write_reports(ledger.journals, results)
            if self.given.sheet is not None:
                from tinct.jobs.sheet import Pair, write_sheet

                pairs = [
                    Pair(one.source, one.target, one.doubt)
                    for one in results
                    if one.source and one.target and one.doubt is not None and not one.error
                ]
                write_sheet(Path(self.given.sheet), pairs)
        except SaveError as error:
            terminal.complain(f"tinct: {ended(error)}")


def _watch(given: argparse.Namespace, planned: Callable[[], list[Job]], work: _Work) -> None:
    """Color what comes into folders until someone ends it."""
    from tinct.jobs.watch import Watch, ticks

    folders = [path for path in map(Path, given.pictures) if path.is_dir()]
    watch = Watch(folders, planned, work.color, lambda text: terminal.complain(f"tinct: {text}"))
    terminal.say("watching; Ctrl-C ends it")
    for changed in ticks(folders, recursive=given.recursive):
        watch.look(told=changed)


def _check_watch(given: argparse.Namespace) -> None:
    """Raise UsageError when there is nothing to watch."""
    if not any(Path(name).is_dir() for name in given.pictures):
        raise UsageError("--watch needs a folder; name one that pictures come into")
    for name in ("layers", "sheet", "save_recipe"):
        if getattr(given, name):
            option = name.replace("_", "-")
            raise UsageError(f"--watch does not go with --{option}; leave one of the two out")


def _raw(given: argparse.Namespace, recipe: ColorRecipe) -> int:
    """Color raw frames from stdin to stdout."""
    from tinct.jobs.frames import color_frames
    from tinct.jobs.overlap import MOST, share
    from tinct.router import open_model

    if given.pictures != ["-"] or given.output not in (None, "-"):
        raise UsageError("--raw goes from stdin to stdout: tinct - --raw 640x480 < IN > OUT")
    for name in ("format", "layers", "save_recipe", "all_pages"):
        if getattr(given, name):
            option = name.replace("_", "-")
            raise UsageError(f"--raw does not go with --{option}; leave one of the two out")
    _check_stdout(json=given.json)
    assert recipe.model is not None
    workers, threads = share(MOST, threads=given.threads)
    colorizer = open_model(recipe.model, device=given.device, threads=threads)
    with terminal.counter("coloring") as count:
        for number in color_frames(
            sys.stdin.buffer,
            sys.stdout.buffer,
            size=given.raw,
            colorizer=colorizer,
            settings=recipe.settings,
            workers=workers,
        ):
            count(number, None)
    return 0


def _check_layers(given: argparse.Namespace, *, count: int) -> None:
    """Raise UsageError or SaveError when layers cannot be written where they should."""
    from tinct.atomic import check_target
    from tinct.drawing.layers import check_layers

    check_layers(given.layers)
    if count > 1 or given.all_pages:
        raise UsageError("one file of layers holds one picture; color the pictures one by one")
    check_target(Path(given.layers), overwrite=given.overwrite)


def _recipe(given: argparse.Namespace, *, hints: Sequence[str]) -> ColorRecipe:
    """Return what a recipe and the options beside it ask for."""
    from tinct.hints.files import read_file
    from tinct.hints.text import parse_hint
    from tinct.sidecar import ColorRecipe, read_recipe

    recipe = read_recipe(given.recipe) if given.recipe else ColorRecipe()
    files = [hint for name in given.hints for hint in read_file(Path(name))]
    held = recipe.settings
    settings = replace(
        held,
        hints=(*held.hints, *files, *map(parse_hint, hints)),
        strength=held.strength if given.strength is None else given.strength,
        warmth=held.warmth if given.warmth is None else given.warmth,
        quality=given.quality or held.quality,
        reference=held.reference if given.reference is None else Path(given.reference),
        flat=given.flat or held.flat,
        keep=given.keep or held.keep,
    )
    return replace(
        recipe,
        settings=settings,
        model=given.model or recipe.model or AUTO,
        sha256=None if given.model else recipe.sha256,
        version=__version__,
    )


def _kept(result: Result, *, keeper: Keeper, recipe: ColorRecipe) -> Result:
    """Save the recipe of a picture that was colored; a failure becomes the picture's."""
    if result.error is not None or result.size is None or result.bundle is None:
        return result
    width, height = result.size
    recipe = recipe.of_bundle(result.bundle)
    try:
        keeper.save(recipe.in_shares(height, width), source=result.source, target=result.target)
    except SaveError as error:
        return replace(result, error=error)
    return result


def _check_stdout(*, json: bool) -> None:
    """Raise UsageError when a picture cannot go to stdout."""
    if json:
        raise UsageError("a picture and --json cannot both go to stdout; give -o FILE")
    if sys.stdout.isatty():
        raise UsageError("the picture would fill the terminal with bytes; give -o FILE or > FILE")


def _report(result: Result, *, show: Callable[[str], None], json: bool) -> None:
    """Tell what became of one picture."""
    if json:
        terminal.write_json(result.as_dict())
    if result.error is not None:
        show(f"tinct: {_named(ended(result.error), result)}")
        return
    if not json:
        for warning in result.warnings:
            show(f"tinct: {_named(warning.removesuffix('.'), result)}")
    if (
        terminal.watched()
        and not result.skipped
        and result.target is not None
        and result.size is not None
    ):
        width, height = result.size
        how = f"{width} x {height}, {result.model}, {result.seconds:.1f} s"
        show(f"{result.name} -> {result.target}  ({how})")


def _summary(results: list[Result], *, seconds: float) -> str:
    """Return one line about many pictures."""
    skipped = sum(result.skipped for result in results)
    failed = sum(result.error is not None for result in results)
    colored = len(results) - skipped - failed
    parts = [f"{colored} colored, {terminal.rate(colored / max(seconds, 1e-9))}"]
    if skipped:
        parts.append(f"{skipped} done already (--force colors them again)")
    if failed:
        parts.append(f"{failed} failed")
    return f"{len(results)} pictures: {'; '.join(parts)}"


def _named(text: str, result: Result) -> str:
    """Return ``text`` with the picture's name in it, once."""
    return text if result.name in text else f"{result.name}: {text}"
