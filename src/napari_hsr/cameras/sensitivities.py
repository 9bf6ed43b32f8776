"""Spectral sensitivities: measured cameras, standard observers, and users' own tables."""

from __future__ import annotations

import csv
import difflib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.colour.observers import OBSERVERS, colour_science, observer_table
from napari_hsr.errors import FileError, InputError, did_you_mean
from napari_hsr.io import limits, number_parsing, text_files
from napari_hsr.io.library_errors import not_there
from napari_hsr.io.wavelengths import even_grids
from napari_hsr.photograph import CAMERA, slug

#: Measured cameras included in colour-science.
MEASURED = ("Nikon 5100 (NPL)", "Sigma SDMerill (NPL)")

#: Relative units are none from here on, and no response is so many times all others.
_LARGEST, _ALONE = 1e30, 50.0
#: Rows of a table: 49 cameras by nm are 20,000.
_MOST_ROWS = 200_000
_NO_POINT = re.compile(r"-?0\d+")  # 00001, of 0,0001

#: Words beside the name of a channel: ``QE Red``, ``relative response of green``.
_QUANTITY = re.compile(
    r"\b(qe|quantum efficiency|relative|spectral|sensitivity|response|responsivity|channel|of)\b[\s_]*|"
    r"(?<=[a-z])_(qe|sensitivity|response)$"
)
#: Units behind the name of a column.
_UNITS = re.compile(r"\s*(\(.*\)|\[.*\]|%)$")
_MICROMETRES = re.compile(r"(?<![a-z])([uµμ]m|micron|micromet)", re.IGNORECASE)
#: ``table.csv``, ``table.csv:Nikon_D700`` or, for all of its cameras, ``table.csv:*``.
_TABLE = re.compile(r"(?P<path>.+\.(?:csv|txt|tsv))(?::(?P<name>.+))?", re.IGNORECASE)


@told
@dataclass(frozen=True, eq=False)
class Camera:
    """The spectral sensitivities of three channels.

    Attributes
    ----------
    name : str
        As its source writes it.
    wavelengths_nm : ndarray, shape (n,)
        Strictly ascending.
    sensitivities : ndarray, shape (n, 3)
        Red, green and blue (or x̄, ȳ, z̄), in relative units.
    source : str
        Where the values come from, for provenance.
    observer : str or None
        Full name of the CIE observer, if it is one: its photographs are rendered to sRGB.

    Raises
    ------
    InputError
        If values are not finite, shapes do not fit, or a channel has no sensitivity.
    """

    name: str
    wavelengths_nm: np.ndarray
    sensitivities: np.ndarray
    source: str = ""
    observer: str | None = None

    def __post_init__(self) -> None:
        nm = np.array(self.wavelengths_nm, dtype=np.float64).ravel()
        values = np.array(self.sensitivities, dtype=np.float64)
        if nm.size < 2 or values.shape != (nm.size, 3):
            raise InputError(
                f"The camera {self.name} needs three sensitivities at each of two wavelengths or "
                f"more; it has {nm.size} wavelengths and values of shape {values.shape}."
            )
        if not (np.isfinite(nm).all() and (np.abs(values) < _LARGEST).all()):
            raise InputError(f"The sensitivities of the camera {self.name} are not all numbers.")
        if (np.diff(nm) <= 0).any() or nm[0] <= 0:
            raise InputError(f"The wavelengths of the camera {self.name} must ascend strictly.")
        if nm[-1] < 50:
            raise InputError(
                f"The wavelengths of the camera {self.name} must be in nm; "
                f"they end at {nm[-1]:g}, which looks like µm."
            )
        if (values.sum(axis=0) <= 0).any():
            raise InputError(f"The camera {self.name} has a channel that sees nothing.")
        nm.flags.writeable = values.flags.writeable = False
        object.__setattr__(self, "wavelengths_nm", nm)
        object.__setattr__(self, "sensitivities", values)

    @property
    def slug(self) -> str:
        """``"nikon-d700"``."""
        return slug(self.name)

    @property
    def encoding(self) -> str:
        """The encoding of its photographs: ``camera:<slug>``; linear sRGB for an observer."""
        return "linear-srgb" if self.observer else CAMERA + self.slug


