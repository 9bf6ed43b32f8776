"""Panels in the docks of a real window: a plot is as high the third time as the first."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QFocusEvent
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QTabBar, QWidget

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.viewer.workspace import (
    COMFORT,
    DISPLAYED,
    PLUGIN,
    open_all_panels,
    open_panel,
    opened,
    panel_dock,
    shared_heights,
)
from napari_hsr.widgets.common import view_in_sight
from napari_hsr.widgets.common.view_in_sight import keep_in_sight
from napari_hsr.widgets.compare.panel import CompareWidget
from napari_hsr.widgets.plotting.plot import LEAST_HEIGHT
from napari_hsr.widgets.session.settings import open_panels, restore_panels
from napari_hsr.widgets.spectra.panel import SpectraWidget
from napari_hsr.widgets.wavelength.panel import WavelengthWidget
from napari_hsr.widgets.wavelength.set_wavelengths import SetWavelengthsWidget

from ..thorough import thorough
from .panels import PANELS

HEIGHT = 900
#: Heights in pixels of what napari has around a panel, and above and below all of them.
TITLE, BARS = 32, 55
#: How often a panel is docked: what grows does so the second time already.
TIMES = thorough([2, 3], always=[2])


@pytest.fixture
def viewer(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1300, HEIGHT)
    nm = Wavelengths(np.arange(400.0, 701.0, 10.0))
    add_cube(viewer, Cube(np.zeros((31, 8, 8), np.float32), nm, name="scene"))
    qtbot.wait(100)
    return viewer


@pytest.fixture
def dock(viewer, qtbot):
    """``with dock(A, B) as (a, b)``: panels docked one below the other, and gone at the end."""
    from contextlib import contextmanager

    @contextmanager
    def docked(*kinds):
        docks = [viewer.window.add_dock_widget(kind(viewer), name=kind.__name__) for kind in kinds]
        qtbot.wait(100)
        panels = [d.inner_widget() for d in docks]
        yield panels
        for d, panel in zip(docks, panels, strict=True):
            viewer.window.remove_dock_widget(d)
            panel.close()
            panel.deleteLater()
        qtbot.wait(50)

    return docked


def window_height(viewer):
    """What the docks live in: on a screen that is lower than asked for, that height."""
    return viewer.window.geometry()[3]


@pytest.mark.parametrize("times", TIMES)
def test_a_panel_is_as_high_each_time_as_the_first(dock, times):
    heights = {SpectraWidget: [], CompareWidget: []}
    for _ in range(times):
        with dock(SpectraWidget) as (spectra,):
            heights[SpectraWidget].append(spectra.plot.height())
            assert spectra.plot.height() > 0.6 * spectra.height()
        with dock(CompareWidget) as (compare,):
            heights[CompareWidget].append(compare._scroll.height())
            assert compare._scroll.height() > 0.85 * compare.height()  # the rest is buttons
    for measured in heights.values():
        assert len(set(measured)) == 1, heights


@pytest.mark.parametrize("times", TIMES)
def test_beside_the_wavelengths_the_plot_has_the_rest_each_time(dock, viewer, times):
    measured = []
    for _ in range(times):
        with dock(WavelengthWidget, SpectraWidget) as (wavelength, spectra):
            assert wavelength.height() <= wavelength.sizeHint().height() + 10
            measured.append(spectra.plot.view.height())
    assert np.ptp(measured) <= 10, measured  # labels find their heights in steps
    assert measured[0] > 0.3 * window_height(viewer)


@pytest.mark.parametrize("width", [290, 340])
def test_any_three_panels_fit_above_each_other(qtbot, width):
    viewer, heights = ViewerModel(), {}
    for panel in PANELS:
        widget = panel(viewer)
        qtbot.addWidget(widget)
        widget.resize(width, 600)
        heights[panel.__name__] = widget.minimumSizeHint().height()
    highest = sorted(heights.values())[-3:]
    assert sum(highest) + 3 * TITLE <= 800 - BARS, heights


def test_three_panels_do_not_make_the_window_grow(dock, viewer, qtbot):
    before = window_height(viewer)
    assert before <= HEIGHT
    for _ in range(2):
        with dock(SpectraWidget, WavelengthWidget, SetWavelengthsWidget) as (spectra, *_others):
            for place in range(12):  # the legend grows, the window does not
                spectra.pin((550, place % 8, place // 2))
            qtbot.wait(200)
            assert len(spectra.plot.legend.entries) >= 12
            assert spectra.plot.view.height() >= LEAST_HEIGHT
            assert window_height(viewer) <= max(before, HEIGHT)


def test_a_script_and_the_menu_have_the_same_panel(viewer, qtbot):
    panel = open_panel(viewer, "Compare")  # as the menu calls it
    qtbot.wait(20)
    for _ in range(2):
        dock, scripted = viewer.window.add_plugin_dock_widget(PLUGIN, "Compare")
        assert scripted is panel
        assert len(open_panels(viewer)) == 1
        viewer.window.remove_dock_widget(dock)
        assert not opened(viewer)  # nothing is found of what is gone
        _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Compare")
        qtbot.wait(20)
        assert viewer.window.dock_widgets[f"Compare ({DISPLAYED})"] is panel


def test_more_panels_than_there_is_room_for_do_not_make_the_window_higher(viewer, qtbot):
    viewer.window.resize(1280, 560)
    qtbot.wait(50)
    before = window_height(viewer)
    for name in ("Set wavelengths…", "Contents of a file…", "Train", "Compare", "Maps"):
        viewer.window.add_plugin_dock_widget(PLUGIN, name)
        qtbot.waitUntil(lambda: window_height(viewer) <= before)
    assert len(opened(viewer)) == 5


def test_tabs_say_the_whole_names_of_their_panels(viewer, qtbot):
    names = ("Wavelength", "Maps", "Set wavelengths…")
    docks = [viewer.window.add_plugin_dock_widget(PLUGIN, name)[0] for name in names]
    window = docks[0].parent()
    for dock in docks[1:]:
        window.tabifyDockWidget(docks[0], dock)
        qtbot.waitUntil(dock.isVisible)
        dock.raise_()
    direct = Qt.FindChildOption.FindDirectChildrenOnly

    def bars():
        found = window.findChildren(QTabBar, options=direct)
        return [bar for bar in found if "Maps" in map(bar.tabText, range(bar.count()))]

    qtbot.waitUntil(lambda: [bar.elideMode() for bar in bars()] == [Qt.TextElideMode.ElideNone])
    assert {bars()[0].tabText(at) for at in range(3)} == set(names)
    assert bars()[0].usesScrollButtons()


def test_panels_that_are_docked_at_once_do_not_make_the_window_higher(viewer, qtbot):
    viewer.window.resize(1280, 600)
    qtbot.wait(50)
    before = window_height(viewer)
    for name in ("Compare", "Spectra", "Maps", "Measurements"):  # as a session does
        panel_dock(viewer, name)
        QApplication.processEvents()  # the window grows meanwhile
    qtbot.waitUntil(lambda: window_height(viewer) <= before)


def test_a_panel_that_is_docked_alone_shows_what_is_chosen(viewer, qtbot):
    add_photograph(viewer, Photograph(np.zeros((8, 8, 3), np.uint8), SRGB))
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Reconstruct")
    qtbot.waitUntil(lambda: panel.encoding.encoding() == SRGB)
    chooser = panel.encoding
    qtbot.waitUntil(lambda: chooser.width() >= chooser.sizeHint().width())
    text = chooser.fontMetrics().horizontalAdvance(chooser.currentText())
    assert chooser.width() > text


def test_the_title_of_a_narrow_panel_is_seen_whole(viewer, qtbot):
    viewer.window.resize(1600, HEIGHT)
    dock, panel = panel_dock(viewer, "Set wavelengths…")
    title = dock.titleBarWidget()
    label = title.title
    text = label.fontMetrics().horizontalAdvance(label.text())
    assert panel.sizeHint().width() < text
    qtbot.waitUntil(lambda: label.width() >= text)


class Tall(QWidget):
    def sizeHint(self):  # noqa: N802 - Qt's name
        return QSize(200, 500)


@pytest.mark.parametrize(("height", "low"), [(900, 60), (900, 450), (560, 60)])
def test_docks_share_a_column_so_that_none_is_too_low_to_be_worked_with(qtbot, height, low):
    window, panels = QMainWindow(), [Tall(), Tall()]
    qtbot.addWidget(window)
    docks = [QDockWidget(), QDockWidget()]
    for dock, panel in zip(docks, panels, strict=True):
        dock.setWidget(panel)
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    named = {"Spectra (napari-hsr)": panels[0], "Maps (napari-hsr)": panels[1]}
    viewer = SimpleNamespace(window=SimpleNamespace(dock_widgets=named))
    window.resize(400, height)
    window.show()
    qtbot.waitUntil(lambda: docks[1].height() > 100)
    window.resizeDocks(docks, [low, height - low], Qt.Orientation.Vertical)
    qtbot.waitUntil(lambda: docks[0].height() <= low + 40)
    whole, upper = sum(dock.height() for dock in docks), docks[0].height()
    shared = shared_heights(viewer, panels[1])
    if whole < 2 * COMFORT or upper >= COMFORT:  # there is not enough for both, or enough for each
        assert shared == {}
    else:
        assert shared[docks[0]] == COMFORT
        assert shared[docks[1]] == pytest.approx(whole - COMFORT, abs=1)


def in_sight(viewer) -> bool:
    """Whether the picture, 8 pixels wide and high, is within the canvas."""
    return viewer.scene.camera.zoom * 8 <= min(viewer.canvas.size)


def test_a_picture_that_was_in_sight_stays_so_beside_all_panels(viewer, qtbot):
    viewer.window.resize(1280, 800)
    qtbot.wait(50)
    viewer.reset_view()
    before = viewer.canvas.size
    open_all_panels(viewer)
    qtbot.waitUntil(lambda: viewer.canvas.size[1] < before[1])
    qtbot.waitUntil(lambda: in_sight(viewer))


def test_a_picture_stays_in_sight_where_the_canvas_gets_its_size_late(viewer, qtbot):
    """As on a busy computer: the docks have been given their width, and the canvas has not."""
    viewer.reset_view()
    keep_in_sight(viewer)
    qtbot.wait(view_in_sight._SETTLED_MS + 20)
    viewer.window.resize(900, 500)
    qtbot.waitUntil(lambda: in_sight(viewer) and viewer.canvas.size[1] < 900)


def test_a_view_that_the_user_chose_is_left_alone(viewer, qtbot):
    viewer.scene.camera.zoom *= 3
    chosen = viewer.scene.camera.zoom, viewer.scene.camera.center
    open_panel(viewer, "Reconstruct")
    qtbot.wait(200)
    assert (viewer.scene.camera.zoom, viewer.scene.camera.center) == chosen


def test_a_panel_that_gets_the_keyboard_by_tab_comes_to_the_front(viewer, qtbot):
    behind = open_panel(viewer, "Wavelength")
    front = open_panel(viewer, "Maps")
    qtbot.waitUntil(lambda: behind.visibleRegion().isEmpty() and front.isVisible())
    control = behind.chooser
    QApplication.sendEvent(control, QFocusEvent(QEvent.Type.FocusIn, Qt.FocusReason.TabFocusReason))
    qtbot.waitUntil(lambda: not behind.visibleRegion().isEmpty())


def test_a_session_brings_the_panels_to_the_front_that_were_there(viewer, qtbot):
    def in_front():
        return {name for name, one in opened(viewer).items() if not one.visibleRegion().isEmpty()}

    open_all_panels(viewer)
    for name in ("Train", "Maps"):
        panel_dock(viewer, name)[0].raise_()
    qtbot.waitUntil(lambda: in_front() == {"Train", "Maps"})
    saved = open_panels(viewer)
    viewer.window.remove_dock_widget("all")
    qtbot.wait(50)
    assert restore_panels(viewer, saved) == []
    qtbot.waitUntil(lambda: in_front() == {"Train", "Maps"})


def test_texts_of_a_panel_do_not_lie_over_each_other_before_its_events_are_through(viewer):
    docked = viewer.window.add_plugin_dock_widget(PLUGIN, "Reconstruct")[1]
    QApplication.sendPostedEvents()
    docked._find_room()
    card = docked.card
    assert card.essentials.height() == card.essentials.heightForWidth(card.essentials.width())
    assert card.essentials.geometry().bottom() < card.caution.geometry().top()
    assert card.caution.geometry().bottom() < card.fold.geometry().top()
