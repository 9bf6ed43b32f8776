"""Windows around tables: all columns in sight, and the window still on the screen."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QLineEdit,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
)

from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.table import Sentences, fit_columns, widen_for


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


def test_a_long_name_leaves_room_for_the_figures_and_keeps_its_end(qtbot):
    table = QTableWidget(1, 2)
    qtbot.addWidget(table)
    for at, text in enumerate(("winter barley near the southern edge of trial plot 1", "0.2093")):
        table.setItem(0, at, QTableWidgetItem(text))
    table.resizeColumnsToContents()
    whole, figures = table.columnWidth(0), table.columnWidth(1)
    fit_columns(table)
    assert table.columnWidth(0) < whole
    assert table.columnWidth(1) == figures
    assert table.textElideMode() == Qt.TextElideMode.ElideMiddle
    assert not table.wordWrap()


def test_a_sentence_in_a_table_of_names_loses_its_end(qtbot):
    table, option = QTableWidget(1, 1), QStyleOptionViewItem()
    qtbot.addWidget(table)
    fit_columns(table)
    table.initViewItemOption(option)
    assert option.textElideMode == Qt.TextElideMode.ElideMiddle
    Sentences(table).initStyleOption(option, table.model().index(0, 0))
    assert option.textElideMode == Qt.TextElideMode.ElideRight


def test_tab_leaves_a_table(qtbot):
    window, table, behind = QDialog(), QTableWidget(2, 2), QLineEdit()
    column(table, behind, into=window)
    qtbot.addWidget(window)
    name_controls(window)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    table.setFocus()
    qtbot.waitUntil(table.hasFocus)
    qtbot.keyClick(table, Qt.Key.Key_Tab)
    qtbot.waitUntil(behind.hasFocus)
