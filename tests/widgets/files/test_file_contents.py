"""Contents of a file…: what a file leaves open is asked once, and can be decided otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager
from scipy.io import savemat

from napari_hsr import io
from napari_hsr.errors import FileError, SeveralArraysError
from napari_hsr.io import alternatives
from napari_hsr.io.read_choice import Choice
from napari_hsr.notices import Code, has
from napari_hsr.viewer import file_choices
from napari_hsr.viewer.layer_data import layer_shape
from napari_hsr.widgets.files import contents
from napari_hsr.widgets.files.contents import FileContentsWidget

RANDOM = np.random.default_rng(0)


def three_cubes(path, first="ms"):
    shapes = {first: (20, 24, 8), "pan": (20, 24, 6), "sim": (20, 24, 7)}
    savemat(path, {name: RANDOM.random(shape, np.float32) for name, shape in shapes.items()})
    return path


def test_the_arrays_of_a_file_that_is_refused_are_known(tmp_path):
    with alternatives.recorded() as seen, pytest.raises(SeveralArraysError):
        io.read(three_cubes(tmp_path / "a.mat"))
    assert [a.name for a in seen.arrays] == ["ms", "pan", "sim"]
    assert (seen.arrays[1].shape, seen.chosen) == ((20, 24, 6), "")
    assert seen.leave_a_choice


@pytest.mark.parametrize(
    ("shape", "axes", "guessed"),
    [((9, 30, 30), "byx", True), ((30, 30, 9), "yxb", True), ((31, 20, 24), "byx", False)],
)
def test_axes_that_were_taken(tmp_path, shape, axes, guessed):
    np.save(tmp_path / "a.npy", RANDOM.random(shape, np.float32))
    with alternatives.recorded() as seen:
        cube = io.read(tmp_path / "a.npy")
    assert (seen.shape, seen.axes) == (shape, axes)
    assert seen.axes_guessed == guessed == has(cube.notices, Code.AXIS_GUESSED)


def test_outside_a_record_nothing_is_kept(tmp_path):
    with alternatives.recorded() as seen:
        pass
    np.save(tmp_path / "a.npy", np.zeros((9, 30, 30), np.float32))
    io.read(tmp_path / "a.npy")
    assert not seen.shape


def test_a_choice_holds_for_files_of_the_same_layout_alone(tmp_path):
    for name in ("a", "b"):
        three_cubes(tmp_path / f"{name}.mat")
    other = three_cubes(tmp_path / "c.mat", first="lr")
    with alternatives.recorded() as seen, pytest.raises(SeveralArraysError):
        io.read(tmp_path / "a.mat")
    file_choices.remember(tmp_path / "a.mat", seen, Choice(variable="pan", axes="bxy"))
    cube, asks, _ = file_choices.read_as_before(str(tmp_path / "b.mat"))
    assert (cube.shape, asks) == ((20, 6, 24), False)
    assert has(cube.notices, Code.OPENED_AS_CHOSEN)
    with pytest.raises(SeveralArraysError):
        file_choices.read_as_before(str(other))


@pytest.mark.parametrize("text", ["", "[1]", '{"x": 3}', "[" * 5000])
def test_damaged_choices_are_no_choices(tmp_path, own_data, text):
    (own_data / "file-layouts.json").write_text(text)
    np.save(tmp_path / "a.npy", np.zeros((30, 30, 9), np.float32))
    assert file_choices.read_as_before(str(tmp_path / "a.npy"))[1]


def test_a_choice_that_no_longer_fits_is_left_out(tmp_path, own_data):
    np.save(tmp_path / "a.npy", np.zeros((30, 30, 9), np.float32))
    with alternatives.recorded() as seen:
        io.read(tmp_path / "a.npy")
    key = file_choices.layout(str(tmp_path / "a.npy"), seen)
    (own_data / "file-layouts.json").write_text(f'{{"{key}": {{"axes": "zzz"}}}}')
    assert file_choices.read_as_before(str(tmp_path / "a.npy"))[1]


@pytest.fixture
def panel(qtbot):
    widget = FileContentsWidget(ViewerModel())
    qtbot.addWidget(widget)
    return widget


def test_another_array_and_other_axes(panel, tmp_path):
    path = str(three_cubes(tmp_path / "a.mat"))
    panel.set_file(path)
    assert "three arrays" in panel.told.text()
    assert panel.array.offered() == ["ms", "pan", "sim"]
    panel.array.set_value("sim")
    panel.axes.set_value("xyb")
    layer = panel.open()
    assert layer_shape(layer) == (7, 24, 20)
    assert str(layer.source.path) == path
    cube, asks, _ = file_choices.read_as_before(path)  # ticked: the next file opens so
    assert (cube.shape, asks) == ((7, 24, 20), False)


def test_what_has_no_size_is_called_by_its_kind():
    captures = alternatives.StoredArray("IMG_0001", (), "capture")
    arrays = alternatives.StoredArray("ms", (4, 5, 6), "float32")
    assert contents._described(captures) == "IMG_0001: capture"
    assert contents._described(arrays) == "ms: 4 × 5 × 6, float32"


def test_a_choice_that_cannot_be_kept_is_told(tmp_path, monkeypatch):
    (tmp_path / "taken").write_bytes(b"")
    monkeypatch.setenv("NAPARI_HSR_DATA", str(tmp_path / "taken"))
    with alternatives.recorded() as seen, pytest.raises(FileError, match="cannot be made"):
        file_choices.remember(tmp_path / "a.mat", seen, Choice(axes="bxy"))


def test_without_the_tick_nothing_is_remembered(panel, tmp_path):
    panel.set_file(str(three_cubes(tmp_path / "a.mat")))
    panel.remember.setChecked(False)
    assert panel.open() is not None
    with pytest.raises(SeveralArraysError):
        file_choices.read_as_before(str(tmp_path / "a.mat"))


def test_what_was_found_by_itself_can_be_kept(panel, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((30, 30, 9), np.float32))
    path = str(tmp_path / "a.npy")
    assert file_choices.read_as_before(path)[1]
    panel.set_file(path)
    assert "does not say" in panel.told.text()
    panel.keep()
    cube, asks, _ = file_choices.read_as_before(path)
    assert (cube.shape, asks) == ((9, 30, 30), False)
    assert not has(cube.notices, Code.OPENED_AS_CHOSEN)


def test_the_number_of_missing_values(panel, tmp_path):
    values = RANDOM.random((31, 6, 7), np.float32)
    values[:, 2, 3] = 0
    np.save(tmp_path / "a.npy", values)
    panel.set_file(str(tmp_path / "a.npy"))
    panel.no_data.setText("none")
    assert panel.open() is None
    assert panel.message.kind == "error"
    panel.no_data.setText("0")
    layer = panel.open()
    assert np.argwhere(np.isnan(layer.data[0])).tolist() == [[2, 3]]
    assert layer.metadata[file_choices.READ_AS] == {"no_data": 0.0}


def test_the_white_of_a_photograph(panel, tmp_path):
    from PIL import Image

    Image.fromarray(np.full((8, 9, 3), 100, np.uint8)).save(tmp_path / "a.png")
    panel.set_file(str(tmp_path / "a.png"))
    panel.full_scale.setValue(200)
    layer = panel.open()
    assert layer.rgb
    assert panel.choice() == Choice(full_scale=200)


def test_axes_that_do_not_fit_leave_everything_as_it_was(panel, tmp_path):
    path = str(three_cubes(tmp_path / "a.mat"))
    panel.set_file(path)
    (tmp_path / "a.mat").unlink()
    assert panel.open() is None
    assert panel.message.kind == "error"
    assert len(panel._viewer.layers) == 0


def test_a_dialog_keeps_to_its_file_and_one_answer_is_for_files_alike(qtbot, tmp_path):
    PluginManager.instance().discover()  # a window would do it
    viewer = ViewerModel()
    paths = [str(three_cubes(tmp_path / f"{name}.mat")) for name in "ab"]
    paths.append(str(three_cubes(tmp_path / "c.mat", first="lr")))
    dialogs = [contents.file_dialog(viewer, path) for path in paths]
    for dialog in dialogs:
        qtbot.addWidget(dialog)
        dialog.open()
    np.save(tmp_path / "d.npy", RANDOM.random((31, 6, 7), np.float32))
    viewer.open(tmp_path / "d.npy", plugin="napari-hsr")  # dropped with them
    first = dialogs[0].findChild(FileContentsWidget)
    assert first.array.offered() == ["ms", "pan", "sim"]
    first.array.set_value("pan")
    first.open_button.click()
    assert [layer_shape(layer) for layer in viewer.layers] == [(31, 6, 7), *[(6, 20, 24)] * 2]
    assert [dialog.isVisible() for dialog in dialogs] == [False, False, True]


def test_a_question_in_a_window_of_its_own_looks_for_no_dock(make_napari_viewer, qtbot, tmp_path):
    viewer = make_napari_viewer()
    dialog = contents.file_dialog(viewer, str(three_cubes(tmp_path / "a.mat")))
    qtbot.addWidget(dialog)
    with qtbot.waitExposed(dialog):
        dialog.open()
    panel = dialog.findChild(FileContentsWidget)
    height = viewer.window.geometry()[3]
    qtbot.wait(20)  # an exception in Qt's loop would fail the test
    assert (panel.parent(), viewer.window.geometry()[3]) == (dialog, height)
