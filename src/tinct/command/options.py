"""What every command of the command line accepts, and the help that says so.

Imports nothing heavy, so that ``--help`` and ``--version`` answer at once. `tinct.command.cli`
carries the commands out.
"""

from __future__ import annotations

from collections.abc import Callable

from tinct.command import making_options, serving_options
from tinct.command.option_groups import add_films, add_folders, add_model, add_pipes
from tinct.command.parsing import (
    FORMATS,
    Parser,
    at_least,
    gpu_share,
    json_name,
    one_of,
    picture_format,
    strength_of,
    warmth_of,
    whole_numbers,
)
from tinct.errors import TinctError
from tinct.settings import AUTO, KEEPS, STRONGEST, WARMEST

INTERRUPTED = 130  # 128 + SIGINT, as shells count
READER_GONE = 141  # 128 + SIGPIPE

COMMANDS = {
    "colorize": "color pictures; the word may be left out",
    "suggest": "say where the model is unsure of a picture, and which colors are likely there",
    "restore": "give back the gray JPEG that a colored one was made of, byte for byte",
    "verify": "say whether the gray of colored JPEGs is untouched",
    "studio": "open the page where pictures are colored by hand",
    "serve": "answer HTTP requests, and serve the page",
    "models": "list the installed models, or show the card of one",
    "doctor": "say what works on this computer",
    "evaluate": "measure a model on a folder of color pictures",
    "jobs": "show what was done in a folder of results",
    "cluster": "color very many pictures on many machines",
    "train": "train a model from a recipe",
    "pack": "pack pictures into tar files for training somewhere else",
    "average": "make the mean of several runs' weights a run",
    "finetune": "adapt a model to your own color pictures",
    "export": "turn a training run into a model bundle, or choose a bundle's decoding anew",
    "report": "compare runs and models in one table, with pictures",
}

MAIN_HELP = """\
usage: tinct PICTURE... [-o FILE|FOLDER] [--strength S] [--hint X,Y=COLOR] ...
       tinct COMMAND ...

Color black-and-white photographs and line drawings: offline, at full size; photographs
keep their exact lightness, drawings their lines.

  tinct photo.jpg                     write photo.color.jpg beside it
  tinct *.jpg -o colored/             color several pictures, or a whole folder
  tinct scan.tif -o out.tif --strength 0.8
  tinct photo.jpg --hint 0.42,0.6=#b04030
  cat photo.jpg | tinct - > colored.jpg

commands (tinct COMMAND --help tells more; tinct colorize --help lists every option):
{commands}

  -h, --help     show this help
  --version      show the version

{codes}"""


def exit_codes() -> dict[int, str]:
    """Return every exit code of the command line and what it means, in order."""
    codes = {0: "done", 1: "any other error"}
    for kind in TinctError.__subclasses__():
        meaning = (kind.__doc__ or "").split("\n", maxsplit=1)[0].rstrip(".")
        codes[kind.exit_code] = meaning[0].lower() + meaning[1:]
    return {
        **dict(sorted(codes.items())),
        INTERRUPTED: "interrupted (Ctrl-C); no half-written file is left",
        READER_GONE: "the reader of the output went away",
    }


def codes_help() -> str:
    """Return the exit codes as help text."""
    return "\n".join(["exit codes:", *(f"  {n:<4} {text}" for n, text in exit_codes().items())])


def main_help() -> str:
    """Return what ``tinct --help`` prints."""
    commands = "\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())
    return MAIN_HELP.format(commands=commands, codes=codes_help())


