"""A film comes out in color, in time, with its sound, and goes on where it was interrupted."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from command_line import Captured
from tinct.bundle import Bundle
from tinct.colorizer import Colorizer
from tinct.command import cli
from tinct.errors import MissingExtraError, PictureError, SaveError, UsageError
from tinct.jobs import film, video
from tinct.settings import Settings

av = pytest.importorskip("av")
pytest.importorskip("cv2")
BASE = Fraction(1, 12800)


def make_film(
    path: Path,
    *,
    count: int = 24,
    size: tuple[int, int] = (96, 64),
    kind: str = "yuv420p",
    codec: str = "libx264",
    turned: int = 0,
    aspect: Fraction | None = None,
    steps: tuple[int, ...] = (512,),
    sound: bool = True,
    subtitle: bool = False,
) -> Path:
    """Write a film of two shots, pans over package pictures, with grain."""
    width, height = size
    wholes = [
        np.asarray(Image.fromarray(picture).convert("L").resize((width * 3 // 2, height)))
        for picture in (data.astronaut(), data.coffee())
    ]
    noise, shown = np.random.default_rng(1), 0
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, kind
        stream.codec_context.time_base = BASE
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if turned:
            stream.set_display_rotation(turned)
        if sound:
            tone = out.add_stream("aac", rate=48000)
            tone.layout = "stereo"
        if subtitle:
            out.metadata["title"] = "A film"
        for number in range(count):
            whole = wholes[number * 2 // count]
            x = number * width // 2 // count
            gray = whole[:, x : x + width] + noise.normal(0, 3, (height, width))
            rgb = np.repeat(np.clip(gray, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=kind)
            frame.pts, frame.time_base = shown, BASE
            shown += steps[number % len(steps)]
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound:
            for start in range(0, int(shown * BASE * 48000), 1024):
                wave = 0.2 * np.sin(2 * np.pi * 440 / 48000 * (start + np.arange(1024)))
                part = av.AudioFrame.from_ndarray(
                    np.tile(wave.astype(np.float32), (2, 1)), format="fltp", layout="stereo"
                )
                part.sample_rate, part.pts, part.time_base = 48000, start, Fraction(1, 48000)
                out.mux(tone.encode(part))
            out.mux(tone.encode(None))
    return path


def seen(path: Path) -> dict[str, Any]:
    """Return what a player sees of a film."""
    with av.open(str(path)) as held:
        stream = held.streams.video[0]
        frames = list(held.decode(stream))
        found = {
            "times": [frame.pts * frame.time_base for frame in frames],
            "turned": frames[0].rotation,
            "size": (frames[0].width, frames[0].height),
            "aspect": stream.sample_aspect_ratio or 1,
            "rate": stream.average_rate,
            "bits": film.bits(stream.codec_context.format),
            "title": held.metadata.get("title"),
        }
    with av.open(str(path)) as held:
        if held.streams.audio:
            packets = [bytes(one) for one in held.demux(held.streams.audio[0])]
            found["sound"] = [one for one in packets if one]
    with av.open(str(path)) as held:
        if held.streams.audio:
            found["heard"] = [one.pts * one.time_base for one in held.decode(audio=0)]
    return found


def pixels(path: Path) -> np.ndarray:
    with av.open(str(path)) as held:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in held.decode(video=0)])


@pytest.fixture
def colorizer(tiny: Bundle) -> Colorizer:
    return Colorizer(tiny.path, threads=1)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("plain.mp4", {}),
        ("turned.mp4", {"turned": 90, "aspect": Fraction(4, 3)}),
        ("variable.mkv", {"steps": (512, 1024, 512, 512, 2560)}),
        ("deep.mkv", {"kind": "yuv420p10le", "codec": "libx265", "sound": False}),
        ("named.mov", {"subtitle": True}),
    ],
)
def test_all_but_color_is_as_it_was(
    colorizer: Colorizer, tmp_path: Path, name: str, how: dict[str, Any]
) -> None:
    source = make_film(tmp_path / name, **how)
    target = tmp_path / f"color-{name}"
    counts: list[int] = []
    done = video.color_film(
        source, target, colorizer=colorizer, count=lambda n, _: counts.append(n), workers=2
    )
    assert (done.frames, done.shots, done.remarks) == (24, 2, ())
    assert seen(target) == seen(source)
    assert counts[-1] == 24
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, target.name])
    before, after = pixels(source).astype(int), pixels(target).astype(int)
    chroma = np.abs(after[..., 0] - after[..., 2]).mean()
    assert chroma > 3
    luma = np.array([0.2126, 0.7152, 0.0722])
    assert np.abs(before @ luma - after @ luma).mean() < 12
    with av.open(str(target)) as held:
        comment = {k.lower(): v for k, v in held.metadata.items()}["comment"]
    assert "tinct" in comment
    assert "model tiny" in comment


def test_a_film_that_was_interrupted_goes_on(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "SEGMENT", 7)
    source = make_film(tmp_path / "film.mp4", count=40)
    straight, target = tmp_path / "straight.mp4", tmp_path / "color.mp4"
    # crf 0 loses nothing: x264 does not always make the same choices from the same frames.
    whole = video.color_film(source, straight, colorizer=colorizer, crf=0)
    encode, encoded = video._encode, []

    def stop(plan: Any, part: Any, *rest: Any, **more: Any) -> None:
        if len(encoded) == 3:
            raise KeyboardInterrupt
        encoded.append(part.path.name)
        encode(plan, part, *rest, **more)

    monkeypatch.setattr(video, "_encode", stop)
    for settings in (Settings(strength=0.3), None):  # segments of other settings are not used
        encoded.clear()
        with pytest.raises(KeyboardInterrupt):
            video.color_film(source, target, colorizer=colorizer, settings=settings, crf=0)
        assert not target.exists()
    encoded[:] = ["not this time"] * 4
    done = video.color_film(source, target, colorizer=colorizer, crf=0)
    assert encoded == ["not this time"] * 4 + [f"{number:06d}.nut" for number in (3, 4, 5)]
    assert done == whole
    assert np.array_equal(pixels(target), pixels(straight))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("color.mp4", "film.mp4", "straight.mp4")
    ]


def test_segments_and_one_by_one(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_film(tmp_path / "film.mkv", sound=False)
    done = video.color_film(
        source, tmp_path / "one.mkv", colorizer=colorizer, frame_by_frame=True, crf=30
    )
    assert (done.frames, done.shots) == (24, 0)
    assert seen(tmp_path / "one.mkv")["times"] == seen(source)["times"]
    video.color_film(source, tmp_path / "fine.mkv", colorizer=colorizer, codec="libx264", crf=12)
    assert (tmp_path / "fine.mkv").stat().st_size > (tmp_path / "one.mkv").stat().st_size


def test_odd_sizes_stills_and_streams_that_do_not_fit(colorizer: Colorizer, tmp_path: Path) -> None:
    source = make_film(tmp_path / "film.mkv", size=(95, 63), kind="yuv444p")
    done = video.color_film(
        source, tmp_path / "color.webm", colorizer=colorizer, stills=tmp_path / "stills"
    )
    assert "was left out" in done.remarks[0]
    assert len(list((tmp_path / "stills").glob("*.jpg"))) == 2
    assert seen(tmp_path / "color.webm")["size"] == (95, 63)


def test_what_cannot_be_done_is_told(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_film(tmp_path / "film.mp4", count=3, sound=False)
    broken, tone = tmp_path / "broken.mp4", tmp_path / "tone.mkv"
    broken.write_bytes(b"no film")
    with av.open(str(tone), "w") as out:
        out.mux(out.add_stream("aac", rate=48000).encode(None))

    def refused(error: type[Exception], match: str, **more: Any) -> None:
        words = {"source": source, "target": tmp_path / "x.mp4", **more}
        with pytest.raises(error, match=match):
            video.color_film(words.pop("source"), words.pop("target"), colorizer=colorizer, **words)

    refused(PictureError, "cannot be read as a film", source=broken)
    refused(PictureError, "cannot be read as a film", source=tmp_path / "gone.mp4")
    refused(UsageError, "is the film itself", target=source, overwrite=True)
    refused(SaveError, "exists already", target=broken)
    refused(SaveError, "no ending of a film", target=tmp_path / "x.jpg")
    refused(UsageError, "need times", settings=Settings(hints=("0.5,0.5=red",)))  # type: ignore[arg-type]
    refused(UsageError, "No encoder is called", codec="magic")
    refused(
        SaveError, "choose another ending or encoder", codec="mjpeg", target=tmp_path / "x.webm"
    )
    assert not (tmp_path / "x.webm").exists()
    for name in ("av", "cv2"):
        with monkeypatch.context() as patch:
            patch.setitem(__import__("sys").modules, name, None)
            refused(MissingExtraError, r"tinct\[video\]")


def test_the_command_line(tiny: Bundle, tmp_path: Path, capsys: Captured) -> None:
    source = make_film(tmp_path / "film.mp4", count=6)
    words = [str(source), "--model", str(tiny.path), "--threads", "1"]
    assert cli.main([*words, "--json"]) == 0
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert line["output"] == str(tmp_path / "film.color.mp4")
    assert (line["frames"], line["error"]) == (6, None)
    assert cli.main([*words, "--json"]) == 4
    assert "exists already" in json.loads(capsys.readouterr().out)["error"]
    assert cli.main([*words, "-o", f"{tmp_path}/out/"]) == 4
    assert "does not exist" in capsys.readouterr().err
