"""A real window: what crashes a canvas does not show in a model."""

import numpy as np
import pytest

from napari_hsr import Cube, Wavelengths
from napari_hsr.viewer import layers

from ..thorough import thorough


@pytest.mark.parametrize("times", thorough([2, 3], always=[2]))
def test_cubes_come_and_go_in_a_real_window(make_napari_viewer, qtbot, times):
    viewer = make_napari_viewer(show=True)
    grids = (None, Wavelengths(range(400, 701, 10)))
    for grid in grids * times:
        bands = len(grid) if grid else 12
        layers.add_cube(viewer, Cube(np.random.default_rng(0).random((bands, 40, 50)), grid))
        qtbot.wait(50)
        assert viewer.screenshot(flash=False).std() > 0
        viewer.layers.clear()
        qtbot.wait(50)
    assert not viewer.canvas.overlays.text.visible