def colorize() -> Parser:
    """Return the parser of ``tinct colorize``."""
    parser = Parser(
        "colorize",
        description="Color pictures. The word colorize may be left out: tinct photo.jpg",
        epilog="""\
examples:
  tinct photo.jpg                     write photo.color.jpg beside it
  tinct album -o colored/             every picture in the folder album; again: the rest of them
  tinct archive -o colored/ --recursive --glob '*.tif'
  tinct photo.jpg --hint 0.42,0.6=#b04030 --hint 0.1,0.9=olive
  tinct photo.jpg --hints painted.png --save-recipe
  tinct large.jpg --recipe photo.tinct.json
  tinct film.mp4 -o color.mp4         a film, with its sound
  tinct a.jpg b.jpg --json            one JSON object for each picture
  cat photo.jpg | tinct - > colored.jpg

Where a hint lies is counted from the top left: 0.5,0.5 is the middle of the picture;
420px,600px counts its pixels.

The model auto tells line drawings from photographs and colors each with its own model.""",
    )
    parser.add_argument(
        "pictures",
        nargs="+",
        metavar="PICTURE",
        help="picture files, folders of pictures, or - for stdin",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE|FOLDER",
        help="where the result goes; - is stdout (default: beside the input, as NAME.color.EXT)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files that exist, also those that are no results of tinct",
    )
    parser.add_argument(
        "--format",
        type=picture_format,
        metavar="F",
        help=f"{', '.join(FORMATS)} (default: as the input)",
    )
    parser.add_argument(
        "--strength",
        type=strength_of,
        metavar="S",
        help="how strong the colors are: 0 is gray, 1 as the model proposes (default), up to "
        f"{STRONGEST:g}",
    )
    parser.add_argument(
        "--warmth",
        type=warmth_of,
        metavar="W",
        help=f"{-WARMEST:g} (cooler) to {WARMEST:g} (warmer); grays and hints stay as they are",
    )
    parser.add_argument(
        "--hint",
        action="append",
        default=[],
        metavar="X,Y=COLOR",
        help="the color at a point, or along a stroke: 'X,Y X,Y=COLOR'; #rrggbb, a CSS name, "
        "lab(L a b), or gray: no color here; may be repeated",
    )
    parser.add_argument(
        "--hints",
        action="append",
        default=[],
        metavar="FILE",
        help="a picture with colors painted on it, clear elsewhere, or a list of hints in JSON; "
        "may be repeated",
    )
    parser.add_argument(
        "--reference",
        metavar="FILE",
        help="a picture in color whose palette the colors take",
    )
    parser.add_argument(
        "--recipe",
        metavar="FILE",
        help="color as FILE.tinct.json says; options beside it win, hints are added to its own",
    )
    parser.add_argument(
        "--save-recipe",
        type=json_name,
        nargs="?",
        const=True,
        metavar="FILE.json",
        help="write hints, model and settings to FILE.json (default: NAME.tinct.json beside the "
        "result)",
    )
    parser.add_argument(
        "--flat",
        action="store_true",
        help="give each region of a drawing one color",
    )
    parser.add_argument(
        "--keep",
        type=one_of(KEEPS),
        metavar="K",
        help="what of a photograph stays: lightness (L* of each pixel), luma (the gray picture "
        "can be had back exactly), or auto (default): luma from gray JPEG to JPEG, else lightness",
    )
    parser.add_argument(
        "--layers",
        metavar="FILE.ora",
        help="also write layers for drawing programs: lines, shading and flats; of a photograph, "
        "color and lightness",
    )
    parser.add_argument(
        "--all-pages", action="store_true", help="color every page of a multi-page file"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one line of JSON for each picture"
    )
    add_pipes(parser)
    add_folders(parser)
    add_films(parser)
    add_model(parser, default=AUTO)
    parser.set_defaults(model=None, quality=None)  # a recipe may say them
    return parser


def suggest() -> Parser:
    """Return the parser of ``tinct suggest``."""
    parser = Parser(
        "suggest",
        description="Say where the model is unsure of a picture, and which colors are likely.",
        epilog="""\
examples:
  tinct suggest photo.jpg                    places to look at, with hints to try
  tinct suggest photo.jpg --map doubt.png    bright is where it is unsure
  tinct suggest photo.jpg --variants 3       write photo.variant1.jpg and so on
  tinct suggest photo.jpg --json

Each line gives a place and its likely colors, as --hint of tinct photo.jpg takes them.""",
    )
    parser.add_argument("picture", metavar="PICTURE", help="a picture file")
    parser.add_argument(
        "--count", type=at_least(1), default=5, metavar="N", help="places at most (default: 5)"
    )
    parser.add_argument(
        "--colors", type=at_least(1), default=4, metavar="N", help="colors each (default: 4)"
    )
    parser.add_argument("--map", metavar="FILE", help="draw where the model is unsure, in gray")
    parser.add_argument(
        "--variants",
        type=at_least(1),
        metavar="N",
        help="also write N pictures whose most doubtful regions have other likely colors",
    )
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", help="where variants go (default: beside the picture)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_model(parser, default=AUTO)
    return parser


def restore() -> Parser:
    """Return the parser of ``tinct restore``."""
    parser = Parser(
        "restore",
        description="Give back the gray JPEG that tinct colored, byte for byte.",
        epilog="""\
examples:
  tinct restore photo.color.jpg -o photo.jpg
  tinct restore photo.color.jpg -o - > photo.jpg

A gray JPEG that is colored as a JPEG keeps its gray and everything beside it; what comes back is
checked by its SHA-256. Programs that save the colored picture anew lose the original.""",
    )
    parser.add_argument("picture", metavar="PICTURE", help="a JPEG that tinct colored")
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="where it goes; - is stdout"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    return parser


def verify() -> Parser:
    """Return the parser of ``tinct verify``."""
    parser = Parser(
        "verify",
        description="Say whether the gray of colored JPEGs is untouched, and can be given back.",
        epilog="Leaves with 0 when that holds for all of them.",
    )
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="JPEGs that tinct colored")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each")
    return parser


