"""The Wavelength panel: bound to the viewer both ways, true for every kind of grid."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtWidgets import QApplication, QDockWidget, QFileDialog, QMainWindow

from napari_hsr import colour
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.io import read
from napari_hsr.viewer import axis, layers, rendering
from napari_hsr.widgets.common.close_guard import ENDED, GOES_ON
from napari_hsr.widgets.maps.panel import MapsWidget
from napari_hsr.widgets.wavelength.panel import WavelengthWidget

IRREGULAR = (400.0, 410.5, 450.0, 600.0, 900.0)
VISIBLE = tuple(range(400, 701, 10))


def add(viewer, nm=VISIBLE, bands=None, assumed=False, **options):
    bands = bands or len(nm)
    data = np.random.default_rng(0).random((bands, 6, 5), dtype=np.float32)
    wavelengths = None if nm is None else Wavelengths(nm, assumed)
    return layers.add_cube(viewer, Cube(data, wavelengths, name="scene"), **options)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    widget = WavelengthWidget(viewer)
    qtbot.addWidget(widget)
    return widget


def shown(panel) -> tuple[str, int, str]:
    return panel.control.number.text(), panel.control.slider.value(), panel.info.text()


def test_without_a_cube_it_says_what_to_do(panel):
    assert panel.info.text() == "Open a cube, or reconstruct one."
    assert not panel.control.isEnabled()
    assert not panel.true_button.isEnabled()


def test_it_follows_napari(viewer, panel):
    add(viewer)
    axis.go_to(viewer, 640)
    assert shown(panel) == ("640 nm", 24, "band 25 of 31 (slider: 24) · 640 nm")
    assert (panel.control.low.text(), panel.control.high.text()) == ("400 nm", "700 nm")


def test_napari_follows_it(viewer, panel):
    layer = add(viewer)
    panel.control.slider.setValue(3)
    assert viewer.dims.point[0] == 430
    panel.control.number.setValue(618)
    assert viewer.dims.point[0] == 620
    assert panel.control.number.text() == "620 nm"
    panel.control.number.stepBy(-2)
    assert axis.current_band(viewer, layer) == 20
    assert viewer.canvas.overlays.text.text == "λ = 600 nm"


def test_a_move_is_one_move(viewer, panel):
    """No loop: each side is told once."""
    add(viewer)
    moves = []
    viewer.dims.events.point.connect(lambda event: moves.append(viewer.dims.point[0]))
    panel.control.slider.setValue(3)
    assert moves == [430]
    viewer.dims.set_point(0, 500)
    assert moves == [430, 500]
    assert panel.control.slider.value() == 10


def test_irregular_wavelengths_are_told_truly(viewer, panel):
    layer = add(viewer, IRREGULAR)
    panel.control.number.setValue(640)
    assert axis.current_band(viewer, layer) == 3
    assert shown(panel) == ("600.0 nm", 3, "band 4 of 5 (slider: 3) · 600 nm")
    panel.control.number.stepBy(1)
    assert shown(panel) == ("900.0 nm", 4, "band 5 of 5 (slider: 4) · 900 nm")


def test_unknown_wavelengths_go_by_band(viewer, panel):
    layer = add(viewer, None, bands=12)
    panel.control.slider.setValue(6)
    assert viewer.dims.point[0] == 6
    assert shown(panel) == ("band 7", 6, "band 7 of 12 (slider: 6)")
    assert "not known" in panel.notice.text()
    assert not panel.set_button.isHidden()
    assert not panel.true_button.isEnabled()
    assert [box.text() for box in panel.channels] == ["band 11", "band 7", "band 3"]
    assert panel.false_button.isEnabled()
    layers.set_wavelengths(layer, np.linspace(400, 950, 12))
    assert panel.notice.text() == ""
    assert panel.set_button.isHidden()
    assert panel.control.high.text() == "950 nm"
    assert panel.true_button.isEnabled()


def test_assumed_wavelengths_are_not_hidden(viewer, panel):
    layer = add(viewer, assumed=True)
    assert "400–700 nm is an assumption" in panel.notice.text()
    assert not panel.set_button.isHidden()
    layers.set_wavelengths(layer, VISIBLE)
    assert panel.set_button.isHidden()


def test_the_button_opens_the_dialog_for_this_cube(viewer, panel, qtbot):
    layer = add(viewer, assumed=True)
    panel.set_button.click()
    (dialog,) = (w for w in panel.children() if w.metaObject().className() == "QDialog")
    content = dialog.layout().itemAt(0).widget()
    assert content.chooser.layer() == layer
    content.form.first.value = 500
    content.form.last.value = 800
    content.apply_button.click()
    assert not dialog.isVisible()
    assert panel.control.low.text() == "500 nm"
    assert panel.set_button.isHidden()


def test_several_cubes_with_other_grids(viewer, panel):
    coarse = add(viewer)
    assert panel._chooser_row.isHidden()
    fine = add(viewer, np.arange(500, 901, 5))
    assert not panel._chooser_row.isHidden()
    assert panel.layer == fine
    panel.control.number.setValue(515)
    assert axis.current_nm(viewer, coarse) == 520
    viewer.layers.selection.active = coarse
    assert panel.layer == coarse
    assert panel.info.text() == "band 13 of 31 (slider: 23) · 520 nm"
    axis.go_to(viewer, 850)
    assert panel.info.text() == "Not shown: 850 nm lies outside this cube."
    assert panel.control.number.text() == "—"  # no value that contradicts it
    viewer.layers.remove(coarse)
    assert panel.layer == fine
    assert panel._chooser_row.isHidden()
    viewer.layers.remove(fine)
    assert panel.layer is None
    assert not panel.control.isEnabled()


def test_a_cube_by_number_beside_one_in_nm_is_shown_and_explained(viewer, panel, qtbot):
    regular = add(viewer)
    assert panel.notice.text() == ""
    keywords = layers.cube_layer(Cube(np.ones((12, 6, 5)), name="c12"))
    unknown = viewer.add_image(keywords[0], **keywords[1])  # as napari adds what a reader gives
    qtbot.wait(20)
    assert panel.layer == unknown
    assert axis.current_band(viewer, unknown) == 6
    assert shown(panel) == ("band 7", 6, "band 7 of 12 (slider: 6)")
    assert panel.notice.text() == (
        "This cube goes by band number and the others by nm: "
        "state its wavelengths to see them together."
    )
    assert not panel.set_button.isHidden()
    assert axis.current_nm(viewer) is None

    viewer.layers.selection.active = regular
    qtbot.wait(20)
    assert panel.layer == regular
    assert shown(panel) == ("550 nm", 15, "band 16 of 31 (slider: 550) · 550 nm")
    assert "c12" in panel.notice.text()
    axis.go_to_band(viewer, unknown, 3)  # with napari's own slider
    assert panel.control.number.text() == "—"
    assert panel.info.text() == "Not shown: the slider lies outside this cube."

    layers.set_wavelengths(unknown, np.arange(400, 511, 10))
    viewer.layers.selection.active = unknown
    assert panel.notice.text() == ""
    axis.go_to(viewer, 450)
    assert axis.current_band(viewer, regular) == axis.current_band(viewer, unknown) == 5


def test_any_band_can_be_chosen_while_none_is_shown(viewer, panel, qtbot):
    fine = add(viewer, np.arange(400, 901, 5))
    coarse = add(viewer)
    slider, number = panel.control.slider, panel.control.number
    slider.setFixedSize(318, 22)
    axis.go_to(viewer, 700)
    for choose in (
        lambda: qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(309, 11)),
        lambda: (
            number.selectAll(),
            qtbot.keyClicks(number.lineEdit(), "700"),
            qtbot.keyClick(number, Qt.Key.Key_Return),
        ),
    ):
        axis.go_to(viewer, 850)
        assert axis.current_band(viewer, coarse) is None
        assert number.text() == "—"
        choose()  # the band that was shown last, of which Qt tells no change
        assert axis.current_nm(viewer, coarse) == 700
        assert number.text() == "700 nm"
    assert axis.current_nm(viewer, fine) == 700


def test_renaming_and_pictures_do_not_disturb(viewer, panel):
    layer = add(viewer)
    axis.go_to(viewer, 500)
    layer.name = "another"
    viewer.add_image(np.zeros((6, 5, 3), np.uint8), rgb=True)
    viewer.add_labels(np.zeros((6, 5), int))
    assert panel.layer == layer
    assert shown(panel) == ("500 nm", 10, "band 11 of 31 (slider: 10) · 500 nm")


def test_playing_runs_round(viewer, panel, qtbot):
    add(viewer, (400, 410, 420))
    panel.control.slider.setValue(1)
    panel.control.speed.setValue(60)
    bands = []
    viewer.dims.events.point.connect(lambda event: bands.append(viewer.dims.point[0]))
    panel.control.play.click()
    qtbot.waitUntil(lambda: len(bands) >= 4)
    panel.control.play.click()
    assert bands[:4] == [420, 400, 410, 420]
    count = len(bands)
    qtbot.wait(60)
    assert len(bands) == count


def test_playing_ends_with_the_cube_and_the_panel(viewer, panel):
    layer = add(viewer)
    panel.control.play.click()
    assert panel.control._timer.isActive()
    viewer.layers.remove(layer)
    assert not panel.control._timer.isActive()
    add(viewer)
    panel.control.play.click()
    panel.show()
    panel.hide()
    assert not panel.control._timer.isActive()


def test_the_tint_comes_and_goes(viewer, panel):
    layer = add(viewer)
    before = layer.colormap
    axis.go_to(viewer, 500)
    panel.tint.setChecked(True)
    np.testing.assert_allclose(layer.colormap.colors[-1][:3], colour.wavelength_to_srgb(500))
    axis.go_to(viewer, 600)
    np.testing.assert_allclose(layer.colormap.colors[-1][:3], colour.wavelength_to_srgb(600))
    panel.tint.setChecked(False)
    assert layer.colormap == before
    assert len([name for name in layer.colormaps if name.startswith("wavelength")]) == 1
    panel.tint.setChecked(True)
    layer.colormap = "magma"
    panel.tint.setChecked(False)
    assert layer.colormap.name == "magma"


def test_the_tint_goes_over_to_the_other_cube(viewer, panel):
    first, second = add(viewer), add(viewer)
    panel.tint.setChecked(True)
    assert second.colormap.name == "wavelength"
    viewer.layers.selection.active = first
    assert first.colormap.name == "wavelength"
    assert second.colormap.name == "gray"


def test_true_and_false_colour(viewer, panel, qtbot):
    layer = add(viewer)
    panel.true_button.click()
    assert not panel.true_button.isEnabled()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    assert viewer.layers[1].name == "scene · true colour"
    assert "D65" in panel.message.text()
    assert "hide it to see them" in panel.message.text()  # the slider shows nothing under it
    assert panel.true_button.isEnabled()
    panel.channels[0].setValue(698)
    panel.false_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    assert viewer.layers[2].name == "scene · false colour 700 ∕ 550 ∕ 450 nm"
    assert panel.channels[0].text() == "700 nm"
    assert panel.layer == layer


def test_a_cube_removed_while_it_is_rendered(viewer, panel, qtbot):
    layer = add(viewer)
    panel.true_button.click()
    job = panel._job
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: not job.running)
    assert len(viewer.layers) == 0
    assert "removed" in panel.message.text()


def test_a_cube_changed_while_it_is_rendered(viewer, panel, qtbot):
    layer = add(viewer)
    panel.true_button.click()
    layer.data = np.zeros((31, 2, 3), np.float32)
    qtbot.waitUntil(lambda: not panel._job.running)
    assert len(viewer.layers) == 1
    assert panel.message.text() == "The cube was changed before its picture was ready."


def test_a_render_that_is_refused_says_why(viewer, panel, qtbot):
    add(viewer, tuple(range(1000, 1310, 10)))
    panel.true_button.click()
    qtbot.waitUntil(lambda: panel.message.kind == "error")
    assert "visible" in panel.message.text() or "380" in panel.message.text()
    assert len(viewer.layers) == 1


def test_the_slider_takes_clicks_keys_and_the_wheel(viewer, panel, qtbot):
    add(viewer)
    slider = panel.control.slider
    slider.resize(318, 22)
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(9 + 150, 11))
    assert viewer.dims.point[0] == 550
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert viewer.dims.point[0] == 560
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert viewer.dims.point[0] == 400


def test_the_handle_has_the_colour_of_the_band(viewer, panel, qtbot):
    add(viewer)
    slider = panel.control.slider
    slider.setFixedSize(318, 22)
    for nm in (450, 550, 650):
        axis.go_to(viewer, nm)
        picture = slider.grab().toImage()
        ratio = picture.devicePixelRatio()
        at = picture.pixelColor(
            round((9 + 300 * (nm - 400) / 300) * ratio), round(slider.height() / 2 * ratio)
        )
        expected = np.array(colour.wavelength_to_srgb(nm)) * 255
        np.testing.assert_allclose([at.red(), at.green(), at.blue()], expected, atol=6)


@pytest.mark.parametrize("nm", [VISIBLE, IRREGULAR, (400.25, 401.5, 2500.75), None])
def test_numbers_have_room_for_their_unit(viewer, panel, qtbot, nm):
    add(viewer, nm, bands=None if nm else 224)
    qtbot.wait(20)  # the scrolled part tells its new width
    panel.resize(panel.minimumSizeHint())
    panel.show()
    qtbot.wait(20)
    for box in (panel.control.number, panel.control.speed, *panel.channels):
        if not box.isEnabled():
            continue
        box.setValue(box.maximum())
        assert box.lineEdit().width() >= box.fontMetrics().horizontalAdvance(box.text())


@pytest.mark.parametrize("ending", ["close", "take out of its dock", "delete"])
def test_nothing_is_left_on_the_viewer(viewer, qtbot, ending):
    layer = add(viewer)
    emitters = (viewer.dims.events.point, viewer.layers.events)
    before = [len(emitter.callbacks) for emitter in emitters]
    window = QMainWindow()
    qtbot.addWidget(window)
    panel = WavelengthWidget(viewer)
    window.setCentralWidget(panel)
    assert [len(emitter.callbacks) for emitter in emitters] > before
    panel.tint.setChecked(True)
    panel.control.play.click()
    if ending == "close":
        panel.close()
    elif ending == "take out of its dock":
        panel.setParent(None)
    else:
        panel.tint.setChecked(False)
        panel.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert [len(emitter.callbacks) for emitter in emitters] == before
    assert layer.colormap.name == "gray"
    axis.go_to(viewer, 500)
    add(viewer)
    if ending != "delete":
        panel.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    del panel
    gc.collect()


def test_a_panel_shown_again_works_again(viewer, panel):
    add(viewer)
    panel.close()
    axis.go_to(viewer, 500)
    panel.show()
    assert shown(panel)[1] == 10
    axis.go_to(viewer, 510)
    assert shown(panel)[1] == 11


def test_a_panel_closed_while_it_renders_can_render_again(viewer, panel, monkeypatch, qtbot):
    add(viewer)
    go_on = threading.Event()
    monkeypatch.setattr(rendering, "true_colour", lambda _cube: go_on.wait(10))
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    before = set(threading.enumerate())
    panel.true_button.click()
    assert not panel.true_button.isEnabled()
    panel.close()
    assert len(told) == 1
    assert told[0].endswith(ENDED)
    qtbot.waitUntil(lambda: all(one.daemon for one in set(threading.enumerate()) - before))
    go_on.set()
    panel.show()
    assert panel.true_button.isEnabled()


def test_a_file_that_is_written_on_after_its_panel_was_closed_is_told(
    viewer, panel, monkeypatch, tmp_path, qtbot
):
    layer, go_on, written, told = add(viewer), threading.Event(), [], []
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)

    def write_image(path, _data, _meta):
        go_on.wait(10)
        written.append(path)
        return [path]

    monkeypatch.setattr("napari_hsr.widgets.wavelength.panel.write_image", write_image)
    panel.save(tmp_path / "a.mat", layer)
    panel.close()
    assert told == [f"Saving {layer.name}: {GOES_ON}"]
    go_on.set()
    qtbot.waitUntil(lambda: bool(written))


def test_in_a_real_window(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy()
    layer = add(viewer)
    _, panel = viewer.window.add_plugin_dock_widget("napari-hsr", "Wavelength")
    panel.control.slider.setValue(5)
    assert viewer.dims.point[0] == 450
    assert layer in viewer.layers
    assert viewer.canvas.overlays.text.text == "λ = 450 nm"
    viewer.window.remove_dock_widget(panel)
    viewer.dims.set_point(0, 500)
    assert panel.control.slider.value() == 5


@pytest.mark.parametrize("name", ["kept.mat", "kept.hdr"])
def test_a_cube_is_saved_with_its_wavelengths(viewer, panel, qtbot, monkeypatch, tmp_path, name):
    add(viewer)
    chosen = str(tmp_path / name)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (chosen, ""))
    panel.save_button.click()
    qtbot.waitUntil(panel.save_button.isEnabled)
    assert name in panel.message.text().replace("\u200b", "")
    written = read(tmp_path / name)
    np.testing.assert_array_equal(written.wavelengths.nm, VISIBLE)
    assert not written.wavelengths.assumed


def test_the_cube_that_was_asked_about_is_saved_though_another_comes_meanwhile(
    viewer, panel, qtbot, monkeypatch, tmp_path
):
    kept = add(viewer)

    def chosen(*_about):
        other = layers.add_cube(viewer, Cube(np.zeros((3, 4, 4), np.float32), name="of a run"))
        viewer.layers.selection.active = other
        return str(tmp_path / "scene.mat"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", chosen)
    panel.save_button.click()
    qtbot.waitUntil(panel.save_button.isEnabled)
    assert panel.layer.name == "of a run"
    np.testing.assert_array_equal(read(tmp_path / "scene.mat").data, kept.data)


def test_maps_are_opened_with_its_cube_chosen(viewer, panel, qtbot, monkeypatch):
    first, _ = add(viewer), add(viewer)
    panel.chooser.set_layer(first)
    opened = MapsWidget(viewer)
    qtbot.addWidget(opened)
    dock = QDockWidget()
    qtbot.addWidget(dock)
    dock.setWidget(opened)

    class WithWindow:
        dock_widgets = {"Maps (Hyperspectral reconstruction)": opened}  # noqa: RUF012

        @property
        def window(self):
            return self

        def __getattr__(self, name):
            return getattr(viewer, name)

    monkeypatch.setattr(panel, "_viewer", WithWindow())
    panel.maps_button.click()
    assert dock.isVisible()
    assert opened.chooser.layer() is first
    opened.setParent(None)  # each is closed by itself


def test_what_hides_the_band_is_told_where_it_is_moved_or_tinted(viewer, panel):
    layer = add(viewer)
    panel.control.band_chosen.emit(3)
    assert not panel.message.text()
    above = viewer.add_image(np.zeros(layer.data.shape[1:]), name="map")
    for use in (lambda: panel.control.band_chosen.emit(4), lambda: panel.tint.setChecked(True)):
        use()
        assert panel.message.text() == (
            "The band on show is hidden. “map” lies over it: hide that one to see it."
        )
        above.visible = False
        use()
        panel.control.band_chosen.emit(5)
        assert not panel.message.text()
        above.visible = True


def test_the_number_on_naparis_slider_is_told_where_there_is_one(viewer, panel):
    add(viewer)
    viewer.dims.set_current_step(0, 4)
    assert panel.info.text() == "band 5 of 31 (slider: 4) · 440 nm"
    viewer.dims.ndisplay = 3
    assert panel.info.text() == "band 5 of 31 · 440 nm"


def test_data_of_other_axes_are_taken_before_napari_tells_of_them(viewer, panel):
    layer = add(viewer)
    layer.data = np.zeros((2, 31, 12, 10), np.float32)
    layer.data = np.zeros((31, 12, 10), np.float32)
    assert panel.control.slider.maximum() == 30
    layer.data = np.zeros((8, 12, 10), np.float32)
    assert panel.control.slider.maximum() == 7
