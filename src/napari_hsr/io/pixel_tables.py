"""Tables of pixels whose rows and columns are stated beside them, as benchmarks of unmixing have them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hsr.io.variable import Variable

#: Names of the size of the picture.
_ROWS = ("nrow", "nrows", "rows", "height", "lines", "h")
_COLUMNS = ("ncol", "ncols", "columns", "cols", "width", "samples", "w")


@dataclass(frozen=True)
class Table:
    """A table ``Y`` (bands x pixels, or the other way) beside ``nRow`` and ``nCol``."""

    name: str
    rows: int
    columns: int
    notices: tuple[Notice, ...]

    def cube(self, values: Any) -> np.ndarray:
        """The values (rows, columns, bands), pixels column after column as MATLAB counts."""
        by_pixel: np.ndarray = np.asarray(values)
        if by_pixel.shape[0] != self.rows * self.columns:
            by_pixel = by_pixel.T
        return by_pixel.reshape((self.rows, self.columns, by_pixel.shape[1]), order="F")


def find(variables: list[Variable], load: Callable[[str], Any]) -> Table | None:
    """The one largest table of as many pixels as rows and columns make; None where there is none."""
    sides = []
    for names in (_ROWS, _COLUMNS):
        stated = [v for v in variables if v.real and v.short in names and math.prod(v.shape) == 1]
        sides += [int(np.ravel(load(stated[0].name))[0])] if stated else []
    if len(sides) < 2 or min(sides) < 2:
        return None
    pixels = sides[0] * sides[1]
    tables = [v for v in variables if v.real and len(v.shape) == 2 and pixels in v.shape]
    tables.sort(key=lambda v: math.prod(v.shape), reverse=True)  # abundances are smaller ones
    alike = len(tables) > 1 and math.prod(tables[1].shape) == math.prod(tables[0].shape)
    if not tables or alike or tables[0].shape[0] == tables[0].shape[1]:
        return None
    told = (
        f"“{tables[0].name}” ({' x '.join(map(str, tables[0].shape))}) holds a spectrum for each pixel: they "
        f"were put in {sides[0]} rows and {sides[1]} columns, column after column as MATLAB counts."
    )
    if tables[1:]:
        told += f" Smaller tables were left out: {', '.join(v.describe() for v in tables[1:5])}."
    return Table(tables[0].name, sides[0], sides[1], (Notice.warning(Code.AXES_CHANGED, told),))
