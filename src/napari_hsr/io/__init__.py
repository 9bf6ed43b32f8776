"""Reading and writing: one module a format, chosen by content first and by suffix second.

This module stays light: the formats and their libraries are imported on first use.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.arguments import told
from napari_hsr.errors import FileError, InputError
from napari_hsr.io import detect, limits
from napari_hsr.io.detect import READ_SUFFIXES
from napari_hsr.io.libraries import read_library
from napari_hsr.io.library_errors import check_name, translated
from napari_hsr.io.read_choice import Choice, split_position, split_variable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.photograph import Photograph
    from napari_hsr.spectral_library import SpectralLibrary

#: Module and function that read each format, by the name that ``detect`` gives it.
_READERS = {
    "mat5": ("matlab.reader", "read_5"),
    "mat73": ("matlab.reader", "read_73"),
    "hdf5": ("hdf5.files", "read"),
    "netcdf3": ("netcdf.netcdf3", "read"),
    "envi": ("envi.reader", "read"),
    "tiff": ("tiff.reader", "read"),
    "npy": ("numpy_files", "read_npy"),
    "npz": ("numpy_files", "read_npz"),
    "photo": ("photographs.reader", "read"),
    "raw": ("photographs.raw", "read"),
    "zarr": ("zarr.files", "read"),
    "cave": ("folders.cave", "read_scene"),
    "bands": ("folders.band_images", "read"),
    "captures": ("folders.camera_sets", "read"),
}
#: Formats that hold named arrays.
_WITH_VARIABLES = {"mat5", "mat73", "hdf5", "netcdf3", "npy", "npz", "zarr", "captures"}
#: Module and function that write a cube, by suffix.
_CUBE_WRITERS = {
    ".mat": ("matlab.writer", "write"),
    ".hdr": ("envi.writer", "write"),
    ".tif": ("tiff.writer", "write_cube"),
    ".tiff": ("tiff.writer", "write_cube"),
    ".h5": ("hdf5.files", "write"),
    ".hdf5": ("hdf5.files", "write"),
    ".npz": ("numpy_files", "write_npz"),
    ".zarr": ("zarr.files", "write"),
}
#: Suffixes of formats that state how integers become values.
_WITH_DTYPES = {".hdr", ".tif", ".tiff", ".h5", ".hdf5", ".zarr"}
#: Module and function that write a photograph, by suffix.
_PHOTOGRAPH_WRITERS = {
    ".png": ("photographs.png_writer", "write_png"),
    ".tif": ("tiff.writer", "write_photograph"),
    ".tiff": ("tiff.writer", "write_photograph"),
}
#: Module and function that write a spectral library, by suffix.
_LIBRARY_WRITERS = {
    ".csv": ("libraries.writing", "write_csv"),
    ".sli": ("libraries.writing", "write_sli"),
    ".json": ("libraries.writing", "write_json"),
}
#: Suffixes (lower case) that :func:`write` takes for a cube.
WRITE_SUFFIXES = tuple(_CUBE_WRITERS)
#: Suffixes (lower case) that :func:`write` takes for a photograph.
PHOTOGRAPH_WRITE_SUFFIXES = tuple(_PHOTOGRAPH_WRITERS)
#: Suffixes (lower case) that :func:`write` takes for a spectral library.
LIBRARY_WRITE_SUFFIXES = tuple(_LIBRARY_WRITERS)

__all__ = [
    "LIBRARY_WRITE_SUFFIXES",
    "PHOTOGRAPH_WRITE_SUFFIXES",
    "READ_SUFFIXES",
    "WRITE_SUFFIXES",
    "can_read",
    "read",
    "read_library",
    "write",
]


@told
def read(
    path: str | PathLike[str],
    *,
    variable: str | None = None,
    axes: str | None = None,
    bands: Sequence[int] | None = None,
    full_scale: float | None = None,
    half_size: bool = False,
    allow_large: bool = False,
    no_data: float | None = None,
) -> Cube | Photograph:
    """Read a cube or a photograph.

    Parameters
    ----------
    path : path-like
        A MATLAB (5, 7.3), ENVI, TIFF, HDF5, NumPy, zarr, PNG, JPEG or BMP file, a camera's
        raw file, the folder of a CAVE scene, or one with a picture a band (``450nm.png``), also of a camera with a lens a band (``IMG_0001_1.tif``). An ENVI image may be named by its header or by its binary; an array
        of a file that holds several, behind a colon: ``scene.mat:ms``; a cube of an array with four axes
        by its number, counted from 1: ``scene.h5:cubes[3]``, ``scan.npy:[3]``; a frame of a film or a GIF,
        counted from 1, too: ``film.mp4:12``.
    variable : str, optional
        Name of the array, where a file holds several.
    axes : str, optional
        ``"yxb"``, ``"byx"`` …: what the axes of the stored array are, where that is not stated
        and was guessed wrong; y for rows, x for columns, b for bands.
    bands : sequence of int, optional
        Only these bands, counted from 0.
    full_scale : float, optional
        The value that means white in a photograph of integers, where the file does not say it:
        4095 for a camera of 12 bits whose values were kept in 16.
    half_size : bool, optional
        Of a camera's raw file: one pixel for each 2 x 2 of its mosaic, without interpolation.
    allow_large : bool
        Take as much memory as is free, also for a small file that swells to very much.
    no_data : float, optional
        The number in a cube that stands for missing values, where the file does not say it: NaN in the cube.

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
        If ``path`` is no path, or ``axes`` or ``bands`` are none.
    """
    path, named = split_variable(_path(path))
    limits.check_regular(path)
    if named is not None and path.suffix.lower() in detect.STACK_SUFFIXES:
        photograph: Photograph = _function(("stacks.one_frame", "frame"))(path, named)
        return photograph
    stated: str | None = variable or named
    array, position = split_position(stated) if isinstance(stated, str) else (stated, None)
    choice = Choice(array, axes, bands, full_scale, half_size, no_data, position)
    kind = detect.format_of(path)
    if choice.variable is not None and kind not in _WITH_VARIABLES:
        raise FileError(
            path, f"this is no file of named arrays, of which {choice.variable!r} is one"
        )
    if not choice.is_open and kind in ("photo", "raw", "cave"):
        raise FileError(path, "axes and bands can be stated for arrays of cubes only")
    reader = _function(_READERS[kind])
    try:
        # what no reader foresaw, a damaged file brought about
        with limits.allowing_large(allow_large), translated(path, "it is damaged, or no such file"):
            found: Cube | Photograph
            found = reader(path) if kind == "cave" else _read(reader, path, choice, stated)
    except InputError as error:  # a cube or photograph that refuses what the file holds
        raise FileError(path, str(error).rstrip(".")) from error
    if full_scale is not None and hasattr(found, "bands"):
        raise FileError(path, "a full scale can be stated for photographs only, and this is a cube")
    if no_data is not None and not hasattr(found, "bands"):
        raise FileError(path, "no data can be stated for cubes only, and this is a photograph")
    return found


def _read(
    reader: Callable[..., Cube | Photograph], path: Path, choice: Choice, stated: str | None
) -> Cube | Photograph:
    """Read what is chosen; of an array that is called ``a[1]`` itself, that one."""
    try:
        return reader(path, choice)
    except FileError:
        if choice.position is None:
            raise
        with suppress(FileError):  # no array has that name: the first error says what there is
            return reader(path, replace(choice, variable=stated, position=None))
        raise


@told
def write(
    image: Cube | Photograph | SpectralLibrary,
    path: str | PathLike[str],
    *,
    dtype: str = "float32",
    factor: float | None = None,
    interleave: str = "bsq",
    matlab: str = "7.3",
) -> Path:
    """Write a cube, a photograph or a spectral library so that reading gives it back equal.

    Parameters
    ----------
    image : Cube, Photograph or SpectralLibrary
        A cube goes to ``.mat`` (7.3 in NTIRE's layout, or 5), ``.hdr`` (ENVI, with an ``.img``
        beside it), ``.tif``, ``.h5``, ``.npz`` or ``.zarr`` (OME-Zarr); a photograph to ``.png`` or ``.tif``.
        A cube on disk is streamed band by band. A library goes to ``.csv``, ``.sli`` (ENVI,
        with its header beside it) or ``.json``.
    path : path-like
        Replaced in one step once all is written; on a fault it stays as it was.
    dtype : str, optional
        What a cube is stored as in ENVI, TIFF, HDF5 and zarr: ``"float32"``, or ``"uint16"``,
        ``"int16"``, ``"uint8"`` with the factor and a no-data value stated in the file.
    factor : float, optional
        What values are multiplied by to become integers; by default 10000 (255 for ``"uint8"``)
        for reflectance, else 1.
    interleave : str, optional
        Of ENVI: ``"bsq"``, ``"bil"`` or ``"bip"``.
    matlab : str, optional
        Version of a ``.mat`` file: ``"7.3"``, or ``"5"``, which SciPy opens too.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    FileError
        If the suffix does not fit the image, or the file cannot be written.
    InputError
        If ``path`` is no path, ``image`` none of the three, or the format cannot store it so.
    """
    from napari_hsr.cube import Cube
    from napari_hsr.photograph import Photograph
    from napari_hsr.spectral_library import SpectralLibrary

    path = _path(path)
    check_name(path)
    if isinstance(image, Cube):
        kind, writers = "cube", _CUBE_WRITERS
    elif isinstance(image, Photograph):
        kind, writers = "photograph", _PHOTOGRAPH_WRITERS
    elif isinstance(image, SpectralLibrary):
        kind, writers = "library", _LIBRARY_WRITERS
    else:
        raise InputError(
            f"Only a Cube, Photograph or SpectralLibrary can be written, not {type(image).__name__}; "
            "wrap an array (bands, height, width) as Cube(array)."
        )
    suffix = path.suffix.lower()
    if suffix not in writers:
        named = (
            f"the suffix {suffix!r} is none of" if suffix else "the name has no suffix; use one of"
        )
        raise FileError(path, f"a {kind} cannot be written there: {named} {', '.join(writers)}")
    if not os.path.isdir(path.parent):
        raise FileError(path, f"the folder {path.parent} does not exist")
    if os.path.isdir(path) and suffix != ".zarr":
        raise FileError(path, "this is a folder; a file name is needed to write to")
    if matlab not in ("7.3", "5") or (matlab == "5" and (kind, suffix) != ("cube", ".mat")):
        raise InputError(
            f"MATLAB's versions are '7.3' and '5', of cubes in .mat files, not {matlab!r} for "
            f"a {kind} in {path.name}."
        )
    if matlab == "5":
        _function(("matlab.writer", "write_5"))(image, path)
    elif (dtype, factor, interleave) == ("float32", None, "bsq"):
        _function(writers[suffix])(image, path)
    else:
        options = _storing(image, suffix, dtype, factor, interleave)
        _function(writers[suffix])(image, path, **options)
    return path


def _storing(
    image: Any, suffix: str, dtype: str, factor: float | None, interleave: str
) -> dict[str, Any]:
    """Options for the writer of a cube; InputError where its format has no place for them."""
    from napari_hsr.cube import Cube
    from napari_hsr.io.stored_numbers import plan

    if interleave not in ("bsq", "bil", "bip"):
        raise InputError(f"Interleaves are bsq, bil and bip, not {interleave!r}.")
    if interleave != "bsq" and suffix != ".hdr":
        raise InputError(f"Only ENVI files have an interleave; {suffix} has none.")
    if not isinstance(image, Cube) or suffix not in _WITH_DTYPES:
        raise InputError(
            f"{suffix} keeps what is written as it is: a data type can be chosen for cubes in "
            f"{', '.join(sorted(_WITH_DTYPES))}."
        )
    options: dict[str, Any] = {"storing": plan(image, dtype, factor)}
    return options | ({"interleave": interleave} if suffix == ".hdr" else {})


def can_read(path: str | PathLike[str]) -> bool:
    """True if :func:`read` would try this file or folder; looks at no more than its head."""
    try:
        return detect.can_read(_path(path))
    except InputError:
        return False  # no path at all: nothing to try


def _path(given: str | PathLike[str]) -> Path:
    """``given`` as a path, the home folder put in for ``~``; a sentence if it is none."""
    text = fspath(given) if isinstance(given, PathLike) else given
    if not isinstance(text, str):
        raise InputError(f"The path of a file was expected, not {given!r}.")
    if not text.strip() or "\0" in text:
        raise InputError(f"The path of a file was expected, but {text!r} names none.")
    return Path(os.path.expanduser(text))  # "~name" of nobody here may be the name of a file


def _function(place: tuple[str, str]) -> Any:
    module, function = place
    return getattr(import_module(f"napari_hsr.io.{module}"), function)