def models() -> Parser:
    """Return the parser of ``tinct models``."""
    parser = Parser(
        "models",
        description="List the installed models, or show the card of one.",
        epilog="""\
examples:
  tinct models
  tinct models photo

A model is a folder with model.onnx, manifest.json and card.md. tinct finds those that came
with it and those in $TINCT_HOME/models; any other one is used by its path.""",
    )
    parser.add_argument("name", nargs="?", metavar="NAME|PATH", help="show the card of this model")
    parser.add_argument("--json", action="store_true", help="print manifests as JSON")
    return parser


def doctor() -> Parser:
    """Return the parser of ``tinct doctor``."""
    parser = Parser(
        "doctor",
        description="Say what works on this computer: versions, devices, formats, models.",
        epilog="Leaves with 0 when pictures can be colored here, else with 1.",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser


def jobs() -> Parser:
    """Return the parser of ``tinct jobs``."""
    parser = Parser(
        "jobs",
        description="Show the journal of a folder of results: what was colored, when, by which "
        "model, whether it still is as it was written, and what failed the last time.",
        epilog="""\
examples:
  tinct album -o colored/
  tinct jobs colored/""",
    )
    parser.add_argument("folder", metavar="FOLDER", help="the folder of results")
    parser.add_argument(
        "--json", action="store_true", help="print one line of JSON for each result"
    )
    return parser


def cluster() -> Parser:
    """Return the parser of ``tinct cluster``."""
    parser = Parser(
        "cluster",
        description="Color very many pictures on many machines with Ray, from one folder or "
        "store into another. Needs the extra: pip install 'tinct[ray]'",
        epilog="""\
examples:
  tinct cluster scans colored --workers 2
  tinct cluster s3://archive/scans s3://archive/colored --address auto
  tinct cluster scans colored --address auto --device cuda --gpus 0.25

The same command again colors the rest. What became of every picture stands in Parquet tables in
.tinct-cluster, beside the results.""",
    )
    parser.add_argument("source", metavar="IN", help="a folder, or a URI that pyarrow knows")
    parser.add_argument("target", metavar="OUT", help="likewise, for the results")
    parser.add_argument(
        "--workers", type=at_least(1), metavar="N", help="models at work (default: what fits)"
    )
    parser.add_argument(
        "--gpus", type=gpu_share, default=0.0, metavar="S", help="share of a GPU for each"
    )
    parser.add_argument(
        "--address", metavar="A", help="of a running cluster, or auto (default: this machine)"
    )
    parser.add_argument(
        "--format", type=picture_format, metavar="F", help="(default: as the input)"
    )
    parser.add_argument("--strength", type=strength_of, metavar="S", help="of the colors")
    parser.add_argument("--warmth", type=warmth_of, metavar="W", help="of the colors")
    parser.add_argument(
        "--recipe", metavar="FILE", help="color as FILE.tinct.json says; options beside it win"
    )
    parser.add_argument("--force", action="store_true", help="color again what is done")
    parser.add_argument("--json", action="store_true", help="print the outcome as one line of JSON")
    add_model(parser, default=AUTO)
    parser.set_defaults(model=None, quality=None)  # a recipe may say them
    return parser


def evaluate() -> Parser:
    """Return the parser of ``tinct evaluate``."""
    parser = Parser(
        "evaluate",
        description="Measure a model on color pictures, beside gray and the true mean color. "
        "Models for line art are given FOLDER/sketch, or drawings made of the pictures.",
        epilog="""\
examples:
  tinct evaluate pictures --html report.html
  tinct evaluate pictures --model runs/mine/bundle --hints 10 --json results.json
  tinct evaluate drawings --model lineart --hints 0,1,5,10,20,50
  tinct evaluate pictures --faded 100,50,30,20,12 --limit 100""",
    )
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        help="color pictures, the truth; or with color/ and sketch/ in it",
    )
    parser.add_argument(
        "--hints",
        type=whole_numbers,
        default=(0,),
        metavar="N[,N...]",
        help="give N random points of the truth as hints (default: 0); several numbers: one after "
        "the other, in one table",
    )
    parser.add_argument(
        "--limit", type=at_least(1), metavar="N", help="measure only N pictures, evenly spread"
    )
    parser.add_argument(
        "--faded",
        type=whole_numbers,
        metavar="P[,P...]",
        help="instead, color the pictures with P percent of their contrast, as old prints have: "
        "100,50,30,20,12",
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--html", metavar="FILE", help="write a report with pictures to FILE")
    add_model(parser, default="photo")
    return parser


PARSERS: dict[str, Callable[[], Parser]] = {
    "colorize": colorize,
    "suggest": suggest,
    "restore": restore,
    "verify": verify,
    "studio": serving_options.studio,
    "serve": serving_options.serve,
    "models": models,
    "doctor": doctor,
    "evaluate": evaluate,
    "jobs": jobs,
    "cluster": cluster,
    "train": making_options.train,
    "pack": making_options.pack,
    "average": making_options.average,
    "finetune": making_options.finetune,
    "export": making_options.export,
    "report": making_options.report,
}
