"""Standard observers and illuminants, as colour-science tabulates them.

The usual ones lie in ``cie_tables.json`` (made by ``training/cie_tables.py``): colour-science takes a
second to load, which nobody should wait for before a cube is painted. It is loaded for any other.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.band_gaps import gaps_in
from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from types import ModuleType

#: Short names of the observers, and their names in colour-science.
OBSERVERS: dict[str, str] = {
    "cie-1931": "CIE 1931 2 Degree Standard Observer",
    "cie-1964": "CIE 1964 10 Degree Standard Observer",
    "cie-2015-2": "CIE 2015 2 Degree Standard Observer",
    "cie-2015-10": "CIE 2015 10 Degree Standard Observer",
}

#: Common illuminants, offered first; any other in colour-science is accepted by name too.
ILLUMINANTS: tuple[str, ...] = (
    *("D65", "D50", "D55", "D75", "A", "E"),
    *("FL2", "FL7", "FL11", "LED-B1", "LED-B3", "LED-B5", "LED-RGB1"),
)
#: The others that colour-science has: names are known without loading it, which takes a second.
_OTHERS = (
    *("B", "C", "D60", "FL1", "FL3", "FL4", "FL5", "FL6", "FL8", "FL9", "FL10", "FL12"),
    *(f"FL3.{number}" for number in range(1, 16)),
    *("HP1", "HP2", "HP3", "HP4", "HP5", "ID50", "ID65", "LED-B2", "LED-B4", "LED-BH1"),
    *("LED-V1", "LED-V2", "ISO 7589 Photoflood", "ISO 7589 Photographic Daylight"),
    *("ISO 7589 Sensitometric Daylight", "ISO 7589 Sensitometric Photoflood"),
    *("ISO 7589 Sensitometric Printer", "ISO 7589 Sensitometric Studio Tungsten"),
    "ISO 7589 Studio Tungsten",
)

_FILE = Path(__file__).with_name("cie_tables.json")


@lru_cache(maxsize=1)
def colour_science() -> ModuleType:
    """Import colour-science without its side effects.

    Without Matplotlib it warns that plots are not available, and puts mock objects under
    Matplotlib's name into ``sys.modules``, which other packages (such as vispy) would mistake for
    Matplotlib. Both are undone.
    """
    before = set(sys.modules)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message='"Matplotlib" related API features')
        import colour
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"cycler", "matplotlib", "mpl_toolkits"} and type(
            sys.modules[name]
        ).__module__.startswith("unittest.mock"):
            del sys.modules[name]
    return colour


@told
def observer_name(text: str) -> str:
    """The full name of a standard observer, from its short or its full name.

    Raises
    ------
    InputError
        If it is not known; the message lists the known ones.
    """
    key = _key(text)
    for short, full in OBSERVERS.items():
        if key in (_key(short), _key(full)):
            return full
    raise InputError(f"The observer {text!r} is not known; known are {', '.join(OBSERVERS)}.")


@told
def illuminant_name(text: str) -> str:
    """The name of an illuminant in colour-science; ``"d65"`` and ``"F11"`` work too.

    Raises
    ------
    InputError
        If it is not known; the message lists common ones.
    """
    key = _key(text)
    names = {_key(name): name for name in (*ILLUMINANTS, *_OTHERS)}
    name = names.get(key) or names.get(re.sub(r"^f(?=\d)", "fl", key))
    if name is None:
        raise InputError(
            f"The illuminant {text!r} is not known; usual ones are {', '.join(ILLUMINANTS)}."
        )
    return name


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", str(text).lower())


@lru_cache(maxsize=1)
def _tables() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    found = {}
    for name, table in json.loads(_FILE.read_text(encoding="utf-8")).items():
        values = np.array(table["values"])
        found[name] = table["first_nm"] + table["step_nm"] * np.arange(len(values)), values
    return found


@lru_cache(maxsize=8)
def observer_table(full_name: str) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths (n,) and x̄, ȳ, z̄ (n, 3) of an observer, by its full name."""
    nm, values = _tables()[full_name]
    return nm.copy(), values.copy()


@lru_cache(maxsize=32)
def illuminant_table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths (n,) and relative power (n,) of an illuminant, by its name in colour-science."""
    if name in _tables():
        nm, values = _tables()[name]
        return nm.copy(), values.copy()
    spectrum = colour_science().SDS_ILLUMINANTS[name]
    return np.array(spectrum.wavelengths), np.array(spectrum.values)


def observer_values(observer: str, wavelengths_nm: np.ndarray) -> np.ndarray:
    """Colour-matching functions at given wavelengths.

    Parameters
    ----------
    observer : str
        A name that :func:`observer_name` accepts.
    wavelengths_nm : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n, 3), float64
        x̄, ȳ, z̄; linear between the tabulated wavelengths (1 nm apart), zero outside them.
    """
    nm, values = observer_table(observer_name(observer))
    return sample(wavelengths_nm, nm, values)


def illuminant_values(illuminant: str, wavelengths_nm: np.ndarray) -> np.ndarray:
    """Relative spectral power of an illuminant at given wavelengths.

    Parameters
    ----------
    illuminant : str
        A name that :func:`illuminant_name` accepts.
    wavelengths_nm : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n,), float64
        Relative power (100 at 560 nm for the daylights); linear between the tabulated
        wavelengths, as CIE 15 recommends, zero outside them.
    """
    nm, values = illuminant_table(illuminant_name(illuminant))
    return sample(wavelengths_nm, nm, values[:, None])[:, 0]


def sample(at_nm: np.ndarray, nm: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Columns of ``values`` (n, k) at other wavelengths: linear, exact at ``nm``, zero outside."""
    at_nm = np.asarray(at_nm, dtype=np.float64)
    columns = [np.interp(at_nm, nm, column, left=0.0, right=0.0) for column in values.T]
    return np.stack(columns, axis=-1)


def band_widths(wavelengths_nm: np.ndarray) -> np.ndarray:
    """Δλ of each band in nm, shape (n,); exactly equal on a regular grid.

    A band at a gap, where the next one is more than three times as far as others around, is as wide as
    one at the end: it does not stand for the gap.
    """
    nm = np.asarray(wavelengths_nm, dtype=np.float64)
    if nm.size < 2:
        return np.ones_like(nm)
    steps = np.diff(nm)
    if np.ptp(steps) <= 1e-6 * steps.max():
        return np.full(nm.size, (nm[-1] - nm[0]) / (nm.size - 1))
    return np.concatenate(
        [
            np.gradient(part) if part.size > 1 else np.full(part.size, np.median(steps))
            for part in np.split(nm, gaps_in(nm))
        ]
    )
