"""Spectra in JCAMP-DX (4.24 and 5.01): tables of ordinates, packed or not, and of points.

A table ``(X++(Y..Y))`` has lines of an abscissa and the ordinates from there on, at even steps. Digits
may be packed: the first of each number says its sign, whether it is a difference, or how often
the one before it comes (McDonald and Wilks, Appl. Spectrosc. 42, 151, 1988).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import number_parsing
from napari_hsr.io.decoding import nearly, plain_name
from napari_hsr.io.libraries import tables
from napari_hsr.io.libraries.assemble import REFLECTANCE, Choice, Found, assemble
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_hsr.spectral_library import SpectralLibrary

#: Points of one spectrum, and spectra of one file.
_MOST_POINTS, _MOST_SPECTRA = 10**6, 10**4
_LABEL = re.compile(r"\s*##(.*?)=(.*)")
#: Labels that say what the numbers are, and others so like them that none is taken for a damaged one.
_LABELS = ("XUNITS", "YUNITS", "XFACTOR", "YFACTOR", "FIRSTX", "LASTX", "DELTAX", "NPOINTS")
#: Of several axes at once, where tables of two have X or Y before them.
_OF_TUPLES = ("UNITS", "FACTOR", "FIRST", "LAST")
_NEAR_LABELS = (
    "FIRSTY",
    "LASTY",
    "DELTAY",
    "UNITS",
    "FACTOR",
    "FIRST",
    "LAST",
    "ZUNITS",
    "ZFACTOR",
)
_HALF_A_LABEL = re.compile(r"\s*#?([A-Z]+)=")
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|\?")
_PACKED = re.compile(r"[@A-Ia-i%J-Rj-r+-]?(?:\d+\.?\d*|\.\d+)|[@A-Ia-i%J-Rj-r]|[S-Zs]\d*|\?")
#: What a number may begin with: sign and first digit, of a value and of a difference.
_SQUEEZED = {c: f"+{i}" for i, c in enumerate("@ABCDEFGHI")}
_SQUEEZED |= {c: f"-{i}" for i, c in enumerate("abcdefghi", 1)}
_DIFFERENCE = {c: f"+{i}" for i, c in enumerate("%JKLMNOPQR")}
_DIFFERENCE |= {c: f"-{i}" for i, c in enumerate("jklmnopqr", 1)}
_REPEATED = {c: i for i, c in enumerate("STUVWXYZs", 1)}
_UNITS = {"1/CM": "cm-1", "CM-1": "cm-1", "CM^-1": "cm-1", "NANOMETERS": "nm", "NANOMETRES": "nm", "NM": "nm",
          "MICROMETERS": "um", "MICROMETRES": "um", "MICRONS": "um", "UM": "um"}  # fmt: skip


@dataclass
class _Block:
    """One spectrum: its items by their labels, and the lines of its table."""

    items: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    form: str = ""
    lines: list[str] = field(default_factory=list)


def is_jcamp(head: bytes) -> bool:
    """True for the head of such a file, which a title opens."""
    lines = head.removeprefix(b"\xef\xbb\xbf").upper().split(b"\n")
    first = next(
        (line.strip() for line in lines if line.strip() and line.strip()[:2] != b"$$"), b""
    )
    return re.match(rb"##\s*TITLE\s*=", first) is not None


def read(path: Path, choice: Choice) -> SpectralLibrary:
    """Read all spectra of a file, which have one grid.

    Raises
    ------
    FileError
        If there is no spectrum in it, it is cut short or damaged, or its spectra have different grids.
    """
    lines, maybe_cut = tables.lines_of(path)
    blocks = _blocks(lines)
    tabled = [block for block in blocks if block.kind in ("XYDATA", "XYPOINTS")]
    if not tabled:
        kinds = sorted({block.kind.lower() for block in blocks if block.kind})
        has = f"only {', '.join(kinds)}" if kinds else "no table"
        raise FileError(path, f"a spectrum was expected in this JCAMP-DX file, but it has {has}")
    if len(tabled) > _MOST_SPECTRA:
        raise FileError(path, f"it holds {len(tabled)} spectra; up to {_MOST_SPECTRA} are read")
    spectra = [_spectrum(path, block) for block in tabled]
    grid = spectra[0][0]
    for x, _ in spectra[1:]:
        if x.shape != grid.shape or not np.allclose(x, grid, rtol=1e-6, atol=0):
            raise FileError(
                path, "its spectra have different wavelengths; save each in a file of its own"
            )
    first, notices = tabled[0].items, list[Notice]()
    if len({(block.items.get("XUNITS"), block.items.get("YUNITS")) for block in tabled}) > 1:
        raise FileError(path, "its spectra have different units; save each in a file of its own")
    left = len([block for block in blocks if block.kind and block not in tabled])
    if left:
        told = f"Tables that are no spectra, such as lists of peaks, were left out: {left}."
        notices.append(Notice.info(Code.OTHER_ARRAYS_LEFT_OUT, told))
    notices += [told for block in tabled for told in _damage(block)][:3]
    notices += _contradicted(tabled, spectra) + maybe_cut
    if not any(re.match(r"\s*##\s*END\s*=", line, re.IGNORECASE) for line in lines[-20:]):
        told = "The file does not end in ##END=, as one of its kind does: it may be cut short."
        notices.append(Notice.warning(Code.MAYBE_DAMAGED, told))
    y_units = first.get("YUNITS", "")
    units = y_units.lower() or None
    found = Found(
        [block.items.get("TITLE") or f"{path.stem} {i}" for i, block in enumerate(tabled, 1)],
        grid,
        _UNITS.get(first.get("XUNITS", "").upper().replace(" ", ""), first.get("XUNITS") or None),
        np.stack([y for _, y in spectra]),
        REFLECTANCE if "REFLECTANCE" in y_units.upper() else units,
        0.01 if re.search(r"%|PERCENT", y_units.upper()) else None,
        "“YUNITS” in the file",
        metadata={key.lower(): value for key, value in first.items() if value},
        notices=notices,
    )
    return assemble(path, found, choice)


def _blocks(lines: list[str]) -> list[_Block]:
    """The blocks of a file; those of a compound one lie inside another."""
    found: list[_Block] = []
    block, in_table = _Block(), False
    for line in lines:
        text = line.partition("$$")[0].rstrip()
        labelled = _LABEL.match(text)
        if labelled is None:
            half = _HALF_A_LABEL.match(text)
            lost = text.lstrip().startswith("##")  # its sign
            if (lost or (half and half[1] in _LABELS)) and not in_table:
                block.items.setdefault(text.strip()[:40], "")  # told by its name
            if in_table and text.strip():
                block.lines.append(text)
            continue
        label = re.sub(r"[\s\-/_]", "", labelled[1]).upper()
        in_table = False
        if label == "TITLE":
            block = _Block()
            found.append(block)
        if label in ("XYDATA", "XYPOINTS", "PEAKTABLE", "PEAKASSIGNMENTS", "NTUPLES", "DATATABLE"):
            block.kind = {"PEAKTABLE": "PEAK TABLE", "PEAKASSIGNMENTS": "PEAK ASSIGNMENTS"}.get(
                label, label
            )
            block.form, in_table = labelled[2].strip().replace(" ", "").upper(), True
        else:
            block.items.setdefault(label, labelled[2].strip())
    return found


def _damage(block: _Block) -> list[Notice]:
    """Notices of labels that are nearly those that are read, and of a table that is not all of one kind."""
    found = []
    known = tuple(map(plain_name, (*_LABELS, *_NEAR_LABELS)))
    for label in block.items:
        meant = nearly(label, known)
        alone = label in _OF_TUPLES and block.kind in ("XYDATA", "XYPOINTS")
        lost = label.startswith("##")
        if (
            alone
            or lost
            or _HALF_A_LABEL.match(label)
            or plain_name(meant) in map(plain_name, _LABELS)
        ):
            told = f"The file's label “{one_line(label, 40)}” may be damaged: it has no effect."
            found.append(Notice.warning(Code.MAYBE_DAMAGED, told))
    if merged := [label for label, value in block.items.items() if value.startswith("##")]:
        told = f"The file's label “{one_line(merged[0], 40)}” holds the next one: a line of it may be damaged."
        found.append(Notice.warning(Code.MAYBE_DAMAGED, told))
    if not block.form.startswith("(X++(Y..Y))"):
        return found
    rests = [re.sub(r"^\s*[+-]?[\d.]+(?:[eE][+-]\d+)?[\s,;]*", "", line) for line in block.lines]
    packed = not _is_plain(rests)
    counts = [len(rest.split()) for rest in rests]
    others, most = sorted(counts[:-1])[:-1], max(counts, default=0)
    if packed and any(re.search(r"[\s,;]\d", rest) for rest in rests):
        told = "Its table has numbers that are written out beside packed ones: one may be damaged."
        found.append(Notice.warning(Code.MAYBE_DAMAGED, told))
    elif not packed and len(others) > 1 and len(set(others)) == 1 and most > others[0]:
        told = f"A line of its table has {most} numbers, and all others {others[0]}: two lines may be one."
        found.append(Notice.warning(Code.MAYBE_DAMAGED, told))
    return found


def _spectrum(path: Path, block: _Block) -> tuple[np.ndarray, np.ndarray]:
    """Abscissae and ordinates of one block, in the file's units."""
    factors = [_number(path, block, label, 1.0) for label in ("XFACTOR", "YFACTOR")]
    if block.form.startswith("(X++(Y..Y))"):
        x, y = _even(path, block, factors[0])
    elif block.form.startswith("(XY..XY)"):
        listed = []
        for line in block.lines:
            tokens = _PLAIN.findall(line)
            _check_read(path, line, tokens, line)
            listed += [np.nan if token == "?" else float(token) for token in tokens]
        if len(listed) % 2 or not listed:
            raise FileError(path, "its table of points is cut short: not each has two numbers")
        x, y = np.array(listed[::2]) * factors[0], np.array(listed[1::2])
    else:
        raise FileError(path, f"its table has the form {block.form[:40]!r}, which is not read")
    _check_count(path, block, len(y))
    return x, y * factors[1]