def list_cameras() -> list[str]:
    """Names that :func:`get_camera` takes without a file; loads nothing."""
    return [*MEASURED, *OBSERVERS]


@told
def get_camera(text: str | Camera) -> Camera:
    """A camera by name or from a table.

    Parameters
    ----------
    text : str
        ``"Nikon 5100 (NPL)"`` or ``"nikon-5100-npl"``, ``"cie-1931"``, ``"cie-1964"``; or a CSV
        file: ``"file.csv"`` if it holds one camera, ``"file.csv:Nikon_D700"`` else. The file has
        the columns ``wavelength`` (or ``wavelength_nm``), ``R``, ``G``, ``B``, and ``camera`` if
        it holds several. A :class:`Camera` is returned as it is.

    Returns
    -------
    Camera

    Raises
    ------
    InputError, FileError
        If the name is not known, or the file cannot be used.
    """
    if isinstance(text, Camera):
        return text
    text = str(text).strip()
    table = _TABLE.fullmatch(text)
    if table:
        return _pick(table["path"], table["name"])
    wanted = slug(text[len(CAMERA) :] if text.lower().startswith(CAMERA) else text)
    for name in MEASURED:
        if slug(name) == wanted:
            return _measured(name)
    for short, full in OBSERVERS.items():
        if wanted in (short, slug(full)):
            nm, values = observer_table(full)
            return Camera(short, nm, values, f"colour-science, {full}", full)
    raise InputError(
        f"The camera {text!r} is not known; known are {', '.join(list_cameras())}, "
        "or a table as file.csv:name."
    )


@lru_cache(maxsize=4)
def _measured(name: str) -> Camera:
    curves = colour_science().MSDS_CAMERA_SENSITIVITIES[name]
    return Camera(name, curves.wavelengths, curves.values, "colour-science, measured by NPL")


def _pick(path: str, name: str | None) -> Camera:
    cameras = read_cameras(path)
    if name is None:
        if len(cameras) == 1:
            return next(iter(cameras.values()))
        some = ", ".join(list(cameras)[:3])
        raise FileError(
            path,
            f"it holds {len(cameras)} cameras, so name one as "
            f"{Path(path).name}:{next(iter(cameras))} ({some}…)",
        )
    for known, camera in cameras.items():
        if slug(known) == slug(name):
            return camera
    near = difflib.get_close_matches(name, cameras, n=3, cutoff=0.0)
    raise FileError(path, f"it holds no camera {name!r}; the nearest names are {', '.join(near)}")


@told
def read_cameras(path: str | Path) -> dict[str, Camera]:
    """All cameras of a CSV table, by their names.

    Parameters
    ----------
    path : path-like
        UTF-8 text with a header line; columns in any order and case, separated by comma,
        semicolon (then with decimal commas, too), tab or blanks: ``wavelength``, ``R``, ``G``,
        ``B``, with or without units, and ``camera`` if there are several. Rows may come in any
        order. The two greens of a mosaic, ``Gr`` and ``Gb``, are averaged. Four columns of numbers without a
        header are wavelength, R, G, B; lines that begin with # or % are comments, as is a line
        of units below the header.

    Raises
    ------
    FileError
        If it cannot be read, a column is missing, or a value is not a number.
    """
    path = Path(path)
    rows = _rows(path)
    heading = _heading(path, rows)
    tables: dict[str, dict[float, list[float]]] = {}
    for number, row in enumerate(rows[heading.below :], start=heading.below + 1):
        if not any(cell.strip() for cell in row):
            continue
        name, nm, rgb = heading.values(row, path.stem)
        if not all(math.isfinite(value) for value in (nm, *rgb)):
            raise FileError(path, f"line {number} does not hold a wavelength and three numbers")
        if nm in (table := tables.setdefault(name, {})):
            raise FileError(path, f"line {number} gives {nm:g} nm a second time for {name}")
        table[nm] = rgb
    if not tables:
        raise FileError(path, "it has a header but no rows of sensitivities")
    try:
        return {name: _from_table(name, table, path) for name, table in tables.items()}
    except InputError as error:
        raise FileError(path, str(error).rstrip(".")) from None


