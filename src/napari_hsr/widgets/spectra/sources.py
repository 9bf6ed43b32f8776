"""The visible cubes of the Spectra panel, and the curves sampled from them; without Qt.

Colour tells *where* a spectrum was taken (cursor, pin, region), line style *from which cube*:
a prediction and its ground truth at one position share a colour.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import spectra
from napari_hsr.viewer.computed_cubes import why_not_computed
from napari_hsr.viewer.layer_data import cube_layers, layer_cube, pixel_at
from napari_hsr.viewer.regions import Plane, RegionCurve, Target
from napari_hsr.viewer.trust_maps import evidence_of
from napari_hsr.widgets.plotting.curves import STYLES, PlotCurve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.inference.trust.pixel import PixelTrust

#: Quantities that label the axis by themselves; other units are put in brackets after "value".
_NAMED = ("reflectance", "radiance", "irradiance", "transmittance", "absorbance", "counts")
#: What the unit of the viewer's world is called in tables, where that is a pixel.
PIXEL = "px"


@dataclass(frozen=True, eq=False)
class Source:
    """A visible cube: its layer, the cube, and its line style."""

    layer: Any
    cube: Cube
    style: str
    viewer: Any = None
    length_unit: str | None = None  # of the viewer's world

    @property
    def key(self) -> Any:
        """Identifies the source."""
        return self.layer.unique_id

    @property
    def name(self) -> str:
        """The name of the layer."""
        return self.cube.name

    def pixel_at(self, place: Sequence[float]) -> tuple[int, int] | None:
        """(row, column) at a position in world coordinates, or None."""
        return pixel_at(self.layer, place, self.viewer)

    def placed(self, curve: spectra.Curve, x: float, y: float) -> spectra.Curve:
        """The curve with its place in the viewer's world, if its file says nothing of the ground."""
        if curve.coordinates is not None:
            return curve
        return replace(curve, coordinates=(x, y), length_unit=self.length_unit)


@dataclass(frozen=True, eq=False)
class Shown:
    """One spectrum of the panel, as numbers and as a curve of the plot.

    Its origin is a layer's id and a number or label, or a library and an entry; then there is no
    source. Its name is that of the pin, region or entry alone.
    """

    curve: spectra.Curve
    drawn: PlotCurve
    source: Source | None
    pixel: tuple[int, int] | None = None
    #: What is known of the pixel, the bands drawn behind its curve, and marks on it.
    trust: PixelTrust | None = None
    behind: tuple[PlotCurve, ...] = ()
    marks: tuple[PlotCurve, ...] = ()
    origin: Any = None
    name: str = ""

    @property
    def key(self) -> Any:
        """Names a curve that stays while it is measured again; None for that of the cursor."""
        return None if self.origin is None else (self.origin, self.source and self.source.key)


def told_apart(curves: Sequence[Shown]) -> dict[Any, str]:
    """Their names by their keys, with that of the cube where several have one name."""
    several = Counter(one.name for one in curves)
    return {
        one.key: f"{one.name} · {one.source.name}"
        if one.source is not None and several[one.name] > 1
        else one.name
        for one in curves
    }


