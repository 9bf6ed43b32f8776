"""Which files a path stands for: one, or those that belong together."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError, InputError
from napari_hsr.io import detect, ground_beside
from napari_hsr.io.atomic import Identity, check_place, standing
from napari_hsr.io.detect import is_zarr
from napari_hsr.io.read_choice import split_variable
from napari_hsr.io.wavelengths import product_metadata, text_beside
from napari_hsr.io.zarr.replaceable import check_replaceable

if TYPE_CHECKING:
    from collections.abc import Iterable


def files_read(path: Path) -> set[Path]:
    """All files that reading a path would read, links resolved.

    An ENVI image is its header and its binary, however it is named; a scene folder its files.
    """
    path, _ = split_variable(path)
    found = {path}
    try:
        if path.is_dir():
            found |= {file for file in path.rglob("*") if file.is_file()}
        elif path.is_file() and detect.format_of(path) == "envi":
            from napari_hsr.io.envi import reader as envi

            found |= set(envi.files(path))
    except (FileError, OSError):  # reading it says what is wrong with it
        pass
    return {Path(os.path.realpath(file)) for file in found}


def files_beside(path: Path) -> list[Path]:
    """Files beside an image whose content may change what is read of it, those that exist.

    Lists of wavelengths, descriptions in JSON, headers beside other formats, world files, GDAL's side notes
    and masks, and the metadata of products. What is kept of an image must not outlive them.
    """
    path, _ = split_variable(path)
    if path.is_dir() or not path.name.split(".")[0]:
        return []
    mask = path.with_name(f"{path.name}.msk")
    known = [
        *text_beside.names(path),
        *ground_beside.names(path),
        *product_metadata.names(path),
        mask,
    ]
    own = files_read(path)
    there = (Path(os.path.realpath(file)) for file in known if os.path.isfile(file))
    return sorted({file for file in there if file not in own})


def files_written(path: Path) -> set[Path]:
    """All files that writing a cube to a path would write or take away, links resolved.

    Raises
    ------
    FileError
        If they would be mixed up with others of that name.
    """
    found = {path}
    if path.suffix.lower() == ".hdr":
        from napari_hsr.io.envi import writer as envi_write

        found.add(envi_write.binary_for(path))
    elif is_zarr(path) and path.is_dir():  # replaced with all that lies in it
        found |= {file for file in path.rglob("*") if file.is_file()}
    return {Path(os.path.realpath(file)) for file in found}


def standing_at(outputs: Iterable[Path]) -> dict[Path, Identity]:
    """What stands under the names of results before they are computed.

    It is for :func:`napari_hsr.io.atomic.expecting`. Of a store its folder counts.
    """
    found: set[Path] = set()
    for out in outputs:
        found |= {out} if out.is_dir() else {out, *files_written(out)}
    return standing(found)


def shared(written: set[Path], read: set[Path]) -> Path | None:
    """A file that is in both sets, by whatever name; None if there is none."""
    known = {_identity(file): file for file in read}
    return next((known[i] for i in map(_identity, sorted(written)) if i in known), None)


class Inputs:
    """Files that nothing is written over, looked at once, however many results are written.

    Parameters
    ----------
    paths : iterable of Path
    """

    def __init__(self, paths: Iterable[Path]):
        self._paths = list(dict.fromkeys(paths))

    @cached_property
    def _stores(self) -> dict[Path, Path]:
        """The zarr stores by their places, links resolved."""
        files = [path for path, _variable in map(split_variable, self._paths)]
        return {Path(os.path.realpath(path)): path for path in files if is_zarr(path)}

    @cached_property
    def _known(self) -> set[tuple[int, int] | str]:
        """All their files, by what they are on disk and by name."""
        files = set[Path]().union(*map(files_read, self._paths))
        return {_identity(file) for file in files} | {str(file) for file in files}

    def check(self, out: Path) -> None:
        """Refuse to write where an input would be destroyed.

        Raises
        ------
        InputError
            If it would, or ``out`` lies among the chunks of an input.
        FileError
            If nothing can be written there.
        """
        place = Path(os.path.realpath(out))
        if inside := next((p for p in place.parents if p in self._stores), None):
            raise InputError(f"{out} would lie inside {self._stores[inside]}, which is an input.")
        if is_zarr(out):  # which is a folder
            check_replaceable(place, out)
        else:
            check_place(out)
            _check_notes(out)
        there = [file for file in files_written(out) if file.exists()]
        if any({_identity(file), str(file)} & self._known for file in there):
            raise InputError(f"{out} is an input; nothing was written over it.")


def _check_notes(out: Path) -> None:
    """Refuse a TIFF or ENVI image beside a note of GDAL's that would be applied to it."""
    from napari_hsr.io.tiff import stale_note

    if out.suffix.lower() == ".hdr":
        from napari_hsr.io.envi import writer as envi_write

        stale_note.check(envi_write.binary_for(out))
    elif out.suffix.lower() in (".tif", ".tiff"):
        stale_note.check(out)


def replaces(out: Path, inputs: Inputs | Iterable[Path]) -> bool:
    """Whether writing to ``out`` would replace what is there.

    Raises
    ------
    InputError
        If it would destroy an input, or lie among the chunks of one.
    FileError
        If nothing can be written there.
    """
    held = inputs if isinstance(inputs, Inputs) else Inputs(inputs)
    held.check(out)
    return out.exists()


def _identity(file: Path) -> tuple[int, int] | str:
    try:
        found = file.stat()
    except OSError:
        return str(file)
    return found.st_dev, found.st_ino
