"""A bar never shows another share than the words beside it."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication

from napari_hsr.progress import Progress
from napari_hsr.widgets.common.progress_bar import ProgressBar, time_left


class Painted(QObject):
    """Notes the value with which a bar is painted."""

    def __init__(self, bar):
        super().__init__(bar)
        self.values = []
        bar.installEventFilter(self)

    def eventFilter(self, bar, event):  # noqa: N802
        if event.type() == QEvent.Type.Paint:
            self.values.append((bar.value(), bar.format()))
        return False


@pytest.mark.parametrize("way", ["move_to", "follow"])
def test_a_bar_waits_for_the_words_about_it(qtbot, way):
    bar = ProgressBar()
    qtbot.addWidget(bar)
    bar.show()
    qtbot.waitExposed(bar)
    getattr(bar, way)(Progress(1, 3, "one of three"))
    QApplication.processEvents()
    painted = Painted(bar)
    getattr(bar, way)(Progress(3, 3, "done"))
    assert not painted.values  # words of a label beside it have not been painted yet
    qtbot.waitUntil(lambda: bool(painted.values))
    assert painted.values[-1] == (bar.maximum(), bar.format())


def test_what_is_done_has_no_time_left():
    assert time_left(Progress(1, 2, seconds_left=0.4)) == " · about 0.4 s left"
    assert time_left(Progress(2, 2, seconds_left=0.01)) == ""
