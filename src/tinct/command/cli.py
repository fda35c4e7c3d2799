"""The command line: ``tinct photo.jpg`` and the commands.

Data and JSON go to stdout, everything else to stderr. Nothing heavy is imported before a command
needs it.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from tinct import __version__
from tinct.command import options, parsing, terminal
from tinct.command.terminal import ended
from tinct.errors import DeviceError, SaveError, TinctError, UsageError

COMMANDS = {
    "colorize": "colorize:colorize",
    "suggest": "suggest:suggest",
    "restore": "restore:restore",
    "verify": "restore:verify",
    "studio": "studio:studio",
    "serve": "studio:serve",
    "models": "commands:models",
    "doctor": "commands:doctor",
    "evaluate": "commands:evaluate",
    "jobs": "commands:jobs",
    "cluster": "commands:cluster",
    "train": "commands:train",
    "pack": "commands:pack",
    "average": "commands:average",
    "finetune": "commands:finetune",
    "export": "commands:export",
    "report": "commands:report",
}
"""Where in this package each command is; imported when it is given."""
TIDY = {"av", "coverage", "multiprocessing.util", "ray", "torch"}
"""Libraries that have something to do when a program ends."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the words after ``tinct``; None takes those of this process.

    Returns:
        The exit code, one of `tinct.command.options.exit_codes`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _survive_narrow_encodings()
    code = _guarded(lambda: _run(words))

    def flushed() -> int:
        sys.stdout.flush()
        return code

    return _guarded(flushed, told=code != 0)


def run() -> int:
    """Run the command line as the program ``tinct``, and leave.

    All files are closed and all words said when :func:`main` is done. To take Python, ONNX Runtime
    and libvips down in order takes a tenth of the time of one picture, so it is left out where no
    thread goes on and no library is loaded that has something to tidy up at the end.
    """
    # The threads that NumPy's OpenBLAS keeps wait for work by spinning: after every small product
    # they would take a core from the pictures for some milliseconds.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    code = main()
    if threading.active_count() == 1 and not TIDY & sys.modules.keys():
        os._exit(code)
    return code


def _guarded(work: Callable[[], int], *, told: bool = False) -> int:
    """Do ``work``; return its exit code, or that of what went wrong, after one sentence.

    With ``told`` the sentence about stdout was printed before.
    """
    try:
        return work()
    except TinctError as error:
        terminal.complain(f"tinct: {ended(error)}")
        return error.exit_code
    except KeyboardInterrupt:
        terminal.complain("tinct: interrupted")
        return options.INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return options.READER_GONE
    except OSError as error:
        _silence_stdout()
        what = "the output" if error.filename is None else os.fsdecode(error.filename)
        why = (error.strerror or str(error)).lower()
        if not told:
            terminal.complain(
                f"tinct: {what} cannot be used ({why}); check the name, the permissions "
                "and the free space"
            )
        return SaveError.exit_code
    except MemoryError:
        terminal.complain("tinct: not enough memory; close other programs or use smaller pictures")
        return DeviceError.exit_code


def _run(words: list[str]) -> int:
    """Carry out one command line."""
    if not words or words[0] in ("-h", "--help", "help"):
        terminal.write(options.main_help())
        return 0 if words else UsageError.exit_code
    if words[0] in ("--version", "-V"):
        terminal.write(f"tinct {__version__}")
        return 0
    if "--" in words:  # what follows are names, even those that begin with a dash
        place = words.index("--")
        names = [f"./{word}" if word[:1] == "-" < word else word for word in words[place + 1 :]]
        words = [*words[:place], *names]
        if not words:
            raise UsageError("name a picture after --")
    command = words[0]
    if command in COMMANDS:
        words = words[1:]
    else:
        _check_command(command)
        command = "colorize"
    try:
        given = options.PARSERS[command]().parse_intermixed_args(words)
    except SystemExit as leaving:  # argparse leaves this way after --help
        return int(leaving.code or 0)
    module, name = COMMANDS[command].split(":")
    carry_out = getattr(import_module(f"tinct.command.{module}"), name)
    return int(carry_out(given))


def _check_command(word: str) -> None:
    """Raise UsageError when ``word`` is rather a mistyped command than a picture."""
    if word.startswith("-") or Path(word).suffix or os.path.lexists(word):
        return
    hint = parsing.meant(word, list(COMMANDS))
    if hint:
        raise UsageError(f"there is neither a command nor a picture {word!r}{hint}")


def _survive_narrow_encodings() -> None:
    """Let characters that a console cannot show be replaced instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _silence_stdout() -> None:
    """Point stdout at nothing, so that Python's last flush cannot fail again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
