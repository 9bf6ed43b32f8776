"""The Compare panel on the cubes of a film: the frame on show, or all."""

import csv

import numpy as np
from napari.components import ViewerModel

from napari_hsr.inference.stacks.frame_cubes import FrameCubes
from napari_hsr.metrics import evaluate
from napari_hsr.photograph_stack import StackAxis, stack_of_array
from napari_hsr.viewer.comparison import map_layers
from napari_hsr.viewer.frames import add_frames, add_stack
from napari_hsr.viewer.layer_data import layer_cube
from napari_hsr.viewer.layers import add_cube
from napari_hsr.widgets.compare.panel import CompareWidget
from napari_hsr.widgets.inference.panel_runs import SuperResolutionRequest
from napari_hsr.widgets.inference.super_resolve import SuperResolveWidget

VALUES = np.random.default_rng(1).integers(20, 230, (3, 16, 16, 3)).astype(np.uint8)


def test_all_frames_get_a_row_and_a_curve(qtbot, tmp_path):
    viewer = ViewerModel()
    axes = (StackAxis("time", 3, 2.0, 0.0, "second"),)
    stack = stack_of_array(VALUES, name="film", axes=axes)
    cubes = FrameCubes(stack, "rootpoly-srgb")
    layer = add_frames(viewer, cubes, add_stack(viewer, stack), cubes[0], "film · cubes")
    truth = FrameCubes(stack, "instant-photo")[1]
    scene = add_cube(viewer, truth, name="truth")
    panel = CompareWidget(viewer)
    qtbot.addWidget(panel)
    panel.form.prediction.set_layer(layer)
    panel.form.truth.set_layer(scene)
    for check in panel.form.checks.values():
        check.setChecked(False)
    assert not panel.form.more.every.isHidden()
    panel.form.more.every.setChecked(True)
    viewer.dims.set_point(0, 2.0)
    panel.run()
    qtbot.waitUntil(lambda: not panel.running)
    expected = [evaluate(cubes[n], truth).values["rmse"] for n in range(3)]
    assert panel.comparison.evaluation.values["rmse"] == expected[1]
    panel.results.curve_chooser.set_value("rmse over frames")
    (curve,) = panel.results.plot.curves
    np.testing.assert_array_equal(curve.x, [0, 2, 4])
    np.testing.assert_array_equal(curve.y, expected)
    assert panel.results.plot.labels[0] == "time (s)"
    panel.export_csv(tmp_path / "frames.csv")
    with (tmp_path / "frames.csv").open() as file:
        assert [float(row["rmse"]) for row in csv.DictReader(file)] == expected
    viewer.dims.set_point(0, 4.0)
    layer.events.data(value=layer.data)  # as when another frame is on show
    assert panel.comparison is not None
    panel.form.more.every.setChecked(False)
    assert panel.comparison is None
    panel.release()


def test_maps_and_finer_cubes_are_called_after_the_frame_that_was_taken(qtbot):
    viewer = ViewerModel()
    stack = stack_of_array(VALUES, name="film", axes=(StackAxis("time", 3, 2.0, 0.0, "second"),))
    cubes = FrameCubes(stack, "rootpoly-srgb")
    layer = add_frames(viewer, cubes, add_stack(viewer, stack), cubes[0], "cubes")
    scene = add_cube(viewer, FrameCubes(stack, "instant-photo")[1], name="truth")
    panel = CompareWidget(viewer)
    qtbot.addWidget(panel)
    panel.form.prediction.set_layer(layer)
    panel.form.truth.set_layer(scene)
    for kind, check in panel.form.checks.items():
        check.setChecked(kind == "sam")
    viewer.dims.set_point(0, 2.0)
    request = SuperResolutionRequest(
        layer_cube(layer), "bicubic-matlab", {"region": None, "refine": False}, 2
    )
    panel.run()
    viewer.dims.set_point(0, 4.0)
    qtbot.waitUntil(lambda: not panel.running)
    (made,) = map_layers(viewer, layer, scene).values()
    assert made.name == "SAM (°) · cubes · frame 2"
    finer = SuperResolveWidget(viewer)
    qtbot.addWidget(finer)
    assert finer._adding(layer, request).keywords["name"] == "cubes · frame 2 · bicubic-matlab ×2"
    finer.release()
    panel.release()
