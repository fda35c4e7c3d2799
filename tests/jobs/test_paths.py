"""Which file becomes which, and what is refused before any work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from tinct.errors import PictureError, SaveError, UsageError
from tinct.jobs.paths import Choice, Job, gather, plan


def names(jobs: list[Job]) -> list[tuple[str, str]]:
    return [(job.source.name, job.target.name) for job in jobs if job.source and job.target]


def test_a_folder_stands_for_its_pictures_without_results(album: Path) -> None:
    assert list(gather([str(album)])) == [album / "a.PNG", album / "b.jpg"]


def test_a_pattern_that_the_shell_left_is_expanded(album: Path) -> None:
    assert list(gather([str(album / "*.txt")])) == [album / "notes.txt"]
    with pytest.raises(UsageError, match="no file fits"):
        gather([str(album / "*.webp")])


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no pictures"):
        gather([str(tmp_path)])


def test_the_same_picture_twice_counts_once(album: Path) -> None:
    assert list(gather([str(album / "b.jpg"), str(album)])) == [album / "b.jpg", album / "a.PNG"]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("a.jpg", "a.color.jpg"),
        ("a.JPEG", "a.color.JPEG"),
        ("a.b.tif", "a.b.color.tif"),
        ("a.gif", "a.color.png"),
        ("a.bmp", "a.color.png"),
        ("a", "a.color"),  # the ending follows when the picture is open
        ("a.dat", "a.color"),
    ],
)
def test_names_beside_the_input(source: str, target: str) -> None:
    assert names(plan([f"x/{source}"], output=None)) == [(source, target)]


def test_outputs(album: Path, tmp_path: Path) -> None:
    one = [str(album / "b.jpg")]
    several = [*one, str(album / "a.PNG")]

    def targets(inputs: list[str], output: str, kind: str | None = None) -> list[Path | None]:
        return [job.target for job in plan(inputs, output=output, file_format=kind)]

    new = tmp_path / "new"
    assert targets(one, str(new / "x.png")) == [new / "x.png"]
    assert targets(one, f"{new}/") == [new / "b.color.jpg"]
    assert targets(one, str(tmp_path)) == [tmp_path / "b.color.jpg"]
    assert targets(several, str(new)) == [new / "b.color.jpg", new / "a.color.PNG"]
    assert targets([str(album)], str(new)) == [new / "a.color.PNG", new / "b.color.jpg"]
    assert targets(one, str(new / "x.tif"), "tiff") == [new / "x.tif"]
    assert targets(several, str(new), "webp") == [new / "b.color.webp", new / "a.color.webp"]
    assert targets(one, "-") == [None]
    assert targets(one, str(new / "result"), "png") == [new / "result"]


@pytest.mark.parametrize(
    ("inputs", "output", "kind", "match"),
    [
        (["a.jpg"], "a.jpg", None, "would replace an input"),
        (["a.jpg"], "./x/../a.jpg", None, "would replace an input"),
        (["a.jpg", "a.color.jpg"], None, None, "would replace an input"),
        (["x/a.jpg", "y/a.jpg"], "out.png", None, "cannot all become out.png; name a folder"),
        (["a.jpg", "b.jpg"], "-", None, "cannot all go to stdout"),
        (["-", "b.jpg"], None, None, "cannot be mixed"),
        (["a.jpg"], "b.png", "webp", "does not end like"),
        (["a" * 300, "a" * 300 + ".color"], None, None, "would replace an input"),
    ],
)
def test_plans_that_cannot_end_well(
    inputs: list[str], output: str | None, kind: str | None, match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        plan(inputs, output=output, file_format=kind)


def test_several_pictures_into_a_file(album: Path) -> None:
    with pytest.raises(UsageError, match="need a folder"):
        plan([str(album)], output=str(album / "notes.txt"))


def test_an_ending_that_is_not_written() -> None:
    with pytest.raises(SaveError, match=r"b\.gif"):
        plan(["a.jpg"], output="b.gif")


def test_a_folder_that_cannot_be_read(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(PictureError, match=r"album cannot be read \(permission denied\)"):
        plan([str(album)], output=None)


def test_results_of_tinct_are_left_out_unless_named_alone(album: Path) -> None:
    colored = album / "b.color.jpg"
    image = Image.new("RGB", (20, 20), (200, 90, 30))
    image.save(colored, comment=b"algorithmicallyEnhanced, tinct 0.1.0 (model photo)")
    (album / "mine.color.jpg").write_bytes((album / "b.jpg").read_bytes())  # only named like one
    told: list[str] = []
    names = [str(album / name) for name in ("a.PNG", "b.jpg", "b.color.jpg", "mine.color.jpg")]
    found = plan(names, output=str(album / "out"), tell=told.append)
    assert [job.source for job in found] == [Path(names[i]) for i in (0, 1, 3)]
    assert told == ["1 results of earlier runs were left out"]
    assert [job.source for job in plan([str(colored)], output=None)] == [colored]
    other = album / "c.color.jpg"
    other.write_bytes(colored.read_bytes())
    with pytest.raises(UsageError, match="results of tinct already"):
        plan([str(colored), str(other)], output=None)


def test_results_of_one_name_get_numbers(tmp_path: Path) -> None:
    found = plan(["x/a.jpg", "y/a.jpg", "z/a.jpg", "z/b.jpg"], output=str(tmp_path / "out"))
    names = [job.target.name for job in found if job.target is not None]
    assert names == ["a.color.jpg", "a-2.color.jpg", "a-3.color.jpg", "b.color.jpg"]


def test_what_is_not_read_in_a_folder_is_told(album: Path) -> None:
    for name in ("c.svg", "d.svg", "e.cr2", "notes.txt"):
        (album / name).write_bytes(b"x")
    told: list[str] = []
    plan([str(album)], output=None, tell=told.append)
    assert told == [
        f"{album}: 2 .svg files were left out; save them as TIFF",
        f"{album}: 1 .cr2 files were left out; develop them first",
    ]


def test_folders_inside_are_mirrored(album: Path, tmp_path: Path) -> None:
    deep = Choice(recursive=True)
    out = tmp_path / "out"
    jobs = plan([str(album)], output=str(out), choice=deep)
    assert [job.target for job in jobs] == [
        out / "a.color.PNG",
        out / "b.color.jpg",
        out / "inner" / "c.color.jpg",
    ]
    assert {job.root for job in jobs} == {out}
    beside = plan([str(album)], output=None, choice=deep)
    assert beside[2].target == album / "inner" / "c.color.jpg"
    assert {job.root for job in beside} == {album}


def test_results_and_hidden_folders_inside_are_left_out(album: Path) -> None:
    for name in ("colored", ".hidden"):
        (album / name).mkdir()
        (album / name / "d.jpg").write_bytes((album / "b.jpg").read_bytes())
    deep = Choice(recursive=True)
    jobs = plan([str(album)], output=str(album / "colored"), choice=deep)
    assert [job.source.name for job in jobs if job.source] == ["a.PNG", "b.jpg", "c.jpg"]
    assert len(plan([str(album)], output=None, choice=deep)) == 4


@pytest.mark.parametrize(
    ("pattern", "wanted"), [("*.JPG", "b c"), ("[ab]*", "a b"), ("inner/*", "c"), ("c.*", "c")]
)
def test_patterns_choose_among_the_pictures_of_a_folder(
    album: Path, pattern: str, wanted: str
) -> None:
    found = gather([str(album)], choice=Choice(recursive=True, pattern=pattern))
    assert [path.stem for path in found if path] == wanted.split()
    with pytest.raises(UsageError, match="none fits"):
        gather([str(album)], choice=Choice(pattern="*.webp"))


def test_a_folder_inside_that_cannot_be_read_is_told(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = os.scandir

    def refused(path: str | os.PathLike[str]) -> object:
        if Path(path).name == "inner":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refused)
    told: list[str] = []
    assert len(gather([str(album)], choice=Choice(recursive=True), tell=told.append)) == 2
    assert "inner cannot be read (permission denied)" in told[0]
