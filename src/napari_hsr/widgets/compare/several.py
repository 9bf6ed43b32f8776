"""More predictions, a region, lights and resampling: what a comparison may take beside two cubes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QLineEdit,
    QTableWidgetItem,
    QWidget,
)

from napari_hsr.errors import HSRError
from napari_hsr.metrics.colour_difference import lights_named
from napari_hsr.viewer.computed_cubes import computed_cube
from napari_hsr.viewer.drawn_frames import DrawnFrames
from napari_hsr.viewer.layer_data import (
    is_cube,
    is_frames,
    is_overlay,
    layer_cube,
    layer_wavelengths,
)
from napari_hsr.viewer.regions import (
    Plane,
    ShapeRegion,
    Target,
    UnreadLabels,
    labels_on,
    shape_mask,
    shape_regions,
)
from napari_hsr.viewer.world_coordinates import to_world
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.layouts import column, narrow_form
from napari_hsr.widgets.common.plain_text import one_line, tip
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.table import PlainTable
from napari_hsr.widgets.common.tick_list import TickList

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hsr.metrics.several import FigureTable

#: Height of the list of predictions in pixels, and the widths between which names in the table are.
_LIST, _NAME = 84, (110, 150)
#: Letters in a line of a title.
_HEAD = 9
#: Height of the table in pixels, at most.
_MOST = 320


def is_regions(layer: Any) -> bool:
    """True for a layer of shapes or labels that somebody drew."""
    from napari.layers import Labels, Shapes

    return isinstance(layer, (Labels, Shapes)) and not is_overlay(layer)


class MoreForm(QWidget):
    """Other predictions to tick, a region, lights for ΔE00, and resampling.

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
        self._layers: list[Any] = []
        self._taken: tuple[Any, ...] = ()
        self.others = TickList(
            "Other predictions",
            "Cubes that get a row of their own in the table of figures",
            _LIST,
        )
        self.region = NarrowComboBox()
        self.region.setToolTip(
            "Compare only inside the shapes or labels of a layer; of those drawn in frames of a film, in each "
            "frame its own"
        )
        self.lights = QLineEdit()
        self.lights.setPlaceholderText("none; such as D65, A, FL11")
        self.lights.setToolTip(
            "Lights under which the mean colour difference CIE ΔE00 is given: D65, A, FL11, "
            "3200K; for reflectances"
        )
        self.every = QCheckBox("All frames of the film or stack")
        self.every.setToolTip(
            "Figures of each frame beside those of the frame on show; frames that are not there yet "
            "are computed"
        )
        self.resample = QCheckBox("Resample unlike wavelengths")
        self.resample.setToolTip("The cube of more bands is resampled to the bands of the other")
        rows = narrow_form()
        rows.addRow("Other predictions", self.others)
        rows.addRow("Region", self.region)
        rows.addRow("Lights for ΔE00", self.lights)
        column(rows, self.resample, self.every, into=self)
        self.every.hide()
        self.every.toggled.connect(lambda _on: self.changed.emit())
        self.others.ticks_changed.connect(self.changed)
        self.region.currentIndexChanged.connect(lambda _row: self.changed.emit())
        self.lights.textChanged.connect(lambda _text: self.changed.emit())
        self.resample.toggled.connect(lambda _on: self.changed.emit())

    def refresh(self, *taken: Any) -> None:
        """Look again at the viewer's layers; those ``taken`` are no other predictions."""
        ticked, self._taken = self.other_layers(), taken
        layers = [one for one in self._viewer.layers if is_cube(one) and one not in taken]
        names = [one_line(one.name) for one in layers]
        if layers != self._layers or names != self.others.texts():
            self._layers = layers
            self.others.offer((layer.name, layer in ticked) for layer in layers)
        known = {None: "whole image"}
        known |= {one: one_line(one.name) for one in self._viewer.layers if is_regions(one)}
        self.every.setVisible(bool(taken) and taken[0] is not None and is_frames(taken[0]))
        if list(known) != self.region.offered():
            chosen = self.region.value()
            self.region.offer(known, chosen if chosen in known else None)

    @property
    def all_frames(self) -> bool:
        """Whether all frames of the prediction are compared."""
        return self.every.isChecked() and not self.every.isHidden()

    def other_layers(self) -> list[Any]:
        """The layers of the ticked predictions."""
        return [self._layers[row] for row in self.others.ticked()]

    def light_names(self) -> tuple[str, ...]:
        """The lights written."""
        return tuple(part.strip() for part in self.lights.text().split(",") if part.strip())

    def asked(self) -> tuple[Any, ...]:
        """All that is chosen, and all wavelengths, to see whether a result is still of it."""
        others = tuple(layer.unique_id for layer in self.other_layers())
        known = (one and layer_wavelengths(one) for one in (*self._taken, *self.other_layers()))
        bands = tuple(one and tuple(one) for one in known)
        region, frame = self.region.value(), None
        if region is not None and not self.all_frames:
            frame = tuple(DrawnFrames(self._viewer, region).at())
        region = getattr(region, "unique_id", None), frame
        return others, bands, region, self.light_names(), self.resample.isChecked(), self.all_frames

    def inside(self, layer: Any) -> Callable[[], dict[str, Any]]:
        """What finds the pixels of a layer that are compared, called in a thread as :func:`mask_of`.

        ``mask`` are those of the frame on show, and ``masks`` what finds those of each, by its index, where
        all are compared and the region was drawn in frames.

        Raises
        ------
        HSRError
            If its cube cannot be read.
        """
        region = self.region.value()
        mask, masks = mask_of(region, layer, self._viewer), None
        if region is not None and self.all_frames and DrawnFrames(self._viewer, region).any:
            masks = masks_of(region, layer, self._viewer)
        return lambda: {"mask": mask(), "masks": masks}

    def why_not(self) -> str | None:
        """Why a light is none, in one sentence."""
        try:
            lights_named(self.light_names())
        except HSRError as error:
            return str(error)
        return None

    def options(self) -> dict[str, Any]:
        """``others``, ``lights``, ``resample`` and ``every`` of a comparison.

        Raises
        ------
        HSRError
            If a cube cannot be read.
        """
        return {
            "others": [computed_cube(one) for one in self.other_layers()],
            "lights": self.light_names(),
            "resample": self.resample.isChecked(),
            "every": self.all_frames,
        }


