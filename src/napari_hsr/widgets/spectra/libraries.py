"""Spectra from files, drawn beside those of the cubes on wavelengths of their own; without Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.matching import Entries, entries_on
from napari_hsr.spectra import Curve
from napari_hsr.viewer.fingerprints import Trace
from napari_hsr.viewer.pins import PALETTE
from napari_hsr.widgets.plotting.curves import STYLES, PlotCurve
from napari_hsr.widgets.spectra.sources import Shown

if TYPE_CHECKING:
    from collections.abc import Collection
    from os import PathLike

    from napari_hsr.spectral_library import SpectralLibrary

#: Entries that are all drawn when their file is opened; of more, those that the user ticks.
ALL_DRAWN = 6
#: Marks the origin of a curve as an entry of a library.
LIBRARY = "library"


class Libraries:
    """The libraries that were opened, and which of their entries are drawn."""

    def __init__(self) -> None:
        self.opened: list[SpectralLibrary] = []
        self.files: list[Trace] = []  # as they were when they were opened
        self._drawn: dict[tuple[str, int, int], str] = {}  # origins and colours
        self._on_bands: dict[Any, Entries] = {}

    def add(self, library: SpectralLibrary, path: str | PathLike[str] = "") -> int:
        """Open one, and draw its entries if they are few; its number."""
        self.opened.append(library)
        self.files += [Trace.of(path)] if path else []
        at = len(self.opened) - 1
        for number in range(len(library) if len(library) <= ALL_DRAWN else 0):
            self.draw((LIBRARY, at, number))
        return at

    def clear(self) -> None:
        """Close all."""
        self.opened, self.files, self._drawn, self._on_bands = [], [], {}, {}

    def draw(self, origin: tuple[str, int, int], drawn: bool = True) -> None:
        """Draw an entry, or no longer."""
        if drawn:
            self._drawn.setdefault(origin, "")
        else:
            self._drawn.pop(origin, None)

    @property
    def any_drawn(self) -> bool:
        """Whether any entry is."""
        return bool(self._drawn)

    @property
    def units(self) -> set[str | None]:
        """Units of the entries that are drawn."""
        return {self.opened[at].units for _, at, _ in self._drawn}

    def is_drawn(self, origin: tuple[str, int, int]) -> bool:
        """Whether an entry is drawn."""
        return origin in self._drawn

    def rename(self, origin: tuple[str, int, int], name: str) -> None:
        """Give an entry another name."""
        _, at, number = origin
        names = list(self.opened[at].names)
        names[number] = name or names[number]
        self.opened[at] = self.opened[at].replace(names=tuple(names))
        self._on_bands = {}

    def entries(
        self,
        at: int,
        wavelengths_nm: np.ndarray | None,
        bands: int,
        widths_nm: np.ndarray | None = None,
    ) -> Entries:
        """All entries of a library on some bands, computed once; ``widths_nm`` where these are stated.

        Raises
        ------
        InputError
            If they do not fit.
        """
        grid = None if wavelengths_nm is None else tuple(np.asarray(wavelengths_nm).tolist())
        widths = None if widths_nm is None else tuple(np.asarray(widths_nm).tolist())
        key = (at, grid, bands, widths)
        if key not in self._on_bands:
            self._on_bands[key] = entries_on(self.opened[at], wavelengths_nm, bands, widths_nm)
        return self._on_bands[key]

    def shown(self, avoid: Collection[str], span: tuple[float, float] | None = None) -> list[Shown]:
        """The drawn entries as curves, in colours that nothing else has as far as these go."""
        taken = {*avoid, *self._drawn.values()}
        found = []
        for origin, color in self._drawn.items():
            if not color:
                spare = (one for one in reversed(PALETTE) if one not in taken)
                color = next(spare, PALETTE[len(taken) % len(PALETTE)])
                self._drawn[origin] = color
                taken.add(color)
            found.append(self._one(origin, color, span))
        return found

    def _one(
        self, origin: tuple[str, int, int], color: str, span: tuple[float, float] | None
    ) -> Shown:
        _, at, number = origin
        library = self.opened[at]
        name, values = library.names[number], np.asarray(library.values[number])
        nm = library.wavelengths_nm
        curve = Curve(name, values, wavelengths_nm=nm, units=library.units, cube=library.name)
        several = len(self.opened) > 1 and name != library.name
        label = f"{name} · {library.name}" if several else name
        x, y = nm, values
        if span is not None:  # beyond the cubes nothing is drawn, and the axis stays theirs
            inside = (nm >= span[0]) & (nm <= span[1])
            x, y = nm[inside], values[inside]
        drawn = PlotCurve(label, x, y, None, color, STYLES[-1])
        return Shown(curve, drawn, None, origin=origin, name=name)
