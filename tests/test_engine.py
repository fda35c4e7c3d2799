"""The engine against ONNX's own reference implementation, and what it refuses."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from tinct import engine
from tinct.bundle import Bundle
from tinct.engine import Engine
from tinct.errors import DeviceError, ModelError, UsageError
from tiny_models import make_bundle, make_copier


def inputs(count: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(height * width)
    lightness = rng.uniform(0, 100, (count, 1, height, width)).astype(np.float32)
    hint = np.zeros((count, 4, height, width), np.float32)
    hint[..., : height // 2, :3] = np.float32([50, 20, -30, 1])[:, None, None]
    return lightness, hint


@pytest.mark.parametrize("size", [(1, 8, 8), (1, 16, 40), (3, 24, 8)])
@pytest.mark.parametrize("kind", ["tiny", "tiny_lab", "tiny_bins"])
def test_as_the_reference(
    kind: str, size: tuple[int, int, int], request: pytest.FixtureRequest
) -> None:
    bundle: Bundle = request.getfixturevalue(kind)
    lightness, hint = inputs(*size)
    found = Engine(bundle).run(lightness, hint, bins=True)
    reference = ReferenceEvaluator(str(bundle.model_path))
    names = [output.name for output in reference.proto_.graph.output]
    expected = dict(zip(names, reference.run(None, {"luma": lightness, "hint": hint}), strict=True))
    for name in ("ab", "lab", "bins"):
        value = getattr(found, name)
        assert (value is None) == (name not in expected)
        if value is not None:
            assert value.dtype == np.float32
            np.testing.assert_allclose(value, expected[name], atol=1e-4)


def test_no_hint_is_zeros(tiny: Bundle) -> None:
    lightness, hint = inputs(1, 16, 16)
    model = Engine(tiny)
    np.testing.assert_array_equal(model.run(lightness).ab, model.run(lightness, hint * 0).ab)
    assert np.abs(model.run(lightness).ab - model.run(lightness, hint).ab).max() > 1


def test_a_model_without_hints_may_take_luma_alone(tmp_path: Path) -> None:
    bundle = make_copier(tmp_path / "deaf", color=(7, -9))
    lightness, hint = inputs(2, 16, 24)
    for given in (None, hint):
        lab = Engine(bundle).run(lightness, given).lab
        assert lab is not None
        np.testing.assert_allclose(lab[:, 0], lightness[:, 0], atol=1e-5)
        np.testing.assert_allclose(lab[:, 1], 7, atol=1e-5)
        np.testing.assert_allclose(lab[:, 2], -9, atol=1e-5)
    hearing = dataclasses.replace(bundle.manifest, takes_hints=True)
    with pytest.raises(ModelError, match=r"takes \['luma'\].*needs luma and hint"):
        Engine(Bundle(bundle.path, hearing, ""))


def test_bins_come_only_when_asked_for(tiny_bins: Bundle) -> None:
    assert Engine(tiny_bins).run(inputs(1, 8, 8)[0]).bins is None


def test_threads(tiny: Bundle) -> None:
    lightness, hint = inputs(1, 32, 32)
    model = Engine(tiny, threads=1)
    expected = model.run(lightness, hint).ab
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: model.run(lightness, hint).ab, range(16)):
            np.testing.assert_array_equal(found, expected)
    with pytest.raises(UsageError, match="0 threads"):
        Engine(tiny, threads=0)


def test_the_processor_is_always_there(tiny: Bundle) -> None:
    assert "CPUExecutionProvider" in engine.providers()
    assert "cpu" in engine.devices()
    assert Engine(tiny, device="cpu").providers == ["CPUExecutionProvider"]
    assert Engine(tiny, device="auto").providers[-1] == "CPUExecutionProvider"


def test_devices_that_are_not_there(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match=r"'coreml' is not available.*auto, cpu"):
        Engine(tiny, device="coreml")
    with pytest.raises(UsageError, match="'abacus'"):
        Engine(tiny, device="abacus")


def test_auto_prefers_a_graphics_card(monkeypatch: pytest.MonkeyPatch) -> None:
    held = ["CoreMLExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(engine, "providers", lambda: held)
    assert engine.choose_providers("auto") == held[1:]
    assert engine.choose_providers("coreml") == [held[0], held[2]]
    assert engine.choose_providers("cpu") == [held[2]]
    assert engine.devices() == ["cpu", "cuda", "coreml"]


def test_a_device_that_does_not_start_is_told(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    session = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    held = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(engine, "providers", lambda: held)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: session)
    with pytest.raises(DeviceError, match="'cuda' cannot be started"):
        Engine(tiny, device="cuda")


@pytest.mark.parametrize(("broken", "match"), [("nan", "not finite"), ("shape", "of shape")])
def test_wrong_outputs_are_errors(tmp_path: Path, broken: str, match: str) -> None:
    bundle = make_bundle(tmp_path / "broken", broken=broken)
    with pytest.raises(ModelError, match=match):
        Engine(bundle).run(inputs(1, 8, 8)[0])


def test_a_graph_that_is_none(tiny: Bundle, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match="SHA-256 is not the manifest's"):
        Engine(Bundle(tmp_path, tiny.manifest, ""))
    manifest = dataclasses.replace(tiny.manifest, sha256=hashlib.sha256(b"not a graph").hexdigest())
    with pytest.raises(ModelError, match="cannot be loaded"):
        Engine(Bundle(tmp_path, manifest, ""))


def test_a_graph_that_is_not_the_manifests(tmp_path: Path, tiny: Bundle, tiny_lab: Bundle) -> None:
    (tmp_path / "model.onnx").write_bytes(tiny.model_path.read_bytes())
    manifest = dataclasses.replace(tiny_lab.manifest, sha256=tiny.manifest.sha256)
    with pytest.raises(ModelError, match=r"gives \['ab'\].*to lab"):
        Engine(Bundle(tmp_path, manifest, ""))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), DeviceError),
        (RuntimeError("Failed to allocate memory for requested buffer of size 9"), DeviceError),
        (RuntimeError("CUDA error: out of memory"), DeviceError),
        (RuntimeError("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT"), ModelError),
    ],
)
def test_failures_are_told_with_a_remedy(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: Any
) -> None:
    import onnxruntime

    def fail(*_: Any) -> None:
        raise error

    session = SimpleNamespace(
        run=fail,
        get_providers=lambda: ["CPUExecutionProvider"],
        get_inputs=lambda: [SimpleNamespace(name="luma"), SimpleNamespace(name="hint")],
        get_outputs=lambda: [SimpleNamespace(name="ab")],
    )
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: session)
    model = Engine(tiny)
    with pytest.raises(kind, match=r"--quality|\(.*\)"):
        model.run(inputs(1, 8, 8)[0])


def test_loaded_ahead_it_is_the_same_and_fails_when_it_runs(tiny: Bundle, tmp_path: Path) -> None:
    lightness, hint = inputs(1, 16, 16)
    expected = Engine(tiny, threads=1).run(lightness, hint).ab
    engine.load_ahead(tiny, threads=1)
    np.testing.assert_array_equal(Engine(tiny, threads=1).run(lightness, hint).ab, expected)
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    damaged = Bundle(tmp_path, tiny.manifest, "")
    engine.load_ahead(damaged)
    model = Engine(damaged)
    with pytest.raises(ModelError, match="damaged"):
        model.run(lightness)
    with pytest.raises(ModelError, match="damaged"):
        Engine(damaged)


def test_importing_tinct_imports_nothing_heavy() -> None:
    code = (
        "import sys, tinct, tinct.errors; "
        "print([n for n in ('numpy', 'onnxruntime', 'PIL', 'pyvips', 'torch') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    code = "import sys, tinct.colorizer; print('onnxruntime' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
