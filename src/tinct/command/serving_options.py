"""What ``tinct studio`` and ``tinct serve`` accept."""

from __future__ import annotations

from tinct.command.parsing import Parser, at_least

PORT = 8642


def studio() -> Parser:
    """Return the parser of ``tinct studio``."""
    parser = Parser(
        "studio",
        description="Open a page on this computer where pictures are colored by hand.",
        epilog="""\
examples:
  tinct studio
  tinct studio --port 9000

Pictures stay on this computer. Ctrl-C ends it.""",
    )
    _add(parser)
    parser.set_defaults(browser=True, workers=1, log=False)
    return parser


def serve() -> Parser:
    """Return the parser of ``tinct serve``."""
    parser = Parser(
        "serve",
        description="Answer HTTP requests of programs, and serve the page of tinct studio.",
        epilog="""\
examples:
  tinct serve
  curl -F picture=@photo.jpg http://127.0.0.1:8642/v1/colorize -o colored.jpg
  tinct serve --host 0.0.0.0 --token SECRET

What it answers is told at /docs, for programs at /openapi.json.""",
    )
    _add(parser)
    parser.add_argument(
        "--workers",
        type=at_least(1),
        default=1,
        metavar="N",
        help="processes; more than one keep no sessions and serve no page (default: 1)",
    )
    parser.add_argument(
        "--log", action="store_true", help="tell every answer on stderr, as a line of JSON"
    )
    parser.set_defaults(browser=False)
    return parser


def _add(parser: Parser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="A", help="address to listen at (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=int, default=PORT, metavar="N", help=f"0 takes a free one (default: {PORT})"
    )
    parser.add_argument("--token", metavar="T", help="must come along with every request")
    parser.add_argument(
        "--insecure", action="store_true", help="let other computers in without a token"
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="another name under which the server is asked; may be repeated",
    )
    parser.add_argument(
        "--max-upload", type=at_least(1), default=200, metavar="MB", help="(default: 200)"
    )
    parser.add_argument(
        "--max-pixels", type=at_least(1), default=120, metavar="MP", help="millions (default: 120)"
    )
    parser.add_argument(
        "--at-once", type=at_least(1), metavar="N", help="pictures worked on at a time"
    )
    parser.add_argument(
        "--queue",
        type=at_least(1),
        default=32,
        metavar="N",
        help="requests that wait (default: 32)",
    )
