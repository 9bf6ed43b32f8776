"""After a run: links to the panels that look at a cube, whole in the narrowest dock."""

from __future__ import annotations

from types import SimpleNamespace

from napari.components import ViewerModel

from napari_hsr.widgets.inference.next_steps import PANELS, NextSteps


def test_links_open_panels_and_fit(qtbot):
    opened = []
    window = SimpleNamespace(add_plugin_dock_widget=lambda *names: opened.append(names))
    line = NextSteps(SimpleNamespace(window=window))
    qtbot.addWidget(line)
    line.offer()
    for width in (120, 260):
        line.resize(width, 20)
        qtbot.waitUntil(lambda width=width: line.height() >= line.heightForWidth(width))
    for name in PANELS:
        line.linkActivated.emit(name)
    assert opened == [("napari-hsr", name) for name in PANELS]


def test_without_a_window_there_is_nothing_to_open(qtbot):
    line = NextSteps(ViewerModel())
    qtbot.addWidget(line)
    line.offer()
    assert line.isHidden()
