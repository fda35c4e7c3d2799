"""Begin a training with weights that exist: those of a run, or of a bundle.

A bundle's graph has no batch normalization any more: the exporter multiplied it into the
convolutions before it. It is set up again so that the network gives what the bundle gives: one pass
over pictures tells mean and variance of each convolution's output, and a normalization that undoes
itself takes them as its statistics.

What was multiplied in made the convolutions' weights small or large. Behind a normalization their
size changes nothing but how far a step of the optimizer turns them [1]: small ones are as good as
forgotten after a few. So they are given the size that they had when the network was built.

References:
    [1] T. van Laarhoven: L2 regularization versus batch and weight normalization, 2017.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from tinct.bundle import find_bundle
from tinct.errors import TrainingError
from tinct.train.families import FAMILIES, build_task, recipe_of
from tinct.train.nets.flagship import FlagshipNet
from tinct.train.other_encoder import stand_behind
from tinct.train.rundir import RunDir
from tinct.train.task import Batch, Task

Weights = dict[str, Tensor]

FITTED = 16  # batches of pictures that a decoder is fitted to another encoder on


def warm_start(
    task: Task,
    start: Path,
    *,
    new: Sequence[str] = (),
    anew: Sequence[str] = (),
    pictures: Callable[[int], Batch] | None = None,
) -> list[str]:
    """Load weights into a task, in place.

    Everything that ``start`` has must find its place, and everything of the task must be found in
    it but for what ``new`` names, and for players and statistics that a bundle does not hold. But
    a flagship's encoder may be another one than that of ``start``: it stays as it is, and the
    decoder is fitted to it on pictures, see :mod:`tinct.train.other_encoder`.

    Args:
        task: freshly built.
        start: the folder of a run (its averaged weights are taken) or of a bundle.
        new: beginnings of the names of weights that ``start`` does not have, such as
            ``net.more8``; they stay as they are.
        anew: the same of weights that stay as they are although ``start`` has them, such as
            ``net.encoder``.
        pictures: gives the n-th batch of those that a bundle's normalization is measured on, and
            a decoder fitted; noise of many sizes if not given.

    Returns:
        What was loaded and what stays new, in words.

    Raises:
        TrainingError: there is neither a run nor a bundle, or its weights do not fit; the message
            names them.
    """
    former = _former(task, start)
    if former is not None:
        warm_start(former, start, new=new, anew=anew, pictures=pictures)
        return [f"starts from {start}", *_fitted(task, former, pictures)]
    if (start / "recipe.json").is_file():
        folder = RunDir(start)
        state = folder.load()
        held = state["ema"] if folder.recipe().optimizer.ema else state["module"]
        held = _without(held, anew)
        _load(task, held, start, new=(*new, *anew), own=())
        return [f"starts from the run {start}", *_new_lines(task, held)]
    held = _without(_from_bundle(task, start, pictures and pictures(0)), anew)
    own = [name for name, _ in task.named_children() if name != "net"]
    own += [name for name, _ in task.named_buffers(recurse=False)]
    own += [f"net.{name}" for name, _ in task.net.named_buffers(recurse=False)]
    _load(task, held, start, new=(*new, *anew), own=own)
    return [f"starts from the bundle {start}", *_new_lines(task, held)]


def _former(task: Task, start: Path) -> Task | None:
    """Return the task of ``start``, fresh, where it is a flagship behind another encoder."""
    if not isinstance(task.net, FlagshipNet) or task.net.settings.gated:
        return None
    if (start / "recipe.json").is_file():
        recipe = RunDir(start).recipe()
    else:
        told = recipe_of(find_bundle(start).manifest.recipe)
        if told is None:
            return None
        recipe = told
    settings = task.net.settings
    if FAMILIES[recipe.family].settings is not type(settings):
        return None
    if recipe.model.encoder == settings.encoder:
        return None
    model = dataclasses.replace(settings, encoder=recipe.model.encoder, pretrained=False)
    former = build_task(dataclasses.replace(recipe, model=model))
    return former if type(former) is type(task) else None


def _fitted(task: Task, former: Task, pictures: Callable[[int], Batch] | None) -> list[str]:
    """Give a task what a former one behind another encoder has learned; say how well it fits."""
    if pictures is None:
        raise TrainingError(
            "The encoder is another one, and a decoder is fitted to it on pictures: name some."
        )
    net, was = cast(FlagshipNet, task.net), cast(FlagshipNet, former.net)
    batches = (pictures(number).input_lightness for number in range(FITTED))
    told = stand_behind(was, net, batches)
    own = {k: v for k, v in former.state_dict().items() if not k.startswith("net.")}
    task.load_state_dict({**task.state_dict(), **own})
    shares = ", ".join(f"{share:.2f}" for share in told)
    return [
        f"the encoder is another one; of what the former said at strides 2 to 32 it tells {shares}"
    ]


def _new_lines(module: nn.Module, held: Mapping[str, Tensor]) -> list[str]:
    """Say which weights stay new, by the parts they belong to."""
    parts = {".".join(key.split(".")[:2]) for key in module.state_dict() if key not in held}
    return [f"new: {', '.join(sorted(parts))}"] if parts else []


def _named(key: str, parts: Sequence[str]) -> bool:
    """Return whether a weight is one of the parts, or in one of them."""
    return any(key == part or key.startswith(f"{part}.") for part in parts)


def _without(held: Weights, parts: Sequence[str]) -> Weights:
    return {key: value for key, value in held.items() if not _named(key, parts)}


def _load(
    module: nn.Module, held: Weights, start: Path, *, new: Sequence[str], own: Sequence[str]
) -> None:
    """Load strictly, but for what is new or the task's own.

    Raises:
        TrainingError: the weights do not fit.
    """
    target = module.state_dict()
    wrong = [
        f"{key} is {tuple(held[key].shape)}, not {tuple(target[key].shape)}"
        for key in held
        if key in target and held[key].shape != target[key].shape
    ]
    wrong += [f"{key} has no place" for key in held if key not in target]
    allowed = (*new, *own)
    wrong += [
        f"{key} is not in it (--new {'.'.join(key.split('.')[:2])} lets it start afresh)"
        for key in target
        if key not in held and not _named(key, allowed)
    ]
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise TrainingError(
            f"The weights of {str(start)!r} do not fit this recipe: {'; '.join(wrong[:3])}{more}."
        )
    module.load_state_dict({**target, **held}, strict=True)


def find_start(start: Path) -> Path:
    """Return the folder of the run or the bundle that a training begins with.

    Args:
        start: a folder, or the name of an installed bundle.

    Raises:
        ModelError: there is none.
    """
    return start if (start / "recipe.json").is_file() else find_bundle(str(start)).path


def _from_bundle(task: Task, start: Path, pictures: Batch | None) -> Weights:
    """Read a bundle's weights under the names that the task has for them."""
    graph = onnx.load_from_string(find_bundle(start).model_path.read_bytes()).graph
    named = {
        tensor.name.removesuffix(".half"): numpy_helper.to_array(tensor)
        for tensor in graph.initializer
    }
    modules = dict(task.net.named_modules())
    known = set(task.state_dict())
    held = {key: _tensor(value) for key, value in named.items() if key in known}
    folded: dict[str, Tensor] = {}
    for node in graph.node:
        path = _module_path(node.name)
        if path not in modules or node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            continue
        for slot, name in zip(("weight", "bias"), node.input[1:], strict=False):
            if name in known or name not in named:
                continue
            value = _tensor(named[name])
            value = value.t().contiguous() if node.op_type == "MatMul" else value
            if f"net.{path}.{slot}" in known:
                held[f"net.{path}.{slot}"] = value
            else:
                folded[path] = value
    counts = [key for key in known if key.endswith("num_batches_tracked")]
    held |= {key: torch.tensor(0) for key in counts if key.startswith("net.")}
    # Constants of the network's own, such as the places of the bins, are the recipe's.
    for name, _ in task.net.named_buffers(recurse=False):
        held.pop(f"net.{name}", None)
    return held | _unfolded(task, held, folded, pictures)


