"""Writing MATLAB 7.3 files in the layout of the NTIRE challenges and of ARAD_1K.

In MATLAB: ``cube`` (height, width, bands) single, ``bands`` (1, bands) double in nm,
``norm_factor`` if the cube came with one, and ``napari_hsr``, a char row of JSON with the
provenance and the place of the pixels. Where they have one of their own, ``pixel_size``
(height, width) and ``first_pixel_centre`` (row, column) say it too, in pixels of the source,
counted from 0. In HDF5 order, as Python loaders see it, the cube is (bands, width, height).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import embedded_record
from napari_hsr.io.atomic import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.cube import Cube

_USERBLOCK = 512
_HEADER = b"MATLAB 7.3 MAT-file, Platform: Python, Created by napari-hsr HDF5 schema 1.00 ."


def write(cube: Cube, path: Path) -> None:
    """Write a cube; one that is on disk is copied band by band.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    import h5py

    bands, height, width = cube.shape
    with replacing(path) as temporary:
        with h5py.File(temporary, "w", userblock_size=_USERBLOCK) as file:
            stored = file.create_dataset("cube", shape=(bands, width, height), dtype=np.float32)
            stored.attrs["MATLAB_class"] = np.bytes_("single")
            for band in range(bands):
                stored[band] = np.asarray(cube.data[band], dtype=np.float32).T
            if cube.wavelengths is not None:
                _double(file, "bands", cube.wavelengths.nm[:, np.newaxis])
            factor = cube.metadata.get("norm_factor")
            if isinstance(factor, (int, float)):
                _double(file, "norm_factor", np.array([[factor]], dtype=np.float64))
            if cube.place is not None:
                _double(file, "pixel_size", np.array(cube.place.pixel)[:, np.newaxis])
                _double(file, "first_pixel_centre", np.array(cube.place.origin)[:, np.newaxis])
            _char(file, embedded_record.KEY, embedded_record.to_text(cube))
        with temporary.open("rb+") as raw:  # what makes MATLAB know the file
            raw.write(_HEADER.ljust(116) + bytes(8) + b"\x00\x02IM")


def _double(file: Any, name: str, values: np.ndarray) -> None:
    file.create_dataset(name, data=values).attrs["MATLAB_class"] = np.bytes_("double")


def _char(file: Any, name: str, text: str) -> None:
    codes = np.frombuffer(text.encode("utf-16-le"), dtype=np.uint16)
    stored = file.create_dataset(name, data=codes[:, np.newaxis])
    stored.attrs["MATLAB_class"] = np.bytes_("char")
    stored.attrs["MATLAB_int_decode"] = np.int32(2)
