"""A training run -> a model bundle: ONNX graph, parity check, manifest, card.

The graph that was written is run by ONNX Runtime and must agree with the network in torch before
anything is put in place. Weights are stored as float16 and computed in float32: casts at load time,
folded by the runtime, so that speed is unchanged.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import tinct
from tinct.bundle import Manifest, write_bundle
from tinct.errors import TrainingError, UsageError
from tinct.measure.curves import CURVES, thin_curves
from tinct.train.families import build_task
from tinct.train.recipe import Recipe, replace_fields
from tinct.train.rundir import RunDir
from tinct.train.task import Task

OPSET = 18
SMALLEST_HALF = 64  # elements; smaller constants stay float32
CHECKED = ((1, 1, 1), (2, 2, 3), (1, 5, 1), (1, 6, 8))  # N, and H, W as multiples
LARGEST_CHECKED = 512  # pixels a side
EXACT = 0.01  # largest difference allowed, in Lab units, with weights as trained
HALVED = 2.0  # with weights rounded to half precision: one value of one pixel, just visible


class _Ordered(nn.Module):
    """Give a network's outputs as a tuple in a fixed order; hints are an input or are left out."""

    def __init__(self, net: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.net, self.names = net, names

    def forward(self, lightness: Tensor, hint: Tensor | None = None) -> tuple[Tensor, ...]:
        if hint is None:
            hint = lightness.new_zeros(1, 4, 1, 1)  # a network that takes no hints looks at nothing
        found = self.net(lightness, hint)
        return tuple(found[name] for name in self.names)


def _example(count: int, height: int, width: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return lightness and hint planes with some structure and one hint."""
    chance = torch.Generator().manual_seed(seed)
    coarse = torch.rand((count, 1, max(2, height // 8), max(2, width // 8)), generator=chance) * 100
    lightness = nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    hint = torch.zeros(count, 4, height, width)
    hint[:, :, height // 3, width // 3] = torch.tensor([50.0, 30.0, -20.0, 1.0])
    return lightness, hint


def _to_graph(
    net: nn.Module, names: list[str], *, multiple_of: int, takes_hints: bool
) -> onnx.ModelProto:
    """Trace a network into ONNX with free batch size, height and width."""
    inputs = ["luma", "hint"] if takes_hints else ["luma"]
    axes = {name: {0: "n", 2: "h", 3: "w"} for name in inputs}
    axes |= {name: {0: "n", 2: f"{name}_h", 3: f"{name}_w"} for name in names}
    held = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of every shape it makes symbolic
        torch.onnx.export(
            _Ordered(net, names).eval(),
            _example(2, 2 * multiple_of, 3 * multiple_of)[: len(inputs)],
            held,  # type: ignore[arg-type]
            dynamo=False,
            input_names=inputs,
            output_names=names,
            dynamic_axes=axes,
            opset_version=OPSET,
        )
    model = onnx.load_from_string(held.getvalue())
    for node in model.graph.node:
        node.doc_string = ""  # the exporter leaves the paths of source files here
    return model


def halve_weights(model: onnx.ModelProto) -> None:
    """Store a graph's float32 weights as float16, in place, each cast back to float32."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < SMALLEST_HALF:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)


def _check(
    model: bytes, net: nn.Module, names: list[str], *, multiple_of: int, tolerance: float
) -> float:
    """Compare ONNX Runtime with torch on several sizes; return the largest difference of color.

    Only the shape of ``bins`` is compared where it comes beside ``ab``, which depends on it.

    Raises:
        TrainingError: they differ by more than ``tolerance`` in Lab units.
    """
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    wanted_inputs = {given.name for given in session.get_inputs()}
    worst = 0.0
    for number, (count, rows, columns) in enumerate(CHECKED):
        height, width = rows * multiple_of, columns * multiple_of
        if max(height, width) > max(LARGEST_CHECKED, 3 * multiple_of):
            continue
        lightness, hint = _example(count, height, width, seed=number)
        with torch.no_grad():
            expected = net(lightness, hint)
        given = {"luma": lightness.numpy(), "hint": hint.numpy()}
        found = session.run(names, {name: given[name] for name in wanted_inputs})
        for name, value in zip(names, found, strict=True):
            wanted = expected[name].numpy()
            if wanted.shape != value.shape:
                raise TrainingError(f"Export failed: {name} is {value.shape}, not {wanted.shape}.")
            if name != "bins":
                worst = max(worst, float(np.abs(wanted - value).max()))
    if not worst <= tolerance:
        raise TrainingError(f"Export failed: the exported graph is off by {worst:.3g}.")
    return worst


def check_free(out: Path, *, overwrite: bool) -> None:
    """Raise UsageError where a bundle would overwrite what nobody said it may."""
    if out.exists() and not overwrite:
        raise UsageError(f"{str(out)!r} exists already; choose another folder or pass --overwrite.")


def to_model(recipe: Recipe, task: Task) -> tuple[bytes, list[str], dict[str, float]]:
    """Turn a task's network into an ONNX file.

    Args:
        recipe: its recipe.
        task: settled for export, in evaluation mode.

    Returns:
        The file, the names of its outputs, and how far it is from the network, in Lab units, with
        weights as trained and as they are stored.

    Raises:
        TrainingError: it is too far from it.
    """
    net, multiple_of = task.net, recipe.multiple_of
    with torch.no_grad():
        outputs = list(net(*_example(1, multiple_of, multiple_of)))
    graph = _to_graph(net, outputs, multiple_of=multiple_of, takes_hints=task.takes_hints)
    graph.doc_string = f"tinct {tinct.__version__}: {recipe.name}"
    exact = graph.SerializeToString()
    halve_weights(graph)
    model = graph.SerializeToString()
    parity = {
        "float32": _check(exact, net, outputs, multiple_of=multiple_of, tolerance=EXACT),
        "float16 weights": _check(model, net, outputs, multiple_of=multiple_of, tolerance=HALVED),
    }
    return model, outputs, parity


def decoded(recipe: Recipe, overrides: Mapping[str, str] | None) -> Recipe:
    """Return a recipe with fields of ``model`` that concern decoding replaced.

    Raises:
        UsageError: a field is none of the settings' ``DECODING``, or its value is wrong.
    """
    decoding: tuple[str, ...] = getattr(recipe.model, "DECODING", ())
    for key in overrides or {}:
        if key not in decoding:
            allowed = f"only {', '.join(decoding)}" if decoding else "nothing"
            raise UsageError(f"--set {key}: {allowed} can be chosen after training.")
    return replace_fields(recipe, {f"model.{k}": text for k, text in (overrides or {}).items()})


def load_task(run: Path, overrides: Mapping[str, str] | None = None) -> tuple[Recipe, Task]:
    """Return a run's recipe and its task with the averaged weights, in evaluation mode.

    Args:
        run: the run's folder.
        overrides: fields of ``model`` that concern decoding only: its settings' ``DECODING``.

    Raises:
        TrainingError: there is no run or no checkpoint.
        UsageError: an override is unknown.
    """
    folder = RunDir(run)
    recipe = decoded(folder.recipe(), overrides)
    state = folder.load()
    plain = recipe
    if hasattr(recipe.model, "pretrained"):
        model = dataclasses.replace(recipe.model, pretrained=False)
        plain = dataclasses.replace(recipe, model=model)
    task = build_task(plain)
    weights = state["ema"] if recipe.optimizer.ema else state["module"]
    task.load_state_dict(weights, strict=True)
    task.prepare_export()
    task.net.eval()
    return recipe, task


def load_net(run: Path, overrides: Mapping[str, str] | None = None) -> tuple[Recipe, nn.Module]:
    """Return a run's recipe and its network, as :func:`load_task` does."""
    recipe, task = load_task(run, overrides)
    return recipe, task.net


def export(
    run: Path,
    out: Path,
    *,
    name: str | None = None,
    overwrite: bool = False,
    overrides: Mapping[str, str] | None = None,
    metrics: Mapping[str, Any] | None = None,
    card: str | None = None,
) -> Path:
    """Export a run to a bundle.

    Args:
        run: the run's folder.
        out: the bundle's folder.
        name: of the bundle; the folder's name if not given.
        overwrite: replace a bundle that is there.
        overrides: fields of the recipe's ``model`` that concern decoding only, see
            :func:`load_task`.
        metrics: figures for the manifest.
        card: text of the model card; a plain one is written if not given.

    Returns:
        The bundle's folder; the course of the training lies in it as ``curves.json``.

    Raises:
        TrainingError: there is no finished checkpoint, or the graph does not agree with the
            network.
        UsageError: the folder exists and ``overwrite`` was not asked for.
    """
    check_free(out, overwrite=overwrite)
    recipe, task = load_task(run, overrides)
    net, multiple_of = task.net, recipe.multiple_of
    state = RunDir(run).load()
    model, outputs, parity = to_model(recipe, task)
    bins = net.bin_centers.tolist() if "bins" in outputs else []  # type: ignore[operator]
    data = RunDir(run).data()
    manifest = Manifest(
        name=name or out.name,
        family=recipe.family,
        task=recipe.task,
        license="Apache-2.0",
        predicts="lab" if "lab" in outputs else "ab",
        sizes=dict(zip(("fast", "balanced", "best"), recipe.sizes, strict=True)),
        looks=list(recipe.looks),
        multiple_of=multiple_of,
        max_long=recipe.sizes[1] * 4,
        takes_hints=task.takes_hints,
        spreads_hints=task.spreads_hints,
        keeps_regions=task.keeps_regions,
        ab_bins=bins,
        sha256=hashlib.sha256(model).hexdigest(),
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        recipe={
            **dataclasses.asdict(recipe),
            "seen": state["seen"],
            "finished": state["stage"] == len(recipe.stages),
            "parity": parity,
        },
        data=data,
        metrics=dict(metrics or {}),
        created=datetime.now(UTC).strftime("%Y-%m-%d"),
        tinct=tinct.__version__,
        opset=OPSET,
    )
    write_bundle(out, model, manifest, card or _card(manifest, state["seen"]))
    (out / CURVES).write_text(json.dumps(thin_curves(RunDir(run).metrics)))
    return out


def _card(manifest: Manifest, seen: int) -> str:
    """Write the plainest honest card: what is known without any measurement."""
    folders = "\n".join(
        f"- {part['name']}: {part['pictures']} pictures ({part['license']})"
        for part in manifest.data
    )
    return (
        f"# {manifest.name}\n\nFamily {manifest.family}, {manifest.parameters:,} parameters, "
        f"trained with tinct {manifest.tinct}; {seen:,} pictures seen, repetitions counted.\n\n"
        f"## Data\n\n{folders}\n\n"
        "Not evaluated yet: `tinct evaluate FOLDER --model` this folder tells how good it is.\n"
    )