def _even(path: Path, block: _Block, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """A table of ordinates at even steps, whose abscissae check that no line is missing."""
    plain = _is_plain(_first(path, line)[1] for line in block.lines)
    starts, values, after_difference = list[tuple[int, float]](), list[float](), False
    for line in block.lines:
        x, rest = _first(path, line)
        tokens = (_PLAIN if plain else _PACKED).findall(rest)
        _check_read(path, line, tokens, rest)
        row, differs = _unpacked(path, tokens, plain)
        if after_difference and row:
            if values and abs(row[0] - values[-1]) > 1:  # the last value once more, as a check
                raise FileError(path, f"a check value of its table is wrong: {line.strip()[:60]!r}")
            row = row[1:]
            starts.append((len(values) - 1, x))
        else:
            starts.append((len(values), x))
        values += row
        after_difference = differs
        if len(values) > _MOST_POINTS:
            raise FileError(path, f"a spectrum in it has more than {_MOST_POINTS} points")
    if not values:
        raise FileError(path, "its table is empty")
    count = len(values)
    _check_count(path, block, count)
    first = _number(path, block, "FIRSTX", starts[0][1] * factor)
    step = _number(path, block, "DELTAX", 0.0)
    last = _number(path, block, "LASTX", first + step * (count - 1))
    grid = np.linspace(first, last, count)
    width = abs(last - first) / max(count - 1, 1)
    for at, x in starts:
        # what a line states was rounded to the digits it has; half a step off is another point
        if at < count and abs(x * factor - grid[at]) > 0.5 * width + 0.5 * abs(factor):
            raise FileError(
                path,
                f"its table is damaged: a line begins at {x * factor:g}, where {grid[at]:g} was expected",
            )
    return grid, np.array(values)


def _check_read(path: Path, line: str, tokens: list[str], text: str) -> None:
    """That the numbers found in a text are all that stands in it."""
    if "".join(tokens) != re.sub(r"[\s,;]", "", text):
        raise FileError(path, f"a line of its table is damaged: {line.strip()[:60]!r}")


def _check_count(path: Path, block: _Block, count: int) -> None:
    stated = _number(path, block, "NPOINTS", float(count))
    if stated != count:
        raise FileError(
            path, f"it states {stated:g} points, but {count} are there: is it cut short?"
        )


def _is_plain(rests: Iterable[str]) -> bool:
    """Whether numbers are written out: with points, or letters that can only be exponents."""
    text = " ".join(rests)
    exponents = re.sub(r"(?<=[\d.])[eE][+-]\d+", "", text)
    return "." in text or re.search(r"[%@A-Za-z]", exponents) is None


def _first(path: Path, line: str) -> tuple[float, str]:
    """The abscissa of a line, and what follows it."""
    found = re.match(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]\d+)?)[\s,;]*", line)
    if found is None:
        raise FileError(path, f"a line of its table is damaged: {line.strip()[:60]!r}")
    return float(found[1]), line[found.end() :]


