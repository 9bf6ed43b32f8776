"""Scenes of the CAVE data set in a compact form, small enough to distribute.

An archive with ``planes``, uint8 (2, bands, height, width), and ``bits``: square-root codes,
differences along the columns and then along the bands, zigzag-coded, low byte and high byte.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM, Cube, Wavelengths
from napari_hsr.errors import FileError
from napari_hsr.io.library_errors import translated
from napari_hsr.provenance import Provenance

_MEMBERS = {"planes.npy", "bits.npy"}
_DAMAGED = "the packed scene is damaged or cut short"


def is_packed(path: Path) -> bool:
    """True if the file is an archive with the members of a packed scene; reads no pixels."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist()) >= _MEMBERS
    except (OSError, zipfile.BadZipFile):
        return False  # the reader says what is wrong


def read_packed(path: Path) -> Cube:
    """The scene as a cube of reflectance, 0..1.

    Returns
    -------
    Cube
        (31, height, width) float32, ``(code / (2**bits - 1))²``, 400–700 nm.

    Raises
    ------
    FileError
        If the archive is damaged or holds something else.
    """
    path = Path(path)
    # opened here, because np.load does not close a damaged archive
    with (
        translated(path, _DAMAGED),
        path.open("rb") as file,
        np.load(file, allow_pickle=False) as pack,
    ):
        planes, bits = pack["planes"], int(pack["bits"])
    if planes.ndim != 4 or planes.shape[:2] != (2, len(DEFAULT_WAVELENGTHS_NM)):
        raise FileError(
            path, f"planes of 2 x 31 x height x width were expected, these are {planes.shape}"
        )
    if not 1 <= bits <= 16:
        raise FileError(path, f"codes of 1 to 16 bits were expected, these have {bits}")
    zigzag = planes[0].astype(np.int32) | (planes[1].astype(np.int32) << 8)
    codes = ((zigzag >> 1) ^ -(zigzag & 1)).cumsum(-1).cumsum(0)
    return Cube(
        np.square(codes.astype(np.float32) / (2**bits - 1)),
        Wavelengths(np.asarray(DEFAULT_WAVELENGTHS_NM)),
        units="reflectance",
        name=path.stem,
        provenance=Provenance(
            input=path.name, steps=(f"A packed scene of {bits}-bit square-root codes.",)
        ),
    )
