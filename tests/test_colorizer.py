"""The whole thread on a model whose colors are known: kinds, types, positions, settings."""

from __future__ import annotations

import dataclasses
import io
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

import tinct
from made_pictures import line_drawing
from tinct import photo
from tinct.bundle import Bundle
from tinct.colorizer import Colorizer, _told
from tinct.engine import Prediction
from tinct.errors import ModelError, PictureError, SaveError, UsageError
from tinct.hints import Point
from tinct.settings import Settings
from tiny_models import A, B, make_bundle, make_copier


@pytest.fixture(scope="module")
def colorizer(tiny: Bundle) -> Colorizer:
    return Colorizer(tiny.path)


def ramp(height: int = 40, width: int = 60, dtype: type = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    rows, columns = np.mgrid[:height, :width]
    return (top * (0.3 + 0.4 * (rows + columns) / (height + width))).astype(dtype)


def lab_of(rgb: np.ndarray) -> np.ndarray:
    return rgb2lab(rgb[..., :3] / np.iinfo(rgb.dtype).max)


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(40, 60), (200, 90), (333, 35), (7, 100)])
def test_the_models_colors_reach_their_places(
    colorizer: Colorizer, dtype: type, size: tuple[int, int]
) -> None:
    gray = ramp(*size, dtype)
    lab = lab_of(colorizer(gray))
    lightness = lab_of(np.repeat(gray[..., None], 3, -1))[..., 0]
    assert np.abs(lab[..., 0] - lightness).mean() < (0.3 if dtype == np.uint8 else 0.01)
    inner = (slice(size[0] // 8, -size[0] // 8), slice(size[1] // 8, -size[1] // 8))
    for axis, (slope, start) in enumerate((A, B), start=1):
        off = np.abs(lab[..., axis] - (slope * lightness + start))
        assert off[inner].mean() < (0.7 if dtype == np.uint8 else 0.4)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64, np.bool_]
)
@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
def test_an_array_gives_an_array_of_its_type(
    colorizer: Colorizer, dtype: type, channels: tuple[int, ...]
) -> None:
    shade = np.random.default_rng(0).random((9, 13, *channels))
    scale = {np.uint8: 255, np.uint16: 65535}.get(dtype, 1)
    given = np.rint(shade * scale).astype(dtype) if scale > 1 else (shade * 0.999).astype(dtype)
    before = given.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", photo.PictureWarning)  # noise is in color
        found = colorizer(given)
    wanted = np.uint8 if dtype == np.bool_ else dtype
    assert found.dtype == wanted
    assert found.shape == (9, 13, 4 if channels in ((2,), (4,)) else 3)
    np.testing.assert_array_equal(given, before)
    if found.shape[2] == 4 and dtype != np.bool_:
        np.testing.assert_allclose(found[..., 3], given[..., -1], atol=1e-3 if scale == 1 else 0)


@pytest.mark.filterwarnings("ignore:.*CMYK without a color profile")
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_a_pil_image_gives_a_pil_image(colorizer: Colorizer, mode: str) -> None:
    gray = Image.fromarray(ramp())
    if mode == "I;16":
        gray = Image.fromarray(ramp(dtype=np.uint16))
    elif mode == "F":
        gray = Image.fromarray(ramp().astype(np.float32) / 255)
    else:
        gray = gray.convert(mode)
    found = colorizer(gray)
    assert isinstance(found, Image.Image)
    assert found.mode == ("RGBA" if mode in ("LA", "RGBA") else "RGB")
    assert found.size == gray.size


def test_a_path_gives_a_pil_image(colorizer: Colorizer, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(ramp()))
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        np.testing.assert_array_equal(np.asarray(colorizer(path)), colorizer(ramp()))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_bytes_give_bytes_of_the_same_format(colorizer: Colorizer, kind: str) -> None:
    file = io.BytesIO()
    Image.fromarray(ramp()).save(file, kind)
    for kept in (bytes, bytearray, memoryview):
        found = Image.open(io.BytesIO(colorizer(kept(file.getvalue()))))
        assert found.format == kind
        assert found.mode == "RGB"
        assert found.size == (60, 40)


