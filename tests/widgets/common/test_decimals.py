"""Numbers that are typed and pasted in either spelling."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QLocale, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDoubleSpinBox, QWidget

from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.layouts import column


@pytest.fixture(params=["de_DE", "en_US"])
def box(qtbot, request):
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    panel, box = QWidget(), QDoubleSpinBox()
    box.setRange(1, 99_999)
    column(box, into=panel)
    qtbot.addWidget(panel)
    name_controls(panel)
    yield box
    QLocale.setDefault(before)


@pytest.mark.parametrize("typed", ["412.5", "412,5"])
@pytest.mark.parametrize("pasted", [False, True])
def test_a_point_and_a_comma_are_the_same(box, typed, pasted):
    box.selectAll()
    if pasted:
        QApplication.clipboard().setText(f" {typed}")
        QTest.keyClick(box, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    else:
        QTest.keyClicks(box, typed)
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == 412.5
    assert box.text() == "412.50"


def test_what_is_no_number_leaves_the_one_that_was(box):
    box.setValue(7)
    box.selectAll()
    QApplication.clipboard().setText("1,234.5")
    QTest.keyClick(box, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert box.value() == 7
