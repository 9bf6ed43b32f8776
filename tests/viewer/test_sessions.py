"""Sessions: what was open comes back, and a damaged or foreign file is refused in a sentence."""

from __future__ import annotations

import json
import os
import shutil

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers._source import layer_source

from napari_hsr import io
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import Cancelled, FileError
from napari_hsr.io.read_choice import Choice
from napari_hsr.io.stacks import read_stack
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import LINEAR_SRGB, SRGB, Photograph
from napari_hsr.progress import result_of
from napari_hsr.viewer import (
    as_read,
    axis,
    contributions,
    file_choices,
    fingerprints,
    layers,
    pins,
    session_file,
    session_saving,
)
from napari_hsr.viewer.contributions import read_layers
from napari_hsr.viewer.fingerprints import Trace
from napari_hsr.viewer.frames import add_stack
from napari_hsr.viewer.layer_data import layer_cube, layer_photograph
from napari_hsr.viewer.names import given_names, rename
from napari_hsr.viewer.rendering import add_false_colour
from napari_hsr.viewer.session_file import PanelRecord
from napari_hsr.viewer.session_opening import open_events, show
from napari_hsr.viewer.session_saving import plan, save_events

RNG = np.random.default_rng(0)
NM = Wavelengths(np.arange(400.0, 701.0, 10.0))
BY_HAND = np.arange(401.0, 702.0, 10.0)


@pytest.fixture
def viewer(tmp_path):
    """A cube of a file with wavelengths set by hand, and layers of all kinds that no file holds."""
    viewer = ViewerModel()
    io.write(Cube(RNG.random((31, 8, 9), dtype=np.float32), NM, name="scene"), tmp_path / "a.mat")
    with layer_source(path=str(tmp_path / "a.mat"), reader_plugin="napari-hsr"):
        cube = layers.add_cube(viewer, io.read(tmp_path / "a.mat"), name="scene")
    as_read.note(cube.data, Trace.of(tmp_path / "a.mat"))
    layers.set_wavelengths(cube, BY_HAND)
    pixels = RNG.random((8, 9, 3), dtype=np.float32)
    layers.add_photograph(viewer, Photograph(pixels, LINEAR_SRGB, name="photo"))
    add_false_colour(viewer, cube)
    angles = RNG.random((8, 9)).astype(np.float32)
    layers.add_map(viewer, angles, "SAM", unit="°", like=cube, above=cube)
    made = pins.new_pins(viewer, cube)
    for place in ((550, 2, 3), (550, 4, 4)):
        pins.add_pin(viewer, made, place)
    rename(made, 1, "leaf")
    viewer.add_shapes(
        [[[0, 0], [0, 3], [3, 3], [3, 0]], [[1, 1], [4, 4]]],
        shape_type=["polygon", "line"],
        edge_color=["red", "#00ff00"],
        name="plots",
    )
    viewer.add_shapes(None, name="empty")
    viewer.add_labels(RNG.integers(0, 3, (8, 9)), name="classes")
    cube.contrast_limits = (0.2, 0.7)
    cube.colormap = "magma"
    viewer.layers["SAM (°)"].colormap = {
        "colors": [[0, 0, 0], [1, 0.5, 0]],
        "name": "the user's own",
    }
    viewer.scene.camera.zoom = 7
    axis.go_to(viewer, 521)
    viewer.layers.selection.active = cube
    return viewer


def saved(viewer, path):
    return result_of(save_events(plan(viewer), path))


def opened(path):
    viewer = ViewerModel()
    return viewer, show(viewer, result_of(open_events(path)))


def test_everything_is_back(viewer, tmp_path):
    assert saved(viewer, tmp_path / "s.hsrsession").told == []
    again, told = opened(tmp_path / "s.hsrsession")
    assert told == []
    assert [one.name for one in again.layers] == [one.name for one in viewer.layers]
    for one, other in zip(viewer.layers, again.layers, strict=True):
        assert type(one) is type(other)
        mine, theirs = (x.data if isinstance(x.data, list) else [x.data] for x in (one, other))
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(np.asarray(a), np.asarray(b))
    cube = again.layers["scene"]
    np.testing.assert_array_equal(layer_cube(cube).wavelengths.nm, BY_HAND)
    assert cube.contrast_limits == [0.2, 0.7]
    assert cube.colormap.name == "magma"
    assert cube.source.path == str(tmp_path / "a.mat")
    assert layer_photograph(again.layers["photo"]).encoding == LINEAR_SRGB
    assert axis.current_nm(again) == 521
    assert again.scene.camera.zoom == 7
    assert again.layers.selection.active == cube
    picture = next(one for one in again.layers if "false colour" in one.name)
    assert picture.metadata[layers.SOURCE] == str(cube.unique_id)
    points = again.layers[pins.NAME]
    assert pins.is_ours(points)
    assert given_names(points) == {1: "leaf"}
    np.testing.assert_array_equal(points.face_color, viewer.layers[pins.NAME].face_color)
    assert list(again.layers["plots"].shape_type) == ["polygon", "line"]
    # a second time all cubes and photographs have files
    assert plan(again).without_file == []


