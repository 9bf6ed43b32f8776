"""What the values of spectra are, as far as their unit says."""

from __future__ import annotations

import re
from enum import StrEnum

#: Watts in a unit in small letters, as W/m², µW·cm⁻² or Wm-2.
POWER = r"\b[kmunµμ]?w(?:\b|m\^?[-−⁻])"
PERCENT = r"%|percent"


class Quantity(StrEnum):
    """What a unit is one of; the value is for people."""

    REFLECTANCE = "reflectance"
    PERCENT = "percent of reflectance"
    TRANSMITTANCE = "transmittance"
    ABSORBANCE = "absorbance"
    RADIANCE = "radiance"
    IRRADIANCE = "irradiance"
    COUNTS = "counts"
    RELATIVE = "spectra that were normalised"


#: In this order: irradiance has radiance in it, and percent may be of anything.
_SAID = (
    (Quantity.RELATIVE, re.compile(r"^relative \(|normali[sz]ed")),
    (Quantity.ABSORBANCE, re.compile(r"absorb|optical density")),
    (Quantity.TRANSMITTANCE, re.compile(r"transmi")),
    (Quantity.PERCENT, re.compile(PERCENT)),
    (Quantity.IRRADIANCE, re.compile(r"irradiance")),
    (Quantity.RADIANCE, re.compile(rf"\bradiance|{POWER}.*sr")),
    (Quantity.IRRADIANCE, re.compile(POWER)),
    (Quantity.COUNTS, re.compile(r"\bcounts?\b|\bdn\b|digital number|\badu\b")),
    (Quantity.REFLECTANCE, re.compile(r"reflect|albedo")),
)


def quantity_of(units: str | None) -> Quantity | None:
    """What a unit is one of, None where it does not say.

    "Relative radiance", as some published models have it, is on no known scale, and says nothing.
    """
    said = (units or "").strip().lower()
    if said.startswith("relative radiance"):
        return None
    return next((kind for kind, pattern in _SAID if pattern.search(said)), None)
