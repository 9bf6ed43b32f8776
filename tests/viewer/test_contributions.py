"""Reader, writer, samples and menu actions, through napari's own doors."""

from __future__ import annotations

from inspect import signature
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from napari.components import ViewerModel
from napari.errors import MultipleReaderError
from napari.utils.notifications import notification_manager
from npe2 import PluginManager

import napari_hsr
from napari_hsr import io
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import FileError, HSRError, InputError
from napari_hsr.io import detect, write
from napari_hsr.models import torch_checkpoint
from napari_hsr.photograph import Photograph
from napari_hsr.provenance import Provenance
from napari_hsr.viewer import (
    axis,
    contributions,
    layer_data,
    layers,
    preferred_reader,
    session_file,
    unreadable,
)
from napari_hsr.viewer.workspace import DISPLAYED
from napari_hsr.widgets.models import import_answers

PLUGIN = "napari-hsr"


@pytest.fixture
def viewer():
    PluginManager.instance().discover()  # a window would do it
    return ViewerModel()


@pytest.fixture
def said():
    notification_manager.records.clear()
    return lambda: [(str(r.severity), r.message) for r in notification_manager.records]


def make_cube(nm=None, bands=31) -> Cube:
    data = np.random.default_rng(0).random((bands, 9, 7), dtype=np.float32)
    provenance = Provenance(input="a.png", model="m", weights_sha256="ab", version="1")
    return Cube(data, None if nm is None else Wavelengths(nm), "reflectance", "scene", provenance)


@pytest.mark.parametrize("suffix", [".mat", ".hdr", ".tif", ".h5", ".npz"])
def test_a_cube_through_writer_and_reader(viewer, tmp_path, suffix, said):
    cube = make_cube(np.arange(400, 701, 10))
    layer = layers.add_cube(viewer, cube)
    path = tmp_path / f"out{suffix}"
    assert layer.save(str(path), plugin=PLUGIN) == [str(path)]
    (back,) = viewer.open(path, plugin=PLUGIN)
    found = layer_data.layer_cube(back)
    np.testing.assert_array_equal(np.asarray(found.data), cube.data)
    assert found.wavelengths == cube.wavelengths
    assert found.provenance.model == "m"
    assert axis.on_nm_axis(back)
    assert not [words for severity, words in said() if severity != "info"]


def test_a_photograph_through_writer_and_reader(viewer, tmp_path):
    data = np.random.default_rng(0).integers(0, 2**16, (9, 7, 3)).astype(np.uint16)
    layer = layers.add_photograph(viewer, Photograph(data))
    layer.save(str(tmp_path / "p.tif"), plugin=PLUGIN)
    (back,) = viewer.open(tmp_path / "p.tif", plugin=PLUGIN)
    assert back.rgb
    np.testing.assert_array_equal(back.data, data)
    assert layer_data.layer_photograph(back).encoding == "srgb"


def test_assumed_wavelengths_are_announced_with_the_action(viewer, tmp_path, said):
    np.save(tmp_path / "a.npy", make_cube().data)
    (layer,) = viewer.open(tmp_path / "a.npy", plugin=PLUGIN)
    assert layer_data.layer_wavelengths(layer).assumed
    ((severity, words),) = said()
    assert severity == "warning"
    assert "400–700 nm" in words
    assert words.count(contributions.SET_WAVELENGTHS) == 1


def test_unknown_wavelengths_are_announced_with_the_action(viewer, tmp_path, said):
    np.save(tmp_path / "a.npy", make_cube(bands=12).data)
    (layer,) = viewer.open(tmp_path / "a.npy", plugin=PLUGIN)
    assert layer.axis_labels[0] == "band"
    ((severity, words),) = said()
    assert severity == "warning"
    assert words.count(contributions.SET_WAVELENGTHS) == 1


def test_a_fault_in_a_script_is_an_exception(viewer, tmp_path):
    (tmp_path / "bad.mat").write_text("hello")
    with pytest.raises(HSRError, match=r"bad\.mat: a MATLAB file was expected"):
        viewer.open(tmp_path / "bad.mat", plugin=PLUGIN)


def test_a_fault_in_the_window_is_one_notification(viewer, tmp_path, said, monkeypatch):
    monkeypatch.setattr(contributions, "window_is_in_use", lambda: True)
    (tmp_path / "bad.mat").write_text("hello")
    assert viewer.open(tmp_path / "bad.mat", plugin=PLUGIN) == []
    ((severity, words),) = said()
    assert severity == "error"
    assert words.endswith("a MATLAB file was expected, but this is a text file.")


