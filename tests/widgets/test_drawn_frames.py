"""What somebody drew in one frame of a film, with napari's own tools, counts in that frame alone."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.errors import InputError
from napari_hsr.inference.stacks.frame_cubes import FrameCubes
from napari_hsr.photograph_stack import StackAxis, stack_of_array
from napari_hsr.viewer import frames, pins, regions
from napari_hsr.viewer.areas import drawn_area
from napari_hsr.viewer.drawn_frames import frames_told
from napari_hsr.viewer.names import numbered
from napari_hsr.viewer.regions import UnreadLabels
from napari_hsr.widgets.compare.several import mask_of, masks_of
from napari_hsr.widgets.maps.unmix_form import UnmixForm
from napari_hsr.widgets.spectra.panel import SpectraWidget

COUNT, STEP, START = 4, 0.5, 0.25
BOX = np.array([[0.0, 0], [0, 2], [2, 2], [2, 0]])


@pytest.fixture
def viewer():
    """A film whose frames begin between two of the steps that napari's empty layers have."""
    viewer = ViewerModel()
    values = np.random.default_rng(3).integers(20, 230, (COUNT, 6, 8, 3)).astype(np.uint8)
    axes = (StackAxis("time", COUNT, STEP, START, "second"),)
    stack = stack_of_array(values, name="film", axes=axes)
    source = frames.add_stack(viewer, stack)
    cubes = FrameCubes(stack, "rootpoly-srgb")
    frames.add_frames(viewer, cubes, source, cubes[0], "cubes")
    return viewer


def go(viewer, frame):
    viewer.dims.set_point(0, START + STEP * frame)


def painted(viewer):
    """Label 1 at (1, 2) in frame 0 and at (4, 5) in frame 2, each in another band."""
    viewer.layers.selection.active = viewer.layers["cubes"]
    viewer._new_labels()
    layer = viewer.layers[-1]
    layer.data[0, 3, 1, 2] = layer.data[2, 7, 4, 5] = 1
    layer.data[2, 8, 4, 6] = 2
    return layer


def drawn(viewer):
    """A box around (1, 1) in frame 0, one around (3, 5) in frame 2."""
    layer = viewer.add_shapes(ndim=4, scale=viewer.layers.extent.step, name="boxes")
    for frame, at in ((0, (0, 0)), (2, (2, 4))):
        go(viewer, frame)
        lead = np.tile(np.array(viewer.dims.point[:2]) / layer.scale[:2], (4, 1))
        layer.add(np.hstack([lead, BOX + at]), shape_type="polygon")
    return layer


def pinned(viewer):
    layer = viewer.add_points(ndim=4, scale=viewer.layers.extent.step)
    for frame, at in ((0, (1, 1)), (2, (3, 5)), (2, (4, 5))):
        go(viewer, frame)
        pins.add_pin(viewer, layer, at)
    return layer


def test_labels_are_those_of_the_frame_on_show_in_any_band(viewer):
    layer = painted(viewer)
    for frame, expected in ((0, {(1, 2): 1}), (1, {}), (2, {(4, 5): 1, (4, 6): 2}), (3, {})):
        go(viewer, frame)
        found, count = UnreadLabels.of(layer, viewer).read(9)
        assert count == len(set(expected.values()))
        places = (
            {}
            if found is None
            else {tuple(at): found.image[tuple(at)] for at in np.argwhere(found.image)}
        )
        assert {tuple(map(int, at)): int(label) for at, label in places.items()} == expected


def test_labels_that_end_before_a_frame_have_none_there(viewer):
    layer = viewer.add_labels(
        np.ones((2, 31, 6, 8), int), scale=(STEP, 10, 1, 1), translate=(START, 400, 0, 0)
    )
    go(viewer, 1)
    assert UnreadLabels.of(layer, viewer).read(9)[1] == 1
    go(viewer, 3)
    assert UnreadLabels.of(layer, viewer).read(9) == (None, 0)


def test_only_the_frame_on_show_is_read_of_labels_on_disk(viewer, monkeypatch, tmp_path):
    monkeypatch.setattr(regions, "MOST_LAZY", 31 * 6 * 8)
    layer = painted(viewer)
    np.save(tmp_path / "a.npy", layer.data)
    layer.data = np.load(tmp_path / "a.npy", mmap_mode="r")
    go(viewer, 2)
    assert UnreadLabels.of(layer, viewer).read(9)[1] == 2


def test_shapes_are_those_of_the_frame_on_show(viewer):
    layer = drawn(viewer)
    for frame, names in ((0, ["boxes 1"]), (1, []), (2, ["boxes 2"])):
        go(viewer, frame)
        assert [one.name for one in regions.shape_regions(layer, viewer)] == names
    assert len(regions.shape_regions(layer, viewer, every=True)) == 2
    assert numbered(layer)[0] == [1, 2]


