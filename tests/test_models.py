"""The models that come with tinct: whole, small, honestly described, and not gray."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from skimage.color import rgb2lab

from tinct import Colorizer, parse_hint
from tinct.bundle import Bundle, list_bundles, read_bundle, shipped_folder, verify

PICTURES = Path(__file__).parent.parent / "examples" / "pictures"
SHIPPED = [read_bundle(path.parent) for path in sorted(shipped_folder().glob("*/manifest.json"))]
MOST_BYTES = 15_000_000

pytestmark = pytest.mark.parametrize("bundle", SHIPPED, ids=lambda b: str(b.manifest.name))


def test_bundle_is_whole_and_found_by_name(bundle: Bundle) -> None:
    verify(bundle)
    assert bundle.path.name == bundle.manifest.name
    assert bundle.manifest.name in [found.manifest.name for found in list_bundles()]
    assert bundle.model_path.stat().st_size <= MOST_BYTES
    assert bundle.manifest.license == "Apache-2.0"


def test_parameters_are_those_of_the_graph(bundle: Bundle) -> None:
    graph = onnx.load(bundle.model_path).graph
    held = sum(int(np.prod(tensor.dims)) for tensor in graph.initializer)
    # Normalization is folded into convolutions, which takes some away; constants add a few.
    assert held == pytest.approx(bundle.manifest.parameters, rel=0.02)
    halves = [t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT16]
    assert sum(int(np.prod(t.dims)) for t in halves) > 0.95 * held


def test_card_says_what_the_manifest_says(bundle: Bundle) -> None:
    assert bundle.manifest.metrics
    for name, value in bundle.manifest.metrics.items():
        if isinstance(value, float):
            text = f"{value:.2f}"
            assert text in bundle.card, f"{name} = {text} is not in the card"
    for part in bundle.manifest.data:
        assert part["name"] in bundle.card
        assert part["license"]


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    """A portrait in color, from scikit-image: a public-domain photograph of NASA's."""
    data = pytest.importorskip("skimage.data")
    return np.asarray(data.astronaut())


def _lab_where_lightness_is(bundle: Bundle, gray: np.ndarray, **settings: object) -> np.ndarray:
    rgb = Colorizer(bundle.path)(gray, **settings)
    assert rgb.shape == (*gray.shape, 3)
    return np.asarray(rgb2lab(rgb))


def test_skin_is_warm_and_lightness_kept(bundle: Bundle, astronaut: np.ndarray) -> None:
    if bundle.manifest.task != "photo":
        pytest.skip("a photo model's test")
    gray = np.asarray(Image.fromarray(astronaut).convert("L"))
    lab = _lab_where_lightness_is(bundle, gray)
    face = lab[80:180, 190:260]
    assert face[..., 1].mean() > 3
    assert face[..., 2].mean() > 5
    assert np.abs(lab[..., 0] - rgb2lab(np.stack([gray] * 3, -1))[..., 0]).mean() < 0.3


def test_color_does_not_depend_on_the_threads(bundle: Bundle) -> None:
    with Image.open(PICTURES / "photographer.jpg") as opened:
        gray = np.asarray(opened.convert("L"))
    one, two = (Colorizer(bundle.path, threads=n)(gray) for n in (1, 2))
    assert np.abs(one.astype(int) - two.astype(int)).max() <= 2


@pytest.mark.parametrize("color", ["#b02020", "#2040b0", "#208030"])
def test_a_hint_is_followed(bundle: Bundle, astronaut: np.ndarray, color: str) -> None:
    gray = np.asarray(Image.fromarray(astronaut).convert("L"))
    hint = parse_hint(f"0.35,0.75,0.03={color}")
    plain = _lab_where_lightness_is(bundle, gray)
    lab = _lab_where_lightness_is(bundle, gray, hints=[hint])
    place = slice(374, 394), slice(169, 189)
    wanted = np.array(hint.lab[1:])

    def off(picture: np.ndarray) -> float:
        return float(np.linalg.norm(picture[place][..., 1:].mean((0, 1)) - wanted))

    assert off(lab) < off(plain)
