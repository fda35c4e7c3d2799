"""Films as libav has them: opened, decoded, encoded, joined. Needs PyAV, from the extra [video].

Nothing here knows how frames are colored; :mod:`tinct.jobs.video` does.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinct.errors import MissingExtraError, PictureError, SaveError, UsageError

CRF = {"libx264": 18, "libx265": 20, "libsvtav1": 28, "libvpx-vp9": 28}
HD = 720  # rows from which films without a note are BT.709, as broadcasters have it
BT709, BT601, UNSAID = 1, 6, 2  # as H.273 numbers them
MATRICES = (BT709, 5, BT601, 9)  # that frames are converted with; 9 is BT.2020


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How frames are encoded.

    Attributes:
        codec: what libav calls the encoder.
        crf: constant rate factor, smaller is better and larger.
        deep: 10 bits a channel instead of 8.
    """

    codec: str
    crf: int
    deep: bool


def encoding_for(
    film: Any, form: str, *, codec: str | None = None, crf: int | None = None
) -> Encoding:
    """Return how the frames of a film are to be encoded.

    Args:
        film: opened.
        form: of the target, a value of :data:`FORMATS`.
        codec: None: libx264 for 8 bits, libx265 for more, VP9 in WebM.
        crf: None: one that leaves no visible traces.

    Raises:
        UsageError: there is no such encoder.
    """
    deep = bits(film.streams.video[0].codec_context.format) > 8
    usual = "libvpx-vp9" if form == "webm" else "libx265" if deep else "libx264"
    codec = codec or usual
    try:
        pyav().codec.Codec(codec, "w")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"No encoder is called {codec!r}; choose from {', '.join(CRF)}, or another of libav's."
        ) from error
    return Encoding(codec=codec, crf=CRF.get(codec, 20) if crf is None else crf, deep=deep)


@dataclass(frozen=True)
class Part:
    """A segment of encoded frames, and what is kept beside it."""

    path: Path

    @property
    def beside(self) -> Path:
        """The file with the times of the packets and the numbers of the shots' first frames."""
        return self.path.with_suffix(".json")

    def read(self) -> dict[str, Any]:
        """Return ``times``, when each packet is shown and decoded, and ``cuts``."""
        held: dict[str, Any] = json.loads(self.beside.read_text("ascii"))
        return held

    def write(self, target: Path, *, times: Sequence[tuple[int, int]], cuts: list[int]) -> None:
        """Write what is kept beside the segment: NUT does not hold when packets are decoded."""
        target.write_text(json.dumps({"times": times, "cuts": cuts}), "ascii")


def pyav() -> Any:
    """Return PyAV.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "Films need PyAV: pip install 'tinct[video]' (from a checkout: pip install '.[video]')."
        ) from error
    return av


def opened(source: Path) -> Any:
    """Open a film to be read.

    Raises:
        PictureError: it cannot be read, or holds no moving picture.
    """
    av = pyav()
    try:
        film = av.open(str(source))
    except (OSError, ValueError) as error:  # libav's errors are OSErrors or ValueErrors
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise PictureError(f"{source} cannot be read as a film ({why}); check the file.") from error
    if not film.streams.video:
        film.close()
        raise PictureError(f"{source} holds no moving picture; name a film.")
    film.streams.video[0].thread_type = "AUTO"
    return film


def told(error: Exception, source: Path, target: Path) -> SaveError | PictureError:
    """Word what libav says."""
    why = (getattr(error, "strerror", None) or str(error)).lower()
    if "invalid data" in why:
        return PictureError(f"{source} is damaged ({why}); get a fresh copy of it.")
    return SaveError(
        f"{target} cannot be written ({why}); choose another ending or encoder, as in --encoder "
        "libx264, or check the free space."
    )


def bits(form: Any) -> int:
    """Return the bits of a pixel format's channels."""
    return max((part.bits for part in form.components), default=8)


def total(film: Any) -> int | None:
    """Return how many frames a film has, as far as it says."""
    stream = film.streams.video[0]
    if stream.frames:
        return int(stream.frames)
    if stream.average_rate and film.duration:
        return int(film.duration / 1_000_000 * stream.average_rate)
    return None


def frames(film: Any) -> Iterator[Any]:
    """Yield the frames of a film in the order in which they are shown."""
    stream = film.streams.video[0]
    step = Fraction(1) / (stream.average_rate or 25) / stream.time_base
    after = 0
    for frame in film.decode(stream):
        if frame.pts is None:
            frame.pts = after
        after = frame.pts + round(step)
        yield frame


def grays(film: Any) -> Iterator[NDArray[Any]]:
    """Yield the frames of a film as :func:`gray_of` gives them."""
    return map(gray_of, frames(film))


def gray_of(frame: Any) -> NDArray[Any]:
    """Return a frame's luma over the whole range, upright: uint8 or uint16 (H, W)."""
    kind = "gray16le" if bits(frame.format) > 8 else "gray"
    gray: NDArray[Any] = frame.reformat(format=kind, dst_color_range="JPEG").to_ndarray()
    return np.ascontiguousarray(np.rot90(gray, turns(frame)))


def turns(frame: Any) -> int:
    """Return how many quarters counterclockwise a frame is turned when it is shown."""
    return round((getattr(frame, "rotation", 0) or 0) / 90) % 4


