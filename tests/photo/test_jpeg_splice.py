"""Gray JPEGs with color beside their gray: what every decoder sees, and the way back."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tinct.photo.jpeg_markers import APP7, JpegError, parse, segment
from tinct.photo.jpeg_splice import Extras, obstacle, restore, splice


def gray_jpeg(height: int, width: int, *, seed: int = 0, **more: Any) -> bytes:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (height // 8 + 2, width // 8 + 2), np.uint8))
    held = io.BytesIO()
    coarse.resize((width, height)).save(held, "JPEG", **{"quality": 80, **more})
    return held.getvalue()


def flat(height: int, width: int, cb: int = 150, cr: int = 90) -> tuple[np.ndarray, np.ndarray]:
    shape = (-(-height // 2), -(-width // 2))
    return np.full(shape, cb, np.uint8), np.full(shape, cr, np.uint8)


def colored(data: bytes, extras: Extras | None = None, **chroma: int) -> bytes:
    jpeg = parse(data)
    assert obstacle(jpeg) == ""
    frame = jpeg.frame
    return splice(jpeg, flat(frame.height, frame.width, **chroma), extras or Extras())


def planes(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    image.draft("YCbCr", image.size)
    return np.asarray(image)


def luma_of(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    image.draft("L", image.size)
    assert image.mode == "L"
    return np.asarray(image)


KINDS = st.fixed_dictionaries(
    {},
    optional={
        "quality": st.sampled_from([1, 30, 75, 95, 100]),
        "progressive": st.booleans(),
        "optimize": st.booleans(),
        "restart_marker_blocks": st.integers(1, 9),
        "comment": st.binary(max_size=40),
        "exif": st.just(b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    kind=KINDS,
    seed=st.integers(0, 9),
    trailing=st.binary(max_size=30),
)
def test_gray_is_kept_and_given_back(
    height: int, width: int, kind: dict[str, Any], seed: int, trailing: bytes
) -> None:
    data = gray_jpeg(height, width, seed=seed, **kind) + trailing
    made = colored(data)
    np.testing.assert_array_equal(luma_of(made), luma_of(data))
    seen = planes(made)
    assert np.abs(seen[..., 1].astype(int) - 150).max() <= 4
    assert np.abs(seen[..., 2].astype(int) - 90).max() <= 4
    assert restore(parse(made)) == data


@pytest.mark.parametrize("kind", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_libvips_reads_the_same_colors(kind: dict[str, Any]) -> None:
    made = colored(gray_jpeg(61, 97, **kind))
    seen = pyvips.Image.new_from_buffer(made, "", fail_on="warning").numpy()
    assert np.abs(seen.astype(int) - np.asarray(Image.open(io.BytesIO(made)))).max() <= 4


def test_another_build_of_libjpeg_reads_the_same_colors() -> None:
    made = colored(gray_jpeg(64, 96))
    pillow = np.asarray(Image.open(io.BytesIO(made))).astype(int)
    import imagecodecs

    assert np.abs(imagecodecs.jpeg8_decode(made).astype(int) - pillow).max() <= 4


def test_opencv_reads_the_same_colors() -> None:
    made = colored(gray_jpeg(61, 97))
    seen = cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(seen.astype(int) - np.asarray(Image.open(io.BytesIO(made)))).max() <= 4
    gray = cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(gray, luma_of(made))


def test_ffmpeg_reads_the_same_luma() -> None:
    """Through PyAV; its decoder rounds in a way of its own."""
    made = colored(gray_jpeg(64, 96))
    with av.open(io.BytesIO(made)) as held:
        frame = next(held.decode(video=0))
    assert frame.format.name.startswith("yuvj420") or "yuv420" in frame.format.name
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    seen = rows[: frame.height, : frame.width].astype(int)
    assert np.abs(seen - luma_of(made)).max() <= 2


GO = """package main
import ("bufio"; "fmt"; "image/jpeg"; "os")
func main() {
	picture, err := jpeg.Decode(bufio.NewReader(os.Stdin))
	if err != nil { fmt.Fprintln(os.Stderr, err); os.Exit(1) }
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for y := 0; y < picture.Bounds().Dy(); y++ {
		for x := 0; x < picture.Bounds().Dx(); x++ {
			r, g, b, _ := picture.At(x, y).RGBA()
			out.Write([]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8)})
		}
	}
}
"""


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_go_reads_the_same_colors(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(GO)
    subprocess.run(["go", "build", "-o", "reader", "main.go"], cwd=tmp_path, check=True)
    for kind in ({}, {"progressive": True}, {"restart_marker_blocks": 3}):
        made = colored(gray_jpeg(61, 97, **kind))
        done = subprocess.run([tmp_path / "reader"], input=made, capture_output=True, check=False)
        assert done.returncode == 0, (kind, done.stderr)
        seen = np.frombuffer(done.stdout, np.uint8).reshape(61, 97, 3).astype(int)
        assert np.abs(seen - np.asarray(Image.open(io.BytesIO(made)))).max() <= 10


def test_chroma_has_full_size_where_the_gray_has_restart_markers() -> None:
    """Go's image/jpeg reads no restart markers of a component that is finer than others."""
    height, width = 61, 97
    rows, columns = np.mgrid[: -(-height // 2), : -(-width // 2)]
    chroma = (60 + 3 * rows).astype(np.uint8), (200 - 2 * columns).astype(np.uint8)
    seen = {}
    for name, kind in (("plain", {}), ("restarts", {"restart_marker_blocks": 3})):
        data = gray_jpeg(height, width, **kind)
        made = splice(parse(data), chroma, Extras())
        assert restore(parse(made)) == data
        seen[name] = planes(made).astype(int)
        factors = {one[1:3] for one in Image.open(io.BytesIO(made)).layer}
        assert (factors == {(1, 1)}) is (name == "restarts")
    apart = np.abs(seen["plain"] - seen["restarts"])
    assert apart[..., 0].max() == 0
    assert apart[..., 1:].max() <= 4
    assert apart[..., 1:].mean() < 1


def test_sampling_factors_of_the_gray_file_do_not_matter() -> None:
    """A scan of one component has the same blocks whatever its factors (T.81, A.2.2)."""
    data = bytearray(gray_jpeg(50, 70))
    frame = data.index(b"\xff\xc0")
    assert data[frame + 11] == 0x11
    data[frame + 11] = 0x22
    made = colored(bytes(data))
    np.testing.assert_array_equal(luma_of(made), luma_of(gray_jpeg(50, 70)))
    assert restore(parse(made)) == data


@pytest.mark.parametrize("name", [0, 7, 255])
def test_components_of_other_names_are_taken_for_luma_and_chroma(name: int) -> None:
    data = bytearray(gray_jpeg(40, 56))
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    data[frame + 10] = data[scan + 5] = name
    jfif = data.index(b"\xff\xe0")
    del data[jfif : jfif + 18]
    made = colored(bytes(data))
    assert np.abs(planes(made)[..., 1].astype(int) - 150).max() <= 4
    assert restore(parse(made)) == data


def test_an_adobe_marker_does_not_turn_chroma_into_green_and_blue() -> None:
    data = gray_jpeg(40, 56)
    marker = segment(0xEE, b"Adobe\0d\0\0\0\0\0")
    data = data[:2] + marker + data[20:]  # in place of JFIF
    made = colored(data)
    assert np.abs(planes(made)[..., 2].astype(int) - 90).max() <= 4
    assert restore(parse(made)) == data


def test_metadata_is_replaced_and_comes_back() -> None:
    old = segment(0xE1, b"Exif\0\0old block") + segment(0xE2, b"ICC_PROFILE\0\1\1gray")
    data = gray_jpeg(40, 56)
    data = data[:2] + old + segment(0xFE, b"a comment") + data[2:]
    made = colored(data, Extras(exif=b"II*\0new", xmp=b"<x/>", icc=b"srgb"))
    assert b"old block" not in made[: made.index(b"tinct gray")]
    for kept in (b"Exif\0\0II*\0new", b"xap/1.0/\0<x/>", b"ICC_PROFILE\0\1\1srgb", b"a comment"):
        assert made.count(kept) == 1
    assert restore(parse(made)) == data


def test_what_cannot_be_kept_is_told() -> None:
    rgb = io.BytesIO()
    Image.new("RGB", (40, 40)).save(rgb, "JPEG")
    arithmetic = bytearray(gray_jpeg(40, 40))
    arithmetic[arithmetic.index(b"\xff\xc0") + 1] = 0xC9
    twelve = bytearray(gray_jpeg(40, 40))
    twelve[twelve.index(b"\xff\xc0") + 4] = 12
    full = gray_jpeg(40, 40)
    body = bytes(64)
    full = full[:2] + b"".join(segment(0xDB, bytes((n,)) + body) for n in (1, 2, 3)) + full[2:]
    for data, why in (
        (rgb.getvalue(), "in color"),
        (bytes(arithmetic), "rare way"),
        (bytes(twelve), "12 bits"),
        (full, "every quantization table"),
    ):
        assert why in obstacle(parse(data))


def test_a_change_of_the_gray_is_found_out() -> None:
    made = bytearray(colored(gray_jpeg(64, 96)))
    scan = made.index(b"\xff\xda") + 60
    while made[scan] in (0xFF, 0xFE, 0) or made[scan - 1] == 0xFF:
        scan += 1
    made[scan] ^= 1
    with pytest.raises(JpegError, match="gray has been changed"):
        restore(parse(bytes(made)))
    again = io.BytesIO()
    Image.open(io.BytesIO(colored(gray_jpeg(64, 96)))).save(again, "JPEG")
    with pytest.raises(JpegError, match="no gray original"):
        restore(parse(again.getvalue()))


def test_a_change_of_what_is_kept_is_found_out() -> None:
    made = colored(gray_jpeg(64, 96))
    jpeg = parse(made)
    memory = next(one for one in jpeg.segments if one.marker == APP7)
    for place in (memory.body + 20, memory.stop - 3):
        damaged = bytearray(made)
        damaged[place] ^= 0x55
        with pytest.raises(JpegError):
            restore(parse(bytes(damaged)))


def test_much_beside_the_picture_is_spread_over_segments() -> None:
    noise = np.random.default_rng(0).bytes(300_000)  # such as the film in a "motion photo"
    data = gray_jpeg(40, 56) + noise
    made = colored(data)
    assert sum(one.marker == APP7 for one in parse(made).segments) > 4
    assert restore(parse(made)) == data
    with pytest.raises(JpegError, match="more than can be kept"):
        colored(gray_jpeg(40, 56) + bytes(14_000_000))
