"""Parse wavelengths that a user states: first and last band, a list, or a column of a table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cube import Wavelengths
from napari_hsr.errors import FileError, InputError
from napari_hsr.io import limits
from napari_hsr.io.number_parsing import LONGEST, number

if TYPE_CHECKING:
    from os import PathLike

#: No wavelength list is longer than this many characters; bigger files are something else.
_LONGEST = 2_000_000
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_HEADING = re.compile(r"wave|lambda|λ|nm|µm|\bum\b", re.IGNORECASE)


def evenly(start: float, stop: float, bands: int) -> Wavelengths:
    """``bands`` wavelengths from ``start`` to ``stop`` in nm, both included.

    Raises
    ------
    InputError
        If ``stop`` is not above ``start``.
    """
    if bands > 1 and not stop > start:
        raise InputError(f"The last band ({stop:g} nm) must lie above the first ({start:g} nm).")
    return Wavelengths(np.linspace(start, stop, bands))


def regular(text: str) -> np.ndarray:
    """The wavelengths from first to last that ``first:last:step`` names, in nm.

    Raises
    ------
    InputError
        If it names none, or more than a cube has bands.
    """
    ends = [number(part) for part in text.split(":")]
    if len(ends) == 3 and all(end is not None and np.isfinite(end) for end in ends):
        first, last, step = (float(end) for end in ends if end is not None)
        if step > 0 and last > first:
            count = (last - first) / step + 1e-9
            if count >= limits.MOST_ENTRIES:
                raise InputError(
                    f"The grid {text} has {count:.3g} wavelengths; up to {limits.MOST_ENTRIES:,} are "
                    "taken."
                )
            found: np.ndarray = first + step * np.arange(int(count) + 1)
            return found
    raise InputError(f"A grid is first:last:step in nm, such as 400:700:10, not {text[:80]!r}.")


def listed(text: str, bands: int, micrometres: bool = False) -> Wavelengths:
    """The wavelengths in a text for a cube of so many bands.

    Parameters
    ----------
    text : str
        Numbers apart by spaces, commas, semicolons or line ends; or a table, of which the
        column under a heading such as "wavelength" or "nm" is taken, else the first that
        does not merely count the rows.
    bands : int
        How many are needed.
    micrometres : bool
        The numbers are in µm.

    Raises
    ------
    InputError
        If there is no number, there are not ``bands`` of them, they do not ascend strictly,
        or they look like micrometres.
    """
    values = np.asarray(parse(text), dtype=float) * (1000.0 if micrometres else 1.0)
    if values.size != bands:
        raise InputError(
            f"{values.size} wavelength{'s are' if values.size != 1 else ' is'} given, "
            f"but the cube has {bands} band{'s' if bands != 1 else ''}."
        )
    if not micrometres and 0 < values.max() < 30:
        raise InputError(
            f"The wavelengths go up to {values.max():g}: these look like micrometres, so choose µm."
        )
    return Wavelengths(values)


def parse(text: str) -> list[float]:
    """The numbers of a list, or of the wavelength column of a table; InputError if none."""
    rows = [_cells(line) for line in text.splitlines()]
    rows = [row for row in rows if row]
    headings: list[list[str]] = []
    table: list[list[float]] = []
    for row in rows:
        numbers = [_number(cell) for cell in row]
        known = [number for number in numbers if number is not None]
        if len(known) == len(numbers):
            table.append(known)
        elif not table and (set(numbers) == {None} or _HEADING.search(" ".join(row))):
            headings.append(row)
        else:
            raise InputError(f"{row[numbers.index(None)][:40]!r} is not a number.")
    if not table:
        raise InputError("No number was found: one wavelength for each band is needed.")
    width = len(table[0])
    if len(table) == 1 or width == 1 or any(len(row) != width for row in table):
        return [value for row in table for value in row]
    columns: list[list[float]] = np.array(table).T.tolist()
    heading = next((row for row in headings if len(row) == width), None)
    if heading is not None:
        named = [i for i, cell in enumerate(heading) if _HEADING.search(cell)]
        if named:
            return columns[named[0]]
    counting = np.arange(len(table))
    for column in columns:
        if not (np.array_equal(column, counting) or np.array_equal(column, counting + 1)):
            whole = _is_table(np.array(columns))
            return column if whole else [value for row in table for value in row]
    return columns[0]


def read_text(path: str | PathLike[str]) -> str:
    """The text of a CSV or text file; FileError if it is none."""
    path = Path(path)
    limits.check_regular(path)
    try:
        if path.stat().st_size > _LONGEST:
            raise FileError(
                path, "a list of wavelengths was expected, but this file is far too large"
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(path, "a text file was expected, but this is binary data") from error
    except OSError as error:
        raise FileError(path, f"cannot be opened ({error.strerror or error})") from error


def _is_table(columns: np.ndarray) -> bool:
    """A list broken into lines ascends from each line to the next; a table need not."""
    flat = columns.T.ravel()
    return not (np.diff(flat) > 0).all()


def _cells(line: str) -> list[str]:
    line = line.split("#")[0].strip().strip("[](){}")
    return [cell for cell in re.split(r"[,;\s]+", line) if cell]


def _number(cell: str) -> float | None:
    if len(cell) > LONGEST:  # which the patterns would go through again and again
        return None
    bare = re.sub(r"(?<=\d)(nm|µm|um)$", "", cell)
    return number(bare) if _NUMBER.fullmatch(bare) else None
