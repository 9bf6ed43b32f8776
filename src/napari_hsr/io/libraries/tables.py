"""A table of numbers in a text file, with what stands above it."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.number_parsing import Ending, how_it_ends
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from pathlib import Path

#: No text of spectra is longer than this; bigger files are something else.
_LONGEST = 200 * 2**20
#: Lines of a text of spectra, and lines with something in them before its table begins.
_MOST_LINES, _MOST_ABOVE = 200_000, 10_000
#: How texts in UTF-16 begin, as spreadsheets save them.
WIDE = (b"\xff\xfe", b"\xfe\xff")
_MISSING = {"", "nan", "na", "n/a", "#n/a", "none", "null", "-", "."}
#: How spectrometers' programs end a table.
_ENDS = re.compile(r"\s*(>+\s*end\b|##\s*end\b|end of (data|file))", re.IGNORECASE)
#: A cell of a line of units below the names of the columns.
_UNITS = re.compile(
    r"|[\[(].*[\])]|nm|[uµμ]m|cm-1|1|%|-|counts|reflectance|a\.?u\.?", re.IGNORECASE
)
_SEPARATORS = ("\t", ";", ",")
_BEGIN_NUMBERS = "0123456789+-."


@dataclass
class Table:
    """What was found: one spectrum a column, whichever way the file has them.

    Attributes
    ----------
    above : list of str
        The lines above the table, without its heading.
    heading : list of str or None
        The cells that name the columns; the first column of a table of rows has no name.
    numbers : ndarray, shape (wavelengths, columns)
        NaN where a cell is empty.
    """

    above: list[str]
    heading: list[str] | None
    numbers: np.ndarray


def lines_of(path: Path) -> tuple[list[str], list[Notice]]:
    """The lines of a text file, whatever its encoding, and a notice of one that may be cut short.

    Raises
    ------
    FileError
        If it cannot be opened or is far too long.
    """
    try:
        if path.stat().st_size > _LONGEST:
            raise FileError(path, "a text of spectra was expected, but this file is far too large")
        content = limits.content(path, _LONGEST)
    except OSError as error:
        raise FileError(path, f"cannot be opened ({error.strerror or error})") from error
    wide = content.startswith(WIDE)
    for encoding in ("utf-16" if wide else "utf-8-sig", "latin-1"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        lines = text.splitlines()
        ending = how_it_ends(text)
        if ending is Ending.CUT:
            raise FileError(path, f"it is cut short in its last number, {lines[-1][-40:]!r}")
        limits.check_count(path, len(lines), "lines", _MOST_LINES)
        return lines, [] if ending is Ending.WHOLE else [_maybe_cut(lines[-1])]
    raise AssertionError("latin-1 takes any byte")


def _maybe_cut(line: str) -> Notice:
    told = (
        f"The file's last line, “{one_line(line[-40:])}”, has no end, and fewer digits or cells than "
        "others have: the file may be cut short."
    )
    return Notice.warning(Code.MAYBE_DAMAGED, told)


def is_number(cell: str) -> bool:
    """Whether a cell is a number, not a missing one."""
    number = _number(cell, False)
    return number is not None and not np.isnan(number)


def find(path: Path, lines: list[str]) -> Table:
    """The table: columns, or rows below a line of wavelengths, which are turned into columns.

    Raises
    ------
    FileError
        If there is none, or a line of it is damaged.
    """
    separator = _separator(lines)
    rows = [_cells(line, separator) for line in lines]
    filled = [i for i, row in enumerate(rows) if any(row)]
    comma = separator != ","
    for place, i in enumerate(filled[:_MOST_ABOVE]):
        limits.check_count(path, len(rows[i]), "columns")
        grid = [_wavelength(cell) for cell in rows[i]]
        if _is_grid(grid) and not _names_columns(rows, filled[place:], comma):
            return _of_rows(path, lines, rows, filled[place:], grid, comma)
        numbers = [_number(cell, comma) for cell in rows[i]]
        neighbours = filled[max(0, place - 1) : place + 2]
        if (
            len(numbers) > 1
            and None not in numbers
            and not np.isnan(numbers[0] or 0.0)
            and (len(filled) == 1 or sum(len(rows[j]) == len(numbers) for j in neighbours) > 1)
        ):
            return _of_columns(path, lines, rows, filled[:place], filled[place:], comma)
    raise FileError(path, "a table of spectra was expected: lines of two numbers or more")


def _of_columns(
    path: Path,
    lines: list[str],
    rows: list[list[str]],
    above: list[int],
    body: list[int],
    comma: bool,
) -> Table:
    width = len(rows[body[0]])
    while len(body) > 1 and _ENDS.match(lines[body[-1]]):
        body = body[:-1]
    body = _without_log(rows, body, width, comma)
    numbers = []
    for i in body:
        parsed = [_number(cell, comma) for cell in rows[i]]
        if len(parsed) != width or None in parsed:
            raise _damaged(path, rows, i, width, parsed)
        numbers.append(parsed)
    for i in above[-_MOST_BEFORE:-1]:  # what follows it stands above the table, and is damaged
        if _goes_before(rows[i], np.array(numbers, float)[:, 0], comma):
            raise _damaged(path, rows, above[above.index(i) + 1], width, [])
    if above and len(rows[above[-1]]) == width:
        parsed = [_number(cell, comma) for cell in rows[above[-1]]]
        if _is_damaged_row(rows[above[-1]], parsed, np.array(numbers, float)[:, 0]):
            raise _damaged(path, rows, above[-1], width, parsed)
    elif above and (
        _goes_before(rows[above[-1]], np.array(numbers, float)[:, 0], comma)
        or _begins_before(rows[above[-1]], np.array(numbers, float)[:, 0])
        or _lacks_its_wavelength(rows[above[-1]], width, comma)
    ):
        raise _damaged(path, rows, above[-1], width, [])
    heading = None
    named = re.split(r"\s{2,}", lines[above[-1]].strip()) if above else []
    if above and len(rows[above[-1]]) != width == len(named):  # names of several words each
        heading = named
        above.pop()
    elif above and len(rows[above[-1]]) == width:
        heading = rows[above.pop()]
        if above and len(rows[above[-1]]) == width and all(_UNITS.fullmatch(c) for c in heading):
            names = rows[above.pop()]
            units = [cell.strip("[]() ") for cell in heading]
            heading = [f"{n} [{u}]" if u else n for n, u in zip(names, units, strict=True)]
    return Table([lines[i] for i in above], heading, np.array(numbers, dtype=np.float64))


def _without_log(rows: list[list[str]], body: list[int], width: int, comma: bool) -> list[int]:
    """The lines down to an empty one, if no line of numbers follows: spectrometers write their log there."""
    gap = next((k for k in range(1, len(body)) if body[k] != body[k - 1] + 1), len(body))
    for i in body[gap:]:
        numbers = [_number(cell, comma) for cell in rows[i]]
        if len(numbers) == width and None not in numbers:
            return body
    return body[:gap]


def _of_rows(
    path: Path,
    lines: list[str],
    rows: list[list[str]],
    body: list[int],
    grid: list[float | None],
    comma: bool,
) -> Table:
    """Below a line of wavelengths stands one spectrum a line, its name where that has none."""
    at = [j for j, nm in enumerate(grid) if nm is not None]
    lost = _lost_wavelength(rows[body[0]], at)
    if lost is not None:
        raise FileError(
            path, f"line {body[0] + 1} is damaged: {lost[:40]!r} where a wavelength was expected"
        )
    spectra, names = [], []
    for i in body[1:]:
        row = rows[i]
        parsed = [_number(row[j], comma) for j in at] if len(row) == len(grid) else []
        if not parsed or None in parsed:
            raise _damaged(path, rows, i, len(grid), parsed)
        spectra.append(parsed)
        text = [row[j] for j in range(len(row)) if j not in at and row[j]]
        names.append(text[0] if text else f"spectrum {len(spectra)}")
    if not spectra:
        raise FileError(path, "a line of wavelengths is there, but no spectrum below it")
    table = np.array([[grid[j] for j in at], *spectra], dtype=np.float64).T
    above = [line for line in lines[: body[0]] if line.strip()]
    return Table(above, ["wavelength", *names], table)


def _lost_wavelength(cells: list[str], at: list[int]) -> str | None:
    """A cell among the wavelengths ``at``, or right beside them, that is one but for a letter: ``4O0``."""
    begins = re.match(r"\D*", cells[at[0]])
    prefix = begins[0] if begins else ""
    sizes = {len(cells[j]) for j in at}
    for j in range(max(at[0] - 1, 0), min(at[-1] + 2, len(cells))):
        rest = cells[j].removeprefix(prefix)
        alike = cells[j].startswith(prefix) and len(cells[j]) in sizes and re.search("[0-9]", rest)
        if j not in at and alike and (at[0] < j or rest[:1].isdigit()):
            return cells[j]
    return None


def _damaged(
    path: Path,
    rows: list[list[str]],
    i: int,
    width: int,
    parsed: list[float | None],
) -> FileError:
    wrong = [cell for cell, n in zip(rows[i], parsed, strict=False) if n is None]
    if wrong and len(rows[i]) == width:
        found = f"{wrong[0][:40]!r} where a number was expected"
    else:
        found = f"{len(rows[i])} cells where {width} were expected"
    return FileError(path, f"line {i + 1} is damaged: {found}")


def _is_damaged_row(cells: list[str], parsed: list[float | None], grid: np.ndarray) -> bool:
    """Whether a line that stands as a heading is a row of numbers, one of which cannot be read.

    It goes on with the wavelengths below it, or only its wavelength cannot be read: ``4O0,0.12``.
    """
    first, *others = parsed
    if first is None:
        return None not in others and cells[0][:1].isdigit()
    if len(grid) < 2 or None not in others:
        return False
    before, step = grid[0] - first, grid[1] - grid[0]
    return bool(step) and bool(0.5 <= before / step <= 2)


def _goes_before(cells: list[str], grid: np.ndarray, comma: bool) -> bool:
    """Whether a line is one of numbers alone, more or fewer, that goes on with the wavelengths below it.

    Two lines that became one are up to three steps before them.
    """
    parsed = [_number(cell, comma) for cell in cells]
    if len(parsed) < 2 or parsed[0] is None or None in parsed or len(grid) < 3:
        return False
    steps = np.diff(grid)
    if not (steps[0] and np.allclose(steps, steps[0])):
        return False
    before = (grid[0] - parsed[0]) / steps[0]
    return bool(np.isclose(before, round(before)) and 1 <= round(before) <= _MOST_BEFORE)


def _begins_before(cells: list[str], grid: np.ndarray) -> bool:
    """Whether a line holds the wavelength that an even grid has a step before its first, or has lost it.

    ``4000.500``, or ``0.500``, of ``400 0.500``, or a heading that it became one with. A whole number alone
    may count the lines.
    """
    if len(cells) == 1 and re.fullmatch(r"-?\d+[.,]\d+", cells[0]):
        return True
    steps = np.diff(grid)
    if len(grid) < 3 or not steps[0] or not np.allclose(steps, steps[0]):
        return False
    expected = f"{grid[0] - steps[0]:.6g}"  # no wavelength is 0, as many a cell is
    if grid[0] <= steps[0]:
        return False
    if len(cells) > 1 and expected in cells:
        return True
    rest = cells[0].removeprefix(expected)
    if rest == cells[0]:
        return False
    alone = len(cells) == 1 and _number(rest, True) is not None
    return not rest or alone or bool(re.fullmatch(r"[^\w\s][\d.,]+", rest))  # 400:0.5


def _lacks_its_wavelength(cells: list[str], width: int, comma: bool) -> bool:
    """Whether a line is one of values, as many as a row has behind its wavelength: ``0.5,0.2`` of ``400,0.5,0.2``."""
    values = [_number(cell, comma) for cell in cells]
    return (
        len(cells) == width - 1 > 1
        and None not in values
        and any(re.search(r"\d[.,]\d", c) for c in cells)
    )


def _names_columns(rows: list[list[str]], body: list[int], comma: bool) -> bool:
    """Whether a line of numbers names columns, beside one of wavelengths: ``wavelength,2018,2019,2020``."""
    if not re.match(r"\W*(wave|wvl|wl\b|lambda|λ|nm\b)", rows[body[0]][0], re.IGNORECASE):
        return False
    first = [_number(rows[i][0], comma) if rows[i] else None for i in body[1:]]
    known = [n for n in first if n is not None]
    steps = np.diff(known)
    return (
        len(known) == len(first) > 2
        and min(known) > 30
        and bool((steps > 0).all() or (steps < 0).all())
    )


#: Steps before the wavelengths of a table that a line above it goes on with.
_MOST_BEFORE = 3
#: So many numbers in ascending order are wavelengths, whatever stands before them.
_MANY = 5


def _is_grid(cells: list[float | None]) -> bool:
    known = [nm for nm in cells if nm is not None]
    steps = np.diff(known)
    many = 2 * len(known) >= len(cells) or len(known) >= _MANY
    enough = 3 <= len(known) < len(cells) and many
    together = None not in cells[-len(known) :]  # behind what else is said of the spectra
    return (
        enough
        and (together or 2 * len(known) >= len(cells))
        and min(known) > 0
        and bool((steps > 0).all() or (steps < 0).all())
    )


def _wavelength(cell: str) -> float | None:
    """400, 400.5 nm, and X400, R400 or Wave_400 as other programs name columns."""
    found = _COLUMN.fullmatch(cell)
    if found is None or (found[1] and float(found[2]) < _LEAST_NAMED):
        return None  # R1 is the first repetition of a measurement
    return float(found[2])


_COLUMN = re.compile(
    r"(x|r|b|nm|band|wave|wavelength|wl|wvl|lambda|refl|reflectance)?[ _.]?(\d+(?:\.\d+)?)\s*(?:nm)?",
    re.IGNORECASE,
)
_LEAST_NAMED = 200.0


def _number(cell: str, comma: bool) -> float | None:
    """A number, NaN for a missing one, None for text; ``comma`` lets 0,5 be one half."""
    if cell.lower() in _MISSING:
        return float("nan")
    cell = cell.replace("\N{MINUS SIGN}", "-")  # as locales and word processors write it
    if not cell.isascii() or "_" in cell:  # digits of other scripts, which Python reads
        return None
    try:
        return float(cell.replace(",", ".") if comma else cell)
    except ValueError:
        return None


def _separator(lines: list[str]) -> str | None:
    """What parts the cells of most of the last lines; None for blanks."""
    filled = [line for line in lines if line.strip()]
    last = ([line for line in filled if line.lstrip()[0] in _BEGIN_NUMBERS] or filled)[-3:]
    for separator in _SEPARATORS:
        if 2 * sum(separator in line for line in last) > len(last):
            return separator
    return None


def _cells(line: str, separator: str | None) -> list[str]:
    if line.lstrip().startswith("#") and separator is not None:
        line = line.lstrip().lstrip("#")
    if separator is None:
        return line.replace(",", " ").split()
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:  # a cell of more than 131,072 characters is none
        return [line]
