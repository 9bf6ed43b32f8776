"""Sending a path to its format, and one kind of fault back."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from napari_hsr.cube import Cube
from napari_hsr.errors import FileError, InputError
from napari_hsr.io import PHOTOGRAPH_WRITE_SUFFIXES, WRITE_SUFFIXES, detect
from napari_hsr.photograph import Photograph

if TYPE_CHECKING:
    from pathlib import Path

_READERS = {
    "mat5": ("mat", "read_5"),
    "mat73": ("mat", "read_73"),
    "hdf5": ("hdf5", "read"),
    "envi": ("envi", "read"),
    "tiff": ("tiff", "read"),
    "npy": ("numpy_files", "read_npy"),
    "npz": ("numpy_files", "read_npz"),
    "photo": ("photo", "read"),
    "cave": ("cave", "read_scene"),
}
_CUBE_WRITERS = {
    ".mat": ("mat_write", "write"),
    ".hdr": ("envi_write", "write"),
    ".tif": ("tiff_write", "write_cube"),
    ".tiff": ("tiff_write", "write_cube"),
    ".h5": ("hdf5", "write"),
    ".hdf5": ("hdf5", "write"),
    ".npz": ("numpy_files", "write_npz"),
}
_PHOTOGRAPH_WRITERS = {
    ".png": ("photo_write", "write_png"),
    ".tif": ("tiff_write", "write_photograph"),
    ".tiff": ("tiff_write", "write_photograph"),
}


def read(path: Path) -> Cube | Photograph:
    """See :func:`napari_hsr.io.read`."""
    reader = _load(_READERS[detect.format_of(path)])
    try:
        return reader(path)
    except InputError as error:  # a cube or photograph that refuses what the file holds
        raise FileError(path, str(error).rstrip(".")) from error


def write(image: Cube | Photograph, path: Path) -> Path:
    """See :func:`napari_hsr.io.write`."""
    if isinstance(image, Cube):
        kind, writers, suffixes = "cube", _CUBE_WRITERS, WRITE_SUFFIXES
    elif isinstance(image, Photograph):
        kind, writers, suffixes = "photograph", _PHOTOGRAPH_WRITERS, PHOTOGRAPH_WRITE_SUFFIXES
    else:
        raise InputError(
            f"Only a Cube or a Photograph can be written, not {type(image).__name__}; "
            "wrap an array (bands, height, width) as Cube(array)."
        )
    suffix = path.suffix.lower()
    if suffix not in writers:
        named = (
            f"the suffix {suffix!r} is none of" if suffix else "the name has no suffix; use one of"
        )
        raise FileError(path, f"a {kind} cannot be written there: {named} {', '.join(suffixes)}")
    if not path.parent.is_dir():
        raise FileError(path, f"the folder {path.parent} does not exist")
    if path.is_dir():
        raise FileError(path, "this is a folder; a file name is needed to write to")
    _load(writers[suffix])(image, path)
    return path


def _load(place: tuple[str, str]):
    module, function = place
    return getattr(import_module(f"napari_hsr.io.{module}"), function)
