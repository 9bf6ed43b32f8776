"""Files of the commands: reading cubes, and where each result goes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.output import note
from napari_hsr.errors import FileError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from napari_hsr.cube import Cube


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


def prepare_output(
    out: Path, inputs: Iterable[Path], overwrite: bool, tell: Callable[[list[str]], None] = note
) -> bool:
    """Before ``out`` is written: whether it exists, which is told unless the user asked for it.

    Raises
    ------
    InputError
        If writing it would destroy an input.
    """
    from napari_hsr.io.file_sets import replaces

    if not replaces(out, inputs):
        return False
    if not overwrite:
        tell(
            [
                f"{out} exists already and is replaced. A later version will refuse to; "
                "--overwrite allows it."
            ]
        )
    return True
