"""Facts with one value a band that lie beside an array: widths of the bands, which of them are of use."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io.decoding import nearly, plain_name
from napari_hsr.io.number_parsing import number
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from napari_hsr.io.variable import Variable

#: Names of widths, with the unit where the name has one.
_WIDTHS = {"fwhm": None, "fwhm_nm": "nm", "fwhm_um": "um"}
#: Names of lists with 1 for the bands of use (EMIT's is the second), and of those with 1 for the others.
_GOOD, _BAD = ("bbl", "good_wavelengths", "good_bands"), ("bad_bands", "badbands")

#: All of these, and a factor that stands beside cubes, as ``plain_name`` writes them.
_NAMES, _SINGLE = tuple(map(plain_name, (*_WIDTHS, *_GOOD, *_BAD))), ("normfactor",)


@dataclass
class PerBand:
    """What was found, by ENVI's names; ``width_unit`` is that of ``fwhm`` where it has one of its own."""

    values: dict[str, Any] = field(default_factory=dict)
    width_unit: str | None = None
    notices: tuple[Notice, ...] = ()


def find(
    vectors: Mapping[str, Variable],
    attributes: Mapping[str, Any],
    load: Callable[[str], Any],
    bands: int,
    attributes_of: Callable[[str], Mapping[str, Any]] | None = None,
) -> PerBand:
    """Look among the variables, then among the attributes.

    Parameters
    ----------
    vectors : mapping
        Variables with one axis by their short names.
    attributes : mapping
        By names in lower case.
    load : callable
        Gives the value of a variable by its full name.
    bands : int
        How many values are needed.
    attributes_of : callable, optional
        Gives the attributes of a variable by its full name.
    """
    found = PerBand()
    for key in (*_WIDTHS, *_GOOD, *_BAD):
        if not (key in vectors or key in attributes):
            continue
        values = np.ravel(
            np.asarray(load(vectors[key].name) if key in vectors else attributes[key])
        )
        if values.dtype.kind in "US":
            read = [number(value) for value in values.tolist()]
            if None in read and values.size > 1:
                told = f"'{key}' is no list of numbers: left out."
                found.notices += (Notice.warning(Code.LIST_UNUSABLE, told),)
            values = np.array(read)  # of objects, where one is none
        if values.dtype.kind not in "iufb":
            continue
        if values.size != bands:
            told = f"'{key}' has {values.size} values for {bands} bands: left out."
            found.notices += (Notice.warning(Code.LIST_UNUSABLE, told),)
        elif key in _WIDTHS:
            if "fwhm" not in found.values:
                found.values["fwhm"] = values.astype(float).tolist()
                stated = (
                    attributes_of(vectors[key].name) if attributes_of and key in vectors else {}
                )
                found.width_unit = _WIDTHS[key] or _unit(stated)
        elif key in _GOOD:
            found.values.setdefault("bbl", values.tolist())
        elif set(values.tolist()) <= {0, 1} and "bbl" not in found.values:
            found.values["bbl"] = (1 - values.astype(int)).tolist()
            told = f"The {int(values.sum())} bands that '{key}' marks by 1 were taken as bad ones."
            found.notices += (Notice.warning(Code.OTHER, told),)
    return found


def misnamed(
    numbers: Iterable[str], lists: Mapping[str, Variable], sizes: Iterable[int]
) -> tuple[Notice, ...]:
    """Notices of variables of one number, or of one a band, whose names are nearly known ones."""
    near = [(key, nearly(key, _SINGLE)) for key in numbers]
    near += [
        (key, nearly(key, _NAMES)) for key, v in lists.items() if math.prod(v.shape) in set(sizes)
    ]
    told = "“{}” may be a damaged “{}”: it has no effect."
    return tuple(
        Notice.warning(Code.MAYBE_DAMAGED, told.format(one_line(key, 40), meant))
        for key, meant in near
        if meant
    )


def _unit(stated: Mapping[str, Any]) -> str | None:
    """The unit among the attributes of a list, if it is one of lengths."""
    lower = {str(name).lower(): value for name, value in stated.items()}
    for name in ("units", "unit"):
        unit = lower.get(name)
        unit = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else unit
        if isinstance(unit, str) and wl.is_unit(unit):
            return unit
    return None
