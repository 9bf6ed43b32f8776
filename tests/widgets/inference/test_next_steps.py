"""After a run: links to the panels that look at a cube, whole in the narrowest dock."""

from __future__ import annotations

from types import SimpleNamespace

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QLabel, QLineEdit, QMainWindow

from napari_hsr.viewer.workspace import STACKS, next_panel, open_all_panels, open_panel
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.panel import Panel
from napari_hsr.widgets.inference.next_steps import PANELS, NextSteps


class Window:
    """As much of a napari window as opening panels needs."""

    def __init__(self):
        self.main, self.docks = QMainWindow(), {}

    @property
    def dock_widgets(self):
        return {f"{name} (napari-hsr)": dock.widget() for name, dock in self.docks.items()}

    def add_plugin_dock_widget(self, plugin, name):
        assert plugin == "napari-hsr"
        if name not in self.docks:
            self.docks[name] = QDockWidget(f"{name} ({plugin})", self.main)
            self.main.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.docks[name])
        return self.docks[name], self.docks[name].widget()


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
    assert list(viewer.window.dock_widgets) == [f"{name} (napari-hsr)" for name in PANELS]


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
