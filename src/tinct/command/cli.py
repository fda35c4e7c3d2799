"""The command line: ``tinct photo.jpg`` and the commands, each a few lines over the Python API.

Data and JSON go to stdout, everything else to stderr. Nothing heavy is imported before a command
needs it.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinct import __version__
from tinct.command import options, parsing, terminal
from tinct.errors import (
    DeviceError,
    MissingExtraError,
    PartialError,
    SaveError,
    TinctError,
    UsageError,
)

if TYPE_CHECKING:
    from tinct.batch import Result
    from tinct.color_recipe import ColorRecipe, Keeper
    from tinct.coloring.palette import Palette


MAIN_FIGURES = ("ciede2000_of_gray", "psnr_over_gray", "colorfulness_share")


def colorize(given: argparse.Namespace) -> int:
    """Color pictures."""
    from tinct import batch, color_recipe
    from tinct.colorizer import Colorizer
    from tinct.plan import plan

    recipe = _recipe(given)
    assert recipe.model is not None
    assert recipe.strength is not None
    assert recipe.quality is not None
    settings = batch.Settings(
        hints=recipe.hints,
        strength=recipe.strength,
        quality=recipe.quality,
        reference=_reference(given),
        flat=given.flat,
        layers=given.layers,
        file_format=given.format,
        overwrite=given.overwrite,
        all_pages=given.all_pages,
    )
    jobs = plan(given.pictures, output=given.output, file_format=given.format)
    if any(job.target is None for job in jobs):
        _check_stdout(json=given.json)
    if given.layers is not None:
        _check_layers(given, count=len(jobs))
    keeper = None
    if given.save_recipe is not None:
        named = None if given.save_recipe is True else given.save_recipe
        keeper = color_recipe.Keeper(named, overwrite=given.overwrite)
        keeper.check([(job.source, job.target) for job in jobs])
    colorizer = Colorizer(recipe.model, device=given.device, threads=given.threads)
    mismatch = recipe.mismatch(colorizer.bundle)
    if mismatch:
        terminal.complain(f"tinct: {given.recipe}: {mismatch}")
    results: list[Result] = []
    with terminal.progress("coloring", total=len(jobs)) as steps:
        for colored in batch.color_all(jobs, colorizer=colorizer, settings=settings):
            result = colored if keeper is None else _kept(colored, keeper=keeper, recipe=recipe)
            results.append(result)
            _report(result, show=steps.show, json=given.json)
            steps.step()
    failed = [result.error for result in results if result.error]
    if len(results) > 1 and failed:
        raise PartialError(f"{len(failed)} of {len(results)} pictures failed, see above")
    return failed[0].exit_code if failed else 0


def _check_layers(given: argparse.Namespace, *, count: int) -> None:
    """Raise UsageError or SaveError when layers cannot be written where they should."""
    from tinct.atomic import check_target
    from tinct.drawing.layers import check_layers

    check_layers(given.layers)
    if count > 1 or given.all_pages:
        raise UsageError("one file of layers holds one picture; color the pictures one by one")
    check_target(Path(given.layers), overwrite=given.overwrite)


def _reference(given: argparse.Namespace) -> Palette | None:
    """Return the palette of the reference, if there is one."""
    if given.reference is None:
        return None
    if given.save_recipe is not None:
        raise UsageError("a recipe cannot hold a reference; leave out --save-recipe")
    from tinct.coloring.palette import read_palette

    return read_palette(Path(given.reference))


def _recipe(given: argparse.Namespace) -> ColorRecipe:
    """Return what a recipe and the options beside it ask for."""
    from tinct.color_recipe import ColorRecipe, read_recipe
    from tinct.hints.files import read_file
    from tinct.hints.text import parse_hint

    recipe = read_recipe(given.recipe) if given.recipe else ColorRecipe()
    files = [hint for name in given.hints for hint in read_file(Path(name))]
    strengths = (given.strength, recipe.strength, options.STRENGTH)
    return replace(
        recipe,
        hints=(*recipe.hints, *files, *map(parse_hint, given.hint)),
        model=given.model or recipe.model or options.MODEL,
        sha256=None if given.model else recipe.sha256,
        strength=next(strength for strength in strengths if strength is not None),
        quality=given.quality or recipe.quality or options.QUALITY,
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
        show(f"tinct: {_named(_ended(result.error), result)}")
        return
    if not json:
        for warning in result.warnings:
            show(f"tinct: {_named(warning.removesuffix('.'), result)}")
    if terminal.watched() and result.target is not None and result.size is not None:
        width, height = result.size
        how = f"{width} x {height}, {result.model}, {result.seconds:.1f} s"
        show(f"{result.name} -> {result.target}  ({how})")


def _named(text: str, result: Result) -> str:
    """Return ``text`` with the picture's name in it, once."""
    return text if result.name in text else f"{result.name}: {text}"


