"""Options that several commands share; imports nothing heavy."""

from __future__ import annotations

from tinct.command.parsing import Parser, at_least, frame_size, one_of
from tinct.settings import QUALITIES, Settings

DEFAULTS = Settings()


def add_model(parser: Parser, *, default: str) -> None:
    """Add the options that say which model runs, and where."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model",
        default=default,
        metavar="NAME|PATH",
        help=f"a model that `tinct models` lists, or a bundle folder (default: {default})",
    )
    group.add_argument(
        "--quality",
        type=one_of(QUALITIES),
        default=DEFAULTS.quality,
        metavar="Q",
        help=f"fast, balanced or best: the size at which the model looks "
        f"(default: {DEFAULTS.quality})",
    )
    group.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="auto, cpu, cuda, ...; `tinct doctor` lists what is here (default: auto)",
    )
    group.add_argument(
        "--threads",
        type=at_least(1),
        metavar="N",
        help="CPU threads (default: one for each core)",
    )


def add_folders(parser: Parser) -> None:
    """Add the options that say which pictures of folders are colored."""
    group = parser.add_argument_group("folders")
    group.add_argument(
        "--recursive",
        action="store_true",
        help="also the pictures in folders inside a folder; the results lie in such folders, too",
    )
    group.add_argument(
        "--glob",
        metavar="PATTERN",
        help="of a folder only what fits: '*.tif', or a path in it: '1931/*.tif'",
    )
    group.add_argument(
        "--watch",
        action="store_true",
        help="go on and color what comes into the folders, until Ctrl-C; needs the extra: pip "
        "install 'tinct[watch]'",
    )
    group.add_argument(
        "--sheet",
        metavar="FILE.html|.jpg",
        help="also write a contact sheet of before and after, the most doubtful pictures first",
    )
    group.add_argument(
        "--force",
        action="store_true",
        help="color again what is done; without it, a folder's finished pictures are skipped",
    )


def add_pipes(parser: Parser) -> None:
    """Add the option for raw frames."""
    parser.add_argument(
        "--raw",
        type=frame_size,
        metavar="WxH",
        help="from stdin to stdout, raw frames of that size in pixels: RGB, 8 bits (ffmpeg: -f "
        "rawvideo -pix_fmt rgb24)",
    )


def add_films(parser: Parser) -> None:
    """Add the options for films."""
    group = parser.add_argument_group("films (need the extra: pip install 'tinct[video]')")
    group.add_argument(
        "--encoder",
        metavar="NAME",
        help="libx264 (default), libx265 (default for 10 bits), libsvtav1, libvpx-vp9, ...",
    )
    group.add_argument(
        "--crf",
        type=at_least(0),
        metavar="N",
        help="quality of the encoder, smaller is better and larger (default: 18 for libx264)",
    )
    group.add_argument(
        "--frame-by-frame",
        action="store_true",
        help="color every frame for itself: faster, and it flickers",
    )
    group.add_argument(
        "--stills", metavar="FOLDER", help="also save a colored picture of each shot"
    )
