"""Units of wavelengths: how many nm they are, and how files spell them."""

from __future__ import annotations

import re

#: Units of length, in nm.
TO_NM = {
    "nm": 1.0, "nanometer": 1.0, "nanometers": 1.0, "nanometre": 1.0, "nanometres": 1.0,
    "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3, "microns": 1e3, "micrometer": 1e3,
    "micrometers": 1e3, "micrometre": 1e3, "micrometres": 1e3,
    "mm": 1e6, "millimeters": 1e6, "cm": 1e7, "centimeters": 1e7, "m": 1e9, "meters": 1e9,
    "a": 0.1, "å": 0.1, "angstrom": 0.1, "angstroms": 0.1, "ångström": 0.1, "ångströms": 0.1,
}  # fmt: skip
#: Units in which shorter waves have larger numbers: the constant over the number is nm.
INVERSE = {
    "wavenumber": 1e7, "wavenumbers": 1e7, "cm-1": 1e7, "1/cm": 1e7,
    "ev": 1239.841984, "electronvolt": 1239.841984, "electronvolts": 1239.841984,
    "m-1": 1e9, "1/m": 1e9, "kev": 1.239841984,
    "thz": 299792.458, "ghz": 299792458.0, "mhz": 299792458.0e3, "hz": 299792458.0e9,
}  # fmt: skip
#: What stands in the place of a unit where there is none.
UNSAID = {"", "unknown", "none", "undefined", "<undefined>", "n/a"}
#: Of these a file may mean something else than a wavelength.
_AMBIGUOUS = {"a", "m", "cm", "mm"}


def nanometres(unit: str | None) -> float | None:
    """How many nm a unit of length is; None for anything else."""
    return TO_NM.get(key_of(unit))


def is_unit(text: str | None) -> bool:
    """Whether a text is the unit of a wavelength and can hardly be anything else."""
    key = key_of(text)
    return (key in TO_NM or key in INVERSE) and key not in _AMBIGUOUS


def differ(one: str | None, other: str | None) -> bool:
    """Whether two units are both known, and are not the same one."""
    sizes = [_size(one), _size(other)]
    return None not in sizes and sizes[0] != sizes[1]


def is_known(unit: str | None) -> bool:
    """Whether it is a unit of wavelengths, be it one that may mean something else, too."""
    return _size(unit) is not None


def _size(unit: str | None) -> tuple[float | None, float | None] | None:
    key = key_of(unit)
    return (TO_NM.get(key), INVERSE.get(key)) if key in TO_NM or key in INVERSE else None


def key_of(unit: str | None) -> str:
    """The unit as the tables here have it: ``um`` of ``"Micrometers" (um);``, ``cm-1`` of ``cm⁻¹``."""
    text = (unit or "").casefold().replace("⁻¹", "-1")
    words = [re.sub(r"[\s\"'^*_.]+", "", part) for part in re.split(r"[()\[\];,]", text)]
    words = [word for word in words if word] or [""]
    return next((word for word in words if word in TO_NM or word in INVERSE), words[0])
