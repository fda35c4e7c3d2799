"""Films: frames colored steadily, all else as it was.

Needs PyAV and OpenCV, from the extra [video].

A film is read twice at once: ahead, small, for what the model proposes and how things move; behind,
at full size, to be colored and encoded. So memory does not depend on its length. What is encoded
lies in segments beside the target until all are there; a film that was interrupted goes on with the
next segment. Sound, subtitles, chapters and timestamps are then copied from the original.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinct import __version__
from tinct.atomic import check_target, failure, replacing
from tinct.errors import PictureError, SaveError, UsageError
from tinct.hints import Hint
from tinct.hints.files import as_json
from tinct.jobs import film as films
from tinct.jobs.film import Encoding, Part, gray_of
from tinct.jobs.film_formats import FORMATS
from tinct.jobs.journal import hash_file, hash_settings
from tinct.jobs.overlap import in_order
from tinct.jobs.steady import CONTEXT, Floats, Small, is_cut, opencv, steady
from tinct.jobs.tracks import Timed, follow_hints
from tinct.settings import Settings

if TYPE_CHECKING:
    from tinct.colorizer import Colorizer
from tinct.proposal import Proposal

SEGMENT = 240  # frames that are encoded together

Count = Callable[[int, int | None], None]


@dataclass(frozen=True, kw_only=True)
class Film:
    """What became of a film.

    Attributes:
        frames: that were colored.
        shots: that were found; 0 where frames were colored for themselves.
        remarks: what could not be kept, in sentences.
    """

    frames: int
    shots: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Everything about the job that does not change."""

    source: Path
    target: Path
    colorizer: Colorizer
    settings: Settings
    encoding: Encoding
    context: int
    stills: Path | None
    timed: tuple[Timed, ...]
    hints: Mapping[int, tuple[Hint, ...]]
    workers: int
    count: Count

    @property
    def folder(self) -> Path:
        """Where the segments lie."""
        return self.target.with_name(f".tinct-{self.target.name}.parts")

    def key(self) -> dict[str, Any]:
        """Return what must be the same for segments to go together."""
        return {
            "source": hash_file(self.source),
            "settings": hash_settings(self.settings, context=self.context),
            "model": self.colorizer.sha256,
            "hints": [[one.seconds, as_json(one.hint)] for one in self.timed],
            "codec": self.encoding.codec,
            "crf": self.encoding.crf,
            "tinct": __version__,
        }


