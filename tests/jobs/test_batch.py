"""Many pictures, one after the other: one failure never stops the rest; without a model."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tinct.errors import PictureError, SaveError, UsageError
from tinct.front import Front
from tinct.jobs import batch
from tinct.jobs.paths import Job, plan
from tinct.settings import Settings


class Painter(Front):
    """Stands for a model: turns the red channel up."""

    name = "painter"
    sha256 = "0" * 64
    bundle = SimpleNamespace(manifest=SimpleNamespace(name="painter"))

    def __init__(self) -> None:
        self.calls: list[Settings | None] = []

    def choose(self, gray: np.ndarray) -> Any:
        assert gray.ndim == 2
        return self

    def color_jpeg(self, *_: object) -> None:
        """It paints every picture anew."""

    def render(self, gray: np.ndarray, settings: Settings | None = None) -> np.ndarray:
        self.calls.append(settings)
        rgb = np.repeat(gray[..., None], 3, axis=2)
        rgb[..., 0] = np.iinfo(rgb.dtype).max
        return rgb


def run(jobs: list[Job], **outputs: Any) -> list[batch.Result]:
    return list(batch.color_all(jobs, colorizer=Painter(), outputs=batch.Outputs(**outputs)))


def test_one_failure_does_not_stop_the_rest(album: Path, tmp_path: Path) -> None:
    (album / "aa.jpg").write_bytes(b"\xff\xd8\xff broken")
    results = run(plan([str(album)], output=str(tmp_path / "out")))
    assert [result.error is None for result in results] == [True, False, True]
    assert isinstance(results[1].error, PictureError)
    assert "aa.jpg" in results[1].as_dict()["error"]
    assert results[1].as_dict()["output"] is None
    assert results[0].size == (40, 30)
    with Image.open(tmp_path / "out" / "b.color.jpg") as image:
        assert image.getpixel((20, 15))[0] > 240
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a.color.PNG",
        "b.color.jpg",
    ]


def test_nothing_is_overwritten_unless_asked(album: Path) -> None:
    jobs = plan([str(album / "b.jpg")], output=None)
    before = (album / "b.color.jpg").read_bytes()
    (result,) = run(jobs)
    assert isinstance(result.error, SaveError)
    assert "--overwrite" in str(result.error)
    assert (album / "b.color.jpg").read_bytes() == before
    (result,) = run(jobs, overwrite=True)
    assert result.error is None
    assert (album / "b.color.jpg").read_bytes() != before


def test_a_picture_without_ending_gets_that_of_its_format(album: Path) -> None:
    (album / "b.jpg").rename(album / "b")
    (result,) = run(plan([str(album / "b")], output=None), overwrite=True)
    assert result.target == album / "b.color.jpg"


def test_a_picture_in_color_is_told(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), (200, 30, 30)).save(tmp_path / "red.png")
    (result,) = run(plan([str(tmp_path / "red.png")], output=None))
    assert result.error is None
    assert any("its lightness is used" in warning for warning in result.warnings)


def pages(path: Path) -> Path:
    first = Image.new("L", (20, 20), 40)
    first.save(path, save_all=True, append_images=[Image.new("L", (24, 20), 90)])
    return path


def test_all_pages(tmp_path: Path) -> None:
    jobs = plan([str(pages(tmp_path / "scan.tif"))], output=None)
    results = run(jobs, all_pages=True)
    assert [result.target.name for result in results if result.target] == [
        "scan.color.page1.tif",
        "scan.color.page2.tif",
    ]
    assert [result.size for result in results] == [(20, 20), (24, 20)]
    assert [result.warnings for result in results] == [(), ()]


def test_only_the_first_page_with_a_warning(tmp_path: Path) -> None:
    (result,) = run(plan([str(pages(tmp_path / "scan.tif"))], output=None))
    assert result.target == tmp_path / "scan.color.tif"
    assert any("page" in warning for warning in result.warnings)


def test_pipe(monkeypatch: pytest.MonkeyPatch, album: Path) -> None:
    out = io.TextIOWrapper(io.BytesIO())
    stdin = io.TextIOWrapper(io.BytesIO((album / "b.jpg").read_bytes()))
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.setattr("sys.stdout", out)
    (result,) = run(plan(["-"], output=None))
    assert result.error is None
    assert result.as_dict()["input"] == "-"
    assert result.as_dict()["output"] == "-"
    with Image.open(io.BytesIO(out.buffer.getvalue())) as image:  # type: ignore[attr-defined]
        assert (image.format, image.size) == ("JPEG", (40, 30))


def test_empty_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    (result,) = run(plan(["-"], output="x.png"))
    assert isinstance(result.error, PictureError)
    assert "stdin is empty" in str(result.error)


def test_out_of_memory_fails_one_picture(album: Path, tmp_path: Path) -> None:
    class Greedy(Painter):
        def render(self, gray: np.ndarray, settings: Settings | None = None) -> np.ndarray:
            raise MemoryError

    (result,) = batch.color_all(
        plan([str(album / "b.jpg")], output=f"{tmp_path}/"),
        colorizer=Greedy(),
    )
    assert result.error is not None
    assert result.error.exit_code == 6
    assert not (tmp_path / "b.color.jpg").exists()


def test_settings_reach_the_model(album: Path, tmp_path: Path) -> None:
    painter = Painter()
    settings = Settings(strength=0.4, quality="fast")
    jobs = plan([str(album)], output=str(tmp_path / "out"))
    assert len(list(batch.color_all(jobs, colorizer=painter, settings=settings))) == 2
    assert painter.calls == [settings] * 2


def test_an_input_is_never_replaced_by_a_picture_without_ending(album: Path) -> None:
    (album / "a.PNG").unlink()
    source, other = album / "b", album / "b.color.jpg"
    (album / "b.jpg").rename(source)
    before = other.read_bytes()
    results = run(plan([str(source), str(other)], output=None), overwrite=True)
    assert isinstance(results[0].error, SaveError)
    assert "one of the inputs" in str(results[0].error)
    assert results[1].error is None
    assert other.read_bytes() == before


def test_an_input_is_never_replaced_by_a_page(tmp_path: Path) -> None:
    scan = pages(tmp_path / "scan.tif")
    other = pages(tmp_path / "scan.color.page2.tif")
    link = tmp_path / "link.tif"
    link.symlink_to(other)
    before = other.read_bytes()
    jobs = plan([str(scan), str(link)], output=None)
    results = run(jobs, all_pages=True, overwrite=True)
    assert [result.error is None for result in results] == [True, False, True, True]
    assert "one of the inputs" in str(results[1].error)
    assert other.read_bytes() == before


def test_a_result_of_the_same_run_is_never_replaced(album: Path) -> None:
    (album / "b").write_bytes((album / "b.jpg").read_bytes())
    jobs = plan([str(album / "b.jpg"), str(album / "b")], output=None)
    first, second = run(jobs, overwrite=True)
    assert first.error is None
    assert "is the result of" in str(second.error)


def test_an_output_whose_name_says_no_format(album: Path, tmp_path: Path) -> None:
    jobs = plan([str(album / "b.jpg")], output=str(tmp_path / "result"), file_format="png")
    (result,) = run(jobs, file_format="png")
    assert result.error is None
    with Image.open(tmp_path / "result") as image:
        assert image.format == "PNG"


def test_names_that_no_file_can_have_fail_alone(album: Path, tmp_path: Path) -> None:
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    fits = album / f"{'x' * 246}.jpg"  # but its result would not
    fits.write_bytes((album / "b.jpg").read_bytes())
    inputs = [
        str(album / f"{'y' * 300}.jpg"),
        str(loop),
        str(fits),
        "nul\0.jpg",
        str(album / "a.PNG"),
    ]
    results = run(plan(inputs, output=None))
    kinds = [PictureError, PictureError, SaveError, PictureError, type(None)]
    assert [type(result.error) for result in results] == kinds


def test_a_failure_of_the_system_fails_one_picture(album: Path, tmp_path: Path) -> None:
    class Unlucky(Painter):
        def render(self, gray: np.ndarray, settings: Settings | None = None) -> np.ndarray:
            if not self.calls:
                self.calls.append(None)
                raise OSError(5, "Input/output error")
            return super().render(gray, settings)

    first, second = batch.color_all(
        plan([str(album)], output=str(tmp_path / "out")),
        colorizer=Unlucky(),
    )
    assert isinstance(first.error, SaveError)
    assert "input/output error" in str(first.error)
    assert second.error is None


def test_an_input_that_the_system_loses(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(source: Path) -> int:
        raise OSError(5, "Input/output error", str(source))

    monkeypatch.setattr(batch.photo, "page_count", lose)
    (result,) = run(plan([str(album / "a.PNG")], output=None), all_pages=True)
    assert isinstance(result.error, PictureError)
    assert "a.PNG cannot be read (input/output error)" in str(result.error)


def test_all_pages_of_stdin_are_refused() -> None:
    (result,) = run(plan(["-"], output="x.png"), all_pages=True)
    assert isinstance(result.error, UsageError)
    assert "--all-pages needs a file" in str(result.error)


def test_a_defect_of_ours_stops_nobody(album: Path, tmp_path: Path) -> None:
    class Broken(Painter):
        def render(self, gray: np.ndarray, settings: Settings | None = None) -> np.ndarray:
            if not self.calls:
                self.calls.append(None)
                raise KeyError("a key\nthat is not there")
            return super().render(gray, settings)

    first, second = batch.color_all(
        plan([str(album)], output=str(tmp_path / "out")), colorizer=Broken()
    )
    assert first.error is not None
    assert first.error.exit_code == 1
    told = str(first.error)
    assert "\n" not in told
    assert "a defect of tinct: KeyError in test_batch.py" in told
    assert "Please report" in told
    assert second.error is None