def _rows(path: Path) -> list[list[str]]:
    """The cells of all lines; those of comments and empty lines are empty."""
    try:
        text = text_files.decoded(limits.content(path))
    except FileNotFoundError:
        raise not_there(path, "there is no such file") from None
    except UnicodeDecodeError:
        raise FileError(path, "it is not a text file, but a table of sensitivities is") from None
    except OSError as error:
        raise FileError(path, f"it cannot be read ({error.strerror})") from error
    if number_parsing.how_it_ends(text) is not number_parsing.Ending.WHOLE:
        raise FileError(
            path, "it is cut short in its last number, or lacks the end of its last line"
        )
    lines = text.splitlines()
    limits.check_count(path, len(lines), "rows", _MOST_ROWS)
    lines = ["" if line.lstrip().startswith(("#", "%")) else line for line in lines]
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise FileError(path, "it is empty; a table of sensitivities was expected")
    delimiter = max(",;\t", key=first.count)
    if not first.count(delimiter):
        lines, delimiter = ["\t".join(line.split()) for line in lines], "\t"
    if delimiter != "," and not any(re.search(r"\d\.\d", line) for line in lines):
        lines = [re.sub(r"(?<=\d),(?=\d)", ".", line) for line in lines]  # decimal commas
    try:
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as error:
        raise FileError(path, f"it cannot be read as a table ({error})") from error
    if not any(cell.strip() for row in rows for cell in row):
        raise FileError(path, "all of its cells are empty; a table of sensitivities was expected")
    return rows


@dataclass(frozen=True)
class _Heading:
    """Which column holds what, and from which row on (from 0) the numbers stand."""

    columns: dict[str, int]
    micrometres: bool
    below: int
    width: int

    def values(self, row: list[str], default: str) -> tuple[str, float, list[float]]:
        """Camera, wavelength in nm and the three values of a row; NaN where they are no numbers."""
        columns = self.columns
        if any(cell.strip() for cell in row[self.width :]):  # one doubled, or two lines in one
            return "", math.nan, []
        try:
            nm, *rgb = (_number(row[columns[key]]) for key in ("wavelength", "r", "g", "b"))
            if any(_NO_POINT.fullmatch(row[columns[key]].strip()) for key in "rgb"):
                return "", math.nan, []
            if "second green" in columns:
                rgb[1] = (rgb[1] + _number(row[columns["second green"]])) / 2
            name = row[columns["camera"]].strip() if "camera" in columns else default
        except IndexError:
            return "", math.nan, []
        return name, round(1000 * nm, 6) if self.micrometres else nm, rgb


def _heading(path: Path, rows: list[list[str]]) -> _Heading:
    """The names of the columns, and below them a line of units if there is one."""
    at = next(i for i, row in enumerate(rows) if any(cell.strip() for cell in row))
    if _is_numbers(rows[at]) and len(rows[at]) == 4:
        return _Heading({"wavelength": 0, "r": 1, "g": 2, "b": 3}, False, at, 4)
    columns, width = _columns(path, rows[at]), len(rows[at])
    named = rows[at][columns["wavelength"]]
    units = rows[at + 1] if at + 1 < len(rows) else []
    said = len(units) > columns["wavelength"] and any(cell.strip() for cell in units)
    if said and not any(_is_numbers([cell]) for cell in units):
        at, named = at + 1, units[columns["wavelength"]]
    return _Heading(columns, bool(_MICROMETRES.search(named)), at + 1, width)


def _is_numbers(cells: list[str]) -> bool:
    return all(math.isfinite(_number(cell)) for cell in cells)


