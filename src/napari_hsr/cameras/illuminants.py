"""Illuminants by name, measured ones from tables, and black bodies of any temperature."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from napari_hsr.colour.observers import illuminant_name, illuminant_values
from napari_hsr.errors import InputError
from napari_hsr.io.libraries import read_library
from napari_hsr.photograph import slug

EQUAL_ENERGY = "equal-energy"
BLACKBODY = "blackbody"

#: Range of temperatures drawn for ``blackbody``: incandescent light bulb to open shade.
KELVIN = (2500.0, 8000.0)

_TABLE = re.compile(r"(?P<path>.+\.(?:npz|csv)):(?P<name>.+)", re.IGNORECASE)
_C2 = 1.4388e-2  # m K, as CIE 15 fixes it for colorimetry


@dataclass(frozen=True)
class Light:
    """A relative spectral power.

    Attributes
    ----------
    name : str
        ``"equal-energy"``, ``"blackbody"``, or an illuminant of colour-science.
    kelvin : float or None
        Temperature of a black body.
    table : tuple of two tuples of float, or None
        Wavelengths in nm and relative power of a measured light.
    """

    name: str
    kelvin: float | None = None
    table: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    def power(self, wavelengths_nm: np.ndarray) -> np.ndarray:
        """Relative power at wavelengths in nm, shape (n,), float64; 100 at 560 nm for most.

        Black bodies follow Planck's law, ``λ⁻⁵ / (exp(c₂/λT) − 1)`` with the c₂ of CIE 15.
        Measured lights are interpolated linearly, over gaps too, and constant outside their table.
        """
        nm = np.asarray(wavelengths_nm, dtype=np.float64)
        if self.table is not None:
            return np.interp(nm, *self.table)
        if self.name == EQUAL_ENERGY:
            return np.full(nm.shape, 100.0)
        if self.kelvin is None:
            return illuminant_values(self.name, nm)
        return 100.0 * _planck(nm, self.kelvin) / _planck(np.array(560.0), self.kelvin)

    def describe(self) -> str:
        """Describe the light: ``a black body of 3,200 K``."""
        if self.name == EQUAL_ENERGY:
            return "an equal-energy light"
        if self.kelvin is not None:
            return f"a black body of {self.kelvin:,.0f} K"
        if self.table is not None:
            return f"the measured light {self.name}"
        return f"the illuminant {self.name}"


def _planck(nm: np.ndarray, kelvin: float) -> np.ndarray:
    return nm**-5.0 / np.expm1(_C2 / (nm * 1e-9 * kelvin))


@lru_cache(maxsize=128)
def known_light(text: str) -> Light:
    """A light by name; ``"blackbody"`` has no temperature yet.

    Raises
    ------
    InputError
        If it is not known.
    """
    if slug(text) in (EQUAL_ENERGY, "e"):
        return Light(EQUAL_ENERGY)
    if slug(text) in (BLACKBODY, "black-body"):
        return Light(BLACKBODY)
    return Light(illuminant_name(text))


def light_pool(text: str) -> tuple[Light, ...]:
    """The lights that a setting stands for: one by name, or those of ``table.npz:*``.

    Parameters
    ----------
    text : str
        As :func:`known_light`, or a table of spectra (``.npz`` or ``.csv``) with the name of one
        light, or ``*`` for all.

    Raises
    ------
    InputError, FileError
        If the light or table is not known, or a light has negative power or none at all.
    """
    table = _TABLE.fullmatch(text.strip())
    if table is None:
        return (known_light(text),)
    path = Path(os.path.expanduser(table["path"]))
    stamp = path.stat().st_mtime_ns if path.is_file() else 0
    lights = _measured(path, stamp)
    wanted = table["name"].strip()
    found = lights if wanted == "*" else tuple(one for one in lights if one.name == wanted)
    if not found:
        raise InputError(f"{path} has no light {wanted!r}; the first one is {lights[0].name!r}.")
    return found


@lru_cache(maxsize=16)
def _measured(path: Path, _stamp: int) -> tuple[Light, ...]:
    table = read_library(path, scale=1.0)
    nm, names = table.wavelengths_nm, table.names
    known = np.isfinite(table.values)
    highest = np.where(known, table.values, 0).max(axis=1)
    least = np.where(known, table.values, 0).min(axis=1)
    if np.isinf(table.values).any():
        raise InputError(f"{path} holds lights with infinite power.")
    if (least < -0.1 * np.maximum(highest, 0)).any() or not (highest > 0).any():
        raise InputError(f"{path} holds lights with negative power, or none with any.")
    return tuple(
        Light(name, None, (tuple(nm[ok].tolist()), tuple(np.maximum(row[ok], 0).tolist())))
        for name, row, ok, power in zip(names, table.values, known, highest, strict=True)
        if power > 0  # lamps that shine outside the table's range
    )


def draw_light(names: tuple[str, ...], rng: np.random.Generator) -> Light | None:
    """Draw one of these lights; None, and no illuminant is applied, if there are none.

    Black bodies are drawn uniformly in reciprocal temperature, roughly uniform in appearance. A
    table counts as one name, whatever the number of its lights.
    """
    if not names:
        return None
    pool = light_pool(names[rng.integers(len(names))])
    light = pool[0] if len(pool) == 1 else pool[rng.integers(len(pool))]
    if light.name != BLACKBODY:
        return light
    return Light(BLACKBODY, float(1.0 / rng.uniform(1 / KELVIN[1], 1 / KELVIN[0])))
