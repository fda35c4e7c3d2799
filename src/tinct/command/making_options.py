"""What the commands of the make wing accept; imports nothing heavy."""

from __future__ import annotations

from tinct.command.parsing import Parser, at_least, setting


def train() -> Parser:
    """Return the parser of ``tinct train``."""
    parser = Parser(
        "train",
        description="Train a model from a recipe. Needs the extra: pip install 'tinct[train]'",
        epilog="""\
examples:
  tinct train --list
  tinct train flagship-photo --size nano --data pictures --out runs/first
  tinct train flagship-photo --data a --data b --out runs/big --set stages.0.steps=9000
  tinct train flagship-photo --data a --data b --out runs/big --resume
  tinct train flagship-photo --data a --data b --out runs/more --from photo""",
    )
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="one that --list names")
    parser.add_argument("--list", action="store_true", help="list the recipes")
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="FOLDER",
        help="a folder of color pictures; may be repeated",
    )
    parser.add_argument("--out", metavar="RUN", help="the folder that keeps the run")
    parser.add_argument(
        "--size",
        choices=("nano", "small", "full"),
        default="full",
        help="nano for a test, small for a laptop, full (as published; default) for a GPU",
    )
    parser.add_argument(
        "--set",
        type=setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change one value of the recipe; may be repeated",
    )
    parser.add_argument("--resume", action="store_true", help="go on where RUN stopped")
    parser.add_argument(
        "--from",
        dest="start",
        metavar="MODEL",
        help="begin with the weights of a run or a model, by folder or name",
    )
    parser.add_argument(
        "--new",
        action="append",
        default=[],
        metavar="PART",
        help="a part of the network that MODEL does not have, such as net.more8; may be repeated",
    )
    parser.add_argument(
        "--anew",
        action="append",
        default=[],
        metavar="PART",
        help="a part that begins anew although MODEL has it, such as net.encoder; may be repeated",
    )
    return parser


def export() -> Parser:
    """Return the parser of ``tinct export``."""
    parser = Parser(
        "export",
        description="Turn a training run into a model, or a model into one that decodes color "
        "differently. Needs the extra: pip install 'tinct[train]'",
        epilog="""\
examples:
  tinct export runs/first -o mine && tinct photo.jpg --model mine
  tinct export photo --set gain=0.8 -o calmer""",
    )
    parser.add_argument(
        "run", metavar="RUN", help="the folder of a training run; or a model, with --set"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FOLDER", help="the bundle folder to write"
    )
    parser.add_argument("--name", metavar="NAME", help="the model's name (default: the folder's)")
    parser.add_argument(
        "--set",
        type=setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="how color is decoded, such as temperature=0.3; may be repeated",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a bundle that exists")
    return parser


def pack() -> Parser:
    """Return the parser of ``tinct pack``."""
    parser = Parser(
        "pack",
        description="Pack color pictures, small, into tar files for training somewhere else. "
        "Needs the extra: pip install 'tinct[train]'",
        epilog="""\
example:
  tinct pack photos animals=0.5 -o packed && tinct train flagship-photo --data packed --out run""",
    )
    parser.add_argument(
        "folders", nargs="+", metavar="FOLDER[=SHARE]", help="pictures, or a share of them, 0 to 1"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="a new folder")
    parser.add_argument(
        "--mib", type=at_least(1), default=60, metavar="N", help="largest file, MiB (default: 60)"
    )
    parser.add_argument(
        "--short",
        type=at_least(16),
        default=128,
        metavar="N",
        help="short sides are shrunk to N pixels (default: 128)",
    )
    return parser


def average() -> Parser:
    """Return the parser of ``tinct average``."""
    parser = Parser(
        "average",
        description="Make the mean of several training runs' weights a run of its own, to export "
        "it or to go on from it. Needs the extra: pip install 'tinct[train]'",
        epilog="""\
example:
  tinct average runs/before runs/after=3 -o runs/mean && tinct export runs/mean -o mine""",
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN[=SHARE]",
        help="folders of runs of one network, and how much each counts (default: 1)",
    )
    parser.add_argument("-o", "--output", required=True, metavar="RUN", help="a new folder")
    return parser


def finetune() -> Parser:
    """Return the parser of ``tinct finetune``."""
    parser = Parser(
        "finetune",
        description="Adapt a model to your own color pictures, in minutes, on a processor. "
        "Needs the extra: pip install 'tinct[train]'",
        epilog="""\
example:
  tinct finetune color-slides -o mine && tinct photo.jpg --model mine""",
    )
    parser.add_argument("folder", metavar="FOLDER", help="30 to 3000 color pictures of a kind")
    parser.add_argument(
        "--from",
        dest="start",
        default="photo",
        metavar="MODEL",
        help="the model to begin with, by folder or name (default: photo)",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="BUNDLE", help="the bundle folder to write"
    )
    parser.add_argument("--name", metavar="NAME", help="the model's name (default: the folder's)")
    parser.add_argument("--overwrite", action="store_true", help="replace a bundle that exists")
    return parser


def report() -> Parser:
    """Return the parser of ``tinct report``."""
    parser = Parser(
        "report",
        description="Compare runs and models in one table, with pictures and training curves. "
        "Needs the extra: pip install 'tinct[train]'",
        epilog="""\
examples:
  tinct report photo runs/mine runs/other --data pictures --html report.html --json report.json
  tinct report photo zoo/* --data photos --data lineart --limit 100 --html report.html
  tinct report zoo/* --data photos --show free/photos --markdown docs/comparison.md""",
    )
    parser.add_argument(
        "models",
        nargs="+",
        metavar="RUN|NAME|PATH",
        help="folders of training runs, bundle folders, or models that `tinct models` lists",
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="FOLDER",
        help="true color pictures; for line art with color/ and sketch/; may be given twice",
    )
    parser.add_argument(
        "--show",
        action="append",
        default=[],
        metavar="FOLDER",
        help="show pictures of FOLDER, laid out likewise, instead of those measured",
    )
    parser.add_argument(
        "--limit", type=at_least(1), metavar="N", help="measure only N pictures, evenly spread"
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--html", metavar="FILE", help="write one page with pictures to FILE")
    parser.add_argument(
        "--markdown", metavar="FILE", help="write a page for a repository; text around it stays"
    )
    parser.add_argument(
        "--pictures",
        metavar="FOLDER",
        help="where the pictures of the --markdown page go (default: beside it, by its name)",
    )
    return parser
