"""Facts that a text in JSON states of a cube, however deep in its objects: wavelengths, markers, factors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_hsr.io.wavelengths import resolve as wl

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Items with the unit of the wavelengths, and how deep objects are looked into.
_UNITS = ("wavelength_units", "wavelength_unit", "wavelengths_unit", "units", "unit")
_DEEPEST = 8
#: A text that is longer is not looked into.
LONGEST = 2**20

#: A whole number that is larger is none that is meant.
_LARGEST = 2**63

Stated = tuple[Any, str | None]


def parsed(text: Any) -> dict[str, Any]:
    """The object that a text is in JSON; empty where it is none."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str) or not text.lstrip().startswith("{") or len(text) > LONGEST:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}  # a text of another kind
    return found if isinstance(found, dict) else {}


def facts(described: Mapping[str, Any]) -> dict[str, Any]:
    """All facts of an object and of those inside it by their names; those further out win.

    Wavelengths that a list of bands states one by one stand under ``wavelengths``, and their unit under
    ``wavelength_units``.
    """
    found = _flat(described, 0)
    listed, unit = wavelengths(described)
    if _usable(listed):
        found["wavelengths"] = listed
        found |= {} if "fwhm" in found else _widths(found, len(listed))
        if unit is not None:
            found["wavelength_units"] = unit
    return found


def _widths(found: dict[str, Any], bands: int) -> dict[str, Any]:
    """The widths that a list of bands states one by one."""
    for each in found.values():
        if isinstance(each, list) and len(each) == bands and all(isinstance(o, dict) for o in each):
            for name in ("fwhm", "fwhm_nm", "FWHM"):
                widths = [one.get(name) for one in each]
                if _all_numbers(widths):
                    return {"fwhm": widths}
    return {}


def _flat(described: Mapping[str, Any], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for value in described.values():
        if isinstance(value, dict) and depth < _DEEPEST:
            found |= _flat(value, depth + 1)
    return found | {str(k): v for k, v in described.items() if _usable(v)}


def _usable(value: Any) -> bool:
    """A text, a number that a float can be, or a list of such, or of objects; no list in lists."""
    if isinstance(value, list):
        objects = all(isinstance(one, dict) for one in value)
        return objects or all(_usable(one) and not isinstance(one, list) for one in value)
    if isinstance(value, int):
        return abs(value) < _LARGEST
    return isinstance(value, (str, float))


def wavelengths(described: Mapping[str, Any], depth: int = 0) -> Stated:
    """The list and its unit in an object, however deep."""
    names = {str(key).lower(): key for key in described}
    for key in ("wavelengths_nm", *wl.KEYS):
        listed = described[names[key]] if key in names else None
        if isinstance(listed, list) and listed:
            if all(isinstance(one, dict) for one in listed):
                centres, unit = _of_each(listed)
                if centres is not None:
                    return centres, unit
            unit = next((described[names[k]] for k in _UNITS if k in names), None)
            unit = unit if isinstance(unit, str) and wl.is_unit(unit) else None
            return listed, "nm" if key == "wavelengths_nm" else unit
    for name, listed in described.items():
        known, unit = wl.key_of(str(name))
        if known and isinstance(listed, list) and len(listed) > 1 and _all_numbers(listed):
            return listed, unit
        if (
            isinstance(listed, list)
            and len(listed) > 1
            and all(isinstance(o, dict) for o in listed)
        ):
            centres, unit = _of_each(listed)
            if centres is not None:
                return centres, unit
    for inner in described.values() if depth < _DEEPEST else ():
        found = wavelengths(inner, depth + 1) if isinstance(inner, dict) else (None, None)
        if found[0] is not None:
            return found
    return None, None


def _all_numbers(values: list[Any]) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def _of_each(bands: list[dict[str, Any]]) -> Stated:
    """The wavelength that each of a list of bands states, under one name."""
    for name in bands[0]:
        known, unit = wl.key_of(str(name))
        values = [band.get(name) for band in bands] if known else []
        if values and _all_numbers(values):
            return values, unit or wl.unit_in_name(str(name))
    return None, None