def mask_of(region: Any, layer: Any, viewer: Any) -> Callable[[], np.ndarray | None]:
    """What finds the pixels (height, width) of a cube layer inside a layer of regions; None for all.

    Of regions in frames of a film, those of the frame on show. It is called in a thread: labels are
    read there.
    """
    if region is None:
        return lambda: None
    return partial(_masks(region, layer, viewer, {(): None}), ())


def masks_of(region: Any, layer: Any, viewer: Any) -> Callable[[tuple[int, ...]], np.ndarray]:
    """As :func:`mask_of`, but inside the regions of each frame of a film's layer, by its index."""
    beside, places = viewer.dims.point[: -layer.ndim], {}
    for at in layer.data.frames.stack.indices():
        place = to_world(viewer, layer, (*at, *(0.0,) * (layer.ndim - len(at))))
        places[at] = (*beside, *place)
    return _masks(region, layer, viewer, places)


def _masks(
    region: Any, layer: Any, viewer: Any, places: dict[tuple[int, ...], Any]
) -> Callable[[tuple[int, ...]], np.ndarray]:
    target = Target("cube", layer_cube(layer), Plane.of(layer, viewer))
    frames = DrawnFrames(viewer, region)
    if not hasattr(region, "shape_type"):
        labels = UnreadLabels.of(region, viewer)
        of = {at: frames.plane(labels.stored.shape, place) for at, place in places.items()}
        return lambda at: _mask_of_labels(replace(labels, frame=of[at]), target)
    shapes = shape_regions(region, viewer, every=True)
    rows = {at: np.flatnonzero(frames.rows(place)) for at, place in places.items()}
    return lambda at: _mask_of_shapes([shapes[row] for row in rows[at]], target)


def _mask_of_shapes(shapes: list[ShapeRegion], target: Target) -> np.ndarray:
    mask = np.zeros(target.cube.shape[1:], dtype=bool)
    for shape in shapes:
        mask |= shape_mask(shape, target)
    return mask


def _mask_of_labels(unread: UnreadLabels, target: Target) -> np.ndarray:
    found, _ = unread.read(2**20)
    if found is None:
        return np.zeros(target.cube.shape[1:], dtype=bool)
    return labels_on(found, target) != 0


class FigureTableView(PlainTable):
    """Rows models, columns figures, with arrows for what is better and the best in bold."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(["Prediction"], parent, most=_MOST)
        self.setAccessibleName("Figures of all predictions")
        self.setToolTip("Arrows say which direction is better; the best of a column is bold")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names of one scene differ at the end
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)

    def show_table(self, table: FigureTable) -> None:
        """Show these figures."""
        columns = table.columns
        self.setColumnCount(1 + len(columns))
        words = (wrap(one_line(one.head), _HEAD, break_long_words=False) for one in columns)
        heads = map("\n".join, words)
        self.setHorizontalHeaderLabels(["Prediction", *heads])
        self.setRowCount(len(table.names))
        for row, name in enumerate(table.names):
            self._put(row, 0, name, bold=False)
            for at, figure in enumerate(columns, 1):
                self._put(row, at, table.text(row, figure), bold=row in table.best(figure))
        self.fit()

    def _put(self, row: int, at: int, text: str, bold: bool) -> None:
        item = QTableWidgetItem(one_line(text))
        item.setToolTip(tip(text))
        font = item.font()
        font.setBold(bold)
        item.setFont(font)
        if at:
            item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setItem(row, at, item)

    def fit_rows(self) -> None:
        """As wide as the figures are; names are shortened to what is left beside them."""
        self.resizeColumnsToContents()
        least, most = _NAME
        left = present(self.viewport()).width() - sum(
            map(self.columnWidth, range(1, self.columnCount()))
        )
        self.setColumnWidth(0, max(least, min(most, left, self.columnWidth(0))))
        self.setWordWrap(False)
        self.resizeRowsToContents()

    def fit(self) -> None:
        """Leave room for the bar that moves the columns."""
        super().fit()
        self.setFixedHeight(self.height() + present(self.horizontalScrollBar()).sizeHint().height())
