"""Whether a layer still holds what was read for it: each kind of change is told by an event, and seen."""

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from napari_hsr.viewer.as_read import Held, Lying, changes_of

MOVES = {
    "scale": lambda layer: setattr(layer, "scale", [2.0] * layer.ndim),
    "translate": lambda layer: setattr(layer, "translate", [3.0] * layer.ndim),
    "rotate": lambda layer: setattr(layer, "rotate", 30),
    "shear": lambda layer: setattr(layer, "shear", [0.2]),
    "affine": lambda layer: setattr(layer, "affine", np.diag([2.0, 1, 1])),
    "units": lambda layer: setattr(layer, "units", ("mm",) * layer.ndim),
}
PAINTING = {
    "paint": lambda layer: layer.paint((1, 1), 3),
    "fill": lambda layer: layer.fill((0, 0), 4),
    "undo": lambda layer: layer.undo(),
    "redo": lambda layer: (layer.undo(), layer.redo(), layer.undo()),
    "data": lambda layer: setattr(layer, "data", np.ones((8, 9), int)),
    "written where it lies": lambda layer: (layer.data.__setitem__((0, 0), 7), layer.refresh()),
}
DRAWING = {
    "data": lambda layer: setattr(layer, "data", [layer.data[0] + 1]),
    "removed": lambda layer: layer.remove_selected(),
    "pasted": lambda layer: (layer._copy_data(), layer._paste_data()),
}


def labels(viewer, data=None):
    layer = viewer.add_labels(np.zeros((8, 9), int) if data is None else data, name="labels")
    layer.paint((5, 5), 1)
    layer.paint((2, 2), 2)
    return layer


def drawn(viewer, kind):
    if kind == "Points":
        layer = viewer.add_points([[1.0, 1]])
    else:
        layer = viewer.add_shapes([np.array([[1.0, 1], [1, 4], [3, 4], [3, 1]])])
    layer.selected_data = {0}
    return layer


def noted(layer):
    """What the layer holds, and what :class:`Held` says at each event that is to be heard."""
    held, said = Held(layer), []
    for name in changes_of(layer):
        getattr(layer.events, name).connect(lambda event: said.append(held.values_after(event)))
    return held, said


@pytest.mark.parametrize("change", PAINTING)
def test_painted_labels_are_others(change):
    layer = labels(ViewerModel())
    held, said = noted(layer)
    PAINTING[change](layer)
    assert False in said
    assert not held.values_by(layer)


@pytest.mark.parametrize("change", ["paint", "undo", "redo"])
def test_labels_on_disk_that_are_painted_are_others(change, tmp_path):
    stored = zarr.create_array(tmp_path / "l.zarr", shape=(8, 9), dtype=int)
    layer = labels(ViewerModel(), stored)
    held, said = noted(layer)
    PAINTING[change](layer)
    assert False in said
    assert not held.values_by(layer)


@pytest.mark.parametrize("kind", ["Points", "Shapes"])
@pytest.mark.parametrize("change", DRAWING)
def test_drawn_shapes_and_points_are_others(kind, change):
    layer = drawn(ViewerModel(), kind)
    held, said = noted(layer)
    DRAWING[change](layer)
    assert False in said
    assert not held.values_by(layer)


def test_a_rectangle_that_becomes_an_ellipse_is_another():
    layer = drawn(ViewerModel(), "Shapes")
    held, said = noted(layer)
    layer.shape_type = ["ellipse"]
    assert False in said
    assert not held.values_by(layer)


@pytest.mark.parametrize("kind", ["Labels", "Points", "Shapes"])
def test_what_changes_nothing_is_no_change(kind):
    viewer = ViewerModel()
    layer = labels(viewer) if kind == "Labels" else drawn(viewer, kind)
    _, said = noted(layer)
    layer.visible = False
    layer.visible = True
    layer.refresh()
    layer.metadata = dict(layer.metadata)
    assert said
    assert all(said)


@pytest.mark.parametrize("moved", ["region", "cube"])
@pytest.mark.parametrize("change", MOVES)
def test_a_region_that_is_moved_over_its_cube(change, moved):
    viewer = ViewerModel()
    cube = viewer.add_image(np.zeros((8, 9)), units=("um", "um"))
    region = viewer.add_shapes(
        [np.array([[1.0, 1], [1, 4], [3, 4], [3, 1]])], units=("um", "um"), ndim=2
    )
    lying, layer, heard = Lying(viewer, region, cube), region if moved == "region" else cube, []
    for name in changes_of(layer):
        getattr(layer.events, name).connect(lambda event: heard.append(event.type))
    assert lying.still()
    MOVES[change](layer)
    assert change in heard
    assert not lying.still()


def test_what_is_moved_together_lies_as_before():
    viewer = ViewerModel()
    cube = viewer.add_image(np.zeros((8, 9)), units=("um", "um"))
    region = viewer.add_labels(np.zeros((8, 9), int), units=("um", "um"))
    lying = Lying(viewer, region, cube)
    cube.translate = region.translate = (5, 6)
    viewer.add_image(np.zeros((8, 9)), units=("nm", "nm"))  # the world is in nanometres now
    assert lying.still()
