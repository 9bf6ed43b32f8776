"""After a run: links to the panels that look at a cube, whole in the narrowest dock."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QDockWidget, QLabel, QLineEdit, QMainWindow, QTextEdit, QWidget

from napari_hsr.viewer import workspace
from napari_hsr.viewer.workspace import (
    STACKS,
    make_room,
    next_panel,
    open_all_panels,
    open_panel,
    opened,
)
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.panel import Panel
from napari_hsr.widgets.inference.next_steps import PANELS, NextSteps


class Window:
    """As much of a napari window as opening panels needs."""

    def __init__(self):
        self.main, self.docks = QMainWindow(), {}
        self.main.setCentralWidget(QTextEdit())
        self.dock_widgets = {}

    def add_dock_widget(self, panel, name):
        dock = self.docks[name.partition(" (")[0]] = QDockWidget(name, self.main)
        around = QWidget()  # napari puts a panel into one more widget
        column(panel, into=around)
        dock.setWidget(around)
        self.main.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        dock.show()
        self.dock_widgets[name] = panel
        return dock


@pytest.fixture(autouse=True)
def panels(monkeypatch):
    """Widgets in place of the panels."""
    names = [*(name for names in STACKS for name in names), "Calibrate…"]
    maker = SimpleNamespace(get_callable=lambda: lambda _viewer: High())
    monkeypatch.setattr(workspace, "_classes", lambda: dict.fromkeys(names, maker))


class High(Panel):
    """A panel that asks for more than it needs."""

    def sizeHint(self):  # noqa: N802 - Qt's name
        return QSize(200, 600)


def test_links_open_panels_and_fit(qtbot):
    viewer = SimpleNamespace(window=Window())
    qtbot.addWidget(viewer.window.main)
    line = NextSteps(viewer)
    qtbot.addWidget(line)
    line.offer()
    for width in (120, 260):
        line.resize(width, 20)
        qtbot.waitUntil(lambda width=width: line.height() >= line.heightForWidth(width))
    for name in PANELS:
        line.linkActivated.emit(name)
    assert list(viewer.window.dock_widgets) == [
        f"{name} (Hyperspectral reconstruction)" for name in PANELS
    ]


def test_panels_lie_over_those_of_their_stack(qtbot):
    viewer = SimpleNamespace(window=Window())
    main, docks = viewer.window.main, viewer.window.docks
    qtbot.addWidget(main)
    for name in ("Reconstruct", "Wavelength", "Spectra", "Compare"):
        open_panel(viewer, name)
    assert main.tabifiedDockWidgets(docks["Reconstruct"]) == [docks["Compare"]]
    assert main.tabifiedDockWidgets(docks["Wavelength"]) == [docks["Spectra"]]
    open_panel(viewer, "Wavelength")  # in front, and not opened again
    assert len(docks) == 4
    open_all_panels(viewer)
    assert [len(main.tabifiedDockWidgets(docks[names[0]])) for names in STACKS] == [3, 3]
    assert {dock.windowTitle() for dock in docks.values()} == {n for s in STACKS for n in s}


@pytest.mark.parametrize("called", ["napari-hsr", "Hyperspectral reconstruction"])
def test_a_panel_is_the_same_however_it_was_opened(qtbot, called):
    viewer = SimpleNamespace(window=Window())
    qtbot.addWidget(viewer.window.main)
    panel = High()
    viewer.window.add_dock_widget(panel, name=f"Spectra ({called})")
    assert open_panel(viewer, "Spectra") is panel
    assert open_panel(viewer, "Calibrate…") is opened(viewer)["Calibrate…"]
    open_all_panels(viewer)
    assert len(viewer.window.dock_widgets) == sum(map(len, STACKS)) + 1


@pytest.mark.parametrize(("height", "tabbed"), [(700, True), (1100, False)])
def test_a_panel_that_finds_no_room_lies_over_one_of_its_stack(qtbot, height, tabbed):
    viewer = SimpleNamespace(window=Window())
    main, docks = viewer.window.main, viewer.window.docks
    qtbot.addWidget(main)
    main.resize(800, height)
    main.show()
    qtbot.waitExposed(main)
    for name in ("Reconstruct", "Spectra", "Maps"):
        viewer.window.add_dock_widget(High(), name=f"{name} (napari-hsr)")
        make_room(viewer, viewer.window.dock_widgets[f"{name} (napari-hsr)"])
        qtbot.wait(20)
    assert main.tabifiedDockWidgets(docks["Spectra"]) == [docks["Maps"]] * tabbed
    assert main.tabifiedDockWidgets(docks["Reconstruct"]) == []


def test_without_a_window_there_is_nothing_to_open(qtbot):
    line = NextSteps(ViewerModel())
    qtbot.addWidget(line)
    line.offer()
    assert line.isHidden()


def test_the_keyboard_goes_from_panel_to_panel(qtbot):
    viewer = SimpleNamespace(window=Window())
    main, docks = viewer.window.main, viewer.window.docks
    qtbot.addWidget(main)
    for name in ("Reconstruct", "Compare", "Spectra"):
        open_panel(viewer, name)
        panel = Panel()
        panel.lines = [QLabel("no stop"), QLineEdit(), QLineEdit()]
        column(*panel.lines, into=panel)
        docks[name].setWidget(panel)
        viewer.window.dock_widgets[f"{name} (Hyperspectral reconstruction)"] = panel
    main.show()
    main.activateWindow()
    qtbot.waitUntil(main.isActiveWindow)
    docks["Reconstruct"].widget().take_keyboard()
    seen = []
    for _ in range(4):
        next_panel(viewer)
        seen.append(next(n for n, d in docks.items() if d.widget().lines[1].hasFocus()))
    assert seen == ["Compare", "Spectra", "Reconstruct", "Compare"]
    assert main.tabifiedDockWidgets(docks["Compare"]) == [docks["Reconstruct"]]
    assert docks["Compare"].isVisible()
    next_panel(ViewerModel())  # without a window nothing happens
