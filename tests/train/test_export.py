from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from tinct import Colorizer
from tinct.bundle import find_bundle, verify
from tinct.color import ab_bins
from tinct.errors import TrainingError, UsageError
from tinct.measure.curves import read_curves
from tinct.train import export as room
from tinct.train.export import export, halve_weights, load_net
from tinct.train.rundir import RunDir


@pytest.fixture(scope="module")
def bundle(nano_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(nano_run, tmp_path_factory.mktemp("bundles") / "nano", name="nano")


def test_bundle_tells_the_truth(bundle: Path, nano_run: Path) -> None:
    found = find_bundle(bundle)
    verify(found)
    manifest = found.manifest
    _, net = load_net(nano_run)
    assert manifest.name == "nano"
    assert manifest.parameters == sum(p.numel() for p in net.parameters())
    assert manifest.recipe["seen"] == 20 * 4
    assert manifest.recipe["seed"] == 0
    assert manifest.data == RunDir(nano_run).data()
    assert np.allclose(manifest.ab_bins, ab_bins())
    graph = onnx.load(found.model_path)
    onnx.checker.check_model(graph, full_check=True)
    assert manifest.opset == graph.opset_import[0].version
    assert "80 pictures seen" in found.card
    curves = read_curves(bundle)
    assert curves is not None
    assert curves["series"]["val.error"][-1][0] == 80
    assert manifest.recipe["finished"] is True
    assert str(Path(room.__file__).parent).encode() not in found.model_path.read_bytes()


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 96, 160), (1, 32, 320)])
def test_graph_agrees_with_torch(bundle: Path, nano_run: Path, shape: tuple[int, int, int]) -> None:
    count, height, width = shape
    _, net = load_net(nano_run)
    lightness = torch.rand(count, 1, height, width) * 100
    hint = torch.zeros(count, 4, height, width)
    hint[:, :, 5, 9] = torch.tensor([50.0, 40.0, 20.0, 1.0])
    with torch.no_grad():
        expected = net(lightness, hint)
    session = ort.InferenceSession(str(bundle / "model.onnx"))
    ab, bins = session.run(["ab", "bins"], {"luma": lightness.numpy(), "hint": hint.numpy()})
    # Weights are stored in half precision: 11 bits.
    assert np.abs(ab - expected["ab"].numpy()).max() < 0.5
    assert np.abs(bins - expected["bins"].numpy()).max() < 0.05


def test_exported_model_colors_a_picture(bundle: Path) -> None:
    gray = np.random.default_rng(0).integers(0, 256, (45, 70), dtype=np.uint8)
    out = Colorizer(bundle)(gray)
    assert out.shape == (45, 70, 3)
    assert np.ptp(out, axis=2).max() > 0


def test_halves_keep_the_graph() -> None:
    weight = np.random.default_rng(1).normal(size=(8, 16)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 8])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 16])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    model.ir_version = 9
    before = len(model.SerializeToString())
    halve_weights(model)
    assert len(model.SerializeToString()) < before
    x = np.random.default_rng(2).normal(size=(3, 8)).astype(np.float32)
    (found,) = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    assert np.allclose(found, x @ weight.astype(np.float16).astype(np.float32), atol=1e-5)


def test_graph_that_disagrees_is_refused(
    nano_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = room._to_graph

    def other(net, names, **shape):
        with torch.no_grad():
            net.to_ab.bias.add_(0.5)
        graph = real(net, names, **shape)
        with torch.no_grad():
            net.to_ab.bias.sub_(0.5)
        return graph

    monkeypatch.setattr(room, "_to_graph", other)
    with pytest.raises(TrainingError, match="is off by"):
        export(nano_run, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


def test_nothing_is_replaced_unasked(bundle: Path, nano_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists"):
        export(nano_run, bundle)
    with pytest.raises(TrainingError, match="no training run"):
        export(tmp_path / "nothing", tmp_path / "out")


def test_decoding_can_be_chosen_at_export(nano_run: Path) -> None:
    recipe, net = load_net(nano_run, {"temperature": "0.25", "gain": "1.25"})
    assert recipe.model.temperature == 0.25
    assert net.join.tolist() == pytest.approx([0.25, recipe.model.bins_share, 1.25])
    with pytest.raises(UsageError, match="widths"):
        load_net(nano_run, {"widths": "[1, 1, 1, 1, 1]"})
