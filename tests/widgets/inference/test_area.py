"""A part of an image: what the canvas shows, or a shape; its cube lies in its place."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr import Cube, reconstruct
from napari_hsr.errors import InputError
from napari_hsr.viewer.layers import add_cube
from napari_hsr.widgets.inference.area import ALL, VISIBLE
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.inference.super_resolve import SuperResolveWidget

from .panel_runs import run, settle

RECTANGLE = np.array([[3, 4], [3, 9], [7, 9], [7, 4]], float)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def photograph(viewer):
    pixels = np.random.default_rng(0).integers(1, 250, (12, 17, 3), dtype=np.uint8)
    return viewer.add_image(pixels, name="leaf", rgb=True, scale=(2, 2), translate=(10, 20))


@pytest.fixture
def panel(viewer, photograph, qtbot):
    panel = ReconstructWidget(viewer)
    panel.model.set_name("rootpoly-srgb")
    qtbot.addWidget(panel)
    return panel


def check_part(viewer, photograph):
    whole = reconstruct(photograph.data, "rootpoly-srgb", encoding="srgb", device="cpu")
    layer = viewer.layers["leaf · rootpoly-srgb (part)"]
    np.testing.assert_array_equal(layer.data, whole.data[:, 3:8, 4:10])
    np.testing.assert_array_equal(layer.translate[-2:], (10 + 2 * 3, 20 + 2 * 4))
    np.testing.assert_array_equal(layer.scale[-2:], (2, 2))


def test_what_the_canvas_shows(panel, viewer, photograph, qtbot):
    photograph.corner_pixels = np.array([[3, 4], [7, 9]])
    panel.area.set_value(VISIBLE)
    run(panel, qtbot)
    check_part(viewer, photograph)


def test_another_part_on_the_canvas_is_checked_anew(panel, viewer, photograph, qtbot):
    photograph.corner_pixels = np.array([[3, 4], [7, 9]])
    panel.area.set_value(VISIBLE)
    settle(panel, qtbot)
    assert panel.ready
    photograph.corner_pixels = np.array([[0, 0], [0, 0]]) - 5  # as drawing makes it
    viewer.scene.camera.center = (500, 500)
    qtbot.waitUntil(lambda: "is not in sight" in panel.obstacle.text())
    assert not panel.ready
    photograph.corner_pixels = np.array([[3, 4], [7, 9]])
    viewer.scene.camera.zoom *= 2
    qtbot.waitUntil(lambda: panel.ready)
    panel.area.set_value(ALL)
    settle(panel, qtbot)
    viewer.scene.camera.zoom *= 2
    assert panel.ready  # all of it is meant, wherever the canvas is


def test_a_shape(panel, viewer, photograph, qtbot):
    # the shape's own coordinates are not those of the photograph
    shapes = viewer.add_shapes([RECTANGLE * 2 + (10, 20)], name="box")
    assert [panel.area.itemText(i) for i in range(panel.area.count())][2] == "shape in box"
    panel.area.set_value(str(shapes.unique_id))
    run(panel, qtbot)
    check_part(viewer, photograph)
    viewer.layers.remove(shapes)
    assert panel.area.value() == ALL


def test_nothing_in_sight_is_said_before_a_run(panel, viewer, photograph, qtbot):
    shapes = viewer.add_shapes([RECTANGLE + 1000], name="far")
    panel.area.set_value(str(shapes.unique_id))
    settle(panel, qtbot)
    assert not panel.ready
    assert "is not covered by the shape" in panel.obstacle.text()


def test_a_part_of_a_cube(viewer, qtbot):
    cube = Cube(np.random.default_rng(0).random((6, 12, 10)).astype(np.float32), name="coarse")
    layer = add_cube(viewer, cube)
    panel = SuperResolveWidget(viewer)
    qtbot.addWidget(panel)
    panel.scale.set_value(2)
    panel.model.set_name("box")
    layer.corner_pixels = np.array([[0, 2, 4], [5, 5, 9]])
    panel.area.set_value(VISIBLE)
    run(panel, qtbot)
    fine = next(one for one in viewer.layers if one.name.endswith("(part)"))
    assert fine.data.shape == (6, 8, 12)
    np.testing.assert_allclose(fine.translate[-2:], (1.75, 3.75))


@pytest.mark.parametrize("change", [("ndisplay", 3), ("order", (1, 0, 2))])
def test_in_3d_the_canvas_shows_no_part(panel, viewer, photograph, qtbot, change):
    viewer.add_image(np.zeros((5, 12, 17)))
    panel._source.set_layer(photograph)
    panel.area.set_value(VISIBLE)
    setattr(viewer.dims, *change)
    with pytest.raises(InputError, match="as in 3D"):
        panel.area.area(photograph)
    viewer.dims.ndisplay, viewer.dims.order = 2, (0, 2, 1)  # transposed, but rows and columns
    panel.area.area(photograph)
