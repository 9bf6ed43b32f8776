"""Spectra in files of arrays (NumPy, MATLAB, HDF5): wavelengths, a table of spectra and perhaps names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits, numpy_files
from napari_hsr.io.hdf5 import places, structure
from napari_hsr.io.libraries.assemble import Choice, Found, assemble
from napari_hsr.io.library_errors import translated
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.spectral_library import SpectralLibrary

#: Names of tables of spectra, the likeliest first; of several arrays of the right size.
_SPECTRA = (
    "spectra",
    "spectrum",
    "reflectance",
    "reflectances",
    "library",
    "endmembers",
    "data",
    "x",
)
_NAMES = ("names", "name", "labels", "label", "materials", "classes", "ids", "samples")


def read_npz(path: Path, choice: Choice) -> SpectralLibrary:
    """Read an archive of NumPy; ``wavelengths`` are in nm.

    Raises
    ------
    FileError
        If there are no wavelengths or no table of them, or they do not fit.
    """
    with translated(path, "arrays wavelengths and spectra were expected"):
        arrays = numpy_files.arrays(path)
    return _library(path, arrays, choice, "nm" if "wavelengths" in arrays else None)


def read_mat(path: Path, choice: Choice) -> SpectralLibrary:
    """Read a MATLAB 5 file, structures in it too.

    Raises
    ------
    FileError
        If the file is damaged, or holds no wavelengths, no table of them, or several.
    """
    from scipy.io import loadmat, whosmat

    from napari_hsr.io.matlab import validation as mat_validation

    with translated(path, "the MATLAB file is damaged or cut short"):
        mat_validation.check(path)
        with path.open("rb") as file:
            sizes = [math.prod(shape) * 8 for _, shape, _ in whosmat(file)]
        limits.check_room(path, sum(sizes), "what it holds")
        with path.open("rb") as file:
            inside = loadmat(file, squeeze_me=True)
    arrays: dict[str, Any] = {}
    for name, value in inside.items():
        if name.startswith("__"):
            continue
        fields = value.dtype.names if isinstance(value, np.ndarray) and value.ndim == 0 else None
        for field in fields or ():
            arrays[field] = np.asarray(value[field].item())
        if not fields:
            arrays[name] = np.asarray(value)
    return _library(path, arrays, choice)


def read_hdf5(path: Path, choice: Choice) -> SpectralLibrary:
    """Read an HDF5 file, of MATLAB 7.3 too.

    Raises
    ------
    FileError
        If the file is damaged, or holds no wavelengths, no table of them, or several.
    """
    import h5py

    from napari_hsr.io.hdf5 import probe as hdf5_probe

    with translated(path, "the HDF5 file is damaged or cut short"):
        heaps = structure.check_heaps(path)
        hdf5_probe.check(path)
        with h5py.File(path, "r") as file:
            beside = structure.References(path, file)
            items = {
                name: item
                for name, item in structure.datasets(path, file)
                if item.shape is not None and len(item.shape) < 3
            }
            places.check_apart(path, items.values(), heaps)
            units = [
                structure.attributes(i).get("units") for n, i in items.items() if _key(n) in wl.KEYS
            ]
            arrays = {
                name: np.squeeze(np.asarray(beside.value(item))) for name, item in items.items()
            }
    said = [u.decode("utf-8", "replace") if isinstance(u, bytes) else u for u in units]
    return _library(path, arrays, choice, next((u for u in said if isinstance(u, str)), None))


def _key(name: str) -> str:
    return name.rsplit("/", 1)[-1].lower()


def _library(
    path: Path, arrays: dict[str, Any], choice: Choice, unit: str | None = None
) -> SpectralLibrary:
    numbers = {name: a for name, a in arrays.items() if a.dtype.kind in "fiu" and a.size}
    lists = {_key(name): name for name, a in numbers.items() if a.ndim == 1 or 1 in a.shape}
    listed = next((lists[key] for key in wl.KEYS if key in lists), None)
    given: Any = choice.wavelengths
    if given is None:
        if listed is None:
            held = ", ".join(
                f"{n} ({' x '.join(map(str, a.shape))})" for n, a in list(arrays.items())[:12]
            )
            raise FileError(
                path, f"arrays wavelengths and spectra were expected; it holds {held or 'none'}"
            )
        given = np.ravel(numbers[listed]).astype(np.float64)
        unit = unit or wl.unit_in_name(_key(listed))
    count = np.size(given) if not isinstance(given, str) else 0
    tables = {
        n: a
        for n, a in numbers.items()
        if n != listed and a.ndim < 3 and (not count or count in a.shape)
    }
    name, notices = _table(path, tables, count, [n for n in numbers if n != listed], arrays)
    values = np.atleast_2d(numbers[name]).astype(np.float64)
    if count and values.shape[1] != count:
        values = values.T
    elif count and values.shape[0] == count > 1:
        told = f"“{name}” is as high as wide: its rows were taken as spectra."
        notices.append(Notice.warning(Code.AXIS_GUESSED, told))
    called = _names(arrays, len(values))
    found = Found(called, given, unit, values, notices=notices)
    return assemble(path, found, choice)


def _table(
    path: Path, tables: dict[str, Any], count: int, others: list[str], arrays: dict[str, Any]
) -> tuple[str, list[Notice]]:
    """The table of spectra: the one of the right size, or the one that is called so."""
    if not tables:
        held = ", ".join(f"{n} ({' x '.join(map(str, arrays[n].shape))})" for n in others[:12])
        raise FileError(
            path,
            f"spectra of {count} values were expected for the wavelengths; "
            + (f"it holds {held}" if held else "nothing else is there"),
        )
    if len(tables) == 1:
        return next(iter(tables)), []
    by_name = {_key(n): n for n in tables}
    named = next((by_name[key] for key in _SPECTRA if key in by_name), None)
    flat = [n for n, a in tables.items() if a.ndim == 2 and 1 not in a.shape]
    taken = named or (flat[0] if len(flat) == 1 else None)
    if taken is None:
        raise FileError(
            path, f"{len(tables)} arrays could be its spectra: {', '.join(list(tables)[:12])}"
        )
    left = [n for n in tables if n != taken]
    told = f"“{taken}” was read; left out: {', '.join(left[:6])}{' …' if left[6:] else ''}."
    return taken, [Notice.info(Code.OTHER_ARRAYS_LEFT_OUT, told)]


def _names(arrays: dict[str, Any], count: int) -> list[str]:
    by_name = {_key(n): a for n, a in arrays.items()}
    for key in _NAMES:
        listed = np.ravel(by_name[key]) if key in by_name else np.empty(0)
        if listed.size == count and listed.dtype.kind in "OUS":
            each = [
                v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in listed.tolist()
            ]
            plain = [np.ravel(np.asarray(v)) for v in each]
            if all(p.size for p in plain):
                return [str(p[0]).strip() for p in plain]
    return [f"spectrum {number}" for number in range(1, count + 1)]
