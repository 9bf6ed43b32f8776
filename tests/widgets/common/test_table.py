"""Windows around tables: all columns in sight, and the window still on the screen."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QDialog, QTableWidget

from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.table import widen_for


@pytest.mark.parametrize("share", [0.3, 2.0])
def test_a_window_that_is_widened_stays_on_the_screen(qtbot, share):
    window, table = QDialog(), QTableWidget(1, 2)
    column(table, into=window)
    qtbot.addWidget(window)
    there = window.screen().availableGeometry()
    window.resize(there.width() // 4, 100)
    window.move(there.right() - window.width() - 20, there.top() + 40)
    window.show()
    qtbot.waitExposed(window)
    before = window.width()
    for at in range(2):
        table.setColumnWidth(at, round(share * there.width() / 2))
    widen_for(table)
    assert window.width() > before
    assert there.contains(window.frameGeometry())
