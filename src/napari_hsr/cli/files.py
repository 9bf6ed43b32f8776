"""Files of the commands: reading cubes, and where each result goes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.output import note, report_written
from napari_hsr.errors import FileError, InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from napari_hsr.cube import Cube


#: Options that name a file to be written.
_OUTPUTS = ("output", "summary", "residual", "loadings", "estimate_camera", "plot")
_NAMED: ContextVar[tuple[Path, ...]] = ContextVar("files that a command names", default=())


def with_homes(args: argparse.Namespace) -> None:
    """Resolve ``~`` in all arguments, once, before anything compares their names.

    Shells leave it in ``--output=~/x.hdr``, and whoever starts the command without one does.
    """

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(one) for one in value]
        return os.path.expanduser(value) if isinstance(value, str) else value

    for name, value in vars(args).items():
        setattr(args, name, resolved(value))


@contextmanager
def files_of(args: argparse.Namespace) -> Iterator[None]:
    """Inside, all files that a command names to be read are inputs of it: none is written over.

    Nor is what another program writes meanwhile under the name of a result. An input that is rewritten meanwhile is
    told at the end, but for commands that tell it of each input themselves.

    Raises
    ------
    InputError
        If a result would be written over one, or two results to one file.
    """
    from napari_hsr.io.atomic import expecting, standing
    from napari_hsr.io.file_sets import files_read, files_written, shared, standing_at

    outputs = [Path(found) for key in _OUTPUTS if (found := getattr(args, key, None))]
    for one, other in combinations(outputs, 2):
        if shared(files_written(one), files_written(other)):
            raise InputError(f"{other} is named for two results.")
    given = [value for key, value in vars(args).items() if key not in _OUTPUTS]
    named = tuple(_existing(given))
    for out in outputs:
        if os.path.lexists(out):
            for path in named:
                if shared(files_written(out), files_read(path)):
                    raise InputError(f"{out} is an input; nothing was written over it.")
    token = _NAMED.set(named)
    looks_itself = getattr(args, "tells_of_changed_inputs", False)
    seen = {} if looks_itself else {path: standing(files_read(path)) for path in named}
    try:
        with expecting(standing_at(outputs)):
            yield
    finally:
        _NAMED.reset(token)
    for path, before in seen.items():
        if standing(before) != before:
            text = "it was changed while the command ran, which may have read some of both"
            note([text], about=str(path))


def named_files() -> tuple[Path, ...]:
    """Files that the command names to be read."""
    return _NAMED.get()


def _existing(values: Iterable[Any]) -> Iterator[Path]:
    from napari_hsr.io.read_choice import split_variable

    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _existing(value)
        elif isinstance(value, str) and "\0" not in value:
            for path in (Path(value), split_variable(Path(value))[0]):
                if os.path.isfile(path):
                    yield path


def read_cube(path: str | os.PathLike, **stated: Any) -> Cube:
    """Read a spectral cube and print its notices; a photograph is refused.

    ``stated`` goes to :func:`napari_hsr.read`.

    Raises
    ------
    FileError
        If the file cannot be read, or holds a photograph.
    """
    from napari_hsr.cube import Cube
    from napari_hsr.io import read

    cube = read(path, **stated)
    if not isinstance(cube, Cube):
        raise FileError(path, "a spectral cube was expected, but this is a photograph")
    note(cube.notices, about=Path(path).name)
    return cube


def is_file_name(out: str, suffixes: Sequence[str]) -> bool:
    """True if ``out`` names a file of a format with one of ``suffixes``, not a folder."""
    suffix = Path(out).suffix.lower()
    if suffix == ".zarr" and suffix in suffixes:  # a file of that format is a folder
        return True
    if out.endswith(("/", os.sep)) or Path(out).is_dir():
        return False
    return suffix in suffixes


def checked_output(
    args: argparse.Namespace, suffixes: Sequence[str], what: str, option: str = "output"
) -> Path:
    """The path that an option names; another suffix than these is wrong usage, which exits."""
    out = Path(getattr(args, option))
    if out.suffix.lower() not in suffixes:
        args.usage_error(f"{out}: {what} are written as {', '.join(suffixes)}")
    return out


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """``--overwrite`` and ``--json``, for the commands that write files."""
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace existing files without a note; a later version will need it to replace them",
    )
    parser.add_argument(
        "--json", action="store_true", help="print what was done as JSON on standard output"
    )


def write_map(
    args: argparse.Namespace,
    out: Path,
    made: Cube,
    facts: dict[str, Any],
    lines: Iterable[tuple[str, object]] = (),
    inputs: Iterable[str] = (),
) -> None:
    """Write maps of ``args.cube`` and say what was done: facts as JSON, or lines for people.

    ``inputs`` are others, which may be folders.
    """
    from napari_hsr.io import write

    replaced = prepare_output(out, [Path(args.cube), *map(Path, inputs)], args.overwrite)
    write(made, out)
    facts = {"replaced": replaced, "shape": list(made.shape), **facts}
    report_written(args, {"input": args.cube}, out, facts, lines, made.notices)


def prepare_output(out: Path, inputs: Iterable[Path], overwrite: bool) -> bool:
    """Before ``out`` is written: whether it exists, which is told unless the user asked for it.

    Raises
    ------
    InputError
        If writing it would destroy an input.
    """
    from napari_hsr.io.file_sets import replaces

    if not replaces(out, (*inputs, *named_files())):
        return False
    if not overwrite:
        told = (
            "exists already, and is replaced once the result is there. A later version will refuse to; "
            "--overwrite allows it."
        )
        note([f"{out} {told}"])
    return True
