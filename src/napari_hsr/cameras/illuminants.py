"""Illuminants by name, and black bodies of any temperature."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from napari_hsr.colour.encodings import slug
from napari_hsr.colour.observers import illuminant_name, illuminant_values

EQUAL_ENERGY = "equal-energy"
BLACKBODY = "blackbody"

#: Range of temperatures drawn for ``blackbody``: incandescent light bulb to open shade.
KELVIN = (2500.0, 8000.0)

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
    """

    name: str
    kelvin: float | None = None

    def power(self, wavelengths_nm: np.ndarray) -> np.ndarray:
        """Relative power at wavelengths in nm, shape (n,), float64; 100 at 560 nm for most.

        Black bodies follow Planck's law, ``λ⁻⁵ / (exp(c₂/λT) − 1)`` with the c₂ of CIE 15.
        """
        nm = np.asarray(wavelengths_nm, dtype=np.float64)
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


def draw_light(names: tuple[str, ...], rng: np.random.Generator) -> Light | None:
    """Draw one of these lights; None, and no illuminant is applied, if there are none.

    Black bodies are drawn uniformly in reciprocal temperature, roughly uniform in appearance.
    """
    if not names:
        return None
    light = known_light(names[rng.integers(len(names))])
    if light.name != BLACKBODY:
        return light
    return Light(BLACKBODY, float(1.0 / rng.uniform(1 / KELVIN[1], 1 / KELVIN[0])))
