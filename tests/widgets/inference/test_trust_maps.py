"""Intervals asked for in the Reconstruct panel become hidden maps over the cube."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr import Photograph
from napari_hsr.inference import reconstruct_events
from napari_hsr.progress import result_of
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.viewer.trust_maps import add_trust_maps
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget

from .panel_runs import run, settle


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def photograph():
    values = np.random.default_rng(0).integers(1, 250, (12, 17, 3), dtype=np.uint8)
    return Photograph(values, encoding="srgb", name="photo")


def test_all_maps_of_a_result_lie_hidden_over_its_cube(viewer, photograph):
    options = {"intervals": True, "camera": "cie-1931"}
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb", **options))
    cube = add_cube(viewer, result.cube, scale=(2, 2))
    maps = add_trust_maps(viewer, result, cube)
    assert [layer.name.split(" · ")[0] for layer in maps] == [
        "Half-width of the 90% interval",
        "Half-width of the 90% interval, relative",
        "Unlike the training (above 1)",
        "Measured share",
        "Colour residual of the network",
    ]
    assert not any(layer.visible for layer in maps)
    np.testing.assert_array_equal(maps[2].data, result.trust.intervals.unlike)
    np.testing.assert_array_equal(maps[3].data, result.trust.colours.share)
    assert all(tuple(layer.scale) == (2, 2) for layer in maps)
    assert viewer.layers[0] is cube
    assert set(viewer.layers) == {cube, *maps}
    assert viewer.layers.selection.active is cube


def test_the_panel_offers_them_where_the_model_is_calibrated(viewer, photograph, qtbot):
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    panel.model.set_name("rootpoly-srgb")
    add_photograph(viewer, photograph)
    settle(panel, qtbot)
    box = panel.advanced.intervals
    assert box.isEnabled()
    run(panel, qtbot)
    assert len(viewer.layers) == 2  # no maps unless asked for
    box.setChecked(True)
    run(panel, qtbot)
    assert sum("interval" in layer.name for layer in viewer.layers) == 2
    panel.model.set_name("rootpoly-nikon-d700")
    settle(panel, qtbot)
    assert not box.isEnabled()
    assert "no calibrated intervals" in box.toolTip()
    assert not panel.advanced.options()["intervals"]
