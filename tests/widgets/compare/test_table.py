"""The table of metrics."""

from __future__ import annotations

import pytest

from napari_hsr.widgets.compare.table import MetricTable, format_value


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (34.8712, "dB", "34.87 dB"),
        (2.10649, "°", "2.106°"),
        (0.0134567, "", "0.01346"),
        (0.1, "", "0.1000"),
        (1234.0, "", "1234"),
        (float("inf"), "dB", "∞ dB"),
        (float("nan"), "", "not defined"),
        (None, "", "not defined"),
    ],
)
def test_format_value(value, unit, text):
    assert format_value(value, unit) == text


def test_table_is_copied_as_text(qtbot):
    table = MetricTable()
    qtbot.addWidget(table)
    table.show_values({"psnr": "PSNR"}, {"psnr": 30.0, "sam": 1.0}, {"psnr": "dB", "sam": "°"})
    assert table.text() == "PSNR\t30.00 dB\nsam\t1.000°"
    table.item(1, 0).setSelected(True)
    assert table.text() == "sam\t1.000°"