@pytest.fixture
def in_window(monkeypatch):
    for room in (contributions, unreadable):
        monkeypatch.setattr(room, "window_is_in_use", lambda: True)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("scan.dat", b"\x01\xff" * 99, "an ENVI binary needs its header beside it"),
        ("scan.bin", b"", "the file is empty"),
        ("README", b"hello", "this is a text file"),
        ("notes.txt", b"hello", "a table of spectra was expected"),
        ("scan.img", b"\x01\xff" * 99, "an ENVI binary needs its header beside it"),
    ],
)
def test_of_dropped_files_those_that_nobody_reads_are_told(
    viewer, tmp_path, said, in_window, name, content, expected
):
    (tmp_path / name).write_bytes(content)
    good = write(make_cube(np.arange(400, 701, 10)), tmp_path / "good.mat")
    (layer,) = viewer.open([tmp_path / name, good], plugin=PLUGIN)
    assert layer_data.is_cube(layer)
    ((severity, words),) = [one for one in said() if one[0] == "error"]
    assert severity == "error"
    assert f"{name}: {expected}" in words


def test_cubes_opened_as_a_stack_are_told(viewer, tmp_path, said, in_window):
    cubes = [str(write(make_cube(), tmp_path / f"{name}.mat")) for name in "ab"]
    assert viewer.open(cubes, plugin=PLUGIN, stack=True) == []
    assert [words.partition(": ")[2] for _, words in said()] == [
        "a photograph was expected as a frame, but this is a cube."
    ]


def test_what_another_plugin_may_read_is_left_to_it(tmp_path, in_window, monkeypatch):
    (tmp_path / "scan.dat").write_bytes(b"\x01\xff" * 99)
    others = [SimpleNamespace(plugin_name=name, command=name) for name in (PLUGIN, "theirs")]
    manager = SimpleNamespace(iter_compatible_readers=lambda _path: others)
    monkeypatch.setattr(PluginManager, "instance", lambda: manager)
    assert contributions.get_reader(str(tmp_path / "scan.dat")) is None


def test_the_window_is_in_use_only_in_its_event_loop(make_napari_viewer, qtbot):
    from qtpy.QtCore import QTimer

    assert not contributions.window_is_in_use()
    make_napari_viewer()
    assert not contributions.window_is_in_use()
    answers = []
    QTimer.singleShot(0, lambda: answers.append(contributions.window_is_in_use()))
    qtbot.waitUntil(lambda: bool(answers))  # inside an event loop
    assert answers == [True]


def test_the_reader_leaves_other_files_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "folder").mkdir()
    assert contributions.get_reader(str(tmp_path / "notes.txt")) is None
    assert contributions.get_reader(str(tmp_path / "folder")) is None
    assert contributions.get_reader([str(tmp_path / "a.mat"), str(tmp_path / "b.mat")]) is None


def test_a_scene_folder_opens(viewer, tmp_path):
    from PIL import Image

    folder = tmp_path / "scene_ms"
    folder.mkdir()
    planes = np.random.default_rng(0).integers(0, 2**16, (31, 9, 7)).astype(np.uint16)
    for band, plane in enumerate(planes, 1):
        Image.fromarray(plane).save(folder / f"scene_ms_{band:02d}.png")
    (layer,) = viewer.open(folder, plugin=PLUGIN)
    assert layer.data.shape == (31, 9, 7)
    assert layer_data.layer_wavelengths(layer) is not None


def test_the_writer_refuses_what_is_no_cube(tmp_path):
    with pytest.raises(InputError, match="'map' is neither a cube"):
        contributions.write_image(tmp_path / "a.h5", np.zeros((4, 5)), {"name": "map"})
    assert not list(tmp_path.iterdir())


def test_samples_open(viewer):
    keys = {sample.key for name, samples in PluginManager.instance().iter_sample_data()
            for sample in samples if name == PLUGIN}  # fmt: skip
    assert keys == {"photograph", "chart"}
    (photo,) = viewer.open_sample(PLUGIN, "photograph")
    assert layer_data.is_photograph(photo)
    truth, picture = viewer.open_sample(PLUGIN, "chart")
    assert layer_data.is_cube(truth)
    assert not layer_data.layer_wavelengths(truth).assumed
    assert layer_data.layer_photograph(picture).encoding == "srgb"


def test_actions_take_the_selected_cube(viewer, said):
    contributions.true_colour(viewer)
    assert said() == [
        ("error", "There is no cube in the viewer: open one, or reconstruct one first.")
    ]
    first = layers.add_cube(viewer, make_cube(np.arange(400, 701, 10)), name="first")
    layers.add_cube(viewer, make_cube(bands=5), name="second")
    contributions.true_colour(viewer)  # the newest is selected: it has no wavelengths
    assert "avelengths" in said()[-1][1]
    contributions.false_colour(viewer)  # that goes by band number
    viewer.layers.selection.active = first
    contributions.true_colour(viewer)
    contributions.false_colour(viewer)
    assert [layer.name for layer in viewer.layers] == [
        "first",
        "first · true colour",
        "first · false colour 650 ∕ 550 ∕ 450 nm",
        "second",
        "second · false colour bands 5 ∕ 3 ∕ 1",
    ]