def test_a_file_into_a_file(colorizer: Colorizer, tmp_path: Path) -> None:
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(png(ramp(dtype=np.uint16)))
    colorizer.file(source, target)
    opened = photo.open_photo(target)
    assert opened.depth == 16
    assert opened.was_color
    assert opened.metadata.xmp is not None
    assert b"algorithmicallyEnhanced" in opened.metadata.xmp
    with pytest.raises(SaveError, match="exists already"):
        colorizer.file(source, target)
    colorizer.file(source, target, overwrite=True, strength=0)
    assert not photo.open_photo(target).was_color


def test_color_pictures_are_said_to_be_in_color(colorizer: Colorizer) -> None:
    shown = np.zeros((20, 20, 3), np.uint8)
    shown[..., 0] = 200
    with pytest.warns(photo.PictureWarning, match="in color already"):
        colorizer(png(shown))
    with pytest.warns(photo.PictureWarning, match="in color already"):
        colorizer(Image.fromarray(shown))


def test_pages(colorizer: Colorizer) -> None:
    file = io.BytesIO()
    pages = [Image.fromarray(ramp()), Image.fromarray(ramp(10, 20))]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    with pytest.warns(photo.PictureWarning, match="page"):
        first = colorizer(file.getvalue())
    assert Image.open(io.BytesIO(first)).size == (60, 40)
    assert Image.open(io.BytesIO(colorizer(file.getvalue(), page=1))).size == (20, 10)
    with pytest.raises(UsageError, match="Only files have pages"):
        colorizer(ramp(), page=1)


@given(st.integers(1, 70), st.integers(1, 70))
def test_any_size(colorizer: Colorizer, height: int, width: int) -> None:
    assert colorizer(ramp(height, width)).shape == (height, width, 3)


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (1000, 100), (1, 5000)])
def test_strange_sizes(colorizer: Colorizer, size: tuple[int, int]) -> None:
    for quality in ("fast", "balanced", "best"):
        assert colorizer(ramp(*size), quality=quality).shape == (*size, 3)


def test_strength(colorizer: Colorizer) -> None:
    gray = ramp()
    np.testing.assert_array_equal(
        colorizer(gray, strength=0), np.repeat(gray[..., None], 3, axis=2)
    )
    chroma = [np.abs(lab_of(colorizer(gray, strength=s))[..., 1:]).mean() for s in (0.5, 1, 1.5)]
    assert chroma[0] < chroma[1] < chroma[2]


def test_warmth_moves_colors_but_neither_lightness_nor_hints(colorizer: Colorizer) -> None:
    gray = ramp(120, 160)
    hint = Point(x=0.25, y=0.5, color=(50.0, 10.0, -30.0), radius=0.03)
    plain, warm, cool = (
        lab_of(colorizer(gray, hints=hint, warmth=warmth)) for warmth in (0.0, 0.6, -0.6)
    )
    assert np.abs(warm[..., 0] - plain[..., 0]).mean() < 0.3
    there, far = (60, 40), (slice(40, 80), slice(130, 150))
    np.testing.assert_allclose(warm[there][1:], plain[there][1:], atol=1.5)
    assert cool[far][..., 2].mean() < plain[far][..., 2].mean() - 3
    assert warm[far][..., 2].mean() > plain[far][..., 2].mean() + 3


def test_a_hint_is_obeyed_where_it_is_given_and_stops_at_edges(colorizer: Colorizer) -> None:
    gray = ramp(100, 100, np.uint16) // 4
    gray[:, 50:] += 40000
    hint = Point(x=0.7, y=0.4, color=(50, 15, -25), radius=0.1)
    lab = lab_of(colorizer(gray, hints=[hint]))
    without = lab_of(colorizer(gray))
    np.testing.assert_allclose(lab[40, 70, 1:], (15, -25), atol=0.5)
    np.testing.assert_allclose(lab[..., 0], without[..., 0], atol=0.02)
    np.testing.assert_allclose(lab[:, :40], without[:, :40], atol=1.5)