def test_the_way_from_a_session_to_its_file_is_not_shown(viewer, tmp_path):
    (tmp_path / "sessions").mkdir()
    saved(viewer, tmp_path / "sessions" / "s.hsrsession")
    again, _ = opened(tmp_path / "sessions" / "s.hsrsession")
    assert again.layers["scene"].source.path == str(tmp_path / "a.mat")


def test_values_that_were_changed_in_place_are_kept(viewer, tmp_path):
    cube = viewer.layers["scene"]
    cube.data[3, 2:5, 1:4] = 0
    assert saved(viewer, tmp_path / "s.hsrsession").told == []
    again, told = opened(tmp_path / "s.hsrsession")
    assert told == []
    np.testing.assert_array_equal(again.layers["scene"].data, cube.data)


def test_hidden_points_the_order_of_shapes_and_columns_with_gaps_come_back(tmp_path):
    viewer = ViewerModel()
    columns = {"depth": [1.5, np.nan, np.inf], "name": ["a", "nan", "c"]}
    points = viewer.add_points([[0, 0], [1, 1], [2, 2]], features=columns, name="points")
    points.shown = [True, False, True]
    squares = [[[0, 0], [0, 3], [3, 3], [3, 0]], [[1, 1], [1, 4], [4, 4], [4, 1]]]
    viewer.add_shapes(squares, shape_type="polygon", z_index=[2, 1], name="shapes")
    saved(viewer, tmp_path / "a.hsrsession")
    again, told = opened(tmp_path / "a.hsrsession")
    assert told == []
    assert again.layers["points"].shown.tolist() == [True, False, True]
    found = again.layers["points"].features
    np.testing.assert_array_equal(found["depth"].to_numpy(dtype=float), columns["depth"])
    assert found["name"].tolist() == columns["name"]
    assert list(again.layers["shapes"].z_index) == [2, 1]


def test_points_that_were_cleared_and_layers_without_any_are_saved(tmp_path):
    viewer = ViewerModel()
    viewer.add_points(name="new")
    made = pins.new_pins(viewer, viewer.add_image(np.zeros((5, 8, 9), np.float32), rgb=False))
    pins.add_pin(viewer, made, (0, 2, 3))
    pins.clear(viewer, made)
    assert saved(viewer, tmp_path / "s.hsrsession").told == []
    again, told = opened(tmp_path / "s.hsrsession")
    assert told == []
    assert [len(again.layers[name].data) for name in ("new", pins.NAME)] == [0, 0]


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.zeros((5, 8, 9), np.float32), []),
        (np.zeros((5, 8, 9)), ["mine: its values (float64) are kept as float32."]),
        (np.zeros((5, 8, 9), np.int32), ["mine: its values (int32) are kept as float32."]),
        (np.zeros((8, 9, 3), np.uint8), []),
        (np.zeros((8, 9, 4), np.uint8), ["mine: its alpha channel is not kept."]),
    ],
)
def test_what_of_a_picture_without_a_file_is_not_kept_is_told(pixels, told, tmp_path):
    viewer = ViewerModel()
    viewer.add_image(pixels, rgb=pixels.shape[-1] < 5, name="mine")
    assert saved(viewer, tmp_path / "s.hsrsession").told == told


@pytest.mark.parametrize(
    "look", [{"rotate": [[1, 0], [1e308, 1]]}, {"scale": [1e-320, 1]}, {"translate": [1e300, 0]}]
)
def test_what_lies_where_napari_can_show_nothing_is_refused(look, tmp_path):
    path = tmp_path / "s.hsrsession"
    viewer = ViewerModel()
    viewer.add_points([[1, 2]])
    saved(viewer, path)
    content = json.loads(path.read_text())
    content["layers"][0]["look"] |= look
    path.write_text(json.dumps(content))
    with pytest.raises(FileError, match=r"it is damaged: layers\.0\.look"):
        opened(path)