def test_an_opened_chart_begins_at_green_beside_a_photograph(viewer, monkeypatch):
    """napari itself adds the layers of a file, at the first band beside others."""
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    viewer.open_sample(PLUGIN, "photograph")
    truth, _ = viewer.open_sample(PLUGIN, "chart")
    assert axis.current_nm(viewer, truth) == 550
    axis.go_to(viewer, 620)
    viewer.open_sample(PLUGIN, "chart")  # another one leaves the band on show
    assert axis.current_nm(viewer, truth) == 620


def test_reader_and_writer_cannot_be_called_from_the_command_palette():
    """They take a file: napari would call them without one, and end in a TypeError."""
    commands = {c["id"]: c for c in manifest()["contributions"]["commands"]}
    for name in (
        "get_reader",
        "write_image",
        "import_checkpoint",
        "open_library",
        "read_session",
        "ask_what_to_read",
    ):
        assert commands[f"{PLUGIN}.{name}"]["enablement"] == "False"


def manifest() -> dict:
    from importlib.resources import files

    return yaml.safe_load((files(napari_hsr) / "napari.yaml").read_text(encoding="utf-8"))


def test_the_manifest_names_every_readable_and_writable_suffix():
    reader, checkpoints, libraries, sessions = manifest()["contributions"]["readers"]
    assert libraries["filename_patterns"] == [
        f"*{s}" for s in (*preferred_reader.OF_SPECTRA, *preferred_reader.TABLES, ".txt")
    ]
    assert sessions["filename_patterns"] == [f"*{session_file.SUFFIX}"]
    importable = {*import_answers.SUFFIXES, *torch_checkpoint.TORCH_SUFFIXES}
    assert {f"*{suffix}" for suffix in importable} == set(checkpoints["filename_patterns"])
    assert reader["filename_patterns"] == list(detect.PATTERNS)
    assert {f"*{suffix}" for suffix in io.READ_SUFFIXES} < set(detect.PATTERNS)
    (writer,) = manifest()["contributions"]["writers"]
    writable = {*io.WRITE_SUFFIXES, *io.PHOTOGRAPH_WRITE_SUFFIXES}
    assert set(writer["filename_extensions"]) == writable


def test_the_manifest_is_valid_and_all_that_it_names_imports():
    from npe2 import PluginManifest

    found = PluginManifest.from_distribution(PLUGIN)
    found.validate_imports()
    assert found.display_name == DISPLAYED == "Hyperspectral reconstruction"
    assert [widget.display_name for widget in found.contributions.widgets][:6] == [
        "Reconstruct",
        "Super-resolve",
        "Wavelength",
        "Spectra",
        "Measurements",
        "Compare",
    ]


