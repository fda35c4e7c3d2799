"""Run tinct over folders of picture files of all kinds, and compare with independent readers.

``python -m benchmarks.field FOLDER... [--seconds 20] [--log FILE]`` colors every file in one
long-lived process, with a limit on time for each, and compares size, orientation, depth,
transparency, EXIF and mean L* of the result, as imagecodecs reads it, with what Pillow reads from
the input. ``wrong`` counts what differs; ``traceback`` what is raised beside tinct's own errors;
``hang`` what takes longer than the limit; ``crash`` when the process dies.
"""

from __future__ import annotations

import argparse
import io
import json
import select
import subprocess
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from tinct import Colorizer, Settings
from tinct.color import linear_to_srgb, rgb_to_lab
from tinct.errors import TinctError
from tinct.photo import open_photo
from tinct.photo.signatures import sniff

SHIFT = 1.5
"""How far the mean L* may be off, in units of CIE Lab."""
COLUMNS = ("colored", "checked", "clear error", "wrong", "traceback", "hang", "crash")
PIXELS = 30_000_000


def color_one(colorizer: Colorizer, path: Path) -> dict[str, Any]:
    """Color a file; return what came of it, without raising."""
    try:
        colored = colorizer.color(colorizer.open(path), Settings(quality="fast"))
        data = colored.encode("png")
    except TinctError as error:
        return {"outcome": "clear error", "why": str(error)}
    except Exception as error:  # noqa: BLE001  (what is looked for)
        return {"outcome": "traceback", "why": f"{type(error).__name__}: {error}"}
    try:
        differs = compare(path, data)
    except Exception as error:  # noqa: BLE001  (the independent reader cannot read it)
        return {"outcome": "colored", "why": f"not checked: {type(error).__name__}: {error}"}
    if differs:
        return {"outcome": "wrong", "why": "; ".join(differs)}
    return {"outcome": "checked", "why": ""}


def compare(path: Path, data: bytes) -> list[str]:
    """Return how a colored PNG differs from its input, as other libraries read both."""
    import imagecodecs

    pixels = imagecodecs.png_decode(data)
    top = np.iinfo(pixels.dtype).max
    given, clear, wide, tags = _read(path)
    found = []
    if given.shape[:2] != pixels.shape[:2]:
        return [f"size {pixels.shape[1::-1]}, not {given.shape[1::-1]}"]
    if wide and pixels.dtype == np.uint8:
        found.append("16 bits became 8")
    if clear and pixels.shape[2] == 3:
        with Image.open(path) as image:
            nothing = image.convert("RGBA").getchannel("A").getextrema()[1] == 0
        if nothing or open_photo(path).alpha is not None:
            return found  # clear everywhere, or ink on nothing: as the guide says
    if clear != (pixels.shape[2] == 4):
        found.append("transparency lost" if clear else "transparency from nowhere")
    if not clear and pixels.shape[2] == 4 and (pixels[..., 3] == top).all():
        return found
    # What lies under clear pixels is nobody's business.
    seen = pixels[::2, ::2, 3] > 0 if pixels.shape[2] == 4 else np.ones_like(pixels[::2, ::2, 0])
    seen = seen.astype(bool)
    if not seen.any():
        return found
    ours = float(rgb_to_lab(pixels[::2, ::2, :3][seen] / top)[..., 0].mean())
    theirs = float(rgb_to_lab(given[::2, ::2][seen].astype(np.float64))[..., 0].mean())
    if abs(ours - theirs) > SHIFT:
        found.append(f"mean L* {ours:.1f}, not {theirs:.1f}")
    kept = Image.open(io.BytesIO(data)).getexif()
    found += [f"EXIF {tag} lost" for tag, value in tags.items() if value and tag not in kept]
    return found