def add_stream(out: Any, film: Any, frame: Any, encoding: Encoding) -> Any:
    """Add a stream for the frames of a film.

    Args:
        out: a container that is written.
        film: opened.
        frame: one of the film's.
        encoding: how they are encoded.
    """
    like = film.streams.video[0]
    context = like.codec_context
    options = {"crf": str(encoding.crf), "preset": "medium"}
    if encoding.codec == "libvpx-vp9":
        options = {"crf": str(encoding.crf), "b": "0", "row-mt": "1"}
    elif encoding.codec == "libsvtav1":
        options["preset"] = "8"
    elif encoding.codec == "libx265":
        options["x265-params"] = "log-level=error"
    rate = like.average_rate or Fraction(25)
    made = out.add_stream(encoding.codec, rate=rate, options=options)
    wanted = made.codec_context
    wanted.width, wanted.height = frame.width, frame.height
    halves = frame.width % 2 == 0 == frame.height % 2
    wanted.pix_fmt = f"yuv{'420' if halves else '444'}p{'10le' if encoding.deep else ''}"
    wanted.time_base = like.time_base
    if like.sample_aspect_ratio:
        wanted.sample_aspect_ratio = like.sample_aspect_ratio
    matrix = int(getattr(frame, "colorspace", UNSAID) or UNSAID)
    if matrix not in MATRICES:
        matrix = BT709 if frame.height >= HD else BT601
    wanted.colorspace, wanted.color_range = matrix, 1
    primaries, curve = context.color_primaries, context.color_trc
    wanted.color_primaries = matrix if primaries in (0, UNSAID) else primaries
    wanted.color_trc = matrix if curve in (0, UNSAID) else curve
    return made


def frame_of(rgb: NDArray[Any], stream: Any, original: Any) -> Any:
    """Return a frame that can be encoded, with the time of the original.

    Args:
        rgb: uint8 or uint16 (H, W, 3), upright.
        stream: from :func:`add_stream`.
        original: the frame that it was made from.
    """
    turned = np.ascontiguousarray(np.rot90(rgb, -turns(original)))
    kind = "rgb48le" if turned.dtype == np.uint16 else "rgb24"
    made = pyav().VideoFrame.from_ndarray(turned, format=kind)
    made = made.reformat(
        format=stream.codec_context.pix_fmt,
        dst_colorspace=stream.codec_context.colorspace,
        dst_color_range="MPEG",
    )
    made.pts, made.time_base = original.pts, original.time_base
    return made


def join(
    source: Path, parts: Sequence[Part], target: Path, *, form: str, comment: str
) -> tuple[str, ...]:
    """Put segments one behind the other, with all else from the original film.

    Args:
        source: the film.
        parts: its colored segments.
        target: the file to write.
        form: its container.
        comment: goes into its metadata.

    Returns:
        What could not be kept, in sentences.
    """
    av = pyav()
    remarks: list[str] = []
    with opened(source) as film, av.open(str(target), "w", format=form) as out:
        out.metadata.update(film.metadata)
        out.metadata["comment"] = comment
        original = film.streams.video[0]
        with av.open(str(parts[0].path)) as first:
            video = out.add_stream_from_template(first.streams.video[0])
        video.time_base = original.time_base
        if original.average_rate:
            video.codec_context.framerate = original.average_rate
        video.metadata.update(original.metadata)
        turned = _turned(source)
        if turned:
            video.set_display_rotation(turned)
        others = {}
        for stream in film.streams:
            copied = None if stream is original else _copied(out, stream, remarks)
            if copied is not None:
                others[stream] = copied
        if film.chapters():
            out.set_chapters(film.chapters())
        packets = [_packets_of(parts, video, original)]
        if others:
            packets.append(_packets(film, others))
        for packet in heapq.merge(*packets, key=_time):
            out.mux(packet)
    return tuple(remarks)


def _turned(source: Path) -> float:
    """Return by how many degrees a film is turned when it is shown."""
    with opened(source) as film:
        frame = next(frames(film), None)
    return 0 if frame is None else getattr(frame, "rotation", 0) or 0


def _copied(out: Any, stream: Any, remarks: list[str]) -> Any:
    """Return a stream for copies of packets; None where the container cannot hold them."""
    codec = getattr(stream.codec_context, "name", None) or stream.type
    if stream.type in ("audio", "subtitle", "video") and codec in out.supported_codecs:
        try:
            copied = out.add_stream_from_template(stream)
        except (OSError, ValueError):
            copied = None
        if copied is not None:
            copied.metadata.update(stream.metadata)
            copied.disposition = stream.disposition
            return copied
    remarks.append(
        f"stream {stream.index} ({stream.type}, {codec}) does not go into {out.format.name} and "
        "was left out; .mkv holds nearly everything"
    )
    return None


def _packets_of(parts: Sequence[Part], video: Any, original: Any) -> Iterator[Any]:
    """Yield the packets of all segments, with the times of ``original``."""
    av = pyav()
    held = [part.read()["times"] for part in parts]
    shown = sorted(shown for times in held for shown, _ in times)
    lasts = dict(zip(shown, np.diff(shown).tolist(), strict=False))
    end = (original.start_time or 0) + (original.duration or 0)
    usual = next(iter(lasts.values()), 1)
    lasts[shown[-1]] = end - shown[-1] if 0 < end - shown[-1] < 8 * usual else usual
    for part, times in zip(parts, held, strict=True):
        with av.open(str(part.path)) as file:
            packets = (packet for packet in file.demux(file.streams.video[0]) if packet.size)
            for packet, (pts, dts) in zip(packets, times, strict=True):
                packet.time_base = original.time_base
                packet.pts, packet.dts = pts, dts
                packet.duration = lasts[pts]
                packet.stream = video
                yield packet


def _packets(film: Any, others: dict[Any, Any]) -> Iterator[Any]:
    for packet in film.demux(list(others)):
        if packet.dts is not None:
            packet.stream = others[packet.stream]
            yield packet


def _time(packet: Any) -> float:
    return float(packet.dts * packet.time_base)
