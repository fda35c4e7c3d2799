"""Bundles small enough to make in a test: the graph contract without any training.

The proposed color is a straight line of lightness, ``A`` and ``B``, replaced by the hints where
there are any; everything at half the size of the input. :func:`copier` gives what it is given.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from tinct.bundle import Bundle, Manifest, write_bundle

A = (0.4, -20.0)  # a* = 0.4 L* - 20
B = (-0.2, 15.0)
BINS = [[-10.0, 0.0], [0.0, 0.0], [10.0, 10.0]]


def _float(name: str, *values: float, shape: tuple[int, ...] = (1,)) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, shape, values)


def _whole(name: str, *values: int) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, (len(values),), values)


def graph(*, predicts: str = "ab", bins: bool = False, broken: str = "") -> bytes:
    """Return a graph; ``broken`` is "nan" or "shape" for one that breaks the contract."""
    node = helper.make_node
    half = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        node("AveragePool", ["luma"], ["light"], **half),
        node("Conv", ["light", "line", "start"], ["own"]),
        node("AveragePool", ["hint"], ["given"], **half),
        node("Slice", ["given", "one", "three", "axis"], ["asked"]),
        node("Slice", ["given", "three", "four", "axis"], ["share"]),
        node("Sub", ["unit", "share"], ["rest"]),
        node("Mul", ["own", "rest"], ["left"]),
        node("Add", ["left", "asked"], ["joined"]),
    ]
    constants = [
        _float("line", A[0], B[0], shape=(2, 1, 1, 1)),
        _float("start", A[1], B[1], shape=(2,)),
        _float("unit", 1.0),
        _whole("one", 1),
        _whole("three", 3),
        _whole("four", 4),
        _whole("axis", 1),
    ]
    channels = 2
    if predicts == "lab":
        nodes.append(node("Concat", ["light", "joined"], ["painted"], axis=1))
        channels = 3
    last = "painted" if predicts == "lab" else "joined"
    if broken == "nan":
        constants.append(_float("nothing", 0.0))
        nodes += [node("Mul", [last, "nothing"], ["zero"]), node("Div", ["zero", "zero"], ["out"])]
    elif broken == "shape":
        nodes.append(node("Concat", [last, last], ["out"], axis=1))
    else:
        nodes.append(node("Identity", [last], ["out"]))
    nodes[-1].output[0] = predicts

    def plane(name: str, count: int, part: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(
            name, TensorProto.FLOAT, ["N", count, f"H{part}", f"W{part}"]
        )

    outputs = [plane(predicts, channels * (2 if broken == "shape" else 1), "/2")]
    if bins:
        quarter = {"kernel_shape": [4, 4], "strides": [4, 4]}
        nodes += [
            node("AveragePool", ["luma"], ["coarse"], **quarter),
            node("Conv", ["coarse", "slopes"], ["bins"]),
        ]
        constants.append(_float("slopes", -0.1, 0.0, 0.1, shape=(3, 1, 1, 1)))
        outputs.append(plane("bins", 3, "/4"))
    made = helper.make_graph(
        nodes, "tiny", [plane("luma", 1, ""), plane("hint", 4, "")], outputs, constants
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def copier(*, predicts: str = "lab", color: tuple[float, float] = (0.0, 0.0)) -> bytes:
    """Return a graph that takes ``lightness`` alone and gives one a*, b* everywhere, at full size.

    With "lab" the lightness is the input's.
    """
    slopes, starts = [1.0, 0.0, 0.0], [0.0, *color]
    count = len(slopes) if predicts == "lab" else 2
    shape = (count, 1, 1, 1)
    constants = [
        _float("slopes", *slopes[-count:], shape=shape),
        _float("starts", *starts[-count:], shape=(count,)),
    ]
    node = helper.make_node("Conv", ["luma", "slopes", "starts"], [predicts])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", channels, "H", "W"])
        for name, channels in (("luma", 1), (predicts, count))
    ]
    made = helper.make_graph([node], "copier", ends[:1], ends[1:], constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def manifest(model: bytes, **changes: Any) -> Manifest:
    """Return a manifest that fits ``model``."""
    fields: dict[str, Any] = {
        "name": "tiny",
        "family": "line",
        "task": "photo",
        "license": "Apache-2.0",
        "predicts": "ab",
        "sizes": {"fast": 16, "balanced": 32, "best": 48},
        "multiple_of": 8,
        "max_long": 128,
        "takes_hints": True,
        "ab_bins": [],
        "sha256": hashlib.sha256(model).hexdigest(),
        "parameters": 4,
        "data": [{"name": "nothing", "license": "none", "pictures": 0}],
        "created": "2026-01-31",
        "tinct": "0.1.0",
        "opset": 18,
    }
    return Manifest(**{**fields, **changes})


def make_bundle(
    folder: Path, *, predicts: str = "ab", bins: bool = False, broken: str = "", **changes: Any
) -> Bundle:
    """Write a bundle; ``changes`` are fields of its manifest."""
    model = graph(predicts=predicts, bins=bins, broken=broken)
    fields = {"predicts": predicts, "ab_bins": BINS if bins else [], **changes}
    return write_bundle(folder, model, manifest(model, **fields), "# tiny\n")


def make_copier(
    folder: Path,
    *,
    predicts: str = "lab",
    color: tuple[float, float] = (0.0, 0.0),
    **changes: Any,
) -> Bundle:
    """Write a bundle of :func:`copier`; ``changes`` are fields of its manifest."""
    model = copier(predicts=predicts, color=color)
    fields = {"predicts": predicts, "takes_hints": False, **changes}
    return write_bundle(folder, model, manifest(model, **fields), "# copier\n")