def _number(cell: str) -> float:
    """The number in a cell; NaN where it is none."""
    return math.nan if (n := number_parsing.number(cell)) is None else n


def _from_table(name: str, table: dict[float, list[float]], path: Path) -> Camera:
    even_grids.check(path, np.array(list(table)), name)
    *_, second, most = sorted(abs(value) for row in table.values() for value in row)
    if len(table) > 3 and most > _ALONE * second > 0:  # 0,3679 that lost its comma
        raise FileError(path, f"one value of {name}, {most:g}, is far beyond all others")
    nm = sorted(table)
    return Camera(name, np.array(nm), np.array([table[at] for at in nm]), path.name)


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    found = {cell.strip().lower(): i for i, cell in enumerate(header)}
    found = {
        _UNITS.sub("", name[: limits.LONGEST_NAME]).strip(): i for name, i in found.items()
    } | found
    found = {_QUANTITY.sub("", name).strip(" _"): i for name, i in found.items()} | found
    for alias in ("wavelength_nm", "wavelength_um", "wavelengths", "wellenlänge", "wl", "lambda", "nm"):  # fmt: skip
        if alias in found:
            found.setdefault("wavelength", found[alias])
    names = {"r": ("red", "rot"), "g": ("green", "grün"), "b": ("blue", "blau")}
    for key, aliases in names.items():
        for alias in aliases:
            if alias in found:
                found.setdefault(key, found[alias])
    for one, other in (("gr", "gb"), ("g1", "g2"), ("green1", "green2"), ("green_r", "green_b")):
        if "g" not in found and one in found and other in found:
            found |= {"g": found[one], "second green": found[other]}
    missing = [key for key in ("wavelength", "r", "g", "b") if key not in found]
    if missing:
        raise FileError(
            path,
            "a table of sensitivities has the columns wavelength, R, G, B (and camera); "
            f"{', '.join(m.upper() if len(m) == 1 else m for m in missing)} is missing "
            f"from its first line ({', '.join(cell.strip()[:20] for cell in header[:6])})",
        )
    return found


def camera_pool(cameras: tuple[str, ...], leave_out: tuple[str, ...] = ()) -> tuple[Camera, ...]:
    """Cameras by name; ``table.csv:*`` stands for all cameras of a table.

    Tables are cached until their file changes.

    Parameters
    ----------
    cameras : tuple of str
        As :func:`napari_hsr.cameras.get_camera` takes them, or ``table.csv:*``.
    leave_out : tuple of str
        Names of cameras to exclude, in any spelling with the same slug.

    Returns
    -------
    tuple of Camera
        The same objects for the same arguments.

    Raises
    ------
    InputError, FileError
        If a name or table is not known, an excluded camera is not among them, or none is left.
    """
    return _pool(tuple(cameras), tuple(leave_out), tuple(_stamp(text) for text in cameras))


def _stamp(text: str) -> tuple[int, int] | None:
    table = _TABLE.fullmatch(text.strip())
    try:
        status = Path(table["path"]).stat() if table else None
    except OSError:
        return None  # reading it raises the proper error
    return (status.st_mtime_ns, status.st_size) if status else None


@lru_cache(maxsize=32)
def _pool(
    cameras: tuple[str, ...], leave_out: tuple[str, ...], _stamps: tuple[object, ...]
) -> tuple[Camera, ...]:
    found: dict[str, Camera] = {}
    for text in cameras:
        table = _TABLE.fullmatch(text.strip())
        if table and table["name"] and table["name"].strip() == "*":
            for camera in read_cameras(table["path"]).values():
                found.setdefault(camera.slug, camera)
        else:
            camera = get_camera(text)
            found.setdefault(camera.slug, camera)
    for name in leave_out:
        if found.pop(slug(name), None) is None:
            hint = did_you_mean(slug(name), found, 0)
            raise InputError(
                f"The camera {name!r} is to be left out, but is not among the cameras{hint}."
            )
    if not found:
        raise InputError("No camera is left to take photographs with: name one in cameras.")
    return tuple(found.values())