def test_texts_beside_points_that_are_not_kept_are_told(viewer, tmp_path):
    layer = viewer.add_points([[1, 2], [3, 4]], features={"what": ["a", "b"]}, name="mine")
    assert saved(viewer, tmp_path / "s.hsrsession").told == []
    layer.text = {"string": "{what}"}
    (sentence,) = saved(viewer, tmp_path / "s.hsrsession").told
    assert sentence.startswith("mine: the texts drawn beside it are not kept")
    viewer.layers.remove(layer)
    pins = viewer.add_points([[1, 2], [3, 4]], features={"pin": [1, 2]})
    pins.text = {"string": "{pin}"}  # as those of pins, which come back
    assert saved(viewer, tmp_path / "s.hsrsession").told == []


def test_a_moved_folder_is_found_a_missing_file_told_and_the_rest_opened(viewer, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    saved(viewer, folder / "s.hsrsession")
    shutil.move(folder, tmp_path / "moved")
    (tmp_path / "a.mat").unlink()
    again, told = opened(tmp_path / "moved" / "s.hsrsession")
    (sentence,) = told
    assert "a.mat" in sentence
    assert len(again.layers) == len(viewer.layers) - 1


def test_a_changed_file_is_told_and_shown_as_it_is(viewer, tmp_path):
    saved(viewer, tmp_path / "s.hsrsession")
    io.write(Cube(np.ones((31, 8, 9), np.float32), NM), tmp_path / "a.mat")
    again, told = opened(tmp_path / "s.hsrsession")
    assert "a.mat has changed" in told[0]
    assert float(np.asarray(again.layers["scene"].data).min()) == 1


def _shown(file):
    """A viewer with the layer of a file, as napari opens it."""
    viewer = ViewerModel()
    with layer_source(path=str(file), reader_plugin="napari-hsr"):
        ((data, keywords, _),) = read_layers(str(file))
        viewer.add_image(data, **keywords)
    return viewer


@pytest.mark.parametrize("name", ["a.mat", "a.hdr"])
@pytest.mark.parametrize("bands", [31, 16])
def test_a_changed_file_is_shown_at_its_own_wavelengths(tmp_path, name, bands):
    io.write(Cube(RNG.random((31, 4, 5)).astype(np.float32), NM), tmp_path / name)
    saved(_shown(tmp_path / name), tmp_path / "s.hsrsession")
    nm = Wavelengths(np.linspace(900, 1200, bands))
    io.write(Cube(RNG.random((bands, 4, 5)).astype(np.float32), nm), tmp_path / name)
    again, told = opened(tmp_path / "s.hsrsession")
    (layer,) = again.layers
    np.testing.assert_allclose(layer_cube(layer).wavelengths.nm, nm.nm)
    assert layer.translate[0] == pytest.approx(900)
    assert layer.scale[0] == pytest.approx(nm.step)
    assert f"its wavelengths are its own, {bands} bands, 900–1200 nm" in " ".join(told)


def test_a_changed_file_that_states_no_wavelengths_has_those_of_the_session_and_it_is_told(
    tmp_path,
):
    file = tmp_path / "a.npy"
    np.save(file, RNG.random((31, 4, 5)).astype(np.float32))
    viewer = _shown(file)
    layers.set_wavelengths(viewer.layers[0], NM.nm)
    saved(viewer, tmp_path / "s.hsrsession")
    np.save(file, RNG.random((31, 4, 5)).astype(np.float32))
    again, told = opened(tmp_path / "s.hsrsession")
    np.testing.assert_array_equal(layer_cube(again.layers[0]).wavelengths.nm, NM.nm)
    assert "its wavelengths are those of the session" in " ".join(told)
    np.save(file, RNG.random((16, 4, 5)).astype(np.float32))
    again, told = opened(tmp_path / "s.hsrsession")
    assert len(again.layers) == 1
    assert "31 wavelengths, and it has 16 bands by now" in " ".join(told)


def test_the_encoding_of_a_changed_photograph_is_told_where_its_file_says_another(tmp_path):
    file = tmp_path / "a.tif"
    values = RNG.integers(0, 255, (6, 7, 3)).astype(np.uint8)
    io.write(Photograph(values, "srgb"), file)
    viewer = _shown(file)
    saved(viewer, tmp_path / "s.hsrsession")
    io.write(Photograph(values, "linear-srgb"), file)
    again, told = opened(tmp_path / "s.hsrsession")
    assert layer_photograph(again.layers[0]).encoding == "srgb"
    assert "as in the session; by the file as it is now it is linear sRGB" in " ".join(told)


def test_values_that_a_layer_of_a_file_was_given_are_saved(viewer, tmp_path):
    layer = next(one for one in viewer.layers if one.source.path is not None)
    layer.data = np.asarray(layer.data) + 2
    made = plan(viewer)
    assert layer.name in [record.name for record in made.without_file]
    saved(viewer, tmp_path / "s.hsrsession")
    again, told = opened(tmp_path / "s.hsrsession")
    assert told == []
    np.testing.assert_array_equal(np.asarray(again.layers[layer.name].data), layer.data)


def test_what_was_stated_of_a_file_is_stated_again(tmp_path):
    values = RNG.random((5, 4, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    viewer = ViewerModel()
    choice = Choice(axes="yxb")
    with layer_source(path=str(tmp_path / "a.npy"), reader_plugin="napari-hsr"):
        cube = io.read(tmp_path / "a.npy", axes=choice.axes)
        as_read.note(
            layers.add_cube(viewer, cube, metadata=file_choices.stated(choice)).data,
            Trace.of(tmp_path / "a.npy"),
        )
    saved(viewer, tmp_path / "s.hsrsession")
    for _ in range(2):  # and that is kept in the next session
        viewer, told = opened(tmp_path / "s.hsrsession")
        assert told == []
        np.testing.assert_array_equal(np.asarray(viewer.layers[0].data), np.moveaxis(values, 2, 0))
        saved(viewer, tmp_path / "s.hsrsession")


def test_cubes_without_a_file_can_be_left_out(viewer, tmp_path):
    made = plan(viewer)
    names = {record.name for record in made.without_file}
    assert "photo" in names
    assert made.size() > 0
    made.leave_out()
    done = result_of(save_events(made, tmp_path / "s.hsrsession"))
    assert len(done.told) == len(names)
    again, _ = opened(tmp_path / "s.hsrsession")
    assert names.isdisjoint(one.name for one in again.layers)


def test_a_layer_in_the_folder_of_the_session_is_never_written_over(viewer, tmp_path):
    saved(viewer, tmp_path / "s.hsrsession")
    again, _ = opened(tmp_path / "s.hsrsession")
    again.layers["photo"].name = "first"
    other = np.zeros((8, 9, 3), np.float32)
    layers.add_photograph(again, Photograph(other, LINEAR_SRGB, name="photo"), name="photo")
    saved(again, tmp_path / "s.hsrsession")
    last, told = opened(tmp_path / "s.hsrsession")
    assert told == []
    assert np.asarray(last.layers["first"].data).max() > 0
    assert np.asarray(last.layers["photo"].data).max() == 0


POINTS = '{"version": 1, "layers": [{"kind": "points", "id": "1", "name": "a", "points": %s}]}'
SHAPES = POINTS.replace("points", "shapes")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "{}",
        '{"version": 2}',
        '{"version": 1, "more": 1}',
        '{"version": 1, "layers": [{"kind": "program", "id": "1", "name": "a"}]}',
        '{"version": 1, "layers": [{"kind": "points", "id": "1", "name": "a", "points": [["b"]]}]}',
        '{"version": 1, "view": {"zoom": NaN}}',
        '{"version": 1, "view": {"zoom": 1e-300}}',
        '{"version": 1, "view": {"center": [0, 1e300, 0]}}',
        "[" * 100_000,
        json.dumps({"version": 1, "layers": [{"kind": "points", "id": "1", "name": "a"}] * 201}),
        POINTS % "[[1, 2], [1]]",
        POINTS % "[[1, 2, 3]]",
        SHAPES % "[[[1, 2], [1]]]",
        SHAPES % [[[n * 37 % 101, n * n % 103] for n in range(400)]],  # a tangle
        SHAPES % ([[[0, 0], [0, 5], [5, 5]]] * 5001),
        SHAPES % [[[n, n * n] for n in range(4000)]],
    ],
)
def test_what_is_no_session_is_refused(text, tmp_path):
    path = tmp_path / "s.hsrsession"
    path.write_text(text)
    with pytest.raises(FileError, match=r"s\.hsrsession"):
        session_file.read(path)


def test_what_napari_refuses_is_told_and_the_rest_opened(viewer, tmp_path):
    saved(viewer, tmp_path / "s.hsrsession")
    values = json.loads((tmp_path / "s.hsrsession").read_text())
    for record in values["layers"]:
        if record["name"] == "plots":
            record["look"]["shape_type"] = ["spiral", "line"]
        if record["kind"] == "map":
            record["file"] |= {"beside": "a.mat", "path": "a.mat"}  # no array of NumPy
    (tmp_path / "s.hsrsession").write_text(json.dumps(values))
    again, told = opened(tmp_path / "s.hsrsession")
    assert len(again.layers) == len(viewer.layers) - 2
    assert any("plots" in sentence for sentence in told)


def test_what_layers_carry_is_looked_at(viewer, tmp_path):
    """State that panels would trip over is left out and told; so are files that cannot be."""
    saved(viewer, tmp_path / "s.hsrsession")
    values = json.loads((tmp_path / "s.hsrsession").read_text())
    (sam,) = (one for one in values["layers"] if one["name"].startswith("SAM"))
    state = {"hsr": {"kind": "frames"}, "hsr_map": {"kind": "sam"}, "hsr_analysis": 5, "hsr_x": 1}
    sam["metadata"] |= state
    (scene,) = (one for one in values["layers"] if one["name"] == "scene")
    stated = scene["file"] | {"read_as": {"full_scale": "x", "axes": "q" * 4000}}
    values["layers"].append(scene | {"id": "more", "file": stated})
    scene["file"] |= {"path": "x" * 4000, "beside": "y" * 300}
    values["view"] |= {"center": [1.0] * 9, "angles": [1.0]}
    (tmp_path / "s.hsrsession").write_text(json.dumps(values))
    again, told = opened(tmp_path / "s.hsrsession")
    assert len(again.layers) == len(viewer.layers) - 1
    assert len(told) == 3
    assert max(map(len, told)) <= 500
    assert set(again.layers[sam["name"]].metadata) == {"hsr_source", "hsr_added_as"}


def test_numbers_and_names_in_tables_of_others_need_be_none():
    points = ViewerModel().add_points([[1, 2], [3, 4], [5, 6]])
    points.features = pd.DataFrame({"pin": ["a", "7", "1e999"], "name": [1, "leaf", "leaf"]})
    pins.tidy(points)
    assert list(points.features["pin"]) == [8, 7, 9]
    labels = ViewerModel().add_labels(np.ones((4, 5), int))
    labels.features = pd.DataFrame({"index": ["a", None, 3.0], "name": ["x", "y", "z"]})
    assert given_names(labels)[3] == "z"
    rename(labels, 3, "leaf")
    assert given_names(labels)[3] == "leaf"


def test_a_file_of_a_folder_beside_the_session_that_is_none_of_it_stays(viewer, tmp_path):
    folder = tmp_path / "s-layers"
    folder.mkdir()
    (folder / "photo.tif").write_bytes(b"somebody's")
    for _ in range(2):  # the second time over the first
        saved(viewer, tmp_path / "s.hsrsession")
        assert (folder / "photo.tif").read_bytes() == b"somebody's"
        assert len(list(folder.iterdir())) == 1 + len(plan(viewer).things)
    assert opened(tmp_path / "s.hsrsession")[1] == []


def test_what_a_session_cannot_hold_is_left_out_and_told(viewer, tmp_path):
    viewer.layers["photo"].name = "p" * 5000
    viewer.add_shapes([[0, 0], [1, 1]], shape_type="path", name="s" * 5000)
    done = saved(viewer, tmp_path / "s.hsrsession")
    assert len(done.told) == 2
    again, told = opened(tmp_path / "s.hsrsession")
    assert told == []
    assert len(again.layers) == len(viewer.layers) - 2


def test_a_folder_of_any_size_is_known_by_its_first_files(tmp_path, monkeypatch):
    for number in range(12):
        (tmp_path / f"{number:02}").write_bytes(b"a")
    monkeypatch.setattr(fingerprints, "_COUNTED", 10)
    assert fingerprints.fingerprint(tmp_path)[0] == 10


def test_a_fault_while_writing_leaves_the_session_that_was_there(viewer, tmp_path, monkeypatch):
    path = tmp_path / "s.hsrsession"
    saved(viewer, path)
    before = path.read_bytes()
    monkeypatch.setattr(session_file.json, "dumps", lambda *_a, **_k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        saved(viewer, path)
    assert path.read_bytes() == before


def test_a_session_is_not_written_over_by_one_without_a_layer_that_could_not_be_written(
    tmp_path, monkeypatch
):
    viewer, path = ViewerModel(), tmp_path / "s.hsrsession"
    layers.add_cube(viewer, Cube(np.ones((3, 4, 4), np.float32), name="work"))
    saved(viewer, path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    layers.add_cube(viewer, Cube(np.ones((3, 5, 5), np.float32), name="more"))
    real = io.write

    def full(thing, file):
        if thing.name == "more":
            raise FileError(file, "it cannot be written: the disk is full")
        return real(thing, file)

    monkeypatch.setattr(io, "write", full)
    with pytest.raises(FileError, match="stays as it was, for “more”") as told:
        saved(viewer, path)
    assert f"{tmp_path / 's-layers' / 'more.h5'}: it cannot be written" in str(told.value)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    made = saved(viewer, tmp_path / "other.hsrsession")
    assert made.lost == ["more"]
    assert [one.name for one in opened(tmp_path / "other.hsrsession")[0].layers] == ["work"]


def test_a_failed_save_leaves_no_empty_folder(tmp_path, monkeypatch):
    viewer, folder = ViewerModel(), tmp_path / "s-layers"
    viewer.add_labels(np.ones((3, 3), np.uint8), name="classes")

    def fails(*_arguments, **_keywords):
        raise FileError("classes.npy", "the disk is full")

    def write_fails(*_arguments):
        raise FileError("s.hsrsession", "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(session_saving.np, "save", fails)
        saved(viewer, tmp_path / "s.hsrsession")
        assert not folder.exists()  # nothing of the session lies there
        patch.setattr(session_saving, "write", write_fails)
        with pytest.raises(FileError):
            saved(viewer, tmp_path / "s.hsrsession")
        assert not folder.exists()
        folder.mkdir()
        with pytest.raises(FileError):
            saved(viewer, tmp_path / "s.hsrsession")
    assert folder.is_dir()  # it was there before


@pytest.mark.parametrize("over", [False, True])
def test_a_cancelled_save_leaves_everything_as_it_was(tmp_path, over):
    viewer, path = ViewerModel(), tmp_path / "s.hsrsession"
    for value, name in enumerate(("one", "two")):
        viewer.add_labels(np.full((3, 3), value, np.uint8), name=name)
    if over:
        saved(viewer, path)
        for layer in viewer.layers:
            layer.data = layer.data + 5
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    work = save_events(plan(viewer), path)
    assert [next(work).message for _ in range(2)] == ["Saving one", "Saving two"]
    with pytest.raises(Cancelled):  # the first is written
        work.throw(Cancelled())
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert after == before
    assert bool(after) == over
    assert (tmp_path / "s-layers").exists() == over
    assert len(list(tmp_path.iterdir())) == 2 * over


def test_labels_of_several_sizes_are_saved_in_the_largest(tmp_path):
    viewer = ViewerModel()
    sizes = [np.ones((8, 8), np.uint8), np.ones((4, 4), np.uint8)]
    viewer.add_labels(sizes, name="classes", multiscale=True)
    saved(viewer, tmp_path / "s.hsrsession")
    assert np.load(tmp_path / "s-layers" / "classes.npy").shape == (8, 8)


def test_labels_on_disk_are_read_when_they_are_written(tmp_path):
    read = []

    def block(block_info=None):
        read.append(block_info)
        return np.full((1, 3, 4), 2, np.uint8)

    viewer = ViewerModel()
    lazy = da.map_blocks(
        block, chunks=((1, 1), (3,), (4,)), dtype=np.uint8, meta=np.empty((0,) * 3)
    )
    viewer.add_labels(lazy, name="classes")
    read.clear()
    made = plan(viewer)
    assert not read
    assert made.size() == 24
    result_of(save_events(made, tmp_path / "s.hsrsession"))
    assert (np.load(tmp_path / "s-layers" / "classes.npy") == np.full((2, 3, 4), 2)).all()


def test_points_and_labels_that_napari_saved_are_pins_and_regions(viewer, tmp_path):
    from napari_builtins.io import napari_get_reader, napari_write_labels, napari_write_points

    from napari_hsr.viewer.regions import UnreadLabels

    points, classes = viewer.layers[pins.NAME], viewer.layers["classes"]
    csv, tif = str(tmp_path / "pins.csv"), str(tmp_path / "classes.tif")
    napari_write_points(csv, points.data, {"features": points.features, "name": "pins"})
    napari_write_labels(tif, classes.data, {"name": "classes"})
    again = ViewerModel()
    layers.add_cube(again, layer_cube(viewer.layers["scene"]))
    ((data, keywords, kind),) = napari_get_reader(csv)(csv)
    assert kind == "points"
    layer = again.add_points(data, **keywords)
    assert pins.is_points(layer)
    pins.tidy(layer)
    assert [pin.place for pin in pins.pins_of(again, layer, 9)] == [(2, 3), (4, 4)]
    (found, *_rest) = napari_get_reader(tif)(tif)[0]
    regions, count = UnreadLabels.of(again.add_labels(np.asarray(found).astype(int))).read(9)
    assert count == 2
    assert set(regions.colors) == {1, 2}


def test_a_session_s_name_may_be_too_long(viewer, tmp_path):
    path = tmp_path / ("x" * 250 + ".hsrsession")
    with pytest.raises(FileError, match="longer than the disk takes"):
        result_of(save_events(plan(viewer), path))
    assert not list(tmp_path.glob("x*"))


def test_of_two_files_of_a_copied_project_it_is_said_which_is_shown(tmp_path):
    first, copy = tmp_path / "first", tmp_path / "copy"
    first.mkdir()
    io.write(Cube(np.full((31, 3, 4), 0.4, np.float32), NM), first / "leaf.mat")
    viewer = ViewerModel()
    with layer_source(path=str(first / "leaf.mat"), reader_plugin="napari-hsr"):
        layer = layers.add_cube(viewer, io.read(first / "leaf.mat"), name="leaf")
    as_read.note(layer.data, Trace.of(first / "leaf.mat"))
    result_of(save_events(plan(viewer), first / "day.hsrsession"))
    shutil.copytree(first, copy)
    assert result_of(open_events(copy / "day.hsrsession")).told == []
    io.write(Cube(np.full((31, 3, 4), 0.2, np.float32), NM), copy / "leaf.mat")
    opened = result_of(open_events(copy / "day.hsrsession"))
    assert opened.paths == [first / "leaf.mat"]
    (sentence,) = opened.told
    assert str(first / "leaf.mat") in sentence
    assert str(copy / "leaf.mat") in sentence


def test_files_that_were_opened_as_a_stack_are_all_found_again(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    frames = [np.full((4, 5, 3), 40 * number, np.uint8) for number in range(4)]
    files = [work / f"f{number}.png" for number in (2, 0, 1, 3)]  # not in the order of their names
    for file, pixels in zip(files, frames, strict=True):
        io.write(Photograph(pixels, SRGB, file.stem), file)
    viewer = ViewerModel()
    with layer_source(path=str(files[0]), reader_plugin="napari-hsr"):  # as napari names a stack
        add_stack(viewer, read_stack(files))
    made = saved(viewer, work / "a.hsrsession")
    assert made.told == []
    again, told = opened(work / "a.hsrsession")
    assert told == []
    (layer,) = again.layers
    assert [int(layer.data[at].max()) for at in range(4)] == [0, 40, 80, 120]
    work.rename(tmp_path / "moved")
    io.write(Photograph(frames[3], SRGB, "f0"), tmp_path / "moved" / "f0.png")
    again, told = opened(tmp_path / "moved" / "a.hsrsession")
    assert [int(again.layers[0].data[at].max()) for at in range(4)] == [0, 120, 80, 120]
    assert told == ["f0.png has changed since the session was saved; it is shown as it is now."]
    (tmp_path / "moved" / "f3.png").unlink()
    again, told = opened(tmp_path / "moved" / "a.hsrsession")
    assert not again.layers
    assert any("f3.png: it is no longer there" in one for one in told)


def test_layers_that_get_another_name_beside_those_on_show_are_known(viewer, tmp_path):
    saved(viewer, tmp_path / "a.hsrsession")
    kept, found = ViewerModel(), result_of(open_events(tmp_path / "a.hsrsession"))
    kept.add_labels(np.ones((8, 9), int), name="classes")
    show(kept, found)
    assert found.renamed == {"classes": "classes [1]"}


def test_more_files_of_a_stack_than_a_session_names_are_told(tmp_path, monkeypatch):
    files = [
        io.write(Photograph(np.zeros((4, 5, 3), np.uint8), SRGB, n), tmp_path / f"{n}.png")
        for n in "abc"
    ]
    viewer = ViewerModel()
    with layer_source(path=str(files[0]), reader_plugin="napari-hsr"):
        add_stack(viewer, read_stack(files))
    monkeypatch.setattr(session_saving, "MOST_FILES", 2)
    made = plan(viewer)
    assert made.session.layers == []
    assert "up to 2 files" in made.told[0]


def _one_on_show(folder, kind):
    """A viewer with one file as its reader opens it, its pixels, and a way to write other ones."""
    viewer = ViewerModel()
    if kind == "film":
        place = folder / "film"
        place.mkdir()
        values = np.full((6, 5, 3), 50, np.uint8)
        for number in range(3):
            io.write(Photograph(values + number, SRGB), place / f"{number}.png")

        def other():
            io.write(Photograph(values + 100, SRGB), place / "1.png")
    elif kind == ".png":
        place = folder / "a.png"
        io.write(Photograph(np.full((6, 5, 3), 50, np.uint8), SRGB), place)

        def other():
            io.write(Photograph(np.full((6, 5, 3), 90, np.uint8), SRGB), place)
    else:
        place = folder / f"a{kind}"
        io.write(Cube(np.full((31, 6, 5), 0.4, np.float32), NM), place)

        def other():
            io.write(Cube(np.full((31, 6, 5), 0.2, np.float32), NM), place)

    ((data, keywords, _),) = contributions.read_layers(str(place))
    with layer_source(path=str(place), reader_plugin="napari-hsr"):
        layer = viewer.add_image(data, **keywords)
    return viewer, layer, place, other


@pytest.mark.parametrize("kind", [".mat", ".hdr", ".zarr", ".png"])
@pytest.mark.parametrize("gone", [False, True])
def test_what_its_file_no_longer_holds_is_written_beside(tmp_path, kind, gone):
    viewer, layer, place, other = _one_on_show(tmp_path, kind)
    shown = np.array(layer.data)
    assert plan(viewer).told == plan(viewer).without_file == []
    if gone:
        place.rename(tmp_path / f"b{kind}")
    else:
        other()
    made = plan(viewer)
    assert [record.name for record in made.without_file] == [layer.name]
    (sentence,) = made.told
    assert place.name in sentence
    result_of(save_events(made, tmp_path / "s.hsrsession"))
    again, told = opened(tmp_path / "s.hsrsession")
    assert told == []
    np.testing.assert_allclose(np.array(again.layers[0].data), shown, atol=1e-7)


def test_a_file_that_was_touched_alone_holds_what_is_on_show(tmp_path):
    viewer, _, place, _ = _one_on_show(tmp_path, ".mat")
    os.utime(place, (1e9, 1e9))
    assert plan(viewer).told == plan(viewer).without_file == []


def test_frames_that_have_changed_since_a_film_was_opened_are_told(tmp_path):
    viewer, _, place, other = _one_on_show(tmp_path, "film")
    io.write(Photograph(np.full((6, 5, 3), 9, np.uint8), SRGB), place / "3.png")
    assert plan(viewer).told == []  # one more is none of them
    other()
    (sentence,) = plan(viewer).told
    assert "film has changed since it was opened" in sentence
    result_of(save_events(plan(viewer), tmp_path / "s.hsrsession"))
    again, told = opened(tmp_path / "s.hsrsession")
    assert told == []
    (place / "2.png").unlink()
    assert len(plan(again).told) == 1


def test_the_file_of_a_panel_that_is_another_by_now_is_told(tmp_path):
    first, copy = tmp_path / "first", tmp_path / "copy"
    first.mkdir()
    table = first / "leaf.csv"
    table.write_text("wavelength,leaf\n500,0.2\n600,0.3\n", encoding="utf-8")
    panel, when = PanelRecord(name="Spectra", files=[str(table)]), Trace.of(table)
    path = first / "s.hsrsession"
    assert result_of(save_events(plan(ViewerModel(), [panel], [when]), path)).told == []
    found = result_of(open_events(path))
    assert (found.session.panels, found.told) == ([panel], [])
    table.write_text("wavelength,leaf\n500,0.1\n600,0.1\n", encoding="utf-8")
    (sentence,) = plan(ViewerModel(), [panel], [when]).told
    assert "leaf.csv has changed since it was opened" in sentence
    found = result_of(open_events(path))
    assert found.session.panels == [panel]
    assert "leaf.csv has changed since the session was saved" in found.told[0]
    first.rename(copy)
    found = result_of(open_events(copy / "s.hsrsession"))
    assert found.session.panels[0].files == [str(copy / "leaf.csv")]
    (copy / "leaf.csv").unlink()
    found = result_of(open_events(copy / "s.hsrsession"))
    assert found.session.panels[0].files == []
    assert "leaf.csv: it is no longer there" in found.told[0]
    assert "leaf.csv is no longer there" in plan(ViewerModel(), [panel], [when]).told[0]


def test_what_stands_in_for_a_cube_is_left_out_and_told(tmp_path):
    viewer = ViewerModel()
    waits = (Notice.warning(Code.PLACEHOLDER, "A quick model fills it."),)
    layers.add_cube(viewer, Cube(np.ones((31, 2, 3), np.float32), NM, notices=waits), name="soon")
    made = plan(viewer)
    assert made.without_file == made.session.layers == []
    assert made.told == ["soon: A quick model fills it. Wait until it is done."]


def test_borders_of_points_and_the_colour_of_all_other_labels_are_kept(tmp_path):
    """They had come back as napari's own, without a word."""
    viewer = ViewerModel()
    viewer.add_points(
        [[1, 2], [3, 4]], border_width=[3, 1], border_width_is_relative=False, name="p"
    )
    viewer.add_points([[1, 2]], name="plain")
    colors = {1: "red", None: "green"}
    viewer.add_labels(np.arange(6).reshape(2, 3), colormap=colors, name="l")
    path = tmp_path / "a.json"
    result_of(save_events(plan(viewer), path))
    again = ViewerModel()
    show(again, result_of(open_events(path)))
    assert again.layers["p"].border_width.tolist() == [3, 1]
    assert not again.layers["p"].border_width_is_relative
    assert again.layers["plain"].border_width.tolist() == [0.05]
    assert again.layers["plain"].border_width_is_relative
    for label in (1, 5):
        assert again.layers["l"].get_color(label) == pytest.approx(
            viewer.layers["l"].get_color(label)
        )
