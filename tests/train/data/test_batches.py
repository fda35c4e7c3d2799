from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from tinct.color import rgb_to_lab
from tinct.errors import TrainingError
from tinct.train.data import lineart
from tinct.train.data.batches import Pictures, ahead, to_batch
from tinct.train.data.degrade import age
from tinct.train.data.sources import FolderSource, split_source
from tinct.train.data.store import open_store
from tinct.train.recipe import DataRecipe

RECIPE = DataRecipe(short=48, val_share=0.2, val_pictures=8)


def test_store_leaves_out_gray_and_damaged(pictures: Path) -> None:
    store = open_store(pictures, short=20)
    assert len(store) == 24
    assert store.skipped == 2
    assert store[3].shape == (20, 26, 3)
    again = open_store(pictures, short=20)
    assert all(np.array_equal(store[i], again[i]) for i in range(24))


def test_store_keeps_pixels_that_fit(pictures: Path) -> None:
    from PIL import Image

    store = open_store(pictures, short=48)
    for index in (0, 11, 23):
        with Image.open(pictures / store.names[index]) as opened:
            assert np.array_equal(store[index], np.asarray(opened))


@pytest.mark.parametrize("make", ["missing", "empty", "gray"])
def test_useless_folders_are_refused(make: str, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / make
    if make != "missing":
        folder.mkdir()
    if make == "gray":
        Image.new("RGB", (40, 40), (90, 90, 90)).save(folder / "g.png")
    with pytest.raises(TrainingError, match=make if make != "empty" else "no pictures"):
        open_store(folder, short=32)


def test_sources_carry_weights() -> None:
    assert split_source("a/b=2.5") == ("a/b", 2.5)
    assert split_source("a/b") == ("a/b", 1.0)
    assert split_source("a=b/c") == ("a=b/c", 1.0)
    with pytest.raises(TrainingError, match="positive"):
        split_source("a=-1")


def test_batch_depends_on_step_alone(pictures: Path) -> None:
    one = Pictures([pictures], recipe=RECIPE, seed=5)
    two = Pictures([pictures], recipe=RECIPE, seed=5)
    for step in (7, 2):
        assert torch.equal(
            one.batch(0, step, size=32, count=4).rgb, two.batch(0, step, size=32, count=4).rgb
        )
    assert not torch.equal(
        one.batch(0, 1, size=32, count=4).rgb, one.batch(0, 2, size=32, count=4).rgb
    )
    assert not torch.equal(
        one.batch(0, 1, size=32, count=4).rgb, one.batch(1, 1, size=32, count=4).rgb
    )


def test_processes_split_a_batch(pictures: Path) -> None:
    data = Pictures([pictures], recipe=RECIPE, seed=5)
    whole = data.batch(0, 3, size=32, count=6)
    parts = [data.batch(0, 3, size=32, count=6, rank=rank, world=2) for rank in range(2)]
    assert torch.equal(whole.rgb[0::2], parts[0].rgb)
    assert torch.equal(whole.rgb[1::2], parts[1].rgb)
    assert torch.equal(whole.hint_rgb[1::2], parts[1].hint_rgb)


def test_validation_pictures_are_not_trained_on(pictures: Path) -> None:
    data = Pictures([pictures], recipe=RECIPE, seed=5)
    source = data.sources[0]
    assert isinstance(source, FolderSource)
    assert source.held_count > 0
    assert not set(source.validation) & set(source.train)
    assert source.held_count + source.count == 24


def test_small_pictures_are_drawn_less_at_large_sizes(pictures: Path, tmp_path: Path) -> None:
    from PIL import Image
    from tests.train.conftest import paint

    for number in range(24):
        Image.fromarray(paint(number, 20, 20)).save(tmp_path / f"s{number}.png")
    data = Pictures([pictures, tmp_path], recipe=DataRecipe(short=40, sharp=1.0), seed=0)
    counts = [source.count for source in data.sources]
    small, large = data.shares(20), data.shares(40)
    assert small == pytest.approx(np.array(counts) / sum(counts))
    assert large[1] / large[0] == pytest.approx(0.5 * counts[1] / counts[0])


def make_pairs(folder: Path) -> Path:
    from PIL import Image
    from tests.train.conftest import paint

    (folder / "color").mkdir(parents=True)
    (folder / "sketch").mkdir()
    for number in range(10):
        Image.fromarray(paint(number, 40, 60)).save(folder / "color" / f"p{number}.png")
        if number % 2:
            lines = np.full((40, 60), 255, np.uint8)
            lines[:, 30 + number] = number
            Image.fromarray(lines).save(folder / "sketch" / f"p{number}.webp", lossless=True)
    return folder


def test_pairs_stay_together(tmp_path: Path) -> None:
    recipe = DataRecipe(short=40, val_share=0.0, smallest_crop=1.0, hints="none")
    data = Pictures([make_pairs(tmp_path)], recipe=recipe, seed=0)
    store = open_store(tmp_path / "color", short=40)
    raw = data.batch(0, 0, size=40, count=40)
    batch = to_batch(raw, device=torch.device("cpu"), task="lineart", training=True)
    assert 5 < int(raw.drawn.sum()) < 35
    originals = {name: store[i].astype(int) for i, name in enumerate(store.names)}
    for number in range(40):
        rgb = raw.rgb[number].permute(1, 2, 0).numpy().astype(int)
        # Which picture it is, where it was cut and whether it was turned, found by search.
        found = [
            (name, left, turned)
            for name, pixels in originals.items()
            for left in range(21)
            for turned in (False, True)
            if np.array_equal(pixels[:, left : left + 40][:, :: -1 if turned else 1], rgb)
        ]
        assert len(found) == 1
        name, left, turned = found[0]
        place = int(name[1])
        assert bool(raw.drawn[number]) == bool(place % 2)
        if place % 2:
            line = 30 + place - left
            expected = np.full(40, 255)
            if 0 <= line < 40:
                expected[line] = place
            assert np.array_equal(raw.drawing[number, 0, 7], expected[:: -1 if turned else 1])
            lightness = rgb2lab(raw.drawing[number, 0].numpy()[..., None].repeat(3, 2))[..., 0]
            assert np.abs(batch.input_lightness[number, 0].numpy() - lightness).max() < 0.05


def test_line_art_without_drawings_is_drawn(pictures: Path) -> None:
    data = Pictures([pictures], recipe=RECIPE, seed=1)
    raw = data.batch(0, 0, size=32, count=3)
    batch = to_batch(raw, device=torch.device("cpu"), task="lineart")
    assert torch.equal(batch.input_lightness, lineart.standard(batch.lightness))
    varied = to_batch(raw, device=torch.device("cpu"), task="lineart", training=True)
    assert not torch.equal(varied.lightness, batch.input_lightness)


def test_first_pictures_train_the_next_validate(pictures: Path) -> None:
    data = Pictures([pictures], recipe=DataRecipe(short=48, first=(14, 5, 5)), seed=0)
    source = data.sources[0]
    assert isinstance(source, FolderSource)
    names = source.store.names
    assert [names[i] for i in source.train] == sorted(names)[:14]
    assert [names[i] for i in source.validation] == sorted(names)[14:19]
    with pytest.raises(TrainingError, match=r"asks for 30 pictures, and the folder has 24"):
        Pictures([pictures], recipe=DataRecipe(short=48, first=(20, 5, 5)), seed=0)


@pytest.mark.parametrize("kind", ["points", "patches", "article-patches", "blur", "truth", "none"])
def test_hints_are_of_the_kind_asked(kind: str, pictures: Path) -> None:
    recipe = DataRecipe(short=48, val_share=0.2, hints=kind, unhinted=0.0, smallest_crop=1.0)
    data = Pictures([pictures], recipe=recipe, seed=0)
    trained = data.batch(0, 0, size=32, count=8).hint_mask
    held = next(data.held_batches(size=32, count=4, limit=4)).hint_mask
    everywhere, never = kind in {"blur", "truth"}, kind == "none"
    assert bool(trained.bool().all()) == everywhere
    assert bool(trained.any()) != never
    assert bool(held.any()) == (kind in {"blur", "truth", "article-patches"})


def test_planes_are_lab(pictures: Path) -> None:
    data = Pictures([pictures], recipe=RECIPE, seed=1)
    raw = data.batch(0, 0, size=32, count=3)
    batch = to_batch(raw, device=torch.device("cpu"), degraded=0.0)
    expected = rgb2lab(raw.rgb.permute(0, 2, 3, 1).numpy())
    assert np.abs(batch.lightness[:, 0].numpy() - expected[..., 0]).max() < 0.05
    assert np.abs(batch.ab.permute(0, 2, 3, 1).numpy() - expected[..., 1:]).max() < 0.05
    assert torch.equal(batch.input_lightness, batch.lightness)
    assert not batch.hint[:, :3].masked_select(batch.hint[:, 3:].expand(-1, 3, -1, -1) == 0).any()


def test_aging_changes_its_share_and_stays_in_range() -> None:
    rgb = torch.rand(200, 3, 8, 8)
    lightness = rgb_to_lab(rgb, axis=1)[:, :1].float()
    seeds = list(range(200))
    aged = age(rgb, lightness, share=0.3, seeds=seeds)
    changed = (aged != lightness).flatten(1).any(dim=1).float().mean()
    assert 0.15 < float(changed) < 0.45
    assert float(aged.min()) >= 0
    assert float(aged.max()) <= 100
    assert torch.equal(aged, age(rgb, lightness, share=0.3, seeds=seeds))
    assert torch.equal(age(rgb, lightness, share=0.0, seeds=seeds), lightness)


def test_loading_ahead_keeps_the_order() -> None:
    made = list(ahead(lambda step: step * 10, range(3, 20), threads=3))  # type: ignore[arg-type, return-value]
    assert made == [step * 10 for step in range(3, 20)]
