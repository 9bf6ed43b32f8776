"""How far the curves of the Spectra panel can be trusted: intervals, feasible bands, shares."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_hsr.errors import HSRError
from napari_hsr.trust.linear_camera import CIE
from napari_hsr.viewer.layer_data import is_frames, layer_photograph, photograph_layers
from napari_hsr.viewer.trust_maps import evidence_of, has_changed, remember, source_photograph
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.labels import BriefLabel
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.plotting.curves import PlotCurve

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.inference.trust.evidence import Evidence
    from napari_hsr.trust.feasible import FeasibleBand
    from napari_hsr.widgets.plotting.legend import Entry
    from napari_hsr.widgets.spectra.sources import Shown, Source

#: The cursor must rest so long before its feasible band is computed, in ms.
REST_MS = 80
#: Bands kept.
_KEPT = 500
#: Of the bands where a curve leaves what its colour leaves open.
OUTSIDE = "#ff4136"
_FEASIBLE = "feasible band"


class TrustRow(QWidget):
    """Switches for intervals and feasible bands, why there is none, and what looks them up.

    Intervals and shares are found at once; feasible bands take some 30 ms each, in a thread.

    Parameters
    ----------
    panel : QWidget
        Closing it stops the thread.

    viewer : napari.Viewer or ViewerModel
        Whose photographs saved cubes are held against.

    Signals
    -------
    changed()
        A switch or a camera: all curves are to be taken again.
    found(bool)
        Bands were found: of the cursor alone if True, else of pins.
    """

    changed = Signal()
    found = Signal(bool)

    def __init__(self, panel: QWidget, viewer: Any):
        super().__init__(panel)
        self._viewer = viewer
        self._opened: list[
            tuple[Source, Any]
        ] = []  # cubes with the photographs they were made from
        self._refused: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # layers, and why
        self._again = JobSlot(panel)
        self._bands: OrderedDict[Any, FeasibleBand] = OrderedDict()
        self._slots = {live: JobSlot(panel) for live in (False, True)}
        self._wishes: dict[bool, list[tuple[Evidence, tuple[int, int]]]] = {False: [], True: []}
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.timeout.connect(partial(self._look_up, True))
        self._approximate: list[tuple[Any, Evidence]] = []
        self.intervals = QCheckBox("Intervals")
        self.intervals.setToolTip(
            "Where the truth lies with a probability of 90%: calibrated on other photographs"
        )
        self.feasible = QCheckBox("Feasible band")
        self.feasible.setToolTip(
            "The least and greatest value in each band over all smooth spectra in 0..1 that have the\n"
            "colour of the pixel: what the photograph leaves open"
        )
        for box in (self.intervals, self.feasible):
            box.setChecked(True)
            box.toggled.connect(lambda _on: self.changed.emit())
        self.why = BriefLabel(2)
        self.approximate = button(
            "Assume CIE 1931 as the camera",
            self._use_cie,
            "CIE 1931 under D65: about what is left of any camera's colours in an sRGB photograph",
        )
        self.again = button(
            "Find them again",
            self._find_again,
            "By the photograph that the cube was reconstructed from, and its model",
        )
        switches = row(self.intervals, self.feasible)
        switches.addStretch(1)
        column(switches, self.why, self.again, self.approximate, into=self, spacing=2)
        self.show_sources([])

    # --- what there is ---------------------------------------------------------------------

    def show_sources(self, sources: Sequence[Source]) -> None:
        """Offer what these cubes have, and say what is missing and why."""
        made = [s for s in sources if s.cube.provenance.model is not None]
        self.setVisible(bool(made))
        reasons: dict[str, None] = {}
        self._approximate, self._opened = [], []
        for source in made:
            evidence = evidence_of(source.layer)
            if evidence is None:
                reasons[self._missing(source)] = None
                continue
            if evidence.by_name:
                named = evidence.photograph.name
                reasons[f"{source.name}: “{named}” is known by its name and size alone."] = None
            if self.intervals.isChecked() and not evidence.calibrated:
                reasons[f"No interval: {evidence.why_no_intervals}."] = None
            if self.feasible.isChecked() and evidence.linear_camera is None:
                reasons[f"No feasible band: {evidence.why_no_camera}"] = None
                if evidence.rendered:
                    self._approximate.append((source.layer, evidence))
        self.why.setText(" ".join(reasons))
        self.why.setVisible(bool(reasons))
        self.approximate.setVisible(bool(self._approximate))
        self.again.setVisible(bool(self._opened))

    def _missing(self, source: Source) -> str:
        """Why nothing is known of a cube; if its photograph is there, it can be found again."""
        if is_frames(source.layer):
            return f"{source.name}: intervals and feasible bands are those of single photographs."
        if has_changed(source.layer):
            return f"{source.name} was changed since it was reconstructed."
        photograph = source_photograph(source.cube, photograph_layers(self._viewer))
        if photograph is not None:
            self._opened.append((source, photograph))
            saved = f"{source.name} was saved without its intervals."
            return self._refused.get(source.layer, saved)
        if "super_resolution" in source.cube.provenance.extra:
            return f"{source.name}: intervals and feasible bands are those of reconstructions."
        named = source.cube.provenance.input
        size = " × ".join(map(str, source.cube.shape[1:]))
        wanted = f"its photograph too{f', “{named}”,' if named else ''} of {size} pixels"
        return f"{source.name}: for intervals and feasible bands, open {wanted}."

    def _find_again(self) -> None:
        pairs = [(source.layer, source.cube, photo) for source, photo in self._opened]
        self.again.setEnabled(False)
        self._again.start(
            partial(_evidence_again, pairs),
            finished=self._on_found_again,
            failed=lambda error: self.why.setText(str(error)),
            ended=lambda: self.again.setEnabled(True),
        )

    def _on_found_again(self, found: list[tuple[Any, Evidence | HSRError]]) -> None:
        for layer, evidence in found:
            if isinstance(evidence, HSRError):
                self._refused[layer] = str(evidence)
            else:
                remember(layer, evidence)
        self.changed.emit()

    def _use_cie(self) -> None:
        for layer, evidence in self._approximate:
            remember(layer, evidence.seen_by(CIE))
        self.changed.emit()

    def entries(self, sources: Iterable[Source], color: str) -> list[Entry]:
        """The legend of what may be behind the curves of these cubes."""
        held = [one for s in sources if (one := evidence_of(s.layer)) is not None]
        found: list[Entry] = []
        if self.intervals.isChecked() and any(one.calibrated for one in held):
            found.append(("90% interval", color, "interval"))
        if self.feasible.isChecked() and any(one.linear_camera is not None for one in held):
            found.append((_FEASIBLE, color, "feasible"))
        return found

    # --- curves ----------------------------------------------------------------------------

    def on(self, shown: Sequence[Shown], live: bool = False) -> list[Shown]:
        """The same with their ranges and figures; bands that are not known yet are looked up."""
        wishes: list[tuple[Evidence, tuple[int, int]]] = []
        found = [self._on(one, live, wishes) for one in shown]
        self._wishes[live] = wishes
        if not live:
            self._look_up(False)
        elif wishes:
            self._rest.start(REST_MS)
        return found

    def _on(self, shown: Shown, live: bool, wishes: list) -> Shown:
        evidence = evidence_of(present(shown.source).layer)
        if evidence is None or shown.pixel is None:
            return shown
        band = None
        if self.feasible.isChecked() and evidence.linear_camera is not None:
            band = self._bands.get((evidence, shown.pixel))
            if band is None:
                wishes.append((evidence, shown.pixel))
        known = evidence.pixel(*shown.pixel, band)
        ranges = known.curve.ranges
        if not self.intervals.isChecked():
            ranges = {name: ends for name, ends in ranges.items() if name == "feasible"}
        share = known.measured_share if self.feasible.isChecked() else None
        curve = replace(shown.curve, ranges=ranges, measured_share=share)
        name = shown.drawn.name
        if share is not None and not live:
            name = f"{name} · {share:.0%} measured"
        drawn = replace(shown.drawn, name=name)
        marks = () if band is None else marked(drawn, present(known.outside))
        return replace(
            shown, curve=curve, drawn=drawn, trust=known, behind=behind(curve, drawn), marks=marks
        )

    def on_regions(self, shown: Sequence[Shown]) -> list[Shown]:
        """Means of regions, whose intervals were found with them."""
        found = []
        for one in shown:
            curve = one.curve if self.intervals.isChecked() else replace(one.curve, ranges={})
            found.append(replace(one, curve=curve, behind=behind(curve, one.drawn)))
        return found

    def warnings(self, shown: Iterable[Shown]) -> str:
        """Which curves leave what their colours leave open."""
        said = []
        for one in shown:
            if one.trust is None or one.trust.outside is None or not one.trust.outside.any():
                continue
            count, bands = int(one.trust.outside.sum()), len(one.trust.outside)
            name = one.curve.name
            if np.isfinite(one.curve.ranges["feasible"][0]).all():
                said.append(
                    f"{name} lies outside what its colour leaves open in {count} of {bands} bands (red)."
                )
            else:
                said.append(f"No smooth spectrum in 0..1 has the colour of {name}.")
        return " ".join(said[:3]) + (f" And {len(said) - 3} more." if len(said) > 3 else "")

    # --- the thread ------------------------------------------------------------------------

    def stop(self) -> None:
        """Look nothing up any more."""
        self._rest.stop()
        for slot in (*self._slots.values(), self._again):
            slot.drop()

    @property
    def busy(self) -> bool:
        """Whether something is being looked up, or will be."""
        slots = (*self._slots.values(), self._again)
        return self._rest.isActive() or any(slot.running for slot in slots)

    def _look_up(self, live: bool) -> None:
        if not self._wishes[live]:
            self._slots[live].drop()
            return
        self._slots[live].start(
            partial(_find, self._wishes[live]),
            finished=partial(self._keep, live),
            failed=lambda error: self.why.setText(f"No feasible band: {error}"),
        )

    def _keep(self, live: bool, bands: dict[Any, FeasibleBand]) -> None:
        self._bands.update(bands)
        while len(self._bands) > _KEPT:
            self._bands.popitem(last=False)
        self.found.emit(live)


def _find(wishes: list, cancel: threading.Event) -> Iterator[dict[Any, FeasibleBand]]:
    found = {}
    for evidence, pixel in wishes:
        if cancel.is_set():
            return
        found[evidence, pixel] = evidence.feasible(*pixel)
    yield found


def _evidence_again(
    pairs: list[tuple[Any, Cube, Any]], cancel: threading.Event
) -> Iterator[list[tuple[Any, Evidence | HSRError]]]:
    """For each layer, cube and layer of its photograph what was found, or why nothing was."""
    from napari_hsr.inference.trust.reopened import evidence_again

    found: list[tuple[Any, Evidence | HSRError]] = []
    for layer, cube, photograph in pairs:
        if cancel.is_set():
            return
        try:
            found.append((layer, evidence_again(cube, layer_photograph(photograph))))
        except HSRError as error:  # of this one; the others are found
            found.append((layer, error))
    yield found


def behind(curve: Any, drawn: PlotCurve) -> tuple[PlotCurve, ...]:
    """The ranges of a curve as bands of a plot, the narrow one on top; without entries of a legend."""
    found = []
    for name in sorted(curve.ranges, key=lambda name: name == "feasible"):
        low, high = curve.ranges[name]
        found.append(
            PlotCurve(
                "",
                drawn.x,
                (low + high) / 2,
                (high - low) / 2,
                drawn.color,
                "feasible" if name == "feasible" else "interval",
                drawn.live,
                fits=not drawn.live,  # the axes hold still under the mouse
            )
        )
    return tuple(found)


def marked(drawn: PlotCurve, outside: np.ndarray) -> tuple[PlotCurve, ...]:
    """The part of a curve that lies outside its feasible band."""
    if not outside.any():
        return ()
    y = np.where(outside, drawn.y, np.nan)
    return (replace(drawn, name="", y=y, std=None, color=OUTSIDE, style="solid", width=4.0),)
