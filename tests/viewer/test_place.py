"""A finer layer, saved and opened again, lies exactly over its coarse layer."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from npe2 import PluginManager

from napari_hsr import io
from napari_hsr.cube import Cube
from napari_hsr.georeference import Place
from napari_hsr.inference import super_resolve, super_resolve_events
from napari_hsr.viewer import contributions, layer_data, layers, super_resolved

from ..thorough import thorough

PLUGIN = "napari-hsr"
CORNERS = ((0, 0, 0), (2, 15, 23), (4, 7, 1))


@pytest.fixture
def viewer():
    PluginManager.instance().discover()  # a window would do it
    return ViewerModel()


@pytest.fixture
def coarse():
    values = np.random.default_rng(1).random((5, 4, 6), np.float32)
    return Cube(values, range(400, 450, 10), units="reflectance", name="coarse")


@pytest.fixture
def said():
    notification_manager.records.clear()
    return lambda: [(str(r.severity), r.message) for r in notification_manager.records]


def made_over(viewer, layer, scale=4):
    *_, result = super_resolve_events(layer_data.layer_cube(layer), "bicubic-matlab", scale)
    place = super_resolved.place_over(layer, scale) | super_resolved.display_of(layer)
    cube, _ = super_resolved.add_super_resolved(
        viewer, result, "finer", place, layer_data.spatial_transform(layer)
    )
    return cube


def same_places(one, other, corners=CORNERS):
    for corner in corners:
        np.testing.assert_allclose(one.data_to_world(corner), other.data_to_world(corner))


@pytest.mark.parametrize(
    "suffix", thorough(io.WRITE_SUFFIXES, always={*io.WRITE_SUFFIXES} - {".tiff", ".hdf5"})
)
def test_a_finer_layer_through_writer_and_reader(viewer, coarse, tmp_path, suffix, said):
    made = made_over(viewer, layers.add_cube(viewer, coarse))
    made.save(str(tmp_path / f"fine{suffix}"), plugin=PLUGIN)
    (back,) = viewer.open(tmp_path / f"fine{suffix}", plugin=PLUGIN)
    same_places(back, made)
    assert tuple(back.scale) == (10, 0.25, 0.25)
    assert tuple(back.translate) == (400, -0.375, -0.375)
    assert [str(unit) for unit in back.units] == ["nanometer", "pixel", "pixel"]
    assert layer_data.layer_cube(back).place == Place((0.25, 0.25), (-0.375, -0.375))
    assert not [words for severity, words in said() if severity != "info"]


def test_files_of_the_command_line_lie_over_each_other(viewer, coarse, tmp_path):
    io.write(coarse, tmp_path / "coarse.mat")
    io.write(super_resolve(tmp_path / "coarse.mat", "bicubic-matlab", 4), tmp_path / "fine.mat")
    (below,) = viewer.open(tmp_path / "coarse.mat", plugin=PLUGIN)
    (above,) = viewer.open(tmp_path / "fine.mat", plugin=PLUGIN)
    for row, column in ((0, 0), (3, 5), (2, 1)):
        fine = [(1, 4 * row + i, 4 * column + j) for i in range(4) for j in range(4)]
        centres = np.array([above.data_to_world(at) for at in fine])
        np.testing.assert_allclose(centres.mean(0), below.data_to_world((1, row, column)))
        for centre in centres:
            assert layer_data.pixel_at(below, centre) == (row, column)


@pytest.mark.parametrize(
    "where",
    [
        {"scale": (3, 0.5), "translate": (-7, 11)},
        {"affine": np.array([[1, 0, 0, 0], [0, 2, 0, 5], [0, 0, 3, -4], [0, 0, 0, 1.0]])},
    ],
)
def test_a_layer_that_was_moved_is_met_where_it_is(viewer, coarse, tmp_path, where, said):
    layer = layers.add_cube(viewer, coarse, **where)
    made = made_over(viewer, layer, 2)
    for one, name in ((layer, "coarse.h5"), (made, "fine.h5")):
        one.save(str(tmp_path / name), plugin=PLUGIN)
    (below,) = viewer.open(tmp_path / "coarse.h5", plugin=PLUGIN)
    (above,) = viewer.open(tmp_path / "fine.h5", plugin=PLUGIN)
    same_places(below, layer, ((0, 0, 0), (4, 3, 5)))
    same_places(above, made, ((0, 0, 0), (4, 7, 11)))
    assert not [words for severity, words in said() if severity != "info"]


def test_a_turn_cannot_be_kept_and_is_told_but_both_still_lie_over_each_other(
    viewer, coarse, tmp_path, said
):
    layer = layers.add_cube(
        viewer, coarse, scale=(10, 3, 0.5), translate=(400, -7, 11), rotate=(0, 0, 30)
    )
    made = made_over(viewer, layer, 2)
    for one, name in ((layer, "coarse.tif"), (made, "fine.tif")):
        one.save(str(tmp_path / name), plugin=PLUGIN)
    told = [words for severity, words in said() if severity == "warning"]
    assert told == [
        f"{name} is turned or sheared in the viewer: a file cannot say it."
        for name in ("coarse", "finer")
    ]
    (below,) = viewer.open(tmp_path / "coarse.tif", plugin=PLUGIN)
    (above,) = viewer.open(tmp_path / "fine.tif", plugin=PLUGIN)
    fine = [above.data_to_world((1, 6 + i, 8 + j)) for i in (0, 1) for j in (0, 1)]
    np.testing.assert_allclose(np.mean(fine, 0), below.data_to_world((1, 3, 4)))


def test_a_mirrored_layer_is_written_without_a_place_and_told(viewer, coarse, tmp_path, said):
    layer = layers.add_cube(viewer, coarse, scale=(-1, 1))
    layer.save(str(tmp_path / "c.npz"), plugin=PLUGIN)
    assert io.read(tmp_path / "c.npz").place is None
    ((severity, words),) = said()
    assert severity == "warning"
    assert words.startswith("coarse lies where a file cannot say: The size of a pixel is -1 × 1")


def test_a_place_without_sense_in_a_file_is_one_warning(viewer, coarse, tmp_path, said):
    path = io.write(super_resolve(coarse, "bicubic-matlab", 2), tmp_path / "c.hdr")
    text = path.read_text()
    assert '"pixel": [0.5, 0.5]' in text
    path.write_text(text.replace('"pixel": [0.5, 0.5]', '"pixel": [NaN, 0.5]'))
    (layer,) = viewer.open(path, plugin=PLUGIN)
    assert tuple(layer.scale) == (10, 1, 1)
    ((severity, words),) = said()
    assert severity == "warning"
    assert "two finite numbers were expected" in words


def test_layers_of_other_programs_keep_their_pixels_and_have_no_length(viewer, tmp_path):
    layer = viewer.add_image(np.ones((5, 4, 6)), scale=(7, 2, 2))
    assert layer_data.layer_cube(layer).place == Place((2, 2))
    contributions.write_image(tmp_path / "c.h5", *layer.as_layer_data_tuple()[:2])
    (back,) = viewer.open(tmp_path / "c.h5", plugin=PLUGIN)
    assert tuple(back.scale[1:]) == (2, 2)
    assert [str(unit) for unit in back.units] == ["pixel"] * 3