def test_hints_are_obeyed_though_the_model_takes_none(tmp_path: Path) -> None:
    deaf = Colorizer(make_bundle(tmp_path / "deaf", takes_hints=False).path)
    gray = np.full((90, 120), 130, np.uint8)
    hint = Point(x=0.5, y=0.5, color=(50, 20, -15), radius=0.1)
    np.testing.assert_allclose(lab_of(deaf(gray, hints=[hint]))[45, 60, 1:], (20, -15), atol=1.5)


def test_ink_without_paper_becomes_a_picture_on_white(tmp_path: Path) -> None:
    drawing = line_drawing(200)
    clear = np.zeros((200, 200, 4), np.uint8)
    clear[..., 3] = 255 - drawing  # black ink, clear elsewhere
    painter = Colorizer(make_copier(tmp_path / "art", task="lineart").path)
    found = painter(Image.fromarray(clear))
    assert found.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(found), np.asarray(painter(drawing)))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"strength": -0.1}, r"0\.\.1\.5"),
        ({"strength": 1.6}, r"0\.\.1\.5"),
        ({"strength": float("nan")}, r"0\.\.1\.5"),
        ({"quality": "superb"}, "fast, balanced, best"),
    ],
)
def test_wrong_settings(colorizer: Colorizer, settings: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        colorizer(ramp(), **settings)


@pytest.mark.parametrize(
    ("picture", "error"),
    [
        (None, UsageError),
        (7, UsageError),
        ([[1, 2]], UsageError),
        (np.zeros((0, 5), np.uint8), PictureError),
        (np.zeros((5, 5, 5), np.uint8), PictureError),
        (np.zeros((5, 5), np.int64), PictureError),
        (np.full((5, 5), np.nan), PictureError),
        (np.full((5, 5), np.inf, np.float32), PictureError),
        (np.full((5, 5), 2.0), PictureError),
        (b"no picture", PictureError),
        ("no/such/file.jpg", PictureError),
    ],
)
def test_what_is_no_picture(colorizer: Colorizer, picture: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        colorizer(picture)


def test_four_threads_see_the_same(colorizer: Colorizer) -> None:
    pictures = [ramp(50 + 10 * n, 80) for n in range(4)] * 4
    expected = [colorizer(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        for found, wanted in zip(pool.map(colorizer, pictures), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_the_number_of_threads_changes_nothing(tiny: Bundle) -> None:
    gray = ramp(1100, 1300)
    one, four = (Colorizer(tiny.path, threads=n)(gray) for n in (1, 4))
    np.testing.assert_array_equal(one, four)


def test_edges_agree_on_what_does_not_depend_on_them(colorizer: Colorizer) -> None:
    gray = np.full((50, 70), 128, np.uint8)
    expected = colorizer.propose(gray).ab
    for edge in ("pad", "resize"):
        ab = colorizer.propose(gray, edge=edge).ab
        np.testing.assert_allclose(ab.mean((1, 2)), expected.mean((1, 2)), atol=1e-3)


@pytest.mark.parametrize("size", [(96, 96), (90, 171), (200, 133)])
def test_best_is_the_mean_of_several_looks(tmp_path: Path, size: tuple[int, int]) -> None:
    """What each size says is asked for by itself, and resized by Pillow."""
    rng = np.random.default_rng(5)
    noise = Image.fromarray(rng.integers(0, 256, (12, 12), np.uint8))
    gray = np.asarray(noise.resize(size[::-1], Image.Resampling.BICUBIC))
    sides = (64, 32, 48)
    alone = [
        Colorizer(make_bundle(tmp_path / str(side), sizes=sizes_of(side)).path).propose(gray)
        for side in sides
    ]
    shown = [p.ab[:, : round(p.ab.shape[1] * p.cover[0]), :] for p in alone]
    shown = [
        ab[:, :, : round(ab.shape[2] * p.cover[1])] for ab, p in zip(shown, alone, strict=True)
    ]
    height, width = shown[0].shape[1:]
    expected = np.mean(
        [
            [
                Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC)
                for plane in ab
            ]
            for ab in shown
        ],
        axis=0,
    )
    bundle = make_bundle(tmp_path / "looks", sizes=sizes_of(64), looks=[32, 48])
    colorizer = Colorizer(bundle.path)
    found = colorizer.propose(gray, quality="best")
    np.testing.assert_allclose(found.ab[:, :height, :width], expected, atol=1e-3)
    assert found.cover == alone[0].cover
    assert np.abs(found.ab - alone[0].ab).max() > 0.5
    balanced = colorizer.propose(gray).ab
    np.testing.assert_array_equal(balanced, alone[0].ab)  # one look, at its own size
    np.testing.assert_array_equal(
        colorizer(gray, quality="best"), colorizer.render(gray, proposal=found)
    )


def sizes_of(side: int) -> dict[str, int]:
    return dict.fromkeys(("fast", "balanced", "best"), side)


def test_a_proposal_is_adjusted_without_looking_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    colorizer = Colorizer(make_bundle(tmp_path / "spread", bins=True, spreads_hints=True).path)
    gray = ramp(64, 96)
    hints = (Point(x=0.3, y=0.5, color=(50, 40, 0), radius=0.1),)
    wanted, plain = (colorizer(gray, hints=h, strength=0.7).astype(int) for h in (hints, ()))
    proposal = colorizer.propose(gray, bins=True)
    monkeypatch.setattr(colorizer, "engine", None)  # nobody looks at the picture any more
    hinted = colorizer.adjust(proposal, hints=hints)
    again = colorizer.render(gray, Settings(strength=0.7), proposal=hinted)
    np.testing.assert_array_equal(again, wanted)
    assert np.abs(wanted - plain).max() > 5
    np.testing.assert_array_equal(colorizer.adjust(hinted).ab, proposal.ab)  # hints are forgotten
    assert proposal.bins is not None
    assert proposal.bins.shape[1:] == (8, 12)


def test_many_pictures_come_in_order(colorizer: Colorizer, tmp_path: Path) -> None:
    pictures: list[Any] = [ramp(40 + 8 * n, 64) for n in range(5)]
    for got, picture in zip(colorizer.map(pictures, strength=0.5), pictures, strict=True):
        np.testing.assert_array_equal(got, colorizer(picture, strength=0.5))
    looked: list[int] = []

    def numbered() -> Iterator[np.ndarray]:
        for number in range(50):
            looked.append(number)
            yield ramp(32, 32)

    few = colorizer.map(numbered(), workers=2)
    next(few)
    assert len(looked) <= 4  # only a few are taken ahead
    with pytest.raises(PictureError):
        list(colorizer.map([ramp(), tmp_path / "missing.jpg"]))
    with pytest.raises(UsageError, match="0 workers"):
        colorizer.map([], workers=0)
    with pytest.raises(UsageError, match="no setting 'strenth'"):
        colorizer.map([], strenth=1)


def test_settings_go_by_value_or_by_name(colorizer: Colorizer) -> None:
    gray = ramp(40, 50)
    held = Settings(strength=0.4, quality="fast")
    np.testing.assert_array_equal(
        colorizer(gray, settings=held), colorizer(gray, strength=0.4, quality="fast")
    )
    np.testing.assert_array_equal(
        colorizer(gray, settings=held, strength=0.9), colorizer(gray, strength=0.9, quality="fast")
    )


def test_a_photograph_keeps_its_lightness_under_a_painting_model(
    colorizer: Colorizer, tiny_lab: Bundle
) -> None:
    painting = Colorizer(tiny_lab.path)
    for size in ((40, 60), (200, 90)):
        for quality in ("balanced", "best"):
            np.testing.assert_array_equal(
                painting(ramp(*size), quality=quality), colorizer(ramp(*size), quality=quality)
            )


def lines(height: int, width: int, dtype: type = np.uint8) -> np.ndarray:
    """Return white paper with a gray and a black line."""
    paper = np.full((height, width), np.iinfo(dtype).max, dtype)
    paper[height // 3] = 0
    paper[:, width // 2] //= 2
    return paper


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_line_art_is_painted_as_the_model_says(tmp_path: Path, dtype: type) -> None:
    task = {"task": "lineart", "sizes": dict.fromkeys(("fast", "balanced", "best"), 64)}
    painter = Colorizer(make_copier(tmp_path / "art", color=(6, -8), **task).path)
    gray = ramp(64, 96, dtype)
    lab = rgb2lab(np.repeat(gray[..., None] / np.iinfo(dtype).max, 3, -1))
    expected = lab2rgb(lab + np.array([0, 6, -8])) * np.iinfo(dtype).max
    step = 1 if dtype == np.uint8 else 40
    assert np.abs(painter(gray) - expected).max() <= step
    for quality in ("fast", "best"):
        np.testing.assert_array_equal(painter(gray, quality=quality), painter(gray))
    without = painter(gray, strength=0).astype(int)
    assert np.ptp(without, axis=-1).max() == 0
    assert np.abs(without[..., 0] - gray).max() <= step


def test_line_art_may_keep_its_lightness(tmp_path: Path, tiny: Bundle) -> None:
    art = Colorizer(make_bundle(tmp_path / "art", task="lineart").path)
    np.testing.assert_array_equal(art(lines(90, 70)), Colorizer(tiny.path)(lines(90, 70)))


@pytest.mark.parametrize("predicts", ["ab", "lab"])
@pytest.mark.parametrize("task", ["photo", "lineart"])
@pytest.mark.parametrize("size", [(1, 1), (3, 900), (60, 600), (1000, 100), (255, 257)])
def test_a_large_multiple(tmp_path: Path, size: tuple[int, int], task: str, predicts: str) -> None:
    same = {"sizes": dict.fromkeys(("fast", "balanced", "best"), 256), "multiple_of": 256}
    bundle = make_copier(
        tmp_path / "art", predicts=predicts, color=(5, 5), task=task, max_long=512, **same
    )
    found = Colorizer(bundle.path)(np.full(size, 180, np.uint8))
    lightness = rgb2lab(np.full((1, 1, 3), 180 / 255))[0, 0, 0]
    expected = np.rint(lab2rgb(np.array([[[lightness, 5, 5]]])) * 255)
    assert np.abs(found - expected).max() <= 1


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "one")
    bundle.model_path.write_bytes(bundle.model_path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="SHA-256"):
        Colorizer(bundle.path)


def test_the_short_door(no_bundles: Path) -> None:
    make_bundle(no_bundles / "photo")
    np.testing.assert_array_equal(
        tinct.colorize(ramp(), strength=0.5), tinct.Colorizer("photo")(ramp(), strength=0.5)
    )
    assert set(tinct.__all__) <= set(dir(tinct))
    for name in tinct.__all__:
        assert getattr(tinct, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        tinct.nonsense  # noqa: B018


def test_a_file_is_never_its_own_target(colorizer: Colorizer, tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(png(ramp()))
    (tmp_path / "link.png").symlink_to(source)
    for target in (source, str(tmp_path / "link.png")):
        with pytest.raises(UsageError, match="the picture itself"):
            colorizer.file(str(source), target, overwrite=True)
    assert source.read_bytes() == png(ramp())


def test_a_color_array_warns_like_a_file(colorizer: Colorizer) -> None:
    red = np.zeros((20, 20, 3), np.uint8)
    red[..., 0] = 200
    with pytest.warns(photo.PictureWarning, match="in color already"):
        colorizer(red)


class _Listener:
    """An engine that paints gray, and red where it was told anything at all, anywhere."""

    def run(self, lightness: np.ndarray, hint: np.ndarray | None, *, bins: bool = False) -> Any:
        del bins
        lab = np.concatenate([lightness, np.zeros_like(lightness), np.zeros_like(lightness)], 1)
        if hint is not None:
            lab[:, 1] = 40
        return Prediction(lab=lab.astype(np.float32))


def test_a_painting_follows_many_hints_everywhere_and_one_only_in_its_region(
    tmp_path: Path,
) -> None:
    bundle = make_copier(tmp_path / "listens", task="lineart")
    colorizer = Colorizer(bundle.path)
    listening = dataclasses.replace(bundle.manifest, takes_hints=True, keeps_regions=True)
    colorizer.bundle = dataclasses.replace(bundle, manifest=listening)
    colorizer.engine = _Listener()  # type: ignore[assignment]
    drawing = np.full((96, 96), 150, np.uint8)
    drawing[:, 46:50] = 0
    places = [(x, y) for x in (0.05, 0.12, 0.2, 0.28, 0.4) for y in (0.1, 0.3, 0.5, 0.7, 0.9)]
    hints = [Point(x=x, y=y, color=(60.0, -40.0, 40.0)) for x, y in places]
    one, many = (lab_of(colorizer(drawing, hints=some)) for some in (hints[12:13], hints))
    assert np.abs(one[:, 60:, 1]).max() < 3
    assert one[:, 5:35, 1].max() < -20
    assert many[:, 60:, 1].mean() > 20
    assert many[:, 5:35, 1].max() < -20


def test_hints_are_counted_by_the_parts_that_they_are_in() -> None:
    mask = np.zeros((120, 180), np.float32)
    mask[59:62, 89:92] = 1  # where four parts of a grid meet
    assert _told(mask) == 1
    mask[5, 5] = mask[110, 170] = 1
    assert _told(mask) == 3
    assert _told(np.ones_like(mask)) >= 36


def test_variants_of_a_drawing_are_as_light_as_it_is_painted_and_leave_paper(
    tmp_path: Path,
) -> None:
    """The left half is painted dark and brown, the right half is left as paper."""
    bundle = make_bundle(tmp_path / "painter", predicts="lab", bins=True, task="lineart")
    proposal = Colorizer(bundle.path).propose(np.full((64, 64), 250, np.uint8), bins=True)
    assert proposal.bins is not None
    painted, bins = np.empty_like(proposal.predicted), np.zeros_like(proposal.bins)
    middle = painted.shape[2] // 2
    painted[:, :, :middle] = np.array([40, 5, 15])[:, None, None]
    painted[:, :, middle:] = np.array([96, 0, 1])[:, None, None]
    bins[2, :, bins.shape[2] // 2 :] = 5  # another mean color: a region of its own
    centers = [[-30.0, 0.0], [0.0, 0.0], [30.0, 30.0]]
    held = dataclasses.replace(bundle.manifest, ab_bins=centers)
    proposal = dataclasses.replace(
        proposal,
        bundle=dataclasses.replace(bundle, manifest=held),
        predicted=painted,
        bins=bins,
    )
    variants = proposal.alternatives()
    assert len(variants) > 1
    for hints in variants:
        left = [hint.color for hint in hints if hint.x < 0.5]
        right = [hint.color for hint in hints if hint.x > 0.5]
        assert {round(color[0], 3) for color in left} == {40}
        assert all(np.hypot(color[1] - 5, color[2] - 15) > 2 for color in left)
        assert right
        np.testing.assert_allclose(right, [[96, 0, 1]] * len(right), atol=1e-3)