def models(given: argparse.Namespace) -> int:
    """List the models, or show a card."""
    from tinct.bundle import find_bundle, survey

    if given.name:
        bundle = find_bundle(given.name)
        if given.json:
            terminal.write_json(bundle.manifest.as_dict())
        else:
            terminal.write(bundle.card.rstrip())
        return 0
    bundles, broken = survey()
    if given.json:
        for bundle in bundles:
            named = {"name": bundle.name, "path": str(bundle.path)}
            terminal.write_json({**bundle.manifest.as_dict(), **named})
        for bad in broken:
            terminal.write_json({"name": bad.name, "path": str(bad.path), "error": str(bad.error)})
        return 0
    if not bundles and not broken:
        terminal.say("no models are installed; `tinct doctor` says where they are looked for")
        return 0
    terminal.write_table(
        ("name", "task", "license", "size", "parameters", "figures"),
        [
            (
                bundle.name,
                bundle.manifest.task,
                bundle.manifest.license,
                _megabytes(bundle.model_path),
                f"{bundle.manifest.parameters / 1e6:.2f} M",
                _figures(bundle.manifest.metrics),
            )
            for bundle in bundles
        ]
        + [(bad.name, "", "", "", "", f"broken: {_ended(bad.error)}") for bad in broken],
    )
    return 0


def _megabytes(path: Path) -> str:
    """Return the size of a file."""
    try:
        return f"{path.stat().st_size / 1e6:.1f} MB"
    except OSError:
        return "unknown"


def _figures(metrics: dict[str, Any]) -> str:
    """Return the figures that tell most as one line; all of them where it has none of these."""
    told = {name: metrics[name] for name in MAIN_FIGURES if name in metrics} or metrics
    return ", ".join(
        f"{name.replace('_', ' ')} {value:.3g}"
        for name, value in told.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    )


def doctor(given: argparse.Namespace) -> int:
    """Say what works on this computer."""
    from tinct.command import doctor as room

    report = room.examine()
    if given.json:
        terminal.write_json(report.as_dict())
    else:
        for line in report.lines():
            terminal.write(line)
    return 1 if report.problems else 0


def evaluate(given: argparse.Namespace) -> int:
    """Measure a model."""
    from tinct.evaluation import evaluate as room

    for target in (given.json, given.html):
        if target:
            room.check_output(target)
    if given.html and len(given.hints) > 1:
        raise UsageError("--html shows one number of hints; name one with --hints")
    found = []
    for hints in given.hints:
        with terminal.counter("measuring") as count:
            results = room.evaluate(
                given.folder,
                model=given.model,
                hints=hints,
                limit=given.limit,
                quality=given.quality,
                device=given.device,
                threads=given.threads,
                progress=count,
            )
        found.append(results)
    several = len(found) > 1
    terminal.write_drawing(room.hint_table(found) if several else room.table(found[0]))
    if given.json:
        room.write_json(found if several else found[0], given.json)
    if given.html:
        room.write_html(found[0], given.html)
    for results in found:
        results.raise_failures()
    return 0


def train(given: argparse.Namespace) -> int:
    """Train a model."""
    from tinct.train import recipes

    if given.list:
        for name in recipes.names():
            purpose = (recipes.RECIPES[name].__doc__ or "").split("\n", maxsplit=1)[0]
            terminal.write(f"{name:<24} {purpose}")
        return 0
    if not given.recipe:
        raise UsageError("which recipe? `tinct train --list` names them")
    if not (given.data and given.out):
        raise UsageError("training needs --data FOLDER and --out RUN")
    recipe = recipes.get(given.recipe, dict(given.set), size=given.size)
    _need_train_extra()
    from tinct.train import trainer

    trainer.train(recipe, given.data, Path(given.out), resume=given.resume)
    terminal.say(f"the run is in {given.out}; next: tinct export {given.out} -o FOLDER")
    return 0