def test_discovery_loads_neither_torch_nor_the_panels():
    import subprocess
    import sys

    code = (
        "import sys; from npe2 import PluginManager as P; pm = P(); pm.discover();"
        "assert 'napari-hsr' in pm, list(pm._manifests);"
        "print([m for m in sys.modules if m.split('.')[0] in ('torch', 'napari_hsr')])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "torch" not in loaded
    assert "widgets" not in loaded


def readers(path) -> list[str]:
    manager = PluginManager.instance()
    manager.discover()
    return [found.plugin_name for found in manager.iter_compatible_readers([str(path)])]


ENVI_NAMES = ["raw_0", "ang20180814t224053_rfl_img", "s", "a.bin", "a.hyspex", "a.CUBE", "a.pix"]


@pytest.mark.parametrize("name", ENVI_NAMES)
def test_an_envi_binary_opens_by_drop(viewer, tmp_path, name):
    io.write(make_cube(np.arange(400, 701, 10)), tmp_path / "scene.hdr")
    (tmp_path / "scene.img").rename(tmp_path / name)
    (tmp_path / "scene.hdr").rename((tmp_path / name).with_suffix(".hdr"))
    assert io.can_read(tmp_path / name)
    assert readers(tmp_path / name) == [PLUGIN]
    (layer,) = viewer.open(tmp_path / name, plugin=None)
    assert layer.data.shape == (31, 9, 7)


@pytest.mark.parametrize("suffix", [".nc", ".hspy", ".h5"])
def test_hdf5_under_other_names_opens_by_drop(viewer, tmp_path, suffix):
    io.write(make_cube(np.arange(400, 701, 10)), tmp_path / "a.h5")
    (tmp_path / "a.h5").rename(tmp_path / f"a{suffix}")
    assert PLUGIN in readers(tmp_path / f"a{suffix}")
    (layer,) = viewer.open(tmp_path / f"a{suffix}", plugin=PLUGIN)
    assert layer.data.shape == (31, 9, 7)


@pytest.mark.parametrize("name", ["a.xlsx", "a.py", "a.n5", "scan.geojson", "a.qptiff", "a.obj"])
def test_files_of_others_are_left_to_others(name):
    assert PLUGIN not in readers(name)


class TestPreference:
    @pytest.fixture(autouse=True)
    def plugins(self, monkeypatch):
        """napari's settings for this test alone."""
        from napari import settings

        own = settings.NapariSettings(config_path=None)
        monkeypatch.setattr(settings, "get_settings", lambda: own)
        return own.plugins

    def test_it_is_entered_where_nobody_decided_otherwise(self, plugins):
        plugins.extension2reader = {"*.png": "napari"}
        assert "Preferences" in preferred_reader.prefer()
        chosen = plugins.extension2reader
        assert chosen["*.png"] == "napari"
        assert {chosen[p] for p in ("*.jpg", "*.JPG", "*.hdr", "*.mat")} == {PLUGIN}
        assert not {"*.tif", "*.npy"} & set(chosen)
        assert preferred_reader.prefer() is None

    def test_napari_asks_once(self, plugins, viewer, tmp_path, monkeypatch):
        from PIL import Image

        monkeypatch.setattr(contributions, "window_is_in_use", lambda: True)
        monkeypatch.setattr("napari.plugins.utils.get_settings", lambda: plugins_of(plugins))
        Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg")
        with pytest.raises(MultipleReaderError):
            viewer._open_or_raise_error([str(tmp_path / "a.jpg")])
        viewer.open(tmp_path / "a.jpg", plugin=PLUGIN)  # the answer
        (layer,) = viewer._open_or_raise_error([str(tmp_path / "a.jpg")])
        assert layer_data.layer_photograph(layer).encoding == "srgb"

    def test_a_grey_picture_is_naparis_own(self, viewer, tmp_path, monkeypatch):
        from PIL import Image

        monkeypatch.setattr(contributions, "window_is_in_use", lambda: True)
        Image.new("L", (8, 6)).save(tmp_path / "a.png")
        (layer,) = viewer.open(tmp_path / "a.png", plugin=PLUGIN)
        assert layer.data.shape == (6, 8)


def plugins_of(plugins):
    return SimpleNamespace(plugins=plugins)


@pytest.mark.thorough  # nor does it when it is built: tests/widgets/test_what_opening_loads.py
def test_no_panel_loads_torch_before_it_is_built():
    import subprocess
    import sys

    code = (
        "import sys; from npe2 import PluginManifest; from importlib import import_module;"
        "found = PluginManifest.from_distribution('napari-hsr').contributions;"
        "names = {c.id: c.python_name for c in found.commands};"
        "[import_module(names[w.command].partition(':')[0]) for w in found.widgets];"
        "print('torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["scan", "leaf 2024.05.03", "4-22-22 top.00"])
def test_a_name_without_a_type_becomes_a_cube_file(tmp_path, name):
    cube = napari_hsr.Cube(np.ones((3, 4, 5), np.float32), np.array([450.0, 500, 550]))
    data, keywords, _ = contributions.layer_tuple(cube)
    (written,) = contributions.write_image(tmp_path / name, data, keywords)
    assert written == str(tmp_path / f"{name}.mat")
    assert napari_hsr.read(written).wavelengths == cube.wavelengths
    with pytest.raises(InputError, match="is there already"):  # the dialog asked about another name
        contributions.write_image(tmp_path / name, data, keywords)
    with pytest.raises(FileError, match="foo"):
        contributions.write_image(tmp_path / "scan.foo", data, keywords)


def test_what_nobody_named_is_called_like_its_file(viewer, tmp_path, said):
    for name in ("leaf", "soil"):
        write(Cube(np.ones((31, 3, 2), np.float32)), tmp_path / f"{name}.mat")
    paths = [tmp_path / "leaf.mat", tmp_path / "soil.mat"]
    assert [layer.name for path in paths for layer in viewer.open(path, plugin=PLUGIN)] == [
        "leaf",
        "soil",
    ]


def test_of_dropped_files_none_is_opened_twice(tmp_path, monkeypatch):
    from napari._qt.qt_viewer import QtViewer

    assert "filenames" in signature(QtViewer._qt_open).parameters  # else it is called otherwise now
    monkeypatch.setattr(contributions, "window_is_in_use", lambda: True)
    path = str(io.write(make_cube(range(400, 701, 10)), tmp_path / "a.mat"))

    def _qt_open(filenames):  # some are opened, then a reader is asked for, and all are opened
        return [contributions.read_layers(file) for _ in range(2) for file in filenames]

    for _ in range(2):  # dropped once more, it is opened once more
        first, again = _qt_open([path])
        assert first[0][0].shape[0] == 31
        assert again == contributions.NOTHING
    assert contributions.read_layers(path)[0][0] is not None