def color_film(
    source: Path,
    target: Path,
    *,
    colorizer: Colorizer,
    settings: Settings | None = None,
    codec: str | None = None,
    crf: int | None = None,
    overwrite: bool = False,
    frame_by_frame: bool = False,
    stills: Path | None = None,
    hints: Sequence[Timed] = (),
    workers: int = 1,
    count: Count | None = None,
) -> Film:
    """Color a film; the target is complete afterwards, or as it was before.

    Args:
        source: the film.
        target: the file to write; its ending decides the container.
        colorizer: what colors all frames.
        settings: the same for all frames, without hints; None means the defaults.
        codec: what libav calls the encoder; None: see :func:`tinct.jobs.film.encoding_for`.
        crf: constant rate factor, smaller is better and larger; None: likewise.
        overwrite: whether an existing target may be replaced.
        frame_by_frame: color every frame for itself.
        stills: a folder for a colored picture of each shot, or None.
        hints: each for the shot that is shown at its time.
        workers: frames in work at a time.
        count: is told how many frames are done, and how many there are, or None.

    Raises:
        MissingExtraError: PyAV or OpenCV is not installed.
        UsageError: hints were given without times or after the end, the target is the film
            itself, or the encoder is unknown.
        PictureError: the film cannot be read, or holds no moving picture.
        SaveError: the target exists already, or cannot be written in that way.
    """
    av = films.pyav()
    if hints or not frame_by_frame:
        opencv()
    settings = settings or Settings()
    if settings.hints:
        raise UsageError("Hints for a film need times, for things move: 12.5@0.4,0.6=#b04030.")
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target} is the film itself; give another name.")
    check_target(target, overwrite=overwrite)
    form = FORMATS.get(target.suffix.lower())
    if form is None:
        raise SaveError(f"{target} has no ending of a film; choose one of {' '.join(FORMATS)}.")
    with films.opened(source) as film:
        encoding = films.encoding_for(film, form, codec=codec, crf=crf)
        shown = ((float(one.pts * one.time_base), gray_of(one)) for one in films.frames(film))
        tracks = follow_hints(hints, shown) if hints else {}
    plan = _Plan(
        source=source,
        target=target,
        colorizer=colorizer,
        settings=settings,
        encoding=encoding,
        context=0 if frame_by_frame else CONTEXT,
        stills=stills,
        timed=tuple(hints),
        hints=tracks,
        workers=workers,
        count=count or (lambda _done, _total: None),
    )
    try:
        _start(plan)
        parts = list(_parts(plan))
        if not parts:
            raise PictureError(f"{source} holds no frame; name another film.")
        with replacing(target, overwrite=overwrite) as temporary:
            comment = f"Colored by software: tinct {__version__}, model {colorizer.name}"
            remarks = films.join(source, parts, temporary, form=form, comment=comment)
    except av.FFmpegError as error:
        raise films.told(error, source, target) from error
    except OSError as error:
        raise failure(target, error) from error
    held = [part.read() for part in parts]
    shutil.rmtree(plan.folder, ignore_errors=True)
    return Film(
        frames=sum(len(one["times"]) for one in held),
        shots=sum(len(one["cuts"]) for one in held),
        remarks=remarks,
    )


@dataclass
class _Ahead:
    """What is known of frames that are not encoded yet, at the model's size."""

    known: int = 0  # frames that were looked at
    proposals: dict[int, Proposal] = field(default_factory=dict)
    cuts: set[int] = field(default_factory=set)  # numbers of first frames of shots

    def take(self, plan: _Plan, grays: Iterator[NDArray[Any]], *, needed: int) -> None:
        """Let the model look at further frames, those from number ``needed`` on."""

        def propose(pair: tuple[int, NDArray[Any]]) -> Proposal | None:
            number, gray = pair
            return _propose(plan, gray, plan.hints.get(number, ())) if number >= needed else None

        numbered = enumerate(grays, self.known)
        for proposal in in_order(propose, numbered, workers=plan.workers):
            if proposal is not None:
                self.proposals[self.known] = proposal
                if plan.context and self._begins(self.known):
                    self.cuts.add(self.known)
            self.known += 1

    def _begins(self, number: int) -> bool:
        """Tell whether a shot begins with a frame."""
        if number - 1 not in self.proposals:
            return True
        return is_cut(self.small(number - 1).lightness, self.small(number).lightness)

    def forget(self, begin: int) -> None:
        """Forget what lies before a frame."""
        self.proposals = {n: one for n, one in self.proposals.items() if n >= begin}

    def small(self, number: int) -> Small:
        """Return what a frame's color is settled from."""
        held = self.proposals[number]
        return Small(held.fitted.lightness[0, 0], held.color)

    def settle(self, plan: _Plan, wanted: range) -> dict[int, Floats]:
        """Return the colors of frames, steady among those around them."""
        begin, end, context = wanted.start, wanted.stop, plan.context
        if context == 0:
            return {number: self.proposals[number].color for number in wanted}
        numbers = sorted(n for n in self.proposals if begin - context <= n < end + context)
        found: dict[int, Floats] = {}
        shot: list[int] = []
        for number in [*numbers, -1]:
            if shot and (number == -1 or number in self.cuts):
                colors = steady(
                    [self.small(n) for n in shot], context=context, workers=plan.workers
                )
                found |= dict(zip(shot, colors, strict=True))
                shot = []
            shot.append(number)
        return {number: found[number] for number in wanted}


