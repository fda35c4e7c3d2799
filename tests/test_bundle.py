"""Bundles: round trip, finding, and every kind of damage told clearly."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tinct import bundle
from tinct.bundle import Bundle, find_bundle, list_bundles, read_bundle, verify, write_bundle
from tinct.errors import ModelError
from tiny_models import graph, make_bundle, manifest


@pytest.fixture
def copy(tiny: Bundle, tmp_path: Path) -> Path:
    """A bundle to be damaged."""
    return Path(shutil.copytree(tiny.path, tmp_path / "copy"))


def edit(folder: Path, **fields: Any) -> None:
    held = json.loads((folder / bundle.MANIFEST).read_text())
    held.update(fields)
    (folder / bundle.MANIFEST).write_text(json.dumps(held))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    model = graph(bins=True)
    said = manifest(model, recipe={"seed": 1}, metrics={"ciede2000": 9.5}, ab_bins=[[0.0, 10.0]])
    written = write_bundle(tmp_path / "one", model, said, "# One\n")
    found = read_bundle(tmp_path / "one")
    assert found == written
    assert found.manifest == said
    assert found.card == "# One\n"
    assert found.model_path.read_bytes() == model
    assert found.manifest.as_dict()["schema"] == bundle.SCHEMA
    verify(found)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_bundle_is_replaced_but_nothing_else_is(tmp_path: Path) -> None:
    first = make_bundle(tmp_path / "one")
    second = make_bundle(tmp_path / "one", predicts="lab")
    assert first.manifest.predicts == "ab"
    assert read_bundle(tmp_path / "one") == second
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(ModelError, match="holds something else"):
        make_bundle(tmp_path / "other")
    assert (tmp_path / "other" / "letter.txt").read_text() == "dear"


def test_an_interrupted_replacement_leaves_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make_bundle(tmp_path / "one")
    real = Path.rename

    def rename(self: Path, target: Any) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(ModelError, match="No space left"):
        make_bundle(tmp_path / "one", predicts="lab")
    monkeypatch.undo()
    assert read_bundle(tmp_path / "one") == old


@pytest.mark.parametrize("name", [bundle.MODEL, bundle.MANIFEST])
def test_a_missing_file(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelError, match=f"holds no {name}"):
        read_bundle(copy)


def test_a_missing_card_is_an_empty_one(copy: Path) -> None:
    (copy / bundle.CARD).unlink()
    assert read_bundle(copy).card == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00\xff"])
def test_a_manifest_that_is_no_object(copy: Path, text: str) -> None:
    (copy / bundle.MANIFEST).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"manifest\.json"):
        read_bundle(copy)


@pytest.mark.parametrize(
    "name",
    [
        field.name
        for field in dataclasses.fields(bundle.Manifest)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ],
)
def test_a_missing_field(copy: Path, name: str) -> None:
    held = json.loads((copy / bundle.MANIFEST).read_text())
    del held[name]
    (copy / bundle.MANIFEST).write_text(json.dumps(held))
    with pytest.raises(ModelError, match=rf"manifest\.json.*missing required field '{name}'"):
        read_bundle(copy)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schema", "tinct.bundle/9"),
        ("name", 3),
        ("name", ""),
        ("task", "video"),
        ("predicts", "rgb"),
        ("sizes", {"fast": 128}),
        ("sizes", {"fast": 128, "balanced": 0, "best": 256}),
        ("looks", [0]),
        ("looks", [4096]),
        ("looks", ["large"]),
        ("sizes", {"fast": 1.5, "balanced": 2, "best": 3}),
        ("multiple_of", 0),
        ("multiple_of", True),
        ("max_long", 8),
        ("takes_hints", "yes"),
        ("ab_bins", [[1.0]]),
        ("ab_bins", [["red", "green"]]),
        ("ab_bins", [[float("nan"), 0.0]]),
        ("sha256", "abc"),
        ("parameters", -1),
        ("data", "much"),
        ("shoe", 44),
    ],
)
def test_a_wrong_field(copy: Path, name: str, value: Any) -> None:
    edit(copy, **{name: value})
    with pytest.raises(ModelError, match=rf"manifest\.json.*{name}"):
        read_bundle(copy)


def test_an_exchanged_model(copy: Path) -> None:
    data = bytearray((copy / bundle.MODEL).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / bundle.MODEL).write_bytes(data)
    with pytest.raises(ModelError, match="SHA-256"):
        verify(read_bundle(copy))
    found = read_bundle(copy)
    found.model_path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        verify(found)


def test_bundles_are_found_by_name_and_path(no_bundles: Path, tmp_path: Path) -> None:
    assert list_bundles() == []
    with pytest.raises(ModelError, match="no model 'photo'; installed: none"):
        find_bundle("photo")
    shipped = make_bundle(tmp_path / "shipped" / "photo")
    lineart = make_bundle(tmp_path / "shipped" / "lineart", task="lineart")
    assert find_bundle("photo") == shipped
    mine = make_bundle(no_bundles / "photo", predicts="lab")
    assert find_bundle("photo") == mine
    assert list_bundles() == [lineart, mine]
    for path in (str(shipped.path), shipped.path, shipped.model_path):
        assert find_bundle(path) == shipped
    with pytest.raises(ModelError, match="did you mean 'photo'"):
        find_bundle("fotos")


def test_the_users_folder() -> None:
    assert bundle.user_folder({"TINCT_HOME": "/x"}) == Path("/x/models")
    assert bundle.user_folder({"XDG_DATA_HOME": "/y"}) == Path("/y/tinct/models")
    assert bundle.user_folder({}) == Path.home() / ".local" / "share" / "tinct" / "models"


def test_one_key_for_list_and_lookup(no_bundles: Path) -> None:
    made = make_bundle(no_bundles / "mine", name="theirs")
    assert [found.name for found in list_bundles()] == ["mine"]
    assert find_bundle("mine") == made
    with pytest.raises(ModelError, match="no model 'theirs'"):
        find_bundle("theirs")


def test_a_broken_bundle_breaks_no_other(no_bundles: Path, tmp_path: Path) -> None:
    shipped = make_bundle(tmp_path / "shipped" / "photo")
    make_bundle(no_bundles / "bad")
    (no_bundles / "bad" / bundle.MANIFEST).write_text("{")
    bundles, broken = bundle.survey()
    assert bundles == list_bundles() == [shipped]
    assert [(bad.name, bad.path) for bad in broken] == [("bad", no_bundles / "bad")]
    assert "cannot be read as JSON" in str(broken[0].error)
    assert find_bundle("photo") == shipped
    with pytest.raises(ModelError, match="cannot be read as JSON"):
        find_bundle("bad")


def test_a_users_folder_that_cannot_be_read(
    no_bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = make_bundle(tmp_path / "shipped" / "photo")
    real = Path.iterdir

    def iterdir(folder: Path) -> Any:
        if folder == no_bundles:
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert find_bundle("photo") == shipped
    bundles, broken = bundle.survey()
    assert bundles == [shipped]
    assert "permission denied" in str(broken[0].error)


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert bundle.user_folder({}) is None
    assert bundle.user_folder({"TINCT_HOME": "/x"}) == Path("/x/models")


def test_a_name_that_no_folder_can_have(no_bundles: Path) -> None:
    for name in ("x" * 300, f"{'x' * 300}/model.onnx", "a\0b"):
        with pytest.raises(ModelError, match="no model"):
            find_bundle(name)


def test_a_folder_of_bundles_names_them(tmp_path: Path) -> None:
    for name in ("second", "first"):
        make_bundle(tmp_path / name)
    with pytest.raises(ModelError, match=r"no model\.onnx; name one of those in it: first, second"):
        find_bundle(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"it holds no model\.onnx\.$"):
        find_bundle(tmp_path / "empty")
