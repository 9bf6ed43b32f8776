"""The panel at its own narrowest, in napari's clothes: nothing is cut off."""

from __future__ import annotations

import pytest
from napari._qt.qt_resources import get_stylesheet


@pytest.fixture
def narrow(compared, qtbot):
    """Every option shown, after a comparison, as narrow as the panel may be."""
    for check in compared.form.checks.values():
        check.setChecked(True)
    compared.setStyleSheet(get_stylesheet("dark"))
    compared.resize(280, 800)
    with qtbot.waitExposed(compared):
        compared.show()
    qtbot.wait(150)
    return compared


def test_the_content_is_no_wider_than_the_panel(narrow):
    room = narrow._scroll.viewport().width()
    assert narrow.width() <= 300
    assert narrow._scroll.widget().minimumSizeHint().width() <= room
    parts = (narrow.form.window_size, narrow.results.plot, narrow.run_button)
    for part, edge in [*((p, narrow._scroll.x() + room) for p in parts), (narrow.csv_button, 280)]:
        assert part.mapTo(narrow, part.rect().topRight()).x() < edge


def test_the_figures_are_whole_and_their_names_wrap(narrow, qtbot):
    table = narrow.results.table
    labels = {"rmse": "RMSE", "psnr_band": "PSNR, the mean of all the bands in the cube"}
    table.show_values(
        labels, {"rmse": 0.0371612, "psnr_band": 32.13}, {"rmse": "reflectance", "psnr_band": "dB"}
    )
    metrics = table.fontMetrics()
    for row in range(2):
        shown = table.visualItemRect(table.item(row, 1))
        assert metrics.horizontalAdvance(table.item(row, 1).text()) < shown.width()
        assert shown.right() <= table.viewport().width()
    assert table.rowHeight(1) >= 2 * metrics.height()  # in two lines
    assert table.height() >= table.horizontalHeader().height() + sum(
        table.rowHeight(row) for row in range(2)
    )
