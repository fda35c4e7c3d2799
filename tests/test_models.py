"""The models that come with tinct: whole, small, honestly described, and not gray."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from scipy.ndimage import maximum_filter
from skimage.color import deltaE_ciede2000, rgb2lab

from tinct import Colorizer, parse_hint
from tinct import color as color_module
from tinct.bundle import Bundle, list_bundles, read_bundle, shipped_folder, verify
from tinct.hints import Point

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
    import skimage.data as data

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


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """A pencil drawing, as scanned."""
    with Image.open(PICTURES / "portrait.jpg") as opened:
        return np.asarray(opened.convert("L"))


def test_a_drawing_is_painted_and_keeps_its_lines(bundle: Bundle, portrait: np.ndarray) -> None:
    if bundle.manifest.task != "lineart":
        pytest.skip("a line-art model's test")
    lab = _lab_where_lightness_is(bundle, portrait)
    face = lab[560:640, 430:470]
    assert face[..., 1].mean() > 1  # skin
    assert face[..., 2].mean() > 4
    hair = lab[200:260, 330:400]
    assert hair[..., 0].mean() < face[..., 0].mean() - 5
    # Wherever the drawing has a line, the picture is darker than beside it.
    tone = portrait.astype(float)
    lines = tone < 0.6 * maximum_filter(tone, 15)
    around = maximum_filter(lab[..., 0], 15)
    assert (lab[..., 0][lines] < around[lines] - 8).mean() > 0.95


@pytest.mark.parametrize("color", ["#b02020", "#2040b0", "#208030", "#e0c0a0"])
def test_a_hint_is_obeyed(
    bundle: Bundle, astronaut: np.ndarray, portrait: np.ndarray, color: str
) -> None:
    drawing = bundle.manifest.task == "lineart"
    gray = portrait if drawing else np.asarray(Image.fromarray(astronaut).convert("L"))
    height, width = gray.shape
    for x, y in ((0.35, 0.75), (0.5, 0.62), (0.12, 0.2)):
        hint = parse_hint(f"{x},{y},0.03={color}")
        lab = _lab_where_lightness_is(bundle, gray, hints=[hint])[int(y * height), int(x * width)]
        wanted = np.array(hint.lab)
        if (
            not drawing
        ):  # a photograph keeps its lightness, and what sRGB can show of the color there
            wanted = color_module.fit_gamut(np.array([lab[0], *wanted[1:]]))
        assert deltaE_ciede2000(lab, wanted) < 3, (x, y)


def test_careless_hints_do_no_harm(
    bundle: Bundle, astronaut: np.ndarray, portrait: np.ndarray
) -> None:
    """Ten hints, each moved by 2 % and of another tone, change less than giving them did."""
    drawing = bundle.manifest.task == "lineart"
    gray = portrait if drawing else np.asarray(Image.fromarray(astronaut).convert("L"))
    rng = np.random.default_rng(3)
    places, shades = (
        rng.uniform(0.1, 0.9, (10, 2)),
        rng.uniform((40, -40, -40), (85, 40, 40), (10, 3)),
    )
    moved = places + rng.uniform(-0.02, 0.02, places.shape)
    other = shades + rng.uniform(-5, 5, shades.shape)

    def given(where: np.ndarray, what: np.ndarray) -> np.ndarray:
        hints = [
            Point(x=float(x), y=float(y), color=tuple(float(v) for v in shade), radius=0.015)
            for (x, y), shade in zip(where, what, strict=True)
        ]
        return _lab_where_lightness_is(bundle, gray, hints=hints)

    plain = _lab_where_lightness_is(bundle, gray)
    meant, careless = given(places, shades), given(moved, other)
    effect = np.linalg.norm(meant - plain, axis=2).mean()
    harm = np.linalg.norm(careless - meant, axis=2).mean()
    assert effect > 5
    assert harm < 0.5 * effect
