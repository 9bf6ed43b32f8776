"""Reading and writing: one module a format, chosen by content first and by suffix second.

This module stays light: the formats and their libraries are imported on first use.
"""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from napari_hsr.cube import Cube
    from napari_hsr.photograph import Photograph

#: Suffixes (lower case) that :func:`read` understands; an ENVI binary may also have none.
READ_SUFFIXES = (
    ".mat", ".h5", ".hdf5", ".he5", ".hdr", ".img", ".dat", ".raw", ".bil", ".bip", ".bsq",
    ".tif", ".tiff", ".npy", ".npz", ".png", ".jpg", ".jpeg", ".bmp",
)  # fmt: skip
#: Suffixes (lower case) that :func:`write` takes for a cube.
WRITE_SUFFIXES = (".mat", ".hdr", ".tif", ".tiff", ".h5", ".hdf5", ".npz")
#: Suffixes (lower case) that :func:`write` takes for a photograph.
PHOTOGRAPH_WRITE_SUFFIXES = (".png", ".tif", ".tiff")

__all__ = [
    "PHOTOGRAPH_WRITE_SUFFIXES",
    "READ_SUFFIXES",
    "WRITE_SUFFIXES",
    "can_read",
    "read",
    "write",
]


def read(path: str | PathLike) -> Cube | Photograph:
    """Read a cube or a photograph.

    Parameters
    ----------
    path : path-like
        A MATLAB (5, 7.3), ENVI, TIFF, HDF5, NumPy, PNG, JPEG or BMP file, or the folder
        of a CAVE scene. An ENVI image may be named by its header or by its binary.

    Returns
    -------
    Cube or Photograph
        A cube (bands, height, width) float32 with the numbers as stored and band centres
        in nm, or a photograph (height, width, 3) with its encoding. What was assumed or
        changed stands in ``notices``. Large cubes stay on disk and are read as needed.

    Raises
    ------
    FileError
        If the file is missing, damaged or holds neither; one sentence says which.
    InputError
        If ``path`` is no path.
    """
    from napari_hsr.io import formats

    return formats.read(_path(path))


def write(image: Cube | Photograph, path: str | PathLike) -> Path:
    """Write a cube or a photograph so that ``read`` gives it back equal.

    Parameters
    ----------
    image : Cube or Photograph
        A cube goes to ``.mat`` (7.3, NTIRE layout), ``.hdr`` (ENVI, with an ``.img``
        beside it), ``.tif``, ``.h5`` or ``.npz``; a photograph to ``.png`` or ``.tif``.
        A cube on disk is streamed band by band.
    path : path-like
        Replaced in one step once all is written; on a fault it stays as it was.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    FileError
        If the suffix does not fit the image, or the file cannot be written.
    InputError
        If ``path`` is no path, or ``image`` neither a cube nor a photograph.
    """
    from napari_hsr.io import formats

    return formats.write(image, _path(path))


def can_read(path: str | PathLike) -> bool:
    """True if :func:`read` would try this file or folder; looks at no more than its head."""
    from napari_hsr.io import detect

    try:
        return detect.can_read(_path(path))
    except InputError:
        return False  # no path at all: nothing to try


def _path(given: str | PathLike) -> Path:
    """``given`` as a path, the home folder put in for ``~``; a sentence if it is none."""
    text = fspath(given) if isinstance(given, PathLike) else given
    if not isinstance(text, str):
        raise InputError(f"The path of a file was expected, not {given!r}.")
    if not text.strip() or "\0" in text:
        raise InputError(f"The path of a file was expected, but {text!r} names none.")
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:  # "~name" of nobody here: it may be the name of a file
        return path
