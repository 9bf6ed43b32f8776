"""Spectra in an array file of NumPy: ``wavelengths``, ``spectra`` and perhaps ``names``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io.libraries.assemble import Choice, Found, assemble
from napari_hsr.io.library_errors import translated
from napari_hsr.io.numpy_files import arrays

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.spectral_library import SpectralLibrary


def read(path: Path, choice: Choice) -> SpectralLibrary:
    """Read ``wavelengths`` (bands,) in nm, ``spectra`` (n, bands) and ``names`` (n,).

    Raises
    ------
    FileError
        If one of the first two is missing, or they do not fit.
    """
    with translated(path, "arrays wavelengths and spectra were expected"):
        file = arrays(path)
        nm, values = file["wavelengths"], np.atleast_2d(file["spectra"])
        names = file["names"].tolist() if "names" in file else []
        nm, values = nm.astype(np.float64), values.astype(np.float64)
    if values.ndim != 2 or nm.ndim != 1 or values.shape[1] != nm.size:
        raise FileError(
            path,
            f"spectra of {nm.size} values were expected for the wavelengths, not an array of "
            f"{' x '.join(map(str, values.shape))}",
        )
    if len(names) != len(values):
        names = [f"spectrum {number}" for number in range(1, len(values) + 1)]
    nm_given = choice.wavelengths if choice.wavelengths is not None else nm
    return assemble(path, Found([str(name) for name in names], nm_given, "nm", values), choice)
