"""Spectra as text: ECOSTRESS, USGS, field spectrometers (``.sed``, ``.sig``) and plain tables."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits, value_notices
from napari_hsr.io.libraries import column_units, tables
from napari_hsr.io.libraries.assemble import REFLECTANCE, Choice, Found, assemble
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from os import PathLike

    from napari_hsr.spectral_library import SpectralLibrary

#: The columns of an SVC ``.sig``, which has no heading.
_SIG = ["Wavelength (nm)", "Radiance (reference)", "Radiance (target)", "Reflectance %"]
_WAVELENGTH = re.compile(
    r"wave|wvl|(?<![a-z])wls?(?![a-z])|lambda|λ|^\W*(nm|[uµμ]m)\W*$", re.IGNORECASE
)
_UNIT = re.compile(r"(nm|nanomet|[uµμ]m\b|micro|cm-1|wavenumber|[åÅ]ngstr|angstr)", re.IGNORECASE)
_COUNTING = {
    "",
    "#",
    "band",
    "bands",
    "band_index",
    "index",
    "channel",
    "chan.#",
    "chan",
    "pixel",
    "no",
    "no.",
}
_QUOTIENT = re.compile(r"reflect|tgt\W*/\W*ref", re.IGNORECASE)
#: What an instrument measured on the way to reflectance.
_ON_THE_WAY = re.compile(
    r"rad\b|rad[.\W]|radiance|count|norm\W*dn|\bdn\b|\bsample\b|\bdark\b|\breference\b|\bwhite\b|\bscope\b|\braw\b",
    re.IGNORECASE,
)
#: Headings of what is no reflectance: the values stay as they are.
_QUANTITY = re.compile(
    r"irradiance|intensity|absorbance|absorption|log\W{0,2}\s*\(?\s*1\s*/\s*\w+\)?|counts?\b|\bdn\b|emission|fluorescence|"
    r"transmittance|transmission|\bflux\b|\bpower\b|\braw\b|photons|voltage",
    re.IGNORECASE,
)
_DEVIATION = {
    "std", "sd", "stdev", "stddev", "std dev", "std. dev.", "stderr", "se", "sigma", "n", "std error",
    "standard deviation", "standard_deviation", "standard error", "uncertainty", "error", "variance",
}  # fmt: skip
#: What a spectrum's own deviation is called beside it: ``leaf_std`` beside ``leaf`` or ``leaf_mean``.
_DEVIATION_OF = re.compile(
    r"(.+)[\s_.-]+(?:std|sd|stdev|stddev|se|sem|n)|(?:std|sd|stdev|stddev|sem)[\s_.-]+(.+)"
)
_MEAN = re.compile(r"[\s_.-]+(?:mean|avg|average)$|^(?:mean|avg|average)[\s_.-]+")
#: The first word of a USGS file, or the record that stands behind it.
_USGS = re.compile(r"\s*(?:(?:splib|liba|s0[67])\S*\s|(?:\S+\s+)?Record=\d+:)", re.IGNORECASE)


def read(path: Path, choice: Choice) -> SpectralLibrary:
    """Read one of these.

    Raises
    ------
    FileError
        If there is no table in it, it is cut short, or no column holds wavelengths.
    """
    lines, told = tables.lines_of(path)
    found = _found(path, lines, choice)
    return assemble(path, replace(found, notices=[*told, *found.notices]), choice)


def _found(path: Path, lines: list[str], choice: Choice) -> Found:
    if _is_one_column(lines):
        return _usgs(path, lines, choice)
    table = tables.find(path, lines)
    items = _items(table.above)
    # an item that lost the end of its line stands where a heading does
    said = items | _items(["\t".join(table.heading or ())])
    _check_count(path, said, len(table.numbers))
    if any("spectra vista" in line.lower() for line in table.above[:1]):
        table.heading = _SIG[: table.numbers.shape[1]]
    if "y units" in items and "x units" in items:
        return _ecostress(path, items, table.numbers)
    return _columns(path, items, table, choice)


def _items(lines: list[str]) -> dict[str, str]:
    """``key: value`` and ``key= value`` above a table, keys in lower case."""
    found = {}
    for line in lines:
        key, separator, value = (
            line.partition(":") if ":" in line.split("=")[0] else line.partition("=")
        )
        if separator and len(key) < 60:
            found[key.strip().lower()] = value.strip()
    return found


def _check_count(path: Path, items: dict[str, str], rows: int) -> None:
    for key in ("number of x values", "channels"):
        stated = items.get(key, "")
        if stated and (not stated.isdigit() or int(stated) != rows):
            raise FileError(
                path,
                f"it states {one_line(stated, 40)} values a spectrum, but {rows} are there: is it cut short?",
            )


def _ecostress(path: Path, items: dict[str, str], numbers: np.ndarray) -> Found:
    y_units = items["y units"].lower()
    units = REFLECTANCE if "reflect" in y_units else y_units.partition("(")[0].strip()
    return Found(
        [items.get("name") or path.stem],
        numbers[:, 0],
        _unit_in(items["x units"]),
        numbers[:, 1:2].T,
        units,
        0.01 if "percent" in y_units else None,
        "“Y Units” in the file",
        metadata={key: value for key, value in items.items() if value},
    )


def _columns(path: Path, items: dict[str, str], table: tables.Table, choice: Choice) -> Found:
    """Columns of a table: those of a spectrometer by what they mean, others as spectra."""
    heading, width = list(table.heading or []), table.numbers.shape[1]
    if heading:  # a damaged one may be shorter than its rows
        heading += [f"column {j + 1}" for j in range(len(heading), width)]
        table = replace(table, heading=heading)
    at = _wavelength_column(path, table)
    if heading and choice.column is not None:  # the wavelengths nearest to its left
        wanted = [j for j, cell in enumerate(heading) if choice.column.lower() in cell.lower()]
        grids = [j for j, cell in enumerate(heading) if _WAVELENGTH.search(cell)]
        at = max((j for j in grids if wanted and j < wanted[0]), default=at)
    unit = _unit_in(heading[at]) if heading else None
    if heading and heading[at] == "Wvl":  # Spectral Evolution's
        unit = "nm"
    others = [j for j in range(width) if j != at]
    if heading:
        counted = [j for j in others if _counts(heading[j], table.numbers[:, j])]
        others = [j for j in others if j not in counted]
        others = _without_grids(path, table, at, others, choice)
    kept = _chosen(path, heading, others, choice)
    if not kept:
        raise FileError(path, "beside the wavelengths there is no column of values")
    names = [heading[j] if heading else f"spectrum {i + 1}" for i, j in enumerate(kept)]
    units = {_units_of(name, items) for name in names}
    percent = column_units.are_percent(names, table.numbers[:, kept])
    spectrometer = any(_is_quotient(heading[j]) for j in others) if heading else False
    found = Found(
        [path.stem]
        if spectrometer and len(kept) == 1
        else [column_units.bare(name) for name in names],
        table.numbers[:, at],
        unit,
        table.numbers[:, kept].T,
        units.pop() if len(units) == 1 else None,
        0.01 if percent else None,
        "the heading",
        metadata={key: value for key, value in items.items() if value},
    )
    for unit in sorted(filter(None, units)):  # left of several
        found.notices += value_notices.damaged_unit(unit)
    if heading and heading[at] == "Wvl" and not percent and found.units in (None, REFLECTANCE):
        found.notices += column_units.without_unit(names)
    left = [heading[j] for j in others if j not in kept] if heading else []
    if left:
        listed = ", ".join(repr(name) for name in left[:6]) + (" …" if len(left) > 6 else "")
        told = f"Left out: {listed}; another column can be named."
        found.notices.append(Notice.info(Code.OTHER_ARRAYS_LEFT_OUT, told))
    return found


def _counts(name: str, column: np.ndarray) -> bool:
    """Whether a column numbers the rows: by its name, or where it has none by its numbers, or by having no number."""
    alone = np.isnan(column).all() or (np.diff(column) == 1).all()
    return name.lower() in _COUNTING and bool(name or alone)


def _chosen(path: Path, heading: list[str], others: list[int], choice: Choice) -> list[int]:
    """The columns that are spectra: the one named, reflectance before radiances, no deviations."""
    if choice.column is not None:
        wanted = choice.column.lower()
        found = [j for j in others if heading and wanted == heading[j].lower()]
        found = found or [j for j in others if heading and wanted in heading[j].lower()]
        if not found:
            known = ", ".join(repr(heading[j]) for j in others) if heading else "no heading"
            raise FileError(path, f"no column {choice.column!r} is in it; it has {known}")
        return found
    if not heading:
        return others
    quotient = [j for j in others if _is_quotient(heading[j])]
    radiances = [j for j in others if heading[j].lower().startswith("rad")]
    rest = [j for j in others if j not in quotient]
    if quotient and rest and all(_ON_THE_WAY.search(heading[j]) for j in rest):
        return quotient
    if radiances and len(radiances) == len(others) > 1:  # of the reference and of the target
        return [j for j in radiances if "target" in heading[j].lower()] or others
    names = {j: column_units.bare(heading[j]).lower() for j in others}
    stems = {_MEAN.sub("", name) for name in names.values()}
    found = []
    for j, name in names.items():
        match = _DEVIATION_OF.fullmatch(name)
        of_another = match is not None and (match[1] or match[2]) in stems
        if not (len(others) > 1 and (name in _DEVIATION or of_another)):
            found.append(j)
    return found


def _without_grids(
    path: Path, table: tables.Table, at: int, others: list[int], choice: Choice
) -> list[int]:
    """The columns without further ones of wavelengths, as where each spectrum has one beside it.

    Raises
    ------
    FileError
        If these differ, and no column of values is named.
    """
    heading = table.heading or []
    grids = [j for j in others if _WAVELENGTH.search(heading[j]) and not _is_quotient(heading[j])]
    grids += [
        j
        for j in others
        if j not in grids and np.array_equal(table.numbers[:, j], table.numbers[:, at])
    ]
    differ = [j for j in grids if not np.array_equal(table.numbers[:, j], table.numbers[:, at])]
    if differ and choice.column is None:
        raise FileError(
            path,
            f"its {len(grids) + 1} columns of wavelengths differ: name one column of values, such as "
            f"{heading[at + 1 if at + 1 < len(heading) else 0]!r}",
        )
    return [j for j in others if j not in grids]


def _wavelength_column(path: Path, table: tables.Table) -> int:
    numbers = table.numbers
    if table.heading:
        named = [j for j, cell in enumerate(table.heading) if _WAVELENGTH.search(cell)]
        if named:
            return named[0]
    at = 1 if wl.are_band_numbers(numbers[:, 0]) else 0
    steps = np.diff(numbers[:, at])
    if numbers[:, at].min() > 0 and ((steps >= 0).all() or (steps <= 0).all()):
        return at
    raise FileError(
        path,
        "no column of wavelengths is in it; a heading such as “wavelength (nm)”, or a column that "
        "ascends, was expected",
    )


def _unit_in(heading: str) -> str | None:
    found = _UNIT.search(heading.replace("_", " "))
    if found is None:
        return None
    word = found[1].lower()
    for beginning, unit in (("nanomet", "nm"), ("micro", "um"), ("wavenumber", "cm-1")):
        if word.startswith(beginning):
            return unit
    return "angstrom" if "ngstr" in word else word


def _is_quotient(heading: str) -> bool:
    return _QUOTIENT.search(column_units.bare(heading)) is not None


def _units_of(heading: str, items: dict[str, str]) -> str | None:
    heading = heading[: limits.LONGEST_NAME]
    bracket = column_units.other_unit(heading)
    if bracket is not None and bracket not in ("1", "-"):
        return bracket
    if _is_quotient(heading):
        return REFLECTANCE
    quantity = _QUANTITY.search(heading)
    if quantity:
        in_round = re.search(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*$", heading)
        stated = in_round[1].strip() if in_round else ""
        return stated if re.search(r"[a-zµ]", stated) else quantity[0].lower()
    if heading.lower().startswith("rad"):
        stated = items.get("units", "").partition(",")[0]
        return stated or "radiance"
    return None


# --- USGS: one number a line, the wavelengths in a file of their own ---------------------------


def _is_one_column(lines: list[str]) -> bool:
    body = [line for line in lines[1:] if line.strip()]
    single = [line for line in body[:50] if tables.is_number(line.strip())]
    return len(body) > 1 and len(single) == len(body[:50])


def _usgs(path: Path, lines: list[str], choice: Choice) -> Found:
    title, values = _one_column(path, lines)
    listed: Any
    if isinstance(choice.wavelengths, (str, Path)):
        listed, unit = _wavelength_file(Path(choice.wavelengths))
    elif choice.wavelengths is not None:
        listed, unit = choice.wavelengths, "nm"
    else:
        listed, unit = _wavelengths_beside(path, len(values))
    name = re.sub(r"^\s*(?:\S+\s+)?Record=\d+:\s*", "", title) if _USGS.match(title) else title
    return Found(
        [name.strip() or path.stem],
        listed,
        unit,
        np.array([values]),
        REFLECTANCE if _USGS.match(title) else None,
        metadata={"title": title.strip()},
    )


def _one_column(path: Path, lines: list[str]) -> tuple[str, list[float]]:
    values = []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        if not tables.is_number(line.strip()):
            raise FileError(
                path,
                f"line {number} is damaged: {line.strip()[:40]!r} where a number was expected",
            )
        values.append(float(line))
    return lines[0], values


def _wavelength_file(path: Path) -> tuple[list[float], str | None]:
    title, values = _one_column(path, tables.lines_of(path)[0])
    if tables.is_number(title.strip()):
        values.insert(0, float(title))
    return values, _unit_in(title)


def _wavelengths_beside(path: Path, count: int) -> tuple[list[float], str | None]:
    """The file of wavelengths with as many lines, in the folder or the one above it."""
    found: dict[PathLike[str], tuple[list[float], str | None]] = {}
    for folder in (path.resolve().parent, path.resolve().parent.parent):
        for file in sorted(folder.glob("*[Ww]avelengths*.txt")):
            if file != path.resolve():
                listed = _wavelength_file(file)
                if len(listed[0]) == count:
                    found[file] = listed
        if found:
            break
    if len(found) == 1:
        return next(iter(found.values()))
    many = f"several lie beside it: {', '.join(Path(f).name for f in found)}"
    problem = many if found else "no file of that many “Wavelengths” lies beside it or above it"
    raise FileError(path, f"it holds {count} values without wavelengths, and {problem}")
