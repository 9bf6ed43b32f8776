"""The catalogue of spectral indices that spyndex brings, an optional library.

Only its formulas and ranges of bands are used: its own evaluator runs the formulas as Python, on
whole arrays, and knows nothing of wavelengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from napari_hsr.errors import InputError


@dataclass(frozen=True)
class BandRange:
    """A broad band of the catalogue: ``N``, near-infrared, 760–900 nm."""

    name: str
    title: str
    first_nm: float
    last_nm: float

    def describe(self) -> str:
        """``N (Near-Infrared (NIR), 760–900 nm)``."""
        return f"{self.name} ({self.title}, {self.first_nm:g}–{self.last_nm:g} nm)"


@dataclass(frozen=True)
class Index:
    """A spectral index.

    Attributes
    ----------
    name, title : str
        ``"NDVI"``, ``"Normalized Difference Vegetation Index"``.
    formula : str
        Of names of bands and constants.
    domain : str
        ``"vegetation"``, ``"water"``, ``"soil"``…
    reference : str
        Where it was published: an address.
    """

    name: str
    title: str
    formula: str
    domain: str
    reference: str


@dataclass(frozen=True)
class Catalogue:
    """All indices and what their formulas are made of, by name."""

    indices: dict[str, Index]
    bands: dict[str, BandRange]
    constants: dict[str, float]

    def find(self, name: str) -> Index | None:
        """The index of this name, else the only one of it in another case; None if there is none."""
        same, exact = self._of_any_case(name), self.indices.get(name.strip())
        return exact or (same[0] if len(same) == 1 else None)

    def named(self, name: str) -> Index | None:
        """The same, but several of this name in other cases are told: BAI is not BaI.

        Raises
        ------
        InputError
        """
        found, same = self.find(name), self._of_any_case(name)
        if found is None and same:
            listed = " and ".join(f"{one.name} ({one.title})" for one in same)
            raise InputError(f"{name!r} may be {listed}: write it as it is written there.")
        return found

    def _of_any_case(self, name: str) -> list[Index]:
        wanted = name.strip().casefold()
        return [one for key, one in self.indices.items() if key.casefold() == wanted]


def installed() -> bool:
    """Whether there is a catalogue."""
    try:
        catalogue()
    except InputError:
        return False
    return True


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The catalogue.

    Raises
    ------
    InputError
        If spyndex is not installed.
    """
    try:
        import spyndex
    except ImportError:
        raise InputError(
            "The catalogue of indices needs spyndex: pip install 'napari-hsr[indices]'. Band "
            "arithmetic such as (b650 - b550) / (b650 + b550) does not."
        ) from None
    indices = {
        name: Index(name, one.long_name, one.formula, one.application_domain, one.reference)
        for name, one in spyndex.indices.items()
    }
    bands = {
        name: BandRange(name, one.long_name, float(one.min_wavelength), float(one.max_wavelength))
        for name, one in spyndex.bands.items()
    }
    constants = {
        name: float(one.default)
        for name, one in spyndex.constants.items()
        if one.default is not None
    }
    return Catalogue(indices, bands, constants)
