"""What a user states of a file whose contents leave a choice: variable, axes, bands."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import InputError
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Choice:
    """What to read of a file, and how.

    Attributes
    ----------
    variable : str or None
        Name of the array, as the file has it or its last part.
    axes : str or None
        What the axes of the stored array are, in the order of its format (MATLAB's for ``.mat``):
        ``"yxb"``, ``"byx"``, … with y for rows, x for columns, b for bands.
    bands : sequence of int or None
        Which bands, counted from 0 in the order of the cube.

    full_scale : float or None
        Of a photograph of integers: the value that means white.
    no_data : float or None
        Of a cube: the stored number that stands for missing values, beside those that the file states.
    half_size : bool
        Of a camera's raw file: one pixel for each cell of 2 x 2 of its mosaic.
    position : int or None
        Which cube of an array with several, counted from 1.

    Raises
    ------
    InputError
        If the axes are none, bands are no whole numbers from 0 on, the full scale is not
        positive, or no number stands for missing values.
    """

    variable: str | None = None
    axes: str | None = None
    bands: Sequence[int] | None = None
    full_scale: float | None = None
    half_size: bool = False
    no_data: float | None = None
    position: int | None = None

    def __post_init__(self) -> None:
        if self.variable is not None and not isinstance(self.variable, str):
            raise InputError(f"A variable is named by a text, not {_shown(self.variable)}.")
        if self.axes is not None and sorted(str(self.axes).lower()) != ["b", "x", "y"]:
            raise InputError(
                f"Axes are the letters b (bands), y (rows) and x (columns) in the order of the "
                f"stored array, such as 'yxb', not {_shown(self.axes)}."
            )
        number = isinstance(self.full_scale, Real) and not isinstance(self.full_scale, bool)
        if self.full_scale is not None and not (number and 0 < self.full_scale < float("inf")):
            raise InputError(f"The full scale is a positive number, not {_shown(self.full_scale)}.")
        number = isinstance(self.no_data, Real) and not isinstance(self.no_data, bool)
        if self.no_data is not None and not (number and isfinite(self.no_data)):
            raise InputError(
                f"What stands for missing values is a number, not {_shown(self.no_data)}."
            )
        if self.bands is not None:
            numbers = list(self.bands)
            whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers)
            if not numbers or not whole:
                raise InputError(
                    f"Bands are whole numbers from 0 on, such as [0, 1, 2], not {_shown(self.bands)}."
                )

    @property
    def is_open(self) -> bool:
        """Whether the file may be a photograph: nothing of a cube was stated."""
        return (self.variable, self.axes, self.bands, self.position) == (None,) * 4

    @property
    def order(self) -> tuple[int, int, int] | None:
        """The axes of the stored array that hold bands, rows and columns."""
        if self.axes is None:
            return None
        axes = self.axes.lower()
        return axes.index("b"), axes.index("y"), axes.index("x")


def _shown(value: object) -> str:
    return one_line(repr(value), 80)


def split_position(variable: str | None) -> tuple[str | None, int | None]:
    """``cube[3]`` as the name of an array and the number of a cube in it; ``[3]`` names none."""
    named = re.fullmatch(r"(.*)\[(\d{1,9})\]", variable or "")
    return (named[1] or None, int(named[2])) if named else (variable, None)


def split_variable(path: Path) -> tuple[Path, str | None]:
    """``scene.mat:ms`` as the file and the name of an array in it; else the path and None."""
    file, colon, variable = str(path).rpartition(":")
    if colon and variable and not os.path.exists(path) and os.path.exists(file):
        return Path(file), variable
    return path, None


#: Everything is found by itself.
ANY = Choice()
