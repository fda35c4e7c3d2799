"""Check the judges against plain restatements, with untrained networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tinct.errors import TrainingError
from tinct.measure import results
from tinct.train import learned_metrics
from tinct.train.nets import backbones


def _picture(seed: int, height: int = 40, width: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _vgg() -> torch.nn.Sequential:
    """Return VGG-16's first layers, narrow and untrained, with the taps at the same places."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    channels = 3
    for width in (4, 4, 0, 8, 8, 0, 8, 8, 8, 0, 8, 8, 8):
        if width == 0:
            layers.append(torch.nn.MaxPool2d(2))
        else:
            layers += [
                torch.nn.Conv2d(channels, width, 3, padding=1),
                torch.nn.ReLU(inplace=True),
            ]
            channels = width
    return torch.nn.Sequential(*layers).eval()


def test_file_names_tell_the_class() -> None:
    ids = learned_metrics.class_ids()
    assert len(ids) == len(set(ids)) == 1000
    assert list(ids) == sorted(ids)
    assert learned_metrics.class_of("n01440764_tench.webp") == 0
    assert learned_metrics.class_of("n01440764.jpg") == 0
    assert learned_metrics.class_of("n15075141_toilet_tissue.png") == 999
    assert learned_metrics.class_of("tench.jpg") is None
    assert learned_metrics.class_of("n99999999_nothing.jpg") is None
    assert learned_metrics.class_of("n014407641_longer.jpg") is None


class _Means(torch.nn.Module):
    """Logits that say: class 0 when red, class 1 when green."""

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        assert rgb.shape[2:] == (260, 260)
        logits = torch.zeros(len(rgb), 1000)
        logits[:, :3] = rgb.mean((2, 3)) * 10
        return logits


def test_the_classifier_is_asked_about_the_class_in_the_name() -> None:
    judge = learned_metrics.Classifier(_Means())
    red, green = np.zeros((2, 30, 45, 3), np.uint8)
    red[..., 0], green[..., 1] = 255, 255
    found = judge({"truth": red, "ours": green}, name="n01440764_tench.jpg")
    logits = np.zeros(1000)
    logits[:3] = (10, -10, -10)
    total = np.log(np.exp(logits).sum())
    assert found["truth"] == {
        "classifier_loss": pytest.approx(total - 10, abs=1e-6),
        "classifier_top1": 1.0,
    }
    assert found["ours"] == {
        "classifier_loss": pytest.approx(total + 10, abs=1e-6),
        "classifier_top1": 0.0,
    }
    assert judge({"truth": red}, name="unknown.jpg") == {}


def test_the_crop_is_the_middle_of_the_resized_picture() -> None:
    picture = np.zeros((292, 400, 3), np.uint8)
    picture[16:276, 70:330] = 255  # exactly the middle 260 x 260
    crop = learned_metrics._center_crop(learned_metrics._tensor(picture))
    assert crop.shape == (1, 3, 260, 260)
    assert float(crop.min()) == 1


def test_perceptual_distance_matches_a_plain_restatement() -> None:
    layers = _vgg()
    truth, ours = _picture(0), _picture(1)
    found = learned_metrics.PerceptualDistance(layers)(
        {"truth": truth, "ours": ours}, name="any.jpg"
    )
    steps = []
    for last in (3, 8, 15, 22):
        maps = []
        for picture in (ours, truth):
            values = (picture / 255 - np.array(learned_metrics.VGG_MEAN)) / np.array(
                learned_metrics.VGG_DEVIATION
            )
            tensor = torch.from_numpy(values.transpose(2, 0, 1)[None]).float()
            with torch.no_grad():
                features = layers[: last + 1](tensor)[0].numpy().astype(np.float64)
            maps.append(features / np.maximum(np.linalg.norm(features, axis=0), 1e-10))
        steps.append(np.mean(np.sum((maps[0] - maps[1]) ** 2, axis=0)))
    assert found == {"ours": {"vgg_distance": pytest.approx(np.mean(steps), rel=1e-4)}}


def test_equal_pictures_have_no_distance_and_large_ones_are_reduced() -> None:
    judge = learned_metrics.PerceptualDistance(_vgg())
    truth = _picture(0, 200, 320)
    found = judge({"truth": truth, "ours": truth.copy()}, name="any.jpg")
    assert found["ours"]["vgg_distance"] == 0
    assert judge._features(truth)[0].shape[2:] == (192, 307)


def test_the_taps_are_the_named_layers() -> None:
    from torchvision.models import vgg16

    layers = vgg16(weights=None).features
    block, convolution, names = 1, 0, {}
    for index, layer in enumerate(layers):
        if isinstance(layer, torch.nn.Conv2d):
            convolution += 1
        elif isinstance(layer, torch.nn.ReLU):
            names[index] = f"relu{block}_{convolution}"
        else:
            block, convolution = block + 1, 0
    assert {index: names[index] for index in learned_metrics.VGG_TAPS} == learned_metrics.VGG_TAPS


def test_a_missing_network_leaves_a_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise TrainingError("The weights could not be downloaded.")

    monkeypatch.setattr(backbones, "classifier", refuse)
    monkeypatch.setattr(backbones, "vgg16_features", _vgg)
    found, notes = learned_metrics.available()
    assert [judge.name for judge in found] == ["VGG-16 perceptual distance"]
    assert len(notes) == 1
    assert notes[0].startswith("learned metric not available: classifier: The weights")
    assert notes[0].endswith("could not be downloaded.")


def test_the_share_won_back_is_what_the_protocol_says() -> None:
    losses = {"truth": (0.5, 1.0), "gray": (2.5, 2.0), "mean_color": (2.5, 2.0), "ours": (1.5, 1.0)}
    shared = dict.fromkeys(("ciede2000", "psnr", "colorfulness"), 1.0)
    pictures = [
        results.PictureScore(
            f"{i}", 1, 1, {row: {**shared, "classifier_loss": v[i]} for row, v in losses.items()}
        )
        for i in range(2)
    ]
    rows = results.pool(pictures)
    assert rows["ours"]["classifier_share"] == pytest.approx((2.25 - 1.25) / (2.25 - 0.75))
    assert rows["gray"]["classifier_share"] == 0
    assert rows["truth"]["classifier_share"] == 1