def _tensor(value: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(value, np.float32))


def _module_path(node: str) -> str:
    """Return the path of the module a node came from: ``/net/up8/up8.1/Conv`` is ``up8.1``."""
    path: list[str] = []
    for part in node.split("/")[2:-1]:
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return ".".join(path)


@torch.no_grad()
def _unfolded(
    task: Task, held: Weights, folded: Mapping[str, Tensor], pictures: Batch | None
) -> Weights:
    """Return the weights of the normalizations that the exporter multiplied into convolutions."""
    outputs: dict[int, tuple[str, Tensor]] = {}
    modules = dict(task.net.named_modules())
    found: Weights = {}
    hooks = []

    def after_convolution(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            outputs[id(output)] = (name, output)

        return hook

    def normalize(name: str) -> Any:
        def hook(module: Any, inputs: tuple[Tensor], output: Tensor) -> Tensor:
            x = inputs[0]
            source = outputs.get(id(x), ("", x))[0]
            if source not in folded:  # it stands in the graph by itself
                return output
            mean, variance = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
            bias = folded[source]
            weight = f"net.{source}.weight"
            axis = int(isinstance(modules[source], nn.ConvTranspose2d))  # of the output channels
            larger = _sizes(target[weight], axis) / _sizes(held[weight], axis)
            larger = torch.where(larger.isfinite() & (larger > 0), larger, 1.0)
            scaled = variance * larger**2
            shape = [-1 if at == axis else 1 for at in range(4)]
            found.update(
                {
                    weight: held[weight] * larger.reshape(shape),
                    f"net.{name}.running_mean": mean * larger,
                    f"net.{name}.running_var": scaled,
                    f"net.{name}.weight": (scaled + module.eps).sqrt() / larger,
                    f"net.{name}.bias": mean + bias,
                }
            )
            return _after(module, x + bias[:, None, None])

        return hook

    was = task.net.training
    task.net.eval()
    target = {key: value.clone() for key, value in task.state_dict().items()}
    task.load_state_dict({**target, **held}, strict=True)
    for name, module in task.net.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            hooks.append(module.register_forward_hook(after_convolution(name)))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_hook(normalize(name)))
    chance = torch.Generator().manual_seed(0)
    lightness = torch.rand((8, 1, 8, 8), generator=chance) * 100
    lightness = nn.functional.interpolate(lightness, size=(64, 64), mode="bicubic").clamp(0, 100)
    hint = torch.zeros(8, 4, 64, 64)
    if pictures is not None:
        lightness, hint = pictures.input_lightness, pictures.hint
    task.net(lightness, hint)
    for hook in hooks:
        hook.remove()
    task.load_state_dict(target, strict=True)
    task.net.train(was)
    return found


def _sizes(weight: Tensor, axis: int) -> Tensor:
    """Return the norm of each channel's weights, (C,), channels along ``axis``."""
    sizes: Tensor = weight.transpose(0, axis).flatten(1).norm(dim=1)
    return sizes


def _after(module: Any, x: Tensor) -> Tensor:
    """Apply what a normalization does after normalizing: timm's have an activation in them."""
    for part in ("drop", "act"):
        x = getattr(module, part)(x) if hasattr(module, part) else x
    return x
