"""Run a model bundle with ONNX Runtime: arrays in, arrays out; knows no pictures and no family.

ONNX Runtime is imported when the first engine is made, not before.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct.bundle import Bundle, verify
from tinct.errors import DeviceError, ModelError, UsageError
from tinct.resample import cores

Floats = NDArray[np.float32]

# What people ask for -> the execution providers that serve it, best first.
DEVICES = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider",),
    "tensorrt": ("TensorrtExecutionProvider",),
    "rocm": ("ROCMExecutionProvider", "MIGraphXExecutionProvider"),
    "coreml": ("CoreMLExecutionProvider",),
    "directml": ("DmlExecutionProvider",),
    "openvino": ("OpenVINOExecutionProvider",),
}
AUTO = ("cuda", "rocm", "directml", "cpu")  # CoreML and OpenVINO recompile for every picture size
QUIET = 3  # ONNX Runtime's level for errors


@dataclass(frozen=True)
class Prediction:
    """What a model proposes.

    Attributes:
        ab: float32 (N, 2, h, w) in Lab units, or None.
        lab: float32 (N, 3, h, w), or None.
        bins: float32 (N, K, H/4, W/4), logits over the manifest's ab bins, or None.
    """

    ab: Floats | None = None
    lab: Floats | None = None
    bins: Floats | None = None


def providers() -> list[str]:
    """Return the execution providers that ONNX Runtime has here, best first."""
    import onnxruntime  # noqa: PLC0415

    return list(onnxruntime.get_available_providers())


def devices() -> list[str]:
    """Return the devices that can be asked for here, besides ``auto``."""
    held = providers()
    return [name for name, wanted in DEVICES.items() if any(p in held for p in wanted)]


def choose_providers(device: str) -> list[str]:
    """Return the providers for a device; the processor always stands behind the others.

    Raises:
        UsageError: no device is called so.
        DeviceError: the device is not available here.
    """
    held = providers()
    if device == "auto":
        found = [p for name in AUTO for p in DEVICES[name] if p in held]
    elif device in DEVICES:
        found = [p for p in DEVICES[device] if p in held]
        if not found:
            raise DeviceError(
                f"The device {device!r} is not available here; available: "
                f"{', '.join(['auto', *devices()])}. Other devices need another build of "
                "ONNX Runtime, such as onnxruntime-gpu."
            )
    else:
        raise UsageError(
            f"No device is called {device!r}; choose from {', '.join(['auto', *DEVICES])}."
        )
    return list(dict.fromkeys([*found, *DEVICES["cpu"]]))


@dataclass(frozen=True)
class _Loaded:
    """A session of ONNX Runtime, and the names of what it takes and gives."""

    session: Any
    inputs: frozenset[str]
    outputs: frozenset[str]


_ahead: dict[tuple[Path, str, int | None], Future[_Loaded]] = {}


def load_ahead(bundle: Bundle, *, device: str = "auto", threads: int | None = None) -> None:
    """Begin to load a model on another thread, while tinct is still being imported.

    The next :class:`Engine` made of the same arguments waits for it when it first runs, and raises
    then what it would have raised when it was made. Most of loading needs no Python.
    """
    pool = ThreadPoolExecutor(1)
    _ahead[bundle.model_path, device, threads] = pool.submit(_load, bundle, device, threads)
    pool.shutdown(wait=False)


def _load(bundle: Bundle, device: str, threads: int | None) -> _Loaded:
    """Load a model; raises what :class:`Engine` does."""
    if threads is not None and threads < 1:
        raise UsageError(f"{threads} threads cannot compute anything; give 1 or more.")
    wanted = choose_providers(device)
    verify(bundle)
    import onnxruntime  # noqa: PLC0415

    onnxruntime.set_default_logger_severity(QUIET)
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    options.intra_op_num_threads = threads or cores()
    # Patterns are remembered for every new size and cost memory (about 20 MB over six sizes);
    # the arena costs none at the peak and saves a tenth of the time.
    options.enable_mem_pattern = False
    # Threads that spin between operators would slow whatever else runs on the machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(bundle.model_path), options, providers=wanted)
    except Exception as error:  # the runtime's errors share no base class
        raise ModelError(
            f"The model in {str(bundle.path)!r} cannot be loaded ({_first_line(error)}); "
            "install or export it again."
        ) from error
    used = session.get_providers()
    if device not in ("auto", "cpu") and wanted[0] not in used:
        raise DeviceError(
            f"The device {device!r} cannot be started here (its driver or libraries are "
            f"missing); in use would be {used[0]}. Choose --device auto."
        )
    manifest = bundle.manifest
    outputs = frozenset(output.name for output in session.get_outputs())
    inputs = frozenset(value.name for value in session.get_inputs())
    allowed = [{"luma", "hint"}]
    if not manifest.takes_hints:
        allowed.append({"luma"})
    if inputs not in allowed or manifest.predicts not in outputs:
        needed = "luma and hint" if manifest.takes_hints else "luma"
        raise ModelError(
            f"The model in {str(bundle.path)!r} takes {sorted(inputs)} and gives "
            f"{sorted(outputs)}; tinct needs {needed} to {manifest.predicts}."
        )
    return _Loaded(session, inputs, outputs)


class Engine:
    """A loaded model; safe to use from several threads.

    Args:
        bundle: the model.
        device: ``auto``, ``cpu``, ``cuda``, ``coreml``, ``directml``, ``openvino``, ...
        threads: that compute one picture; None means one for each core.

    Raises:
        DeviceError: the device is not available here.
        ModelError: the graph cannot be loaded or is not what the manifest says.
        UsageError: the device is unknown, or ``threads`` is below 1.
    """

    def __init__(self, bundle: Bundle, *, device: str = "auto", threads: int | None = None) -> None:
        self.manifest = bundle.manifest
        loading = _ahead.pop((bundle.model_path, device, threads), None)
        if loading is None:
            loading = Future()
            loading.set_result(_load(bundle, device, threads))
        self._loading = loading

    @property
    def providers(self) -> list[str]:
        """The execution providers in use, best first."""
        return list(self._loading.result().session.get_providers())

    def run(
        self, lightness: Floats, hint: Floats | None = None, *, bins: bool = False
    ) -> Prediction:
        """Predict colors.

        Args:
            lightness: float32 (N, 1, H, W), L* 0..100; H and W multiples of the manifest's.
            hint: float32 (N, 4, H, W): L*, a*, b*, mask; None for no hints. Without effect on a
                model that takes none.
            bins: also give the distribution over ab bins, if the model has one.

        Returns:
            ``ab`` or ``lab``, whichever the model predicts, and ``bins`` if asked for.

        Raises:
            DeviceError: the device ran out of memory.
            ModelError: the model failed, or its output is not finite or of the wrong shape.
        """
        count, _, height, width = lightness.shape
        multiple = self.manifest.multiple_of
        assert height % multiple == 0, (height, multiple)
        assert width % multiple == 0, (width, multiple)
        loaded = self._loading.result()
        given = {"luma": lightness}
        if "hint" in loaded.inputs:
            none = (count, 4, height, width)
            given["hint"] = np.zeros(none, np.float32) if hint is None else hint
        names = [self.manifest.predicts]
        if bins and "bins" in loaded.outputs:
            names.append("bins")
        try:
            values = loaded.session.run(names, given)
        except Exception as error:  # the runtime's errors share no base class
            raise _explain(error) from error
        found = dict(zip(names, values, strict=True))
        channels = {"ab": 2, "lab": 3, "bins": len(self.manifest.ab_bins)}
        for name, value in found.items():
            _check(name, value, count=count, channels=channels[name], height=height, width=width)
        return Prediction(**found)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _explain(error: Exception) -> DeviceError | ModelError:
    """Return what a failed run means to a user."""
    text = str(error).lower()
    if isinstance(error, MemoryError) or "alloc" in text or "out of memory" in text:
        return DeviceError(
            "The device ran out of memory; use a lower --quality, or --device cpu, "
            "or close other programs."
        )
    return ModelError(f"The model failed on this picture ({_first_line(error)}).")


def _check(name: str, value: Any, *, count: int, channels: int, height: int, width: int) -> None:
    """Refuse an output that is not what the contract says: nothing is ever gray silently.

    Raises:
        ModelError: a value is not finite, or the shape is wrong.
    """
    shape = value.shape
    good = len(shape) == 4 and 0 not in shape and shape[:2] == (count, channels)
    good = good and height % shape[2] == 0 and width % shape[3] == 0
    if not good or height // shape[2] != width // shape[3]:
        raise ModelError(f"The model gave {name} of shape {shape} for {height} x {width} pixels.")
    if not np.isfinite(value).all():
        raise ModelError(f"The model gave {name} with values that are not finite; export it again.")
