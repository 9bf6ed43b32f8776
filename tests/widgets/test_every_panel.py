"""What holds of every panel and dialog: controls are named and explained, nothing is clipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QGraphicsView,
    QLabel,
    QPushButton,
    QScrollArea,
    QWidget,
)
from scipy.io import savemat
from superqt import QElidingLabel

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.viewer.session_saving import plan
from napari_hsr.widgets.common import control_settings
from napari_hsr.widgets.common.accessible import controls
from napari_hsr.widgets.common.close_guard import running_question, saving_question
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.help_window import HelpWindow
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import Panel
from napari_hsr.widgets.common.scroll_area import VerticalScroll
from napari_hsr.widgets.compare.panel import CompareWidget
from napari_hsr.widgets.files.calibrate import CalibrateWidget
from napari_hsr.widgets.files.contents import FileContentsWidget, file_dialog
from napari_hsr.widgets.inference.batch_window import BatchWindow
from napari_hsr.widgets.inference.queue_question import close_question
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.inference.save_cubes import SaveCubesWindow
from napari_hsr.widgets.inference.super_resolve import SuperResolveWidget
from napari_hsr.widgets.maps.panel import MapsWidget
from napari_hsr.widgets.models.import_checkpoint import ImportDialog
from napari_hsr.widgets.session.commands import beside_box, close_box
from napari_hsr.widgets.spectra.classify_window import ClassifyWindow
from napari_hsr.widgets.spectra.curve_table import CurveTable
from napari_hsr.widgets.spectra.match_window import MatchWindow
from napari_hsr.widgets.spectra.over_time import OverTimeWindow
from napari_hsr.widgets.spectra.panel import SpectraWidget
from napari_hsr.widgets.train.close_question import ask
from napari_hsr.widgets.train.panel import TrainWidget
from napari_hsr.widgets.wavelength.set_wavelengths import SetWavelengthsWidget, open_dialog

from ..thorough import thorough
from .panels import PANELS

#: Width and height in pixels of a dock in windows of 1280, 1440 and 1920 pixels.
SIZES = [(300, 400), (340, 760), (480, 1000)]


@pytest.fixture(scope="module")
def layers_of_all() -> ViewerModel:
    """One for all panels: its layers take longer than most panels, and no panel here changes them."""
    viewer = ViewerModel()
    nm = Wavelengths(np.arange(400.0, 701.0, 10.0))
    rng = np.random.default_rng(0)
    add_photograph(viewer, Photograph(rng.integers(0, 255, (8, 8, 3)).astype(np.uint8), SRGB))
    for name in ("scene", "a scene with a rather long name that somebody gave it"):
        add_cube(viewer, Cube(rng.random((31, 8, 8), dtype=np.float32), nm, name=name))
    add_cube(viewer, Cube(rng.random((31, 8, 8), dtype=np.float32), name="no wavelengths"))
    return viewer


@pytest.fixture
def viewer(layers_of_all):
    """As if it were new: nothing is left in it, and it does not know how panels were set."""
    viewer, before = layers_of_all, _state(layers_of_all)
    yield viewer
    control_settings._CLOSED.pop(viewer, None)
    control_settings._SHARED.pop(viewer, None)
    assert _state(viewer) == before, "a panel that was only looked at has changed the viewer"


def _state(viewer) -> tuple:
    layers = [(one.name, one.visible, str(one.metadata.get("hsr"))) for one in viewer.layers]
    active = viewer.layers.selection.active
    return layers, viewer.dims.point, active and active.name


def several_cubes(panel) -> str:
    """A file, in the folder of the test, that does not say which of its arrays is the cube."""
    path = Path(panel.property("folder")) / "several.mat"
    savemat(path, {name: np.ones((4, 5, 6 + n), np.float32) for n, name in enumerate("abc")})
    return str(path)


def areas(panel) -> list[QScrollArea]:
    return panel.findChildren(VerticalScroll)


def wheel(turn: int) -> QWheelEvent:
    buttons, keys = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    point, phase = QPointF(4, 4), Qt.ScrollPhase.NoScrollPhase
    return QWheelEvent(point, point, QPoint(), QPoint(0, turn), buttons, keys, phase, False)


def no_panel(_viewer) -> QWidget:
    """For windows that ask nothing of the panel that opens them."""
    return QWidget()


#: Windows that a panel opens: how, from the panel and the viewer.
DIALOGS = {
    "Import": (no_panel, lambda panel, viewer: ImportDialog()),
    "Match": (SpectraWidget, lambda panel, viewer: MatchWindow(panel)),
    "Classify": (SpectraWidget, ClassifyWindow),
    "Curves": (SpectraWidget, CurveTable),
    "Over time": (SpectraWidget, OverTimeWindow),
    "Many photographs": (
        ReconstructWidget,
        lambda panel, viewer: BatchWindow(panel, viewer, lambda *_: None),
    ),
    "Save cubes": (no_panel, SaveCubesWindow),
    "Set wavelengths": (
        no_panel,
        lambda panel, viewer: open_dialog(viewer, viewer.layers[-1], panel),
    ),
    "Several cubes": (
        no_panel,
        lambda panel, viewer: file_dialog(viewer, several_cubes(panel)),
    ),
    "Save session": (
        no_panel,
        lambda panel, viewer: beside_box(None, plan(viewer, [])),
    ),
    "Open session": (no_panel, lambda panel, viewer: close_box(None, 3)),
    "Training": (no_panel, lambda panel, viewer: ask(None, "leaves", may_cancel=True)),
    "Saving": (no_panel, lambda panel, viewer: saving_question(None, "Saving leaf.h5")),
    "Running": (
        no_panel,
        lambda panel, viewer: running_question(None, "Super-resolve leaf"),
    ),
    "Queue": (no_panel, lambda panel, viewer: close_question(None, [])),
    "Help": (no_panel, lambda panel, viewer: HelpWindow("spectra", panel)),
}


@pytest.fixture(params=[*PANELS, *DIALOGS], ids=lambda kind: getattr(kind, "__name__", kind))
def panel(request, viewer, qtbot, tmp_path):
    kind, window = DIALOGS.get(request.param, (request.param, None))
    widget = under = kind(viewer)
    qtbot.addWidget(under)
    under.setProperty("folder", str(tmp_path))
    if window is not None:
        widget = window(under, viewer)
        if widget.parent() is None:
            qtbot.addWidget(widget)
    yield widget
    getattr(under, "release", lambda: None)()


def test_every_control_has_a_name_and_a_tool_tip(panel):
    for control in controls(panel):
        what = f"{type(control).__name__} in {type(control.parentWidget()).__name__}"
        assert control.accessibleName(), what
        tip, around = control.toolTip(), control.parentWidget()
        while not tip and around not in (None, panel):  # Qt shows that of what it is in
            tip, around = around.toolTip(), around.parentWidget()
        assert tip, f"{what}: {control.accessibleName()}"


def taken_by_keys(part) -> bool:
    tabbed = part.focusPolicy() & Qt.FocusPolicy.TabFocus
    return bool(tabbed) and part.isEnabled() and part.isVisible()


def test_keys_reach_every_control_and_show_where_they_are(panel, qtbot):
    from napari._qt.qt_resources import get_stylesheet

    panel.setStyleSheet(get_stylesheet("dark"))
    panel.resize(340, 760)
    panel.show()
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    for fold in panel.findChildren(Fold):
        fold.set_open(True)
    qtbot.waitUntil(lambda: all(c.height() for c in controls(panel) if taken_by_keys(c)))
    Panel.take_keyboard(panel)
    stops = []
    while (here := QApplication.focusWidget()) not in stops:
        stops.append(here)
        what = f"{type(here).__name__} {here.accessibleName()}"
        with_keys = here.grab().toImage()
        here.clearFocus()
        assert here.grab().toImage() != with_keys, f"{what} does not show the keyboard"
        here.setFocus()
        if isinstance(here, QAbstractButton):
            qtbot.keyPress(here, Qt.Key.Key_Space)
            assert here.isDown(), f"{what} does not take the space bar"
            here.setDown(False)  # without a click
        qtbot.keyClick(here, Qt.Key.Key_Tab)
        alone = [*filter(taken_by_keys, panel.findChildren(QWidget))] == [here]
        assert QApplication.focusWidget() is not here or alone, f"{what} keeps the keyboard"
    operated = [
        one
        for one in controls(panel)
        if one.isVisible() and one.isEnabled() and not isinstance(one, QGraphicsView)
    ]
    left = [
        one.accessibleName()
        for one in operated
        if not any(one is stop or one.isAncestorOf(stop) for stop in stops)
    ]
    assert left == []


@pytest.mark.parametrize("panel", DIALOGS, indirect=True)
def test_escape_closes_a_dialog(panel, qtbot):
    panel.show()
    qtbot.keyClick(panel, Qt.Key.Key_Escape)
    assert not panel.isVisible()


def clipped(panel) -> list[str]:
    """The labels and buttons in sight whose text does not fit, and what is wider than its room."""
    found = [
        f"{area.widget().width()} in {area.viewport().width()} pixels"
        for area in panel.findChildren(QScrollArea)
        if area.isVisibleTo(panel) and area.widget().width() > area.viewport().width()
    ]
    texts = [
        *panel.findChildren(QLabel),
        *panel.findChildren(QAbstractButton),
    ]  # PySide6 takes one class
    for part in texts:
        text = part.text()
        if not text or not part.isVisibleTo(panel) or isinstance(part, QElidingLabel):
            continue
        wraps = isinstance(part, QLabel) and part.wordWrap()
        if wraps:
            cut = part.heightForWidth(part.width()) > part.height() + 1
        else:
            needed = part.minimumSizeHint() if isinstance(part, QCheckBox) else part.sizeHint()
            cut = needed.width() > part.width() + 1 or needed.height() > part.height() + 4
        if cut:
            found.append(f"{text[:60]!r}: {part.size()} of {part.sizeHint()}")
    return found


def test_the_measure_finds_what_is_cut(qtbot):
    box = QWidget()
    qtbot.addWidget(box)
    for number, part in enumerate((QLabel("a text that is too long"), QPushButton("and another"))):
        part.setParent(box)
        part.setGeometry(0, 30 * number, 20, 20)
    wrapped = QLabel("several words that need several lines", box)
    wrapped.setWordWrap(True)
    wrapped.setGeometry(0, 60, 60, 12)
    box.show()
    assert len(clipped(box)) == 3


def _fits(panel, seen) -> None:
    assert clipped(panel) == [], seen


#: napari's own differ in colours alone, but to change them lays all out again.
THEMES = thorough(["dark", "dark light"], always=["dark"])


@pytest.mark.parametrize("themes", THEMES)
def test_nothing_is_clipped(panel, qtbot, themes):
    from napari._qt.qt_resources import get_stylesheet

    for theme in themes.split():
        panel.setStyleSheet(get_stylesheet(theme))
        panel.show()
        for size in SIZES:
            panel.resize(*size)
            qtbot.wait(60)
            # labels find their heights in steps, which a busy machine takes later
            qtbot.waitUntil(lambda seen=(theme, size): _fits(panel, seen))


def test_forms_use_the_height_of_their_dock_and_have_no_gap(viewer, qtbot):
    calibrate, compare = CalibrateWidget(viewer), CompareWidget(viewer)
    for panel in (calibrate, compare):
        qtbot.addWidget(panel)
        panel.resize(340, 760)
        panel.show()
    area = calibrate.findChild(QScrollArea)
    form = compare.form

    def laid_out() -> None:
        assert area.viewport().height() >= area.widget().minimumSizeHint().height()
        assert form.protocol_origin.y() - form.protocol.geometry().bottom() < 40
        assert compare.grid_button.y() - compare.run_button.geometry().bottom() < 90

    qtbot.waitUntil(laid_out)
    calibrate.release()
    compare.release()


#: The button for which a panel is there.
MAIN = {
    ReconstructWidget: "run_button",
    SuperResolveWidget: "run_button",
    CompareWidget: "run_button",
    MapsWidget: "run_button",
    CalibrateWidget: "run_button",
    TrainWidget: "start_button",
    SetWavelengthsWidget: "apply_button",
    FileContentsWidget: "open_button",
}


@pytest.mark.parametrize("panel", MAIN, indirect=True)
def test_the_main_button_is_in_sight_and_nothing_that_is_said_moves_it(panel, qtbot):
    main = getattr(panel, MAIN[type(panel)])
    panel.resize(300, 340)  # one of two stacks of tabs in a window of 1280 × 800
    panel.show()
    said = [one for one in panel.findChildren(Message) if one.parent().isVisibleTo(panel)]
    places = set()
    for text in ("", "Something of several words that is said of a run. " * 12):
        for message in said:
            message.show_info(text)
        qtbot.wait(60)
        assert panel.height() == 340
        assert main.visibleRegion().boundingRect() == main.rect()
        places.add((main.mapTo(panel, main.rect().topLeft()).y(), main.width()))
    assert len(places) == 1


@pytest.mark.parametrize("panel", PANELS, indirect=True)
def test_the_wheel_scrolls_a_panel_and_changes_nothing_that_is_chosen(panel, qtbot):
    for fold in panel.findChildren(Fold):
        fold.set_open(True)
    boxes = [part for part in controls(panel) if isinstance(part, (QComboBox, QAbstractSpinBox))]
    scrolled = [box for box in boxes if any(area.isAncestorOf(box) for area in areas(panel))]
    for box in scrolled:
        shown = box.currentIndex() if isinstance(box, QComboBox) else box.text()
        for turn in (-120, 120, 120):
            event = wheel(turn)
            QApplication.sendEvent(box, event)
            assert shown == (box.currentIndex() if isinstance(box, QComboBox) else box.text())
        assert not box.hasFocus()


@pytest.mark.parametrize("panel", PANELS, indirect=True)
def test_keys_with_alt_go_through_to_napari_from_every_control(panel, qtbot):
    reached = []
    panel.keyPressEvent = lambda event: reached.append(event.key())
    panel.resize(340, 760)
    panel.show()
    for control in filter(taken_by_keys, controls(panel)):
        alt, shift = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ShiftModifier
        for key, held in (
            (Qt.Key.Key_N, alt),
            (Qt.Key.Key_Right, alt),
            (Qt.Key.Key_P, alt | shift),
        ):
            qtbot.keyClick(control, key, held)
            assert reached[-1:] == [key], control.accessibleName()
            reached.clear()
