from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.train.conftest import paint

from tinct.errors import TrainingError
from tinct.train import recipes
from tinct.train.data.batches import Pictures, to_batch
from tinct.train.data.shards import ShardSource, are_shards, expand
from tinct.train.recipe import DataRecipe
from tinct.train.rundir import RunDir
from tinct.train.trainer import train

RECIPE = DataRecipe(short=40, val_share=0.2, window=2, window_pictures=30, hints="none")
EACH = 10  # pictures a shard


def png(pixels: np.ndarray) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def write(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six shards; the blue of a picture's first pixel tells its shard."""
    folder = tmp_path_factory.mktemp("shards")
    for number in range(6):
        files = {}
        for place in range(EACH):
            pixels = paint(10 * number + place, 40, 40)
            pixels[..., 2] = 20 * number + 5
            files[f"{number}-{place}.png"] = png(pixels)
            files[f"{number}-{place}.json"] = b"{}"
        write(folder / f"part-{number:03}.tar", files)
    return folder


@pytest.fixture
def address(shards: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(shards)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def seen(pictures: Pictures, step: int, count: int = 15) -> set[int]:
    """Return the shards that a batch's pictures come from."""
    rgb = pictures.batch(0, step, size=40, count=count).rgb
    return {int(value) // 20 for value in rgb[:, 2].flatten(1).float().mean(dim=1)}


def test_ranges_are_expanded(shards: Path) -> None:
    names = expand(f"{shards}/part-{{002..004}}.tar")
    assert [Path(name).name for name in names] == ["part-002.tar", "part-003.tar", "part-004.tar"]
    assert expand(str(shards)) == [str(path) for path in sorted(shards.iterdir())]
    assert expand("https://host/{8..10}.tar")[::2] == ["https://host/8.tar", "https://host/10.tar"]
    with pytest.raises(TrainingError, match="does not exist"):
        expand(f"{shards}/part-{{005..006}}.tar")
    with pytest.raises(TrainingError, match="backwards"):
        expand("https://host/{10..8}.tar")
    assert are_shards(str(shards))
    assert are_shards("https://host/x")
    assert not are_shards(str(shards.parent))


def test_windows_go_through_all_shards(shards: Path) -> None:
    source = ShardSource(str(shards), RECIPE, seed=3)
    assert source.skipped == 0
    for turn in range(2):  # three windows of two shards are all six of them
        names = [n for window in range(3) for n in source.shards(0, 3 * turn + window)]
        assert sorted(names) == [str(path) for path in sorted(shards.iterdir())]
    assert source.shards(0, 0) != source.shards(1, 0) or source.shards(0, 1) != source.shards(1, 1)


def test_a_batch_comes_from_the_window_and_depends_on_the_step_alone(shards: Path) -> None:
    one = Pictures([shards], recipe=RECIPE, seed=5)
    two = Pictures([f"{shards}/part-{{000..005}}.tar"], recipe=RECIPE, seed=5)
    source = one.sources[0]
    assert isinstance(source, ShardSource)
    for step in (0, 1, 2, 3, 9):
        window = step * 15 // RECIPE.window_pictures
        expected = {int(Path(name).stem[-1]) for name in source.shards(0, window)}
        assert seen(one, step) == expected
    late = two.batch(0, 9, size=32, count=4)  # without the steps before
    assert torch.equal(late.rgb, one.batch(0, 9, size=32, count=4).rgb)


def test_held_out_pictures_are_not_trained_on(shards: Path) -> None:
    source = ShardSource(str(shards), RECIPE, seed=0)
    held = {source.held(i).pixels.tobytes() for i in range(source.held_count)}
    assert held
    assert source.count == 6 * (EACH - source.held_count)
    rng = np.random.default_rng(0)
    drawn = {source.draw(rng, stage=0, place=n).pixels.tobytes() for n in range(0, 300, 3)}
    assert not held & drawn


def test_shards_stream_from_a_server(shards: Path, address: str) -> None:
    here = Pictures([f"{shards}/part-{{000..005}}.tar"], recipe=RECIPE, seed=5)
    there = Pictures([f"{address}/part-{{000..005}}.tar=2"], recipe=RECIPE, seed=5)
    assert there.sources[0].weight == 2
    for step in (0, 4):
        one = here.batch(0, step, size=32, count=6).rgb
        assert torch.equal(one, there.batch(0, step, size=32, count=6).rgb)
    with pytest.raises(TrainingError, match="cannot be read: HTTP Error 404"):
        Pictures([f"{address}/none.tar"], recipe=RECIPE, seed=0)


def test_drawings_stand_beside_their_pictures(tmp_path: Path) -> None:
    lines = np.full((40, 40), 255, np.uint8)
    lines[20] = 0
    files = {"a.color.png": png(paint(1, 40, 40)), "a.sketch.png": png(lines)}
    write(tmp_path / "x.tar", {**files, "b.png": png(paint(2, 40, 40)), "c.jpg": b"damaged"})
    recipe = DataRecipe(short=40, val_share=0.0, smallest_crop=1.0, hints="none")
    pictures = Pictures([tmp_path / "x.tar"], recipe=recipe, seed=0)
    assert pictures.sources[0].skipped == 1
    raw = pictures.batch(0, 0, size=40, count=12)
    assert 0 < int(raw.drawn.sum()) < 12
    batch = to_batch(raw, device=torch.device("cpu"), task="lineart")
    for number in torch.nonzero(raw.drawn).flatten():
        assert float(batch.input_lightness[number, 0, 20].max()) < 1
        assert float(batch.input_lightness[number, 0, 10].min()) > 99


def test_two_runs_on_shards_are_equal(shards: Path, tmp_path: Path) -> None:
    recipe = recipes.get("autoencoder", {"data.window_pictures": "20"}, size="nano")
    train(recipe, [shards], tmp_path / "run")
    train(recipe, [str(shards)], tmp_path / "again")
    one, two = RunDir(tmp_path / "run").load(), RunDir(tmp_path / "again").load()
    assert all(torch.equal(value, two["module"][key]) for key, value in one["module"].items())
    assert RunDir(tmp_path / "run").data()[0]["pictures"] > 30


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100])
def test_what_is_no_shard_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(TrainingError, match=r"cannot be read|no picture to train on"):
        Pictures([tmp_path / "x.tar"], recipe=RECIPE, seed=0)


def test_shards_are_not_split_by_number(shards: Path) -> None:
    with pytest.raises(TrainingError, match="val_share"):
        Pictures([shards], recipe=DataRecipe(first=(2, 1, 1)), seed=0)
