"""Endmembers to choose: pins, regions and spectra of libraries, with boxes to tick."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QWidget

from napari_hsr.analysis.unmixing import from_spectra, on_bands, unmix_events
from napari_hsr.errors import HSRError, InputError
from napari_hsr.notices import Notice
from napari_hsr.progress import Progress, stop_if
from napari_hsr.spectra import pixel
from napari_hsr.spectral_library import numbered
from napari_hsr.viewer.as_read import Held, Lying
from napari_hsr.viewer.classes import is_classes
from napari_hsr.viewer.fingerprints import Trace
from napari_hsr.viewer.layer_data import pixel_at
from napari_hsr.viewer.names import given_names
from napari_hsr.viewer.pins import is_points, pins_of, tidy
from napari_hsr.viewer.regions import (
    LabelRegions,
    Plane,
    Region,
    Target,
    UnreadLabels,
    is_regions,
    measure,
    read_labels,
    shape_regions,
)
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.tick_list import TickList

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from napari.utils.events import Event

    from napari_hsr.analysis import Unmixing
    from napari_hsr.cube import Cube
    from napari_hsr.spectral_library import SpectralLibrary

    #: A spectrum on the bands of a cube, and what is to be told of it.
    Measured = tuple[np.ndarray, list[Notice]]
    #: What of a layer or library an endmember is.
    Key = tuple[Any, Any]

#: Most pins, regions and spectra of a library that are listed.
MOST = 60
#: Most pins and regions that are ticked by themselves: of more, the user chooses.
FEW = 10
#: Labels of a layer, and why they could not be read: of one that was not looked at.
_NONE: tuple[list[LabelRegions], str] = ([], "")
#: Height of the list in pixels: about seven rows.
_HEIGHT = 150


class UnmixForm(QWidget):
    """A list of possible endmembers, and whether shares sum to one.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self._libraries: list[SpectralLibrary] = []
        self.files: list[Trace] = []  # of the libraries, as they were when they were opened
        self._listed: dict[str, _Found] = {}
        self._hidden: dict[Key, str] = {}  # what was ticked when it was hidden
        self._read: dict[Any, tuple[list[LabelRegions], str]] = {}  # labels, by their layer
        self._frames: dict[Any, Any] = {}  # those of a film that they are of, by their layer
        self._reading = JobSlot(self)  # those that are not in memory
        self.list = TickList(
            "Endmembers", "Tick two or more: pins, regions, or spectra of a library", _HEIGHT
        )
        self.library_button = button(
            "Add library…", self._ask_library, "List the spectra of a file: .sli, .csv, .asd…"
        )
        self.again_button = button(
            "Refresh list", self.refresh, "List the pins and regions that there are now"
        )
        self.sum_box = QCheckBox("Shares sum to one")
        self.sum_box.setToolTip("Unticked: amounts may have any sum, but are never negative")
        self.sum_box.setChecked(True)
        self.message = Message()
        column(
            self.list,
            row(self.library_button, self.again_button),
            self.sum_box,
            self.message,
            into=self,
        ).addStretch(1)
        self.list.ticks_changed.connect(self.changed)
        self.sum_box.toggled.connect(lambda _on: self.changed.emit())

    def set_layer(self, layer: Any) -> None:
        """List the endmembers for the cube of a layer."""
        self._layer = layer
        self.refresh()

    def refresh(self) -> None:
        """List pins, regions and spectra again; what was ticked stays so.

        Labels that are not in memory are read in a thread, and listed when they are.
        """
        unread = [] if self._layer is None else self._labels()
        later = [one for one in unread if not one.in_memory]
        frames = {one.layer_id: one.frame for one in unread}
        before = {
            one.layer_id: self._read.get(one.layer_id, _NONE)
            for one in later
            if self._frames.get(one.layer_id) == one.frame
        }
        self._frames = frames
        at_once = _labels_read([one for one in unread if one.in_memory])
        self._offer({**before, **at_once})
        self._reading.drop()
        if later:
            self._reading.start(
                lambda _cancel: iter([{**at_once, **_labels_read(later)}]), finished=self._offer
            )

    def release(self) -> None:
        """Hear no more of labels."""
        self._reading.drop()

    def _labels(self) -> list[UnreadLabels]:
        from napari.layers import Labels

        labels = [one for one in self._viewer.layers if isinstance(one, Labels) and one.visible]
        # a result is no endmember
        return [UnreadLabels.of(one, self._viewer) for one in labels if not is_classes(one)]

    def _offer(self, read: dict[Any, tuple[list[LabelRegions], str]]) -> None:
        before, known = self._ticked(), {one.key for one in self._listed.values()}
        self._read, found = read, list[_Found]()
        if self._layer is not None:
            for layer in self._viewer.layers:
                found += self._of_layer(layer, *read.get(layer.unique_id, _NONE))
        for at, library in enumerate(self._libraries):
            for number, name in enumerate(library.names[:MOST]):
                found.append(_Found(name, library.name, _of_library(library, number), (at, number)))
        self._listed = dict(zip(_told_apart(found), found, strict=True))
        keys = self._names()
        own = {one.key for one in found if one.layer is not None}
        # Pins and regions are meant while they are few; of a library the user chooses.
        meant = {**before, **self._hidden}.keys() | (own - known if len(own) <= FEW else set())
        gone = {key: name for key, name in before.items() if key not in keys}
        there = {layer.unique_id for layer in self._viewer.layers}
        kept = {key: name for key, name in self._hidden.items() if key not in keys}
        self._hidden = {key: name for key, name in {**kept, **gone}.items() if key[0] in there}
        self.list.offer((name, one.key in meant) for name, one in self._listed.items())
        self.changed.emit()

    def renew(self) -> bool:
        """Take what is ticked as it is now: pins and shapes may have been moved since they were listed.

        False, which is told, if something is not there any more.
        """
        ticked = self._ticked()
        self.refresh()
        now = self._names()
        self.tick(*(now[key] for key in ticked if key in now))
        gone = [name for key, name in ticked.items() if key not in now]
        if gone:
            verb = "is" if len(gone) == 1 else "are"
            self.message.show_warning(
                f"{', '.join(gone)} {verb} not there any more, or not in the frame on show: look at "
                "what is ticked now."
            )
        return not gone

    def _of_layer(self, layer: Any, labels: list[LabelRegions], problem: str) -> Iterator[_Found]:
        if not layer.visible:
            return
        if is_points(layer):
            tidy(layer)
            names = given_names(layer)
            for pin in pins_of(self._viewer, layer, MOST):
                if pixel_at(self._layer, pin.place, self._viewer) is not None:
                    name = names.get(pin.row) or f"pin {pin.number}"
                    maker = _of_pin(self._layer, pin.place, self._viewer)
                    yield _Found(name, layer.name, maker, (layer.unique_id, pin.number), layer)
        elif is_regions(layer):
            for shape in shape_regions(layer, self._viewer)[:MOST]:
                maker = _of_region(shape, self._layer, self._viewer)
                yield _Found(shape.name, layer.name, maker, shape.origin, layer)
        if problem:
            self.message.show_warning(problem)
        read = cache(partial(UnreadLabels.of(layer, self._viewer).read, MOST)) if labels else None
        for label in (label for found in labels for label in found.colors):
            # read again when it is measured: they may have been painted since they were listed
            maker = _of_label(layer.name, label, read, self._layer, self._viewer)
            key = (layer.unique_id, label)
            yield _Found(f"{layer.name} {label}", layer.name, maker, key, layer)

    def _names(self) -> dict[Key, str]:
        return {one.key: name for name, one in self._listed.items()}

    def _ticked(self) -> dict[Key, str]:
        return {self._listed[name].key: name for name in self.ticked()}

    def ticked(self) -> list[str]:
        """The names of the chosen endmembers."""
        names = list(self._listed)
        return [names[row] for row in self.list.ticked()]

    def tick(self, *wanted: str) -> None:
        """Choose exactly these, as the user would."""
        self.list.tick(row for row, name in enumerate(self._listed) if name in wanted)

    def taken(self) -> dict[Any, Callable[[Event], bool]]:
        """The layers of what is ticked, and what says after an event whether that is as it is now.

        They are measured while the run is going on.
        """
        meant: dict[Any, list[Key]] = {}
        for one in (self._listed[name] for name in self.ticked()):
            if one.layer is not None:
                meant.setdefault(one.layer, []).append(one.key)
        return {layer: self._as_now(layer, keys) for layer, keys in meant.items()}

    def _as_now(self, layer: Any, keys: list[Key]) -> Callable[[Event], bool]:
        from napari.layers import Labels

        lying = Lying(self._viewer, layer, self._layer)
        if isinstance(layer, Labels):
            held = Held(layer)
            return lambda event: held.values_after(event) and lying.still()
        places = self._places(layer)

        def still(_event: Event) -> bool:
            now = self._places(layer)
            return lying.still() and all(
                key in now and np.array_equal(now[key], places[key]) for key in keys
            )

        return still

    def _places(self, layer: Any) -> dict[Key, np.ndarray]:
        """Where the pins or shapes of a layer lie in it, by what they are.

        Those of every frame of a film: the slider may move on while they are measured.
        """
        if is_points(layer):
            tidy(layer)
            pins = pins_of(self._viewer, layer, len(layer.data), every=True)
            return {(layer.unique_id, pin.number): np.array(pin.place) for pin in pins}
        return {
            shape.origin: shape.outline for shape in shape_regions(layer, self._viewer, every=True)
        }

    def why_not(self) -> str | None:
        """Why nothing can be unmixed, in one sentence."""
        count = len(self.ticked())
        if count >= 2:
            return None
        how = "Pin spectra by Shift-click in Spectra, draw shapes, or add a library."
        ticked = f"{count} ticked" if count else "none is ticked"
        return f"Two endmembers or more are needed; {ticked}." + ("" if self._listed else f" {how}")

    def work(self, cube: Cube) -> Callable[[threading.Event], Iterator[Progress | Unmixing]]:
        """The work for a thread: the spectra are measured, then the cube is unmixed."""
        makers = {name: self._listed[name].make for name in self.ticked()}
        sum_to_one = self.sum_box.isChecked()

        def run(cancel: threading.Event) -> Iterator[Progress | Unmixing]:
            found, told = {}, dict[str, Notice]()
            for name, maker in makers.items():
                stop_if(cancel)
                yield Progress(0, 0, f"Measuring {name}")
                found[name], said = maker(cube)
                told |= {notice.text: notice for notice in said}
            endmembers = from_spectra(cube, found).replace(notices=tuple(told.values()))
            yield from unmix_events(cube, endmembers, sum_to_one=sum_to_one, cancel=cancel)

        return run

    def _ask_library(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Add the spectra of a library")
        if path:
            self.add_library(path)

    def add_library(self, path: str) -> str:
        """List the spectra of a file; why that cannot be done, empty if it can."""
        from napari_hsr.io import read_library

        try:
            library = read_library(path)
        except HSRError as error:
            self.message.show_exception(error)
            return str(error)
        self._libraries.append(library)
        self.files.append(Trace.of(path))
        more = len(library) - MOST
        if more > 0:
            told = f"The first {MOST} of {len(library):,} spectra are listed; keep those you need "
            self.message.show_warning(told + "with napari-hsr library.")
        else:
            self.message.clear()
        self.refresh()
        return ""


@dataclass
class _Found:
    """What may be an endmember: its name, that of its layer or library, what measures it, and what it is."""

    name: str
    whose: str
    make: Callable[[Cube], Measured]
    key: Key
    layer: Any = None


def _told_apart(found: list[_Found]) -> tuple[str, ...]:
    """Their names; of several of one name with what they are of, and with a number if need be."""
    owners: dict[str, set[Any]] = {}
    for one in found:
        owners.setdefault(one.name, set()).add(one.key[0])
    return numbered(
        f"{one.name} · {one.whose}" if len(owners[one.name]) > 1 and one.whose else one.name
        for one in found
    )


def _labels_read(unread: list[UnreadLabels]) -> dict[Any, tuple[list[LabelRegions], str]]:
    found = {}
    for one in unread:
        read, _, problem = read_labels([one], MOST)
        found[one.layer_id] = ([part for part in read if isinstance(part, LabelRegions)], problem)
    return found


def _of_library(library: SpectralLibrary, number: int) -> Callable[[Cube], Measured]:
    def make(cube: Cube) -> Measured:
        bands = np.flatnonzero(cube.good_bands)
        one = library.replace(
            names=library.names[number : number + 1], values=library.values[number : number + 1]
        )
        values, used = np.full(cube.bands, np.nan), on_bands(one, cube, bands)
        values[bands] = used.values[0]
        return values, list(used.notices)

    return make


def _of_pin(layer: Any, place: tuple[float, float], viewer: Any) -> Callable[[Cube], Measured]:
    at = present(pixel_at(layer, place, viewer))
    return lambda cube: (pixel(cube, *at).mean, [])


def _of_label(
    name: str, label: int, read: Any, layer: Any, viewer: Any
) -> Callable[[Cube], Measured]:
    plane = Plane.of(layer, viewer)

    def make(cube: Cube) -> Measured:
        found, _ = read()
        if found is None or label not in found.colors:
            raise InputError(f"“{name}” has no label {label} any more.")
        only = replace(found, colors={label: found.colors[label]}, names={})
        return _mean(only, Target("cube", cube, plane))

    return make


def _of_region(region: Region, layer: Any, viewer: Any) -> Callable[[Cube], Measured]:
    plane = Plane.of(layer, viewer)

    def make(cube: Cube) -> Measured:
        return _mean(region, Target("cube", cube, plane))

    return make


def _mean(region: Region, target: Target) -> Measured:
    found = next(iter(measure([region], [target], lambda: False)))
    if found.curve is None:
        raise InputError(f"{found.name} covers no pixel of {target.cube.name}.")
    return found.curve.mean, []