class Sources:
    """The visible cubes of a viewer, cached until :meth:`forget`."""

    def __init__(self, viewer: Any):
        self._viewer = viewer
        self._found: list[Source] | None = None
        self.problems: list[str] = []
        self.beside = False  # whether spectra of libraries are drawn, too
        self.units_beside: set[str | None] = set()

    def forget(self) -> None:
        """Clear the cache: a layer was added, removed or changed."""
        self._found = None

    def __call__(self) -> list[Source]:
        if self._found is None:
            self._found, self.problems = [], []
            units = (
                self._viewer.layers.extent.units
            )  # None where those of layers do not go together
            unit = None if units is None else f"{units[-1]:~}"
            unit = PIXEL if unit == "pixel" else unit
            for layer in cube_layers(self._viewer):
                if not layer.visible:
                    continue
                style = STYLES[len(self._found) % len(STYLES)]
                try:
                    cube = layer_cube(layer)
                    self._found.append(Source(layer, cube, style, self._viewer, unit))
                    if waiting := why_not_computed(cube):
                        self.problems.append(waiting)
                except ValueError as error:  # an array of text, of complex numbers…
                    self.problems.append(str(error))
        return self._found

    @property
    def in_nm(self) -> bool:
        """Whether the x axis is in nm: some visible cube has wavelengths, or there are spectra only."""
        found = self()
        return any(s.cube.wavelengths is not None for s in found) or (self.beside and not found)

    def span(self) -> tuple[float, float] | None:
        """First and last wavelength of the visible cubes in nm; None if there is none."""
        ends = [s.cube.wavelengths.nm[[0, -1]] for s in self() if s.cube.wavelengths is not None]
        return (min(e[0] for e in ends), max(e[1] for e in ends)) if ends else None

    def plotted(self) -> list[Source]:
        """The visible cubes that fit the x axis."""
        return [s for s in self() if not self.in_nm or s.cube.wavelengths is not None]

    def left_out(self) -> list[Source]:
        """The visible cubes without wavelengths, if others have them."""
        return [s for s in self() if self.in_nm and s.cube.wavelengths is None]

    def targets(self) -> list[Target]:
        """The plotted cubes as targets for measuring regions."""
        return [
            Target(s.key, s.cube, Plane.of(s.layer, self._viewer), evidence_of(s.layer))
            for s in self.plotted()
        ]

    def y_label(self) -> str:
        """The label of the y axis, with the common unit of the plotted cubes, or of libraries alone."""
        units = {s.cube.units for s in self.plotted()} or self.units_beside
        if len(units) > 1:
            return "value (units differ)"
        unit = next(iter(units), None)
        if not unit:
            return "value"
        return unit if unit.lower() in _NAMED else f"value ({unit})"

    def label(self, name: str, source: Source) -> str:
        """What the legend calls a curve; the name includes the cube if there are several."""
        if len(self.plotted()) < 2:
            return name
        units = source.cube.units if self._units_differ() else None
        return f"{name} · {source.name}" + (f" [{units}]" if units else "")

    def _units_differ(self) -> bool:
        return len({s.cube.units for s in self.plotted()}) > 1

    def shown(
        self,
        curve: spectra.Curve,
        source: Source,
        name: str,
        color: str,
        pixel: tuple[int, int] | None = None,
        live: bool = False,
        origin: Any = None,
    ) -> Shown:
        """A curve with its label, colour and style."""
        full = f"{name} (row {pixel[0]}, column {pixel[1]})" if pixel else name
        label = self.label(f"{name} (n = {curve.count})" if curve.count > 1 else name, source)
        x = curve.wavelengths_nm if self.in_nm else None
        x = np.arange(1.0, len(curve.mean) + 1) if x is None else np.asarray(x, dtype=float)
        drawn = PlotCurve(label, x, curve.mean, curve.std, color, source.style, live)
        found = replace(curve, name=full)
        return Shown(found, drawn, source, pixel, origin=origin, name=name)

    def at(
        self,
        place: Sequence[float],
        name: str,
        color: str,
        live: bool = False,
        origin: Any = None,
    ) -> list[Shown]:
        """The spectra of all plotted cubes at a position in world coordinates."""
        found = []
        for source in self.plotted():
            pixel = source.pixel_at(place)
            if pixel is not None:
                curve = spectra.pixel(source.cube, *pixel)
                curve = source.placed(curve, float(place[-1]), float(place[-2]))
                found.append(self.shown(curve, source, name, color, pixel, live, origin))
        return found

    def regions(self, measured: Iterable[RegionCurve]) -> tuple[list[Shown], list[str]]:
        """The measured regions as curves, and a sentence for each outside its cube."""
        by_key = {s.key: s for s in self.plotted()}
        found, beside = [], []
        for region in measured:
            source = by_key.get(region.target)
            if source is None:  # the cube was removed meanwhile
                continue
            if region.curve is None:
                beside.append(f"{region.name} covers no pixel of {source.name}.")
            else:
                curve = region.curve
                if curve.coordinates is None and curve.position is not None:
                    plane = Plane.of(source.layer, self._viewer)
                    y, x = plane.to_world(np.array([curve.position]))[0]
                    curve = source.placed(curve, float(x), float(y))
                found.append(
                    self.shown(curve, source, region.name, region.color, origin=region.origin)
                )
        return found, beside