def export(given: argparse.Namespace) -> int:
    """Turn a run into a bundle."""
    _need_train_extra()
    from tinct.train.export import export as export_run

    folder = export_run(
        Path(given.run),
        Path(given.output),
        name=given.name,
        overwrite=given.overwrite,
        overrides=dict(given.set),
    )
    terminal.say(f"the model is in {folder}; use it with --model {folder}")
    return 0


def report(given: argparse.Namespace) -> int:
    """Compare runs and models."""
    from tinct.evaluation.evaluate import check_output

    if not given.data:
        raise UsageError("which pictures? --data FOLDER")
    if given.pictures and not given.markdown:
        raise UsageError("--pictures belongs to --markdown FILE")
    _need_train_extra()
    from tinct.train.report import page
    from tinct.train.report import report as room

    for target in (given.json, given.html, given.markdown):
        if target:
            check_output(target)
    if given.markdown:
        page.check_markdown(Path(given.markdown))
    with terminal.counter("measuring") as count:
        found = room.compare(
            given.models, given.data, show=given.show, limit=given.limit, progress=count
        )
    for title, heads, rows in page.texts(found):
        terminal.write(title)
        terminal.write_table(heads, rows)
    if given.json:
        page.write_json(found, Path(given.json))
    if given.html:
        page.write_html(found, Path(given.html))
    if given.markdown:
        target = Path(given.markdown)
        pictures = Path(given.pictures) if given.pictures else target.with_suffix("")
        page.write_markdown(found, target, pictures)
    return 0


def _need_train_extra() -> None:
    """Raise MissingExtraError when a library for training is missing."""
    from tinct.command.doctor import EXTRAS

    missing = [name for name in EXTRAS["train"] if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"training needs {', '.join(missing)}: pip install 'tinct[train]' "
            "(from a checkout: pip install '.[train]')"
        )


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "colorize": colorize,
    "models": models,
    "doctor": doctor,
    "evaluate": evaluate,
    "train": train,
    "export": export,
    "report": report,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the words after ``tinct``; None takes those of this process.

    Returns:
        The exit code, one of `tinct.command.options.exit_codes`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _survive_narrow_encodings()
    code = _guarded(lambda: _run(words))

    def flushed() -> int:
        sys.stdout.flush()
        return code

    return _guarded(flushed, told=code != 0)


def _guarded(work: Callable[[], int], *, told: bool = False) -> int:
    """Do ``work``; return its exit code, or that of what went wrong, after one sentence.

    With ``told`` the sentence about stdout was printed before.
    """
    try:
        return work()
    except TinctError as error:
        terminal.complain(f"tinct: {_ended(error)}")
        return error.exit_code
    except KeyboardInterrupt:
        terminal.complain("tinct: interrupted")
        return options.INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return options.READER_GONE
    except OSError as error:
        _silence_stdout()
        what = "the output" if error.filename is None else os.fsdecode(error.filename)
        why = (error.strerror or str(error)).lower()
        if not told:
            terminal.complain(
                f"tinct: {what} cannot be used ({why}); check the name, the permissions "
                "and the free space"
            )
        return SaveError.exit_code
    except MemoryError:
        terminal.complain("tinct: not enough memory; close other programs or use smaller pictures")
        return DeviceError.exit_code


def _ended(error: TinctError) -> str:
    """Return the sentence of an error as lines on a console end: without a full stop."""
    return str(error).removesuffix(".")


def _run(words: list[str]) -> int:
    """Carry out one command line."""
    if not words or words[0] in ("-h", "--help", "help"):
        terminal.write(options.main_help())
        return 0 if words else UsageError.exit_code
    if words[0] in ("--version", "-V"):
        terminal.write(f"tinct {__version__}")
        return 0
    command = words[0]
    if command in COMMANDS:
        words = words[1:]
    else:
        _check_command(command)
        command = "colorize"
    try:
        given = options.PARSERS[command]().parse_intermixed_args(words)
    except SystemExit as leaving:  # argparse leaves this way after --help
        return int(leaving.code or 0)
    return COMMANDS[command](given)


def _check_command(word: str) -> None:
    """Raise UsageError when ``word`` is rather a mistyped command than a picture."""
    if word.startswith("-") or Path(word).suffix or os.path.lexists(word):
        return
    hint = parsing.meant(word, list(COMMANDS))
    if hint:
        raise UsageError(f"there is neither a command nor a picture {word!r}{hint}")


def _survive_narrow_encodings() -> None:
    """Let characters that a console cannot show be replaced instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _silence_stdout() -> None:
    """Point stdout at nothing, so that Python's last flush cannot fail again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
