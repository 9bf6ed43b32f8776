"""The numbers that a file stores for values: float32, or integers with a factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from napari_hsr.cube import release_pages
from napari_hsr.errors import Hint, InputError
from napari_hsr.io.build_cube import NO_DATA
from napari_hsr.io.decoding import with_marker
from napari_hsr.io.lazy import by_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_hsr.cube import Cube

#: Data types that cubes are stored in, with ENVI's number for each.
DTYPES = {"float32": 4, "uint8": 1, "int16": 2, "uint16": 12}
#: Reflectance is stored in 16 bits as ten-thousandths, as ENVI and the space agencies do.
_REFLECTANCE_FACTOR = 10000.0
#: Values read at a time: 64 MiB.
_BLOCK_VALUES = 2**24
#: And of bands where these lie apart.
_FEW_VALUES = 2**20
#: Whole numbers that the values of a cube must be spread over, where no factor was chosen.
_FEW = 16


@dataclass(frozen=True)
class Storing:
    """How values become the numbers of a file: ``round(value · factor)``.

    Attributes
    ----------
    dtype : numpy.dtype
        Little-endian.
    factor : float
        1 for float32.
    no_data : float or None
        What is stored for NaN, and for nothing else; None keeps NaN, of which integers have none.
    """

    dtype: np.dtype
    factor: float = 1.0
    no_data: float | None = None

    def numbers(self, values: np.ndarray) -> np.ndarray:
        """The numbers for values of any shape.

        Raises
        ------
        InputError
            If a value does not fit the data type, as none does that is infinite.
        """
        if self.dtype.kind == "f":
            return np.ascontiguousarray(with_marker(values, self.no_data), dtype=self.dtype)
        missing = np.isnan(values)
        if np.isinf(values).any():
            raise InputError(
                f"Some values are infinite, which {self.dtype.name} cannot hold: write float32."
            )
        scaled = np.rint(np.where(missing, 0, values) * np.float64(self.factor))
        limits = np.iinfo(self.dtype)
        low, high = float(scaled.min()), float(scaled.max())
        if low < limits.min or high > limits.max:
            of = f" times {self.factor:g}" if self.factor != 1 else ""
            raise InputError(
                f"Values from {low / self.factor:g} to {high / self.factor:g}{of} do not fit "
                f"{self.dtype.name} ({limits.min} to {limits.max}): choose another factor or type."
            )
        stored: np.ndarray = scaled.astype(self.dtype)
        if self.no_data is not None:
            # a value that would be the marker is stored one step beside it
            marker = int(self.no_data)
            stored[stored == marker] = marker - 1 if marker > 0 else marker + 1
            stored[missing] = marker
        return stored


def plan(cube: Cube, dtype: str = "float32", factor: float | None = None) -> Storing:
    """How a cube is stored.

    Parameters
    ----------
    cube : Cube
    dtype : str
        One of :data:`DTYPES`.
    factor : float, optional
        For integers; by default 10000 (255 for uint8) for reflectance, else 1.

    Raises
    ------
    InputError
        If the type is not known, the factor is not positive, or hardly anything would be left of the
        values.
    """
    if dtype not in DTYPES:
        raise InputError(f"Cubes are stored as {', '.join(DTYPES)}, not as {dtype!r}.")
    if factor is not None and not 0 < factor < float("inf"):
        raise InputError(f"The factor is a positive number, not {factor!r}.")
    marker = cube.metadata.get(NO_DATA)
    known = isinstance(marker, (int, float)) and not isinstance(marker, bool)
    kind = np.dtype(dtype).newbyteorder("<")
    if kind.kind == "f":
        return Storing(kind, 1.0, float(marker) if known and marker is not None else None)
    given = factor
    if factor is None:
        reflectance = cube.units == "reflectance"
        factor = (255.0 if dtype == "uint8" else _REFLECTANCE_FACTOR) if reflectance else 1.0
    _check_left(cube, factor, _FEW if given is None else 1)
    limits = np.iinfo(kind)
    # a number that values hardly reach: the largest unsigned one, the smallest signed one
    number = limits.max if kind.kind == "u" else limits.min
    if not _holds(cube, number, factor):
        return Storing(kind, factor, float(number))
    if not _has_gaps(cube):
        return Storing(kind, factor)
    if factor == 1.0:
        raise InputError(
            f"{dtype} cannot hold both the value {number} and missing values, for which it stands: choose another "
            "factor or type."
        )
    return Storing(kind, factor, float(number))


def _holds(cube: Cube, number: int, factor: float) -> bool:
    """Whether an end of a type of integers is stored for a value.

    Of counts, each value is asked where the range is that of a sample, or of the good bands alone: 65535 in
    a few saturated pixels would become 65534. With a factor that step is none.
    """
    if number in (round(v * factor) for v in cube.value_range if np.isfinite(v)):
        return True
    if factor != 1.0 or (cube.range_is_exact and cube.good_bands.all()):
        return False
    return any(bool((np.rint(values) == number).any()) for _, _, values in blocks(cube))


def _has_gaps(cube: Cube) -> bool:
    """Whether a value is missing."""
    return any(bool(np.isnan(values).any()) for _, _, values in blocks(cube))


def _check_left(cube: Cube, factor: float, least: int) -> None:
    """InputError if values that are no whole numbers are rounded to fewer different ones than that."""
    low, high = cube.value_range
    if (high - low) * factor >= least or low == high:
        return
    scaled = np.asarray(cube.data[cube.bands // 2], dtype=np.float64) * factor
    scaled = scaled[np.isfinite(scaled)]
    if not np.array_equal(scaled, np.rint(scaled)):
        raise InputError(
            f"Values from {low:g} to {high:g} times {factor:g}, rounded, are hardly told apart: choose a "
            "larger factor, or write float32.",
            hint=Hint.LARGER_FACTOR,
        )


def blocks(cube: Cube) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """A cube in the order in which its source has it, each value read once.

    Yields bands, rows and their values, float32 (bands, rows, width).
    """
    if by_rows(cube.data):
        for rows, values in row_blocks(cube):
            yield slice(0, cube.bands), rows, values
        return
    step = max(1, _FEW_VALUES // (cube.shape[1] * cube.shape[2]))
    for first in range(0, cube.bands, step):
        bands = slice(first, min(first + step, cube.bands))
        yield bands, slice(0, cube.shape[1]), np.asarray(cube.data[bands], dtype=np.float32)


def write_planes(file: BinaryIO, cube: Cube, storing: Storing, start: int = 0) -> None:
    """Write a cube band by band into an open file, from byte ``start`` on."""
    _, height, width = cube.shape
    for bands, rows, values in blocks(cube):
        for band, plane in zip(range(cube.bands)[bands], values, strict=True):
            numbers = storing.numbers(plane)
            file.seek(start + (band * height + rows.start) * width * numbers.itemsize)
            file.write(numbers.data.cast("B"))


def row_blocks(cube: Cube) -> Iterator[tuple[slice, np.ndarray]]:
    """A cube in blocks of rows: (rows, float32 (bands, rows, width))."""
    bands, height, width = cube.shape
    step = max(1, _BLOCK_VALUES // (bands * width))
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        yield rows, np.asarray(cube.data[:, rows, :], dtype=np.float32)
        release_pages(getattr(cube.data, "source", cube.data))


def as_stated(storing: Storing) -> dict[str, Any]:
    """What a file states of its numbers: scale and no-data value, by CF's names."""
    facts: dict[str, Any] = {}
    if storing.factor != 1.0:
        facts["scale_factor"] = 1.0 / storing.factor
    if storing.no_data is not None:
        facts["_FillValue"] = storing.dtype.type(storing.no_data)
    return facts
