"""The commands beside ``tinct colorize``, each a few lines over the Python API.

Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinct.command import terminal
from tinct.command.terminal import ended
from tinct.errors import MissingExtraError, PartialError, UsageError

if TYPE_CHECKING:
    from tinct.measure.drawings import Draw
    from tinct.measure.results import LearnedMetric

MAIN_FIGURES = ("ciede2000_of_gray", "psnr_over_gray", "colorfulness_share")


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
        + [(bad.name, "", "", "", "", f"broken: {ended(bad.error)}") for bad in broken],
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
    from tinct.command.doctor import examine

    report = examine()
    if given.json:
        terminal.write_json(report.as_dict())
    else:
        for line in report.lines():
            terminal.write(line)
    return 1 if report.problems else 0


def jobs(given: argparse.Namespace) -> int:
    """Show the journal of a folder of results."""
    from tinct.jobs.survey import survey

    found = survey(Path(given.folder))
    if given.json:
        for line in found.lines:
            terminal.write_json(line.as_dict())
        return 0
    terminal.write_table(
        ("result", "state", "from", "size", "model", "finished"),
        [line.cells() for line in found.lines],
    )
    terminal.write(found.summary())
    for failure in found.failures:
        terminal.write(f"failed: {failure}")
    return 0


def cluster(given: argparse.Namespace) -> int:
    """Color very many pictures on many machines."""
    from dataclasses import replace

    from tinct.jobs.cluster import Crew, color_cluster
    from tinct.settings import AUTO
    from tinct.sidecar import ColorRecipe, read_recipe

    recipe = read_recipe(given.recipe) if given.recipe else ColorRecipe()
    held = recipe.settings
    tally = color_cluster(
        given.source,
        given.target,
        model=given.model or recipe.model or AUTO,
        device=given.device,
        settings=replace(
            held,
            strength=held.strength if given.strength is None else given.strength,
            warmth=held.warmth if given.warmth is None else given.warmth,
            quality=given.quality or held.quality,
        ),
        file_format=given.format,
        crew=Crew(
            workers=given.workers,
            cores=given.threads or 1,
            gpus=given.gpus,
            address=given.address,
        ),
        force=given.force,
    )
    if given.json:
        terminal.write_json(tally.as_dict())
    else:
        terminal.say(tally.summary())
    for failure in tally.failures:
        terminal.complain(f"tinct: {failure.removesuffix('.')}")
    if tally.failed:
        raise PartialError(
            f"{tally.failed} of {tally.failed + tally.colored} pictures failed; .tinct-cluster in "
            f"{given.target} lists them"
        )
    return 0


def evaluate(given: argparse.Namespace) -> int:
    """Measure a model."""
    from tinct.measure import evaluate as measuring

    for target in (given.json, given.html):
        if target:
            measuring.check_output(target)
    if given.html and len(given.hints) > 1:
        raise UsageError("--html shows one number of hints; name one with --hints")
    if given.faded is not None:
        return _faded(given)
    found = []
    for hints in given.hints:
        with terminal.counter("measuring") as count:
            results = measuring.evaluate(
                given.folder,
                model=given.model,
                hints=hints,
                limit=given.limit,
                quality=given.quality,
                learned=_learned_metrics,
                draw=_drawer,
                device=given.device,
                threads=given.threads,
                progress=count,
            )
        found.append(results)
    several = len(found) > 1
    table = measuring.hint_table(found) if several else measuring.table(found[0])
    terminal.write_drawing(table)
    if given.json:
        measuring.write_json(found if several else found[0], given.json)
    if given.html:
        measuring.write_html(found[0], given.html)
    for results in found:
        results.raise_failures()
    return 0


def _faded(given: argparse.Namespace) -> int:
    """Measure a model on pictures with less contrast."""
    from tinct.atomic import replacing
    from tinct.measure.fading import fading_table, measure_fading

    if given.html or given.hints != (0,):
        raise UsageError("--faded goes with neither --html nor --hints; leave them out")
    with terminal.counter("measuring") as count:
        found = measure_fading(
            given.folder,
            model=given.model,
            contrasts=[percent / 100 for percent in given.faded],
            limit=given.limit,
            quality=given.quality,
            device=given.device,
            threads=given.threads,
            progress=count,
        )
    terminal.write_drawing(fading_table(found))
    if given.json:
        with replacing(Path(given.json), overwrite=True) as temporary:
            temporary.write_text(json.dumps([one.to_json() for one in found], indent=1) + "\n")
    return 0


def _learned_metrics() -> tuple[list[LearnedMetric], list[str]]:
    """Return the learned metrics that can be had, and notes on the others."""
    try:
        from tinct.train import learned_metrics
    except ImportError as error:
        missing = f"{error.name or error} is not installed"
        return [], [f"learned metrics not available: {missing}; pip install 'tinct[train]'."]
    return learned_metrics.available()


def _drawer() -> Draw:
    """Return what draws pictures that have no sketch."""
    try:
        from tinct.train.data.lineart import standard_drawer
    except ImportError as error:
        raise MissingExtraError(
            f"Drawings of pictures without a sketch are made by {error.name or error}, which is "
            "not installed: pip install 'tinct[train]', or lay the folder out as color/ and "
            "sketch/ with a sketch for every picture."
        ) from error
    return standard_drawer()


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

    trainer.train(
        recipe,
        given.data,
        Path(given.out),
        resume=given.resume,
        start=Path(given.start) if given.start else None,
        new=given.new,
        anew=given.anew,
    )
    terminal.say(f"the run is in {given.out}; next: tinct export {given.out} -o FOLDER")
    return 0


def pack(given: argparse.Namespace) -> int:
    """Pack pictures into tar shards."""
    _need_train_extra()
    from tinct.train.data.pack import pack as pack_folders

    with terminal.counter("packing") as count:
        packed = pack_folders(
            given.folders,
            Path(given.output),
            mib=given.mib,
            short=given.short,
            progress=count,
        )
    terminal.say(
        f"{packed.pictures} pictures in {len(packed.shards)} files in {given.output}; "
        f"{packed.skipped} were damaged or near gray"
    )
    return 0


def average(given: argparse.Namespace) -> int:
    """Make the mean of several runs' weights a run."""
    _need_train_extra()
    from tinct.train.average import average as average_runs
    from tinct.train.data.sources import split_source

    runs = [(Path(folder), share) for folder, share in map(split_source, given.runs)]
    folder = average_runs(runs, Path(given.output))
    terminal.say(f"the mean is in {folder}; next: tinct export {folder} -o FOLDER")
    return 0


