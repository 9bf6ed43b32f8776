"""The plot that the panels share."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QColor, QImage, QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_hsr.errors import FileError
from napari_hsr.widgets.plotting.curves import STYLES, extent, nice_limits
from napari_hsr.widgets.plotting.legend import columns_of
from napari_hsr.widgets.plotting.plot import PlotCurve, SpectrumPlot

NM = np.arange(400.0, 701.0, 10.0)


def curve(name="a", level=0.5, **options):
    return PlotCurve(name, NM, level + 0.1 * np.sin(NM / 50), **options)


@pytest.fixture
def plot(qtbot):
    widget = SpectrumPlot()
    qtbot.addWidget(widget)
    widget.resize(420, 400)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def test_axes_carry_units_and_no_si_prefix(plot):
    plot.set_labels("wavelength (nm)", "reflectance")
    plot.set_curves([PlotCurve("big", NM * 10, NM * 1e5)])
    bottom = plot.plot_item.getAxis("bottom")
    assert bottom.labelText == "wavelength (nm)"
    assert "wavelength (nm)" in bottom.label.toPlainText()
    assert bottom.autoSIPrefixScale == 1.0
    assert plot.plot_item.getAxis("left").autoSIPrefixScale == 1.0
    assert "reflectance" in plot.plot_item.getAxis("left").label.toPlainText()


def test_curves_are_changed_in_place(plot):
    plot.set_curves([curve("a"), curve("b", 0.3)])
    before = len(plot.plot_item.items)
    first = plot._pool[0].line
    plot.set_curves([curve("c", 0.7)])
    assert plot._pool[0].line is first
    np.testing.assert_allclose(first.getData()[1], curve("c", 0.7).y)
    assert not plot._pool[1].line.isVisible()
    plot.set_curves([curve("a"), curve("b", 0.3)])
    assert len(plot.plot_item.items) == before


def test_nan_leaves_a_gap_and_lone_points_are_dots(plot):
    y = np.full(31, 0.5)
    y[10] = np.nan
    y[12] = np.inf
    plot.set_curves([PlotCurve("gap", NM, y)])
    items = plot._pool[0]
    assert np.isnan(items.line.getData()[1][[10, 12]]).all()
    np.testing.assert_array_equal(items.dots.getData()[0], [510.0])
    assert np.isfinite(plot.limits).all()


def test_one_band_is_a_dot_and_no_value_at_all_is_no_error(plot):
    plot.set_curves(
        [
            PlotCurve("one", np.array([550.0]), np.array([0.4]), std=np.array([0.1])),
            PlotCurve("none", NM, np.full(31, np.nan), std=np.full(31, np.nan)),
        ]
    )
    one, none = plot._pool
    assert one.dots.isVisible()
    assert one.band.isVisible()
    assert not none.line.isVisible()
    assert not none.band.isVisible()


def test_band_is_mean_plus_and_minus_deviation_with_gaps(plot):
    y, std = np.full(31, 0.5), np.full(31, 0.1)
    y[15] = np.nan
    plot.set_curves([PlotCurve("region", NM, y, std)])
    x, outline = plot._pool[0].band.getData()
    assert {round(float(v), 6) for v in outline} == {0.4, 0.6}
    assert 550.0 not in x
    assert (
        not ((x[:-1] < 550) & (x[1:] > 550) & (np.diff(x) > 10)).any()
        or (plot._pool[0].band.opts["connect"][np.flatnonzero(np.diff(x) > 10)] == 0).all()
    )


def test_limits_hold_curves_and_deviation(plot):
    plot.set_curves([curve(level=0.5, std=np.full(31, 0.2))])
    x0, x1, y0, y1 = plot.limits
    assert x0 < 400
    assert x1 > 700
    assert y1 > 0.8
    assert y0 == 0.0  # positive values that reach down start at zero


def test_limits_hold_still_until_the_curves_leave_or_shrink():
    first = nice_limits((400, 700, 0.0, 1.0), None)
    assert nice_limits((400, 700, 0.1, 0.8), first) == first
    assert nice_limits((400, 700, 0.0, 2.0), first)[3] > 2.0
    assert nice_limits((400, 700, 0.0, 0.2), first)[3] < 0.5


@pytest.mark.parametrize("wanted", [(550, 550, 0.5, 0.5), (0, 1, 0, 0), (0, 3, -4, -4)])
def test_limits_are_never_empty(wanted):
    x0, x1, y0, y1 = nice_limits(wanted, None)
    assert x0 < wanted[0] <= wanted[1] < x1
    assert y0 <= wanted[2] <= wanted[3] < y1
    assert y0 < y1


def test_beside_one_step_alone_no_other_is_marked():
    x0, x1, *_ = nice_limits((0, 0, 29.0, 29.0), None)
    assert (x0, x1) == (-0.5, 0.5)


def test_extent_of_nothing_is_none():
    assert extent([]) is None
    assert extent([PlotCurve("nan", NM, np.full(31, np.nan))]) is None


def test_wide_ranges_do_not_press_the_curves_together():
    line = PlotCurve("pin", NM, np.linspace(0.2, 0.6, 31))
    band = PlotCurve("", NM, line.y, np.full(31, 0.05), style="interval")
    assert extent([line, band])[2:] == pytest.approx((0.15, 0.65))  # whole where there is room
    wide = PlotCurve("", NM, line.y, np.linspace(0.1, 4, 31), style="interval")
    assert extent([line, wide])[2:] == pytest.approx((0.0, 0.8))
    spread = PlotCurve("region", NM, line.y, np.full(31, 4.0))  # measured: all of it counts
    assert extent([line, spread])[3] == pytest.approx(4.6)
    assert extent([band])[2:] == pytest.approx((0.15, 0.65))


def test_a_long_name_takes_one_column_of_the_legend():
    side = 30 + 12  # a swatch and a gap
    assert columns_of([50] * 6, 3 * (50 + side)) == 3
    assert columns_of([200, 50, 50, 50, 50, 50], 200 + 2 * 50 + 3 * side) == 3
    assert columns_of([200, 50, 50], 150) == 1
    assert columns_of([], 100) == 1


def test_zoom_is_kept_until_reset(plot, qtbot):
    plot.set_curves([curve()])
    box = plot.plot_item.getViewBox()
    box.setRange(xRange=(500, 520), yRange=(0.4, 0.5), padding=0)
    box.sigRangeChangedManually.emit(box.state["mouseEnabled"])
    plot.set_curves([curve(level=5.0)])
    assert plot.limits[:2] == pytest.approx((500, 520))
    plot.reset_button.click()
    assert plot.limits[0] < 400
    assert plot.limits[3] > 5.0


def test_marker_tells_only_of_the_user(plot, qtbot):
    plot.set_curves([curve()])
    with qtbot.assertNotEmitted(plot.marker_moved):
        plot.set_marker(550.0)
    assert plot.marker_value() == 550.0
    assert plot.marker.label.toPlainText() == "550 nm"
    plot.set_marker(7, "band")
    assert plot.marker.label.toPlainText() == "band 7"
    plot.set_marker(43200.0, "s")
    assert plot.marker.label.toPlainText() == "43200 s"
    plot.set_marker(None)
    assert plot.marker_value() is None


def test_marker_is_dragged_with_the_mouse(plot, qtbot):
    plot.set_curves([curve()])
    plot.set_marker(500.0)
    qtbot.wait(20)
    box, view = plot.plot_item.getViewBox(), plot.view

    def at(nm):
        return view.mapFromScene(box.mapViewToScene(QPointF(nm, sum(plot.limits[2:]) / 2)))

    port = view.viewport()
    moved = []
    plot.marker_moved.connect(moved.append)
    qtbot.mouseMove(port, at(500.0))
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=at(500.0))
    for nm in (510.0, 550.0, 600.0):
        QTest.qWait(30)  # pyqtgraph leaves out moves that come faster than the screen
        _move(port, at(nm))
    qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=at(600.0))
    assert moved[-1] == pytest.approx(600, abs=5)
    assert plot.marker_value() == pytest.approx(600, abs=5)
    assert plot.limits[0] < 400  # the plot itself did not pan


def _move(port, pos):
    """A move with the button held: qtbot's own moves carry no buttons."""
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(pos),
        QPointF(port.mapToGlobal(pos)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(port, event)


def test_legend_lists_named_curves_and_scrolls(plot, qtbot):
    plot.set_curves([curve(f"spectrum of pin {i}") for i in range(40)] + [curve("")])
    assert [e[0] for e in plot.legend.entries] == [f"spectrum of pin {i}" for i in range(40)]
    qtbot.wait(20)
    assert plot.legend.height() < 0.45 * plot.height()
    assert plot.legend.verticalScrollBar().maximum() > 0
    assert plot.view.geometry().bottom() < plot.legend.geometry().top()
    plot.set_curves([curve("only", style=STYLES[1], color="#ff0000")])
    assert plot.legend.entries == [("only", "#ff0000", "dash")]
    assert len(plot.legend.item.items) == 1


def test_a_legend_of_few_rows_does_not_scroll(plot, qtbot):
    plot.set_curves([curve(f"pin {i}") for i in range(3)])
    off = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
    assert plot.legend.verticalScrollBarPolicy() == off
    plot.set_curves([curve(f"spectrum of pin {i}") for i in range(40)])
    assert plot.legend.verticalScrollBarPolicy() != off
    plot.set_curves([curve("only")])
    assert plot.legend.verticalScrollBarPolicy() == off


def test_noise_under_the_mouse_is_drawn_fast_and_smoothly_when_it_is_kept(plot):
    noise = PlotCurve("noise", NM, np.random.default_rng(0).random(NM.size), live=True)
    plot.set_curves([noise, curve("spectrum", live=True)])
    smooth = [items.line.opts["antialias"] for items in plot._pool[:2]]
    assert smooth == [False, True]
    plot.set_curves([PlotCurve("noise", NM, noise.y.copy())])
    assert plot._pool[0].line.opts["antialias"]


def test_empty_plot_has_words(plot):
    plot.set_placeholder("Open a cube.")
    plot.set_curves([])
    assert plot._placeholder.isVisible()
    plot.set_curves([curve()])
    assert not plot._placeholder.isVisible()
    plot.set_curves([])
    assert plot._placeholder.isVisible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_colours_come_from_the_theme(plot, theme):
    from napari.utils.theme import get_theme

    plot.set_theme(theme)
    background = get_theme(theme).background.as_rgb_tuple()[:3]
    pixel = plot.view.grab().toImage().pixelColor(2, 2)
    seen = (pixel.red(), pixel.green(), pixel.blue())
    assert seen == pytest.approx(background, abs=8)  # a screen may have 16 bits a pixel
    assert plot.foreground != pixel.name()


def test_export_holds_the_whole_legend(plot, tmp_path):
    few, many = tmp_path / "few.png", tmp_path / "many.png"
    plot.set_curves([curve("red", color="#ff0000")])
    plot.export_png(few)
    plot.set_curves([curve(f"a long name of a pin {i}", color="#ff0000") for i in range(30)])
    plot.export_png(many)
    first, second = QImage(str(few)), QImage(str(many))
    assert first.width() == second.width()
    assert second.height() > first.height() + 30
    white = (255, 255, 255)  # for print, whatever the theme
    for picture, x, y in ((first, 2, 2), (second, 2, 2), (second, 2, second.height() - 3)):
        assert picture.pixelColor(x, y).getRgb()[:3] == white
    red = sum(
        first.pixelColor(x, y).red() > 200 and first.pixelColor(x, y).green() < 60
        for x in range(0, first.width(), 3)
        for y in range(0, first.height(), 1)
    )
    assert red > 100


def inked(image, left, right, top, bottom):
    """Pixels that are not white in a part of a picture."""
    return sum(
        image.pixelColor(x, y).lightness() < 200
        for x in range(left, right)
        for y in range(top, bottom, 2)
    )


def test_export_does_not_depend_on_the_panel_and_cuts_no_name(plot, tmp_path):
    from napari_hsr.widgets.plotting.export import AXES_HEIGHT, AXES_SHARE

    end = " · root-polynomial, srgb"
    names = [f"pin {i} · {'a photograph with a very long name ' * 6}{end}" for i in range(24)]
    plot.set_curves([curve(name, color=plot.foreground) for name in names])
    pictures = []
    for width in (260, 700):
        plot.resize(width, 300)
        plot.export_png(tmp_path / "plot.png")
        pictures.append(QImage(str(tmp_path / "plot.png")))
    first, second = pictures
    assert first.size() == second.size()
    height = first.height()
    assert height > 2 * AXES_HEIGHT
    # Names end before the edge, and the axes have the larger part.
    assert inked(first, first.width() - 12, first.width(), height // 2, height) == 0
    legend_top = round(AXES_SHARE * height)
    assert inked(first, 0, 300, legend_top, height) > 100
    assert inked(first, 0, 80, legend_top - 40, legend_top - 4) == 0


def test_export_darkens_what_would_be_lost_on_white(plot, tmp_path):
    plot.set_curves([curve("white", color="#ffffff"), curve("yellow", color="#ffff80")])
    plot.export_png(tmp_path / "plot.png")
    picture = QImage(str(tmp_path / "plot.png"))
    legend = range(picture.height() - 60, picture.height())
    swatch = {picture.pixelColor(x, y).name() for y in legend for x in range(30, 60)}
    assert any(QColor(name).lightness() < 200 for name in swatch)


def test_a_long_name_is_elided_in_the_legend_and_whole_in_its_tool_tip(plot, qtbot):
    name = "pin 1 · " + "a photograph with a very long name " * 4 + "· root-polynomial"
    plot.set_curves([curve(name), curve("short", color="#00ff00")])
    plot.resize(300, 400)
    with qtbot.waitExposed(plot):
        plot.show()
    qtbot.wait(50)
    legend = plot.legend
    first, second = (label for _, label in legend.item.items)
    assert first.toolTip() == name
    place = first.sceneBoundingRect()
    assert place.right() <= legend.viewport().width()
    assert second.sceneBoundingRect().top() > place.top()


def test_export_to_nowhere_is_a_sentence(plot, tmp_path):
    plot.set_curves([curve()])
    with pytest.raises(FileError, match="missing"):
        plot.export_png(tmp_path / "missing" / "plot.png")
