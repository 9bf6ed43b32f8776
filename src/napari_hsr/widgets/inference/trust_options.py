"""How far a reconstruction is to be trusted: its camera, exact colours, intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QWidget

from napari_hsr.errors import HSRError
from napari_hsr.trust.linear_camera import CIE
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.layouts import narrow_form
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.models_changed import profiles_changed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: What intervals are, and why there may be none.
INTERVALS = (
    "Adds hidden maps, computed when they are looked at: the half-width of calibrated 90%\n"
    "intervals, and what is unlike the training. Spectra shows the interval of any pixel without."
)
NO_INTERVALS = (
    "This model has no calibrated intervals: nobody has measured its errors on images that neither "
    "trained nor chose it."
)
EXACT = (
    "Changes the network's spectra as little as possible so that they have exactly the photographed\n"
    "colours under this camera, and no negative value."
)
CAMERA = (
    "The camera that took the photograph; exact colours and the measured share need it. Photographs in\n"
    "a camera's own colours name it, and a chart makes a profile (Measurements)."
)
#: The entry that opens a table.
TABLE = "table"


class CameraChooser(NarrowComboBox):
    """The cameras that a photograph can be held against; a table adds more.

    Signals
    -------
    chosen()
        Another one is current.
    failed(Exception)
        A table cannot be read.
    """

    chosen = Signal()
    failed = Signal(object)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        from napari_hsr.cameras.sensitivities import MEASURED

        self._labels: dict[str | None, str] = {
            None: "as the photograph says",
            CIE: "CIE 1931, about right for sRGB",
            **{name: name for name in MEASURED},
        }
        self._last: str | None = None
        self.setToolTip(CAMERA)
        self.refresh()
        self.currentIndexChanged.connect(self._on_changed)
        self._connections = Connections(self)
        self._connections.connect(profiles_changed, "refresh")

    def refresh(self, event: object = None) -> None:
        """List the kept profiles anew; what was chosen stays."""
        from napari_hsr.cameras.profiles import PREFIX, list_profiles

        self._labels |= {f"{PREFIX}{name}": f"{name}: profile" for name in list_profiles()}
        self._list(self._last)

    def read_table(self, path: str) -> None:
        """Offer the cameras of a table of sensitivities, and choose the first."""
        from napari_hsr.cameras import read_cameras

        try:
            cameras = list(read_cameras(path))
        except HSRError as error:
            self._list(self._last)
            self.failed.emit(error)
            return
        self._labels |= {f"{path}:{name}": name for name in cameras}
        self._list(f"{path}:{cameras[0]}")
        self._on_changed()

    def _list(self, current: str | None) -> None:
        self.offer({**self._labels, TABLE: "from a table of sensitivities…"}, current)

    def _on_changed(self, *_ignored: object) -> None:
        if self.value() != TABLE:
            self._last = self.value()
            self.chosen.emit()
            return
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a table of sensitivities", "", "Tables (*.csv *.tsv *.txt)"
        )
        if path:
            self.read_table(path)
        else:
            self._list(self._last)


class TrustOptions(QWidget):
    """The camera, whether colours are to be exact, and whether to find intervals.

    Parameters
    ----------
    on_change : callable
        Called without arguments after each change by the user.
    """

    def __init__(self, on_change: Callable[[], object], parent: QWidget | None = None):
        super().__init__(parent)
        self.camera = CameraChooser()
        self.exact = QCheckBox("Exact colours")
        self.exact.setToolTip(EXACT)
        self.intervals = QCheckBox("Intervals and maps")
        self.message = Message()
        form = narrow_form(self)
        form.addRow("Camera", self.camera)
        form.addRow(self.message)
        form.addRow(self.exact)
        form.addRow(self.intervals)
        self.offer(())
        self._on_change = on_change
        self.camera.chosen.connect(self._changed)
        self.camera.failed.connect(self.message.show_exception)
        for box in (self.exact, self.intervals):
            box.toggled.connect(self._changed)

    def options(self) -> dict[str, Any]:
        """For :func:`napari_hsr.inference.reconstruct_events`."""
        exact, calibrated = self.exact.isChecked(), self.intervals.isEnabled()
        # Intervals are those of the network's own spectra: of exact ones they are found in the run.
        asked = calibrated and (exact or self.intervals.isChecked())
        return {"camera": self.camera.value(), "exact": exact, "intervals": asked}

    def offer(self, calibrated: Sequence[bool]) -> None:
        """Intervals, where a model has them."""
        self.intervals.setEnabled(True in calibrated)
        self.intervals.setToolTip(INTERVALS if True in calibrated else NO_INTERVALS)

    def _changed(self, *_ignored: object) -> None:
        self.message.clear()
        self._on_change()
