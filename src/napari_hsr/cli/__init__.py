"""The command line, ``napari-hsr``: one command a file.

A command module has ``HELP`` (one line), ``add_arguments(parser)`` and ``run(args) -> int``,
the exit status. It imports what it needs inside ``run``, so that ``--help`` is instant.

Exit status: 0 all well · 1 something failed · 2 wrong usage · 130 interrupted · 143 ended by SIGTERM ·
129 by SIGHUP.
"""

from __future__ import annotations

import argparse
import atexit
import os
import re
import sys
import textwrap
import threading
from contextlib import ExitStack, suppress
from io import StringIO
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from napari_hsr import __version__
from napari_hsr.cli import (
    anchors,
    calibrate,
    chart,
    classify,
    components,
    convert,
    demo,
    evaluate,
    index,
    info,
    library,
    match,
    models,
    predict,
    render,
    spectra,
    stress,
    super_resolve,
    train,
    trust,
    unmix,
)
from napari_hsr.cli.files import files_of, with_homes
from napari_hsr.cli.interrupt import ending_cleanly, ending_quietly, leave_tasks_alone
from napari_hsr.cli.little_memory import looked_after
from napari_hsr.cli.output import hints_of, sentence, warnings_in_words
from napari_hsr.errors import Cancelled, hints_worded
from napari_hsr.io.library_errors import check_folder
from napari_hsr.io.limits import allowing_large
from napari_hsr.progress import COMPUTING_THREAD
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The exit status of a command that was interrupted.
INTERRUPTED = 130

COMMANDS = {
    "demo": demo,
    "info": info,
    "predict": predict,
    "super-resolve": super_resolve,
    "evaluate": evaluate,
    "render": render,
    "calibrate": calibrate,
    "convert": convert,
    "library": library,
    "spectra": spectra,
    "index": index,
    "match": match,
    "classify": classify,
    "components": components,
    "unmix": unmix,
    "models": models,
    "trust": trust,
    "anchors": anchors,
    "chart": chart,
    "stress": stress,
    "train": train,
}


class _Help(argparse.RawDescriptionHelpFormatter):
    """Names are never cut at their hyphens."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with an argument in a sentence, however long that is."""

    def error(self, message: str) -> NoReturn:
        super().error(one_line(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Of help and version it matters whether they could be written: argparse itself swallows that."""
        if file is not sys.stdout:
            super()._print_message(message, file)
            return
        file.write(message)
        file.flush()


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``napari-hsr`` with all its commands."""
    # Understood before and after the command; SUPPRESS keeps one from undoing the other.
    common = _Parser(add_help=False)
    common.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show the traceback of an error",
    )
    common.add_argument(
        "--allow-large",
        action="store_true",
        default=argparse.SUPPRESS,
        help="let files take as much memory as is free, however small they are",
    )
    parser = _Parser(
        prog="napari-hsr",
        description="Turn an RGB photograph into a spectral cube, look at cubes and compare them.",
        parents=[common],
    )
    parser.add_argument("--version", action="version", version=f"napari-hsr {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=_Help,
            parents=[common],
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run, usage_error=command.error)
        _tell_options(command)
    return parser


def _tell_options(parser: argparse.ArgumentParser) -> None:
    """Have a command, and those that it has itself, know its own options as ``options``."""
    parser.set_defaults(options=frozenset(parser._option_string_actions))
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _tell_options(inner)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; errors become one sentence on stderr."""
    sys.stdout = sys.stdout or StringIO()  # closed by whoever started this
    sys.stderr = sys.stderr or StringIO()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Unicode still gets its answer
            stream.reconfigure(errors="backslashreplace")
    args, hints = None, ExitStack()
    try:
        parser = build_parser()
        for word in sys.argv[1:] if argv is None else argv:
            if re.fullmatch(r"--[^=]+=--", str(word)):  # argparse makes an empty list of it
                parser.error(f"argument {word.partition('=')[0]}: expected one argument")
        args = parser.parse_args(argv)
        with_homes(args)
        large = getattr(args, "allow_large", False)
        hints.enter_context(hints_worded(hints_of(args.options)))
        check_folder()
        with (
            looked_after(),
            ending_cleanly(),
            warnings_in_words(),
            allowing_large(large),
            files_of(args),
        ):
            status: int = args.run(args)
        sys.stdout.flush()
        return status
    except (KeyboardInterrupt, Cancelled):
        leave_tasks_alone()
        print("napari-hsr: cancelled", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has closed it (`… | head`); that is not an error to report.
        for stream in (sys.stdout, sys.stderr):
            _leave(stream)
        return 141
    except Exception as error:
        if getattr(args, "debug", False):
            raise
        with suppress(OSError):  # on a full disk, too: the status says it
            print(f"napari-hsr: error: {sentence(error)}", file=sys.stderr)
        try:
            sys.stdout.flush()
        except (
            OSError
        ):  # as for a full disk: Python would try it again at its end, and print a traceback
            _leave(sys.stdout)
        return 1
    finally:
        hints.close()
        if argv is None:  # the process ends now
            ending_quietly()


def _leave(stream: TextIO) -> None:
    """Have what a stream could not take go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def command() -> NoReturn:
    """The process ``napari-hsr``: :func:`main`, and its exit status.

    A cancelled run leaves a thread in the middle of an operation, which Python would wait for.
    """
    status = main()
    if status == INTERRUPTED and any(
        t.name.startswith(COMPUTING_THREAD) for t in threading.enumerate()
    ):
        atexit._run_exitfuncs()  # what helper processes and libraries have to end
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    sys.exit(status)
