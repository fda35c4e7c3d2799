from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from made_pictures import ramp
from tinct.photo.jpeg_markers import APP7, SOS, JpegError, joined, parse, parted, segment


def made(**more: object) -> bytes:
    held = io.BytesIO()
    Image.fromarray(ramp(40, 56)).save(held, "JPEG", **more)
    return held.getvalue()


@pytest.mark.parametrize("kind", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_the_parts_are_the_whole(kind: dict[str, object]) -> None:
    data = made(**kind) + b"and more"
    jpeg = parse(data)
    assert b"".join(map(jpeg.bytes_of, jpeg.segments)) == data[: jpeg.end]
    assert data[jpeg.end :] == b"\xff\xd9and more"
    frame = jpeg.frame
    assert (frame.height, frame.width, frame.bits) == (40, 56, 8)
    scans = [one for one in jpeg.segments if one.marker == SOS]
    assert len(scans) == (1 if "progressive" not in kind else data.count(b"\xff\xda"))
    assert all(jpeg.scan_names(one) == (frame.components[0].name,) for one in scans)


def test_fill_bytes_before_a_marker_are_allowed() -> None:
    data = made()
    place = data.index(b"\xff\xdb")
    filled = data[:place] + b"\xff\xff\xff" + data[place:]
    jpeg = parse(filled)
    assert b"".join(map(jpeg.bytes_of, jpeg.segments)) == filled[: jpeg.end]


@given(cut=st.integers(0, 600))
def test_what_is_cut_short_is_told(cut: int) -> None:
    data = made()
    with pytest.raises(JpegError):
        parse(data[: min(cut, len(data) - 2)])


@settings(deadline=None)
@given(content=st.binary(max_size=500), room=st.integers(2, 100))
def test_what_is_spread_comes_together(content: bytes, room: int) -> None:
    data = made()
    parts = list(parted(APP7, b"name\0", content, room=room))
    jpeg = parse(data[:2] + b"".join(reversed(parts)) + data[2:])
    assert joined(jpeg, APP7, b"name\0") == content
    assert joined(jpeg, APP7, b"other\0") is None
    if len(parts) > 1:
        lacking = parse(data[:2] + b"".join(parts[1:]) + data[2:])
        assert joined(lacking, APP7, b"name\0") is None


def test_a_segment_has_its_limit() -> None:
    assert len(segment(APP7, bytes(65_533))) == 65_537
    with pytest.raises(JpegError, match="do not fit"):
        segment(APP7, bytes(65_534))


def test_noise_is_no_jpeg() -> None:
    noise = np.random.default_rng(0).bytes(3000)
    with pytest.raises(JpegError):
        parse(b"\xff\xd8" + noise)
