"""Let trained networks look at colored pictures: an ImageNet classifier and VGG-16's features.

A classifier trained on color pictures is surprised by gray ones; plausible colors win part of that
back [1]. Distances between deep features follow what people call similar better than distances
between pixels do [2]; the one here has no learned weights, so it is no LPIPS and not called so.

References:
    [1] R. Zhang, P. Isola, A. A. Efros, "Colorful Image Colorization", ECCV 2016, section 3.1.
    [2] R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang, "The Unreasonable Effectiveness of
        Deep Features as a Perceptual Metric", CVPR 2018.
    [3] K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
        Recognition", ICLR 2015.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tinct.errors import TinctError
from tinct.measure.results import LearnedMetric
from tinct.train.nets import backbones

Rgb = NDArray[np.uint8]

CLASSIFIER = "efficientnet_lite2"
CROP = 260
CROP_SHARE = 0.89
WNID = re.compile(r"(n\d{8})(?!\d)")

VGG_TAPS = {3: "relu1_2", 8: "relu2_2", 15: "relu3_3", 22: "relu4_3"}
VGG_SIDE = 192
VGG_MEAN = (0.485, 0.456, 0.406)
VGG_DEVIATION = (0.229, 0.224, 0.225)


def available(
    kinds: Sequence[type[Classifier] | type[PerceptualDistance]] | None = None,
) -> tuple[list[LearnedMetric], list[str]]:
    """Load the learned metrics whose weights can be had.

    Args:
        kinds: those that are wanted; None means all.

    Returns:
        The metrics, and a note ``learned metric not available: ...`` for each that could not be
        loaded.
    """
    found: list[LearnedMetric] = []
    notes = []
    kinds = (Classifier, PerceptualDistance) if kinds is None else kinds
    for kind in kinds:
        try:
            found.append(kind())
        except TinctError as error:
            notes.append(f"learned metric not available: {kind.name}: {error}")
    return found, notes


@cache
def class_ids() -> tuple[str, ...]:
    """Return the 1000 ImageNet ids in the order of the classifier's logits."""
    from timm.data.imagenet_info import ImageNetInfo  # noqa: PLC0415

    known: list[str] = ImageNetInfo("imagenet-1k").label_names()  # type: ignore[no-untyped-call]
    return tuple(known)


def class_of(name: str) -> int | None:
    """Return the class that a file name begins with, such as ``n01440764_tench.jpg``, or None."""
    found = WNID.match(name)
    if found is None or found[1] not in class_ids():
        return None
    return class_ids().index(found[1])


class Classifier:
    """EfficientNet-Lite2's log loss of the true class, and whether it comes first.

    Args:
        network: RGB (N, 3, 260, 260) normalized to -1..1 -> logits (N, 1000); None loads the
            pretrained one.

    Raises:
        TrainingError: the weights are neither here nor to be had.
    """

    name = "classifier"
    protocol = (
        "Classifier: EfficientNet-Lite2, ImageNet classes from the ids that file names begin with; "
        "pictures resized (bicubic, antialiased) to a short side of 292, center crop of 260. "
        "Share won back = (loss of gray - loss) / (loss of gray - loss of truth), of mean log "
        "losses in nats."
    )

    def __init__(self, network: nn.Module | None = None) -> None:
        self._network = backbones.classifier(CLASSIFIER) if network is None else network

    def __call__(self, pictures: Mapping[str, Rgb], *, name: str) -> dict[str, dict[str, float]]:
        """Return ``classifier_loss`` (nats) and ``classifier_top1`` (0 or 1) for each row.

        Args:
            pictures: uint8 (H, W, 3) by row.
            name: the file's name; without an ImageNet id nothing is returned.
        """
        wanted = class_of(name)
        if wanted is None:
            return {}
        batch = torch.cat([_center_crop(_tensor(picture)) for picture in pictures.values()])
        with torch.inference_mode():
            logits = self._network((batch - 0.5) / 0.5).double()
        losses = -functional.log_softmax(logits, 1)[:, wanted]
        hits = logits.argmax(1) == wanted
        return {
            row: {"classifier_loss": float(loss), "classifier_top1": float(hit)}
            for row, loss, hit in zip(pictures, losses, hits, strict=True)
        }


class PerceptualDistance:
    """VGG-16 perceptual distance to the truth.

    At relu1_2, relu2_2, relu3_3 and relu4_3 [3] the features of each place are scaled to unit
    length over the channels; the squared length of their difference is averaged over the places,
    then over the four layers, all with weight 1 [2].

    Args:
        layers: VGG-16 up to relu4_3; None loads the pretrained one.

    Raises:
        TrainingError: the weights are neither here nor to be had.
    """

    name = "VGG-16 perceptual distance"
    protocol = (
        "VGG-16 perceptual distance: squared difference of channel-wise unit-normalized features, "
        "mean over places and over relu1_2, relu2_2, relu3_3, relu4_3, unweighted; both pictures "
        f"reduced (bicubic, antialiased) to a short side of at most {VGG_SIDE}."
    )

    def __init__(self, layers: nn.Sequential | None = None) -> None:
        self._layers = backbones.vgg16_features() if layers is None else layers

    def __call__(self, pictures: Mapping[str, Rgb], *, name: str) -> dict[str, dict[str, float]]:
        """Return ``vgg_distance`` for each row but the truth.

        Args:
            pictures: uint8 (H, W, 3) by row, ``truth`` among them.
            name: the file's name, not used.
        """
        del name
        true = self._features(pictures["truth"])
        distances = {}
        for row, picture in pictures.items():
            if row != "truth":
                pairs = zip(self._features(picture), true, strict=True)
                steps = [float((ours - truth).square().sum(1).mean()) for ours, truth in pairs]
                distances[row] = {"vgg_distance": sum(steps) / len(steps)}
        return distances

    def _features(self, picture: Rgb) -> list[Tensor]:
        """Return the unit-length features at the taps."""
        values = _at_most(_tensor(picture), VGG_SIDE)
        mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (VGG_MEAN, VGG_DEVIATION))
        values = (values - mean) / deviation
        found = []
        with torch.inference_mode():
            for index, layer in enumerate(self._layers):
                values = layer(values)
                if index in VGG_TAPS:
                    found.append(functional.normalize(values, dim=1, eps=1e-10))
        return found


def _tensor(picture: Rgb) -> Tensor:
    """Return (1, 3, H, W) floats 0..1."""
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
    return torch.from_numpy(planes)[None].float() / 255


def _resize(values: Tensor, height: int, width: int) -> Tensor:
    resized = functional.interpolate(values, (height, width), mode="bicubic", antialias=True)
    return resized.clamp(0, 1)


def _short_side(values: Tensor, side: int) -> Tensor:
    height, width = values.shape[2:]
    scale = side / min(height, width)
    return _resize(values, max(1, round(height * scale)), max(1, round(width * scale)))


def _at_most(values: Tensor, side: int) -> Tensor:
    return values if min(values.shape[2:]) <= side else _short_side(values, side)


def _center_crop(values: Tensor) -> Tensor:
    values = _short_side(values, round(CROP / CROP_SHARE))
    top, left = ((length - CROP) // 2 for length in values.shape[2:])
    return values[:, :, top : top + CROP, left : left + CROP]