def _parts(plan: _Plan) -> Iterator[Part]:
    """Color and encode all frames; yield the segments."""
    ahead, begin = _Ahead(), 0
    with films.opened(plan.source) as first, films.opened(plan.source) as second:
        total = films.total(first)
        grays, frames = films.grays(first), films.frames(second)
        while True:
            part = Part(plan.folder / f"{begin // SEGMENT:06d}.nut")
            done = part.path.exists()
            # Of finished segments only those frames are looked at that the next one needs.
            needed = begin + SEGMENT - plan.context if done else begin
            ahead.take(
                plan,
                islice(grays, begin + SEGMENT + plan.context - ahead.known),
                needed=needed,
            )
            end = min(ahead.known, begin + SEGMENT)
            if end == begin:
                return
            mine = islice(frames, end - begin)
            if done:
                for _ in mine:
                    pass
            else:
                _encode(plan, part, mine, ahead, range(begin, end), total=total)
            yield part
            plan.count(end, total)
            ahead.forget(end - plan.context)
            begin = end


def _start(plan: _Plan) -> None:
    """Make the folder of the segments; those of another job are removed."""
    key, path = plan.key(), plan.folder / "key.json"
    with suppress(OSError, ValueError):  # none there, or cut short: the folder is made anew
        if json.loads(path.read_text("utf-8")) == key:
            return
    shutil.rmtree(plan.folder, ignore_errors=True)
    plan.folder.mkdir(parents=True)
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(key), "utf-8")


def _propose(plan: _Plan, gray: NDArray[Any], hints: tuple[Hint, ...]) -> Proposal:
    colorizer, settings = plan.colorizer, plan.settings
    proposal = colorizer.propose(gray, quality=settings.quality)
    return colorizer.adjust(
        proposal, hints=hints, reference=settings.reference, warmth=settings.warmth
    )


def _encode(
    plan: _Plan,
    part: Part,
    frames: Iterator[Any],
    ahead: _Ahead,
    wanted: range,
    *,
    total: int | None,
) -> None:
    """Color the frames of a segment and encode them; the segment is complete or absent."""
    colors = ahead.settle(plan, wanted)
    times: list[tuple[int, int]] = []

    def color(pair: tuple[int, Any]) -> tuple[Any, NDArray[Any]]:
        number, frame = pair
        proposal = replace(ahead.proposals[number], color=colors[number])
        rgb = plan.colorizer.render(gray_of(frame), plan.settings, proposal=proposal)
        return frame, rgb

    def mux(out: Any, packets: list[Any]) -> None:
        times.extend((packet.pts, packet.dts) for packet in packets)
        out.mux(packets)

    with (
        replacing(part.path, overwrite=True) as temporary,
        films.opened(plan.source) as film,
        films.pyav().open(str(temporary), "w", format="nut") as out,
    ):
        stream: Any = None
        colored = in_order(color, zip(wanted, frames, strict=False), workers=plan.workers)
        for number, (frame, rgb) in zip(wanted, colored, strict=False):
            if stream is None:
                stream = films.add_stream(out, film, frame, plan.encoding)
            if plan.stills is not None and number in ahead.cuts:
                _save_still(plan, rgb, number)
            mux(out, stream.encode(films.frame_of(rgb, stream, frame)))
            plan.count(number + 1, total)
        mux(out, stream.encode(None))
        cuts = [number for number in wanted if number in ahead.cuts]
        with replacing(part.beside, overwrite=True) as beside:
            part.write(beside, times=times, cuts=cuts)


def _save_still(plan: _Plan, rgb: NDArray[Any], number: int) -> None:
    from PIL import Image  # noqa: PLC0415

    assert plan.stills is not None
    plan.stills.mkdir(parents=True, exist_ok=True)
    pixels = rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
    path = plan.stills / f"{plan.target.stem}.frame{number + 1:06d}.jpg"
    with replacing(path, overwrite=True) as temporary:
        Image.fromarray(pixels).save(temporary, "JPEG", quality=92)