def _unpacked(path: Path, tokens: list[str], plain: bool) -> tuple[list[float], bool]:
    """The numbers of a line, and whether the last of them was a difference."""
    found: list[float] = []
    step: float | None = None
    for token in tokens:
        mark = token[0]
        if token == "?":
            found.append(np.nan)
            step = None
        elif not plain and mark in _REPEATED:
            count = int(f"{_REPEATED[mark]}{token[1:]}")
            if not found or count > _MOST_POINTS:
                raise FileError(path, f"its table is damaged: {token[:20]!r} repeats nothing")
            for _ in range(count - 1):
                found.append(found[-1] + (step or 0.0))
        elif not plain and mark in _DIFFERENCE:
            if not found:
                raise FileError(path, f"its table is damaged: {token[:20]!r} begins a line")
            step = float(_DIFFERENCE[mark] + token[1:])
            found.append(found[-1] + step)
        else:
            found.append(float(_SQUEEZED[mark] + token[1:] if mark in _SQUEEZED else token))
            step = None
    return found, step is not None


def _number(path: Path, block: _Block, label: str, default: float) -> float:
    stated = block.items.get(label, "")
    if not stated:
        return default
    found = number_parsing.number(stated.replace(",", "."))
    if found is None or not np.isfinite(found) or (label.endswith("FACTOR") and found == 0):
        raise FileError(path, f"a number was expected as {label}, not {stated[:40]!r}")
    return found


def _contradicted(
    blocks: list[_Block], spectra: list[tuple[np.ndarray, np.ndarray]]
) -> list[Notice]:
    """Notices of first values and extremes that are stated otherwise than they are."""
    for block, (_, y) in zip(blocks, spectra, strict=True):
        known = {"FIRSTY": y[0], "MAXY": np.nanmax(y), "MINY": np.nanmin(y)}
        span = float(known["MAXY"] - known["MINY"]) or 1.0
        for label, value in known.items():
            stated = block.items.get(label, "")
            if tables.is_number(stated) and abs(float(stated) - value) > 0.02 * span:
                told = f"The file states {label} = {stated}, but it is {value:g}: a factor may be wrong."
                return [Notice.warning(Code.VALUES_SCALE_GUESSED, told)]
    return []