def finetune(given: argparse.Namespace) -> int:
    """Adapt a model to a person's pictures."""
    _need_train_extra()
    from tinct.train.finetune import finetune as adapt

    found = adapt(
        Path(given.folder),
        Path(given.output),
        start=given.start,
        name=given.name,
        overwrite=given.overwrite,
        tell=terminal.say,
    )
    rows = [
        [what, f"{one:.3f}", f"{other:.3f}"]
        for what, one, other in (
            ("CIEDE2000 / gray's", found.before.error, found.after.error),
            ("colorfulness / truth's", found.before.colorfulness, found.after.colorfulness),
        )
    ]
    terminal.write_table([f"{found.held} pictures held out", "before", "after"], rows)
    terminal.say(f"the model is in {found.folder}; use it with --model {found.folder}")
    return 0


def export(given: argparse.Namespace) -> int:
    """Turn a run into a bundle, or a bundle into one that decodes color differently."""
    _need_train_extra()
    from tinct.bundle import find_bundle, is_model

    out = Path(given.output)
    chosen: dict[str, Any] = {
        "name": given.name,
        "overwrite": given.overwrite,
        "overrides": dict(given.set),
    }
    if is_model(given.run):
        from tinct.train.redecode import redecode

        folder = redecode(find_bundle(given.run), out, **chosen)
    else:
        from tinct.train.export import export as export_run

        folder = export_run(Path(given.run), out, **chosen)
    terminal.say(f"the model is in {folder}; use it with --model {folder}")
    return 0


def report(given: argparse.Namespace) -> int:
    """Compare runs and models."""
    from tinct.measure.evaluate import check_output

    if not given.data:
        raise UsageError("which pictures? --data FOLDER")
    if given.pictures and not given.markdown:
        raise UsageError("--pictures belongs to --markdown FILE")
    _need_train_extra()
    from tinct.measure import comparison_pages
    from tinct.measure.compare import compare
    from tinct.train import learned_metrics
    from tinct.train.export import export as export_run

    for target in (given.json, given.html, given.markdown):
        if target:
            check_output(target)
    if given.markdown:
        comparison_pages.check_markdown(Path(given.markdown))
    with terminal.counter("measuring") as count:
        found = compare(
            given.models,
            given.data,
            show=given.show,
            limit=given.limit,
            learned=lambda: learned_metrics.available([learned_metrics.PerceptualDistance]),
            export=export_run,
            draw=_drawer,
            progress=count,
        )
    for title, heads, rows in comparison_pages.texts(found):
        terminal.write(title)
        terminal.write_table(heads, rows)
    if given.json:
        comparison_pages.write_json(found, Path(given.json))
    if given.html:
        comparison_pages.write_html(found, Path(given.html))
    if given.markdown:
        target = Path(given.markdown)
        pictures = Path(given.pictures) if given.pictures else target.with_suffix("")
        comparison_pages.write_markdown(found, target, pictures)
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