def _read(path: Path) -> tuple[NDArray[Any], bool, bool, dict[int, Any]]:
    """Read a picture with Pillow: sRGB 0..1 upright, whether it has alpha or 16 bits, its EXIF."""
    with suppress(ImportError):  # without it HEIC is not checked
        import pillow_heif

        pillow_heif.register_heif_opener()
    with Image.open(path) as image:
        image.load()
        tags = {tag: image.getexif().get(tag) for tag in (271, 272, 306, 315, 33432)}
        profile = image.info.get("icc_profile")
        clear = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
        wide = image.mode.startswith("I")
        upright: Image.Image = ImageOps.exif_transpose(image) or image
        if wide:
            codes = np.asarray(upright).astype(np.float64) / 65535
            tags_of = getattr(image, "tag_v2", {})
            if tags_of.get(258) == (12,):  # which stay 12 bits in Pillow
                codes *= 65535 / 4095
            codes = _through_gamma(codes, image)
            return np.repeat(codes[..., None], 3, axis=2), clear, True, tags
        if upright.mode == "F":
            raise ValueError("floats are stretched")
        if profile and upright.mode in ("RGB", "L", "CMYK", "RGBA", "P"):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            plain = upright.convert("RGB") if upright.mode in ("RGBA", "P") else upright
            upright = ImageCms.profileToProfile(  # type: ignore[assignment]
                plain,
                source,
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            )
        elif upright.mode == "CMYK":
            raise ValueError("CMYK without a profile is a matter of opinion")
        rgb = np.asarray(upright.convert("RGBA" if clear else "RGB").convert("RGB")) / 255
        return _through_gamma(rgb, image), clear, False, tags


def _through_gamma(codes: NDArray[Any], image: Image.Image) -> NDArray[Any]:
    """Apply PNG's gAMA, which Pillow leaves to others."""
    gamma = image.info.get("gamma")
    plain = "icc_profile" in image.info or "srgb" in image.info
    if not gamma or plain or 0.43 <= gamma <= 0.48:
        return codes
    return np.asarray(linear_to_srgb(codes ** (1 / gamma)))


def serve() -> None:
    """Color the files whose names come on standard input; answer each with a line of JSON."""
    warnings.simplefilter("ignore")
    colorizer = Colorizer("photo")
    for line in sys.stdin:
        answer = color_one(colorizer, Path(json.loads(line)))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


class Worker:
    """A process that colors files one after the other; a new one begins where it dies or hangs."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.process: subprocess.Popen[str] | None = None

    def ask(self, path: Path) -> dict[str, Any]:
        """Have a file colored."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.field", "--serve"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(str(path)) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], self.seconds)
        line = self.process.stdout.readline() if ready else ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.process.kill()
        code, self.process = self.process.wait(), None
        return {"outcome": "crash" if ready else "hang", "why": f"exit code {code}"}


def kind_of(path: Path) -> str:
    """Return the format of a file by its content, or ``unknown``."""
    try:
        with path.open("rb") as stream:
            return sniff(stream.read(64))
    except (TinctError, OSError):
        return "unknown"


def files_in(folders: Sequence[str]) -> Iterator[Path]:
    """Give every file below the folders."""
    for folder in folders:
        yield from sorted(path for path in Path(folder).rglob("*") if path.is_file())


def table(counts: dict[str, Counter[str]]) -> str:
    """Return the counts as a Markdown table."""
    lines = ["| format | files | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    total: Counter[str] = Counter()
    for count in counts.values():
        total += count
    for kind, count in [*sorted(counts.items()), ("all", total)]:
        held = [count[name] for name in COLUMNS]
        held[0] = count["colored"] + count["checked"] + count["wrong"]
        lines.append(f"| {kind} | {count.total()} | " + " | ".join(map(str, held)) + " |")
    return "\n".join(lines)


def main() -> int:
    """Run over the folders, print what is wrong and the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.field", description=__doc__)
    parser.add_argument("folders", nargs="*", metavar="FOLDER")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--log", type=Path, help="every file with its outcome, as lines of JSON")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
        return 0
    worker = Worker(given.seconds)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    with given.log.open("w") if given.log else io.StringIO() as log:
        for path in files_in(given.folders):
            answer = worker.ask(path)
            kind = kind_of(path)
            counts[kind][answer["outcome"]] += 1
            log.write(json.dumps({"file": str(path), "kind": kind} | answer) + "\n")
    sys.stdout.write(table(counts) + "\n")
    bad = sum(count[name] for count in counts.values() for name in COLUMNS[3:])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