def test_pins_are_those_of_the_frame_on_show_and_keep_their_numbers(viewer):
    layer = pinned(viewer)
    for frame, expected in ((0, [(0, 1, (1, 1))]), (1, []), (2, [(1, 2, (3, 5)), (2, 3, (4, 5))])):
        go(viewer, frame)
        found = pins.pins_of(viewer, layer, 9)
        assert [(one.row, one.number, one.place) for one in found] == expected
    go(viewer, 2)
    assert [one.number for one in pins.pins_of(viewer, layer, 1)] == [2]
    every = pins.pins_of(viewer, layer, 9, every=True)
    assert [(one.number, one.here) for one in every] == [(2, True), (3, True), (1, False)]


@pytest.mark.parametrize("ndim", [2, 3])
def test_what_has_no_axis_of_frames_counts_in_each(viewer, ndim):
    points = viewer.add_points(np.full((1, ndim), 2.0))
    pins.tidy(points)
    shapes = viewer.add_shapes([np.hstack([np.zeros((4, ndim - 2)), BOX])])
    labels = viewer.add_labels(np.ones((1, 6, 8)[3 - ndim :], int))
    for frame in range(COUNT):
        go(viewer, frame)
        assert len(pins.pins_of(viewer, points, 9)) == 1
        assert len(regions.shape_regions(shapes, viewer)) == 1
        assert UnreadLabels.of(labels, viewer).read(9)[1] == 1
    said = frames_told(viewer, points)
    assert ("all counts in every frame" in said) == (ndim == 3)
    viewer.layers["cubes"].visible = False
    assert frames_told(viewer, points) == ""


def test_an_area_is_that_of_a_shape_on_show(viewer):
    layer, cubes = drawn(viewer), viewer.layers["cubes"]
    layer.selected_data = {1}
    go(viewer, 0)  # the other one is selected, and out of sight
    assert drawn_area(viewer, cubes, layer) == (slice(0, 3), slice(0, 3))
    go(viewer, 2)
    assert drawn_area(viewer, cubes, layer) == (slice(2, 5), slice(4, 7))
    go(viewer, 1)
    with pytest.raises(InputError, match="no shape in the frame on show"):
        drawn_area(viewer, cubes, layer)


@pytest.mark.parametrize("make", [painted, drawn])
def test_a_comparison_of_all_frames_has_the_region_of_each(viewer, make):
    layer, cubes = make(viewer), viewer.layers["cubes"]
    of_each = masks_of(layer, cubes, viewer)
    masks = [of_each((frame,)) for frame in range(COUNT)]
    assert [mask.any() for mask in masks] == [True, False, True, False]
    assert not (masks[0] & masks[2]).any()
    for frame in range(COUNT):
        go(viewer, frame)
        np.testing.assert_array_equal(mask_of(layer, cubes, viewer)(), masks[frame])


@pytest.fixture
def panel(viewer, qtbot):
    panel = SpectraWidget(viewer)
    qtbot.addWidget(panel)
    yield panel
    panel.release()


def test_spectra_measures_what_was_drawn_in_the_frame_on_show(viewer, panel, qtbot):
    labels = painted(viewer)
    points = pinned(viewer)
    panel.points.set_layer(points)
    cubes = viewer.layers["cubes"].data.frames
    for frame, at in ((2, (4, 5)), (0, (1, 2))):
        go(viewer, frame)
        qtbot.waitUntil(panel.measured)
        (region,) = [one for one in panel.kept if one.name == f"{labels.name} 1"]
        np.testing.assert_allclose(region.curve.mean, cubes[frame].data[(slice(None), *at)])
        assert region.curve.count == 1
        shown = {one.name for one in panel.kept if one.pixel is not None}
        assert shown == ({"pin 1"} if frame == 0 else {"pin 2", "pin 3"})
    said = f"Of {labels.name}, {points.name}, what was drawn in the frame on show counts."
    assert said in panel.message.text()


def test_pins_over_time_are_those_of_all_frames(viewer, panel, qtbot):
    panel.points.set_layer(pinned(viewer))
    window = panel.open_window("Over time")
    for frame in (2, 0):
        go(viewer, frame)
        panel._update_all()
        qtbot.waitUntil(lambda: not window.busy and window.values.shape == (3, COUNT))
        assert [curve.name for curve in window.plot.curves] == ["pin 1", "pin 2", "pin 3"]
        assert np.isfinite(window.values).all()


def test_unmixing_refuses_what_is_not_in_the_frame_on_show(viewer, qtbot):
    boxes, form = drawn(viewer), UnmixForm(viewer)
    qtbot.addWidget(form)
    go(viewer, 2)
    form.set_layer(viewer.layers["cubes"])
    form.tick("boxes 2")
    assert form.renew()
    still = form.taken()[boxes]
    go(viewer, 0)
    assert still(None)  # it was measured in its own frame, and lies there
    assert not form.renew()
    assert "boxes 2 is not there any more, or not in the frame on show" in form.message.text()
    assert list(form._listed) == ["boxes 1"]
