"""Writing MATLAB files: 7.3 in the layout of the NTIRE challenges and of ARAD_1K, or 5.

In MATLAB: ``cube`` (height, width, bands) single, ``bands`` (1, bands) double in nm,
``norm_factor`` if the cube came with one, and ``napari_hsr``, a char row of JSON with the
provenance and the place of the pixels. Where they have one of their own, ``pixel_size``
(height, width) and ``first_pixel_centre`` (row, column) say it too, in pixels of the source,
counted from 0. In HDF5 order, as Python loaders see it, the cube is (bands, width, height).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import embedded_record
from napari_hsr.io.atomic import replacing, undisturbed
from napari_hsr.io.hdf5.writing import created
from napari_hsr.io.stored_numbers import blocks
from napari_hsr.units import format_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.cube import Cube

_USERBLOCK = 512
#: Bytes of one variable: offsets of version 5 are 32 bits, with a sign in some readers.
_MOST_IN_5 = 2**31 - 2**16
_HEADER_5 = b"MATLAB 5.0 MAT-file, Platform: Python, Created by napari-hsr"
_HEADER = b"MATLAB 7.3 MAT-file, Platform: Python, Created by napari-hsr HDF5 schema 1.00 ."


def write(cube: Cube, path: Path) -> None:
    """Write a cube; one that is on disk is copied band by band.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    bands, height, width = cube.shape
    record = embedded_record.to_text(cube, 2)  # refused before all values are written
    with replacing(path) as temporary:
        with created(temporary, userblock_size=_USERBLOCK) as new:
            with undisturbed():
                stored = new.file.create_dataset("cube", (bands, width, height), np.float32)
                stored.attrs["MATLAB_class"] = np.bytes_("single")
            for part, rows, values in blocks(cube):
                new.put(stored, (part, slice(None), rows), values.transpose(0, 2, 1))
            with undisturbed():
                _describe(new.file, cube)
                _char(new.file, embedded_record.KEY, record)
        with temporary.open("rb+") as raw:  # what makes MATLAB know the file
            raw.write(_HEADER.ljust(116) + bytes(8) + b"\x00\x02IM")


def _describe(file: Any, cube: Cube) -> None:
    if cube.wavelengths is not None:
        _double(file, "bands", cube.wavelengths.nm[:, np.newaxis])
    factor = cube.metadata.get("norm_factor")
    if isinstance(factor, (int, float)):
        _double(file, "norm_factor", np.array([[factor]], dtype=np.float64))
    if cube.place is not None:
        _double(file, "pixel_size", np.array(cube.place.pixel)[:, np.newaxis])
        _double(file, "first_pixel_centre", np.array(cube.place.origin)[:, np.newaxis])


def write_5(cube: Cube, path: Path) -> None:
    """Write version 5, of the same variables, through SciPy: the whole cube in memory.

    Raises
    ------
    FileError
        If the cube is larger than the format can hold, or the file cannot be written.
    """
    from scipy.io import savemat

    if 4 * math.prod(cube.shape) > _MOST_IN_5:
        raise FileError(
            path,
            f"the cube takes {format_bytes(4 * math.prod(cube.shape))}, and a variable of MATLAB 5 "
            "holds less than 2 GB; write version 7.3",
        )
    variables: dict[str, Any] = {embedded_record.KEY: embedded_record.to_text(cube, 2)}
    # an array of three axes always: SciPy would keep the last one, MATLAB drops it if it is 1
    variables["cube"] = np.moveaxis(np.asarray(cube.data, dtype=np.float32), 0, -1)
    if cube.wavelengths is not None:
        variables["bands"] = cube.wavelengths.nm[np.newaxis]
    factor = cube.metadata.get("norm_factor")
    if isinstance(factor, (int, float)):
        variables["norm_factor"] = float(factor)
    if cube.place is not None:
        variables["pixel_size"] = np.array([cube.place.pixel])
        variables["first_pixel_centre"] = np.array([cube.place.origin])
    with replacing(path) as temporary, temporary.open("wb") as file:
        savemat(file, variables, do_compression=False)
        file.seek(0)
        file.write(_HEADER_5.ljust(116))  # SciPy's says when: equal cubes are to be equal bytes


def _double(file: Any, name: str, values: np.ndarray) -> None:
    file.create_dataset(name, data=values).attrs["MATLAB_class"] = np.bytes_("double")


def _char(file: Any, name: str, text: str) -> None:
    codes = np.frombuffer(text.encode("utf-16-le"), dtype=np.uint16)
    stored = file.create_dataset(name, data=codes[:, np.newaxis])
    stored.attrs["MATLAB_class"] = np.bytes_("char")
    stored.attrs["MATLAB_int_decode"] = np.int32(2)
