"""Error maps as layers, and the grid view with its way back."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.metrics.maps import ErrorMap
from napari_hsr.viewer import canvas_text
from napari_hsr.viewer.comparison import KEY, map_layers, show_maps
from napari_hsr.viewer.layers import add_cube
from napari_hsr.viewer.side_by_side import BAR_STRIP, NAME_STRIP, GridView, best_shape

GRID = ("enabled", "shape", "stride", "spacing")


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def pair(viewer):
    rng = np.random.default_rng(0)
    nm = Wavelengths(np.arange(400.0, 500.0, 10.0))
    truth = rng.random((10, 12, 16), dtype=np.float32)
    noisy = truth + 0.05 * rng.standard_normal(truth.shape).astype(np.float32)
    return (
        add_cube(viewer, Cube(noisy, nm, name="guess")),
        add_cube(viewer, Cube(truth, nm, name="truth")),
    )


def maps(seed=1, *names):
    rng = np.random.default_rng(seed)
    made = {
        "sam": ErrorMap(rng.random((12, 16)) * 9, "SAM", "°", "low", (0.0, 9.0)),
        "rmse": ErrorMap(rng.random((12, 16)), "RMSE", "", "low", (0.0, 1.0)),
        "psnr": ErrorMap(20 + rng.random((12, 16)), "PSNR", "dB", "high", (20.0, 21.0)),
    }
    return {name: made[name] for name in names or made}


def test_a_map_lies_exactly_over_the_prediction(viewer, pair):
    prediction, truth = pair
    prediction.scale = (10, 4, 4)
    prediction.translate = (400, 1.5, -2)
    prediction.rotate = 30
    prediction.affine = np.array([[1, 0, 0, 0], [0, 1, 0.1, 3], [0, 0, 1, 5], [0, 0, 0, 1.0]])
    layer = show_maps(viewer, maps(), prediction, truth)[0]
    for pixel in [(0, 0), (11, 15), (3, 8)]:
        np.testing.assert_allclose(
            layer.data_to_world(pixel), prediction.data_to_world((0, *pixel))[-2:], atol=1e-9
        )
    assert layer.units == prediction.units[-2:]


@pytest.mark.parametrize("swapped", [False, True])
def test_maps_lie_above_both_cubes_and_below_points(viewer, pair, swapped):
    points = viewer.add_points([[0, 1, 1]])
    sam, *_ = show_maps(viewer, maps(), *(pair[::-1] if swapped else pair))
    assert viewer.layers.index(sam) > max(map(viewer.layers.index, pair))
    assert viewer.layers[-1] is points


def test_maps_lie_above_other_cubes_too(viewer, pair):
    other = viewer.add_image(np.zeros((31, 12, 16)), name="another prediction")
    points = viewer.add_points([[0, 1, 1]])
    sam, rmse, psnr = show_maps(viewer, maps(), *pair)
    assert list(viewer.layers)[-5:] == [other, sam, rmse, psnr, points]


def test_name_bar_and_limits_say_what_is_shown(viewer, pair):
    sam, rmse, psnr = show_maps(viewer, maps(), *pair)
    assert sam.name == "SAM (°) · guess"
    assert rmse.name == "RMSE · guess"
    assert psnr.name == "PSNR (dB) · guess"
    assert tuple(sam.contrast_limits) == (0.0, 9.0)
    assert tuple(psnr.contrast_limits) == (20.0, 21.0)
    assert sam.colormap.name == "magma"
    assert psnr.colormap.name == "viridis"
    assert all(layer.colorbar.visible for layer in (sam, psnr))
    assert viewer.canvas.overlays[canvas_text.OVERLAY].text == "SAM (°)"
    assert [layer.visible for layer in (sam, rmse, psnr)] == [True, False, False]


def test_comparing_again_replaces_the_maps_of_the_same_pair_only(viewer, pair):
    prediction, truth = pair
    first = show_maps(viewer, maps(1), prediction, truth)
    first[1].visible = True
    show_maps(viewer, maps(1), truth, prediction)  # another pair: the other way round
    number = len(viewer.layers)
    prediction.name = "better guess"
    again = show_maps(viewer, maps(2), prediction, truth)
    assert len(viewer.layers) == number
    assert again == first
    np.testing.assert_array_equal(again[0].data, maps(2)["sam"].data.astype(np.float32))
    assert again[0].name == "SAM (°) · better guess"
    assert again[1].visible  # as the user left it
    assert again[0].metadata[KEY]["prediction"] == "better guess"


def test_a_map_not_asked_for_again_goes(viewer, pair):
    show_maps(viewer, maps(), *pair)
    show_maps(viewer, maps(2, "sam"), *pair)
    assert list(map_layers(viewer, *pair)) == ["sam"]


def test_the_selection_stays_where_it_was(viewer, pair):
    viewer.layers.selection.active = pair[0]
    show_maps(viewer, maps(), *pair)
    assert viewer.layers.selection == {pair[0]}
    assert viewer.layers.selection.active == pair[0]


def test_the_name_tells_the_model_however_long(viewer, pair):
    pair[0].name = "chart photograph · root-polynomial, srgb"
    layer = show_maps(viewer, maps(), *pair)[0]
    assert layer.name == "SAM (°) · chart photograph · root-polynomial, srgb"
    pair[0].name = f"{'a photograph with a very long name ' * 3}· root-polynomial, srgb"
    layer = show_maps(viewer, maps(), *pair)[0]
    assert layer.name.startswith("SAM (°) · a photograph with")
    assert layer.name.endswith("root-polynomial, srgb")
    assert len(layer.name) < 75


def test_a_map_without_contrast_is_shown_all_the_same(viewer, pair):
    flat = ErrorMap(np.zeros((12, 16)), "RMSE", "", "low", (0.0, 0.0))
    (layer,) = show_maps(viewer, {"rmse": flat}, *pair)
    assert layer.contrast_limits[0] < layer.contrast_limits[1]
    show_maps(viewer, {"rmse": flat}, *pair)
    assert layer.contrast_limits[0] < layer.contrast_limits[1]


def state(viewer):
    """All that the grid view may touch."""
    return {
        "order": [layer.name for layer in viewer.layers],
        "visible": {layer.name: layer.visible for layer in viewer.layers},
        "names": {layer.name: layer.name_overlay.visible for layer in viewer.layers},
        "bars": {
            layer.name: (layer.colorbar.position, layer.colorbar.size, layer.colorbar.font_size)
            for layer in viewer.layers
        },
        "name sizes": {layer.name: layer.name_overlay.font_size for layer in viewer.layers},
        "limits": {layer.name: tuple(layer.contrast_limits) for layer in viewer.layers},
        "range": {layer.name: tuple(layer.contrast_limits_range) for layer in viewer.layers},
        "grid": {name: getattr(viewer.canvas.grid, name) for name in GRID},
        "camera": (
            viewer.scene.camera.center,
            viewer.scene.camera.zoom,
            viewer.scene.camera.angles,
        ),
        "selected": {layer.name for layer in viewer.layers.selection},
        "active": getattr(viewer.layers.selection.active, "name", None),
        "point": viewer.dims.point,
    }


@pytest.fixture
def crowded(viewer, pair):
    """A viewer whose layers lie in an order of their own, some of them hidden."""
    prediction, truth = pair
    prediction.contrast_limits = (0.1, 0.7)
    shown = show_maps(viewer, maps(), prediction, truth)
    viewer.add_image(np.ones((12, 16)), name="other")
    viewer.add_image(np.zeros((12, 16)), name="hidden", visible=False)
    viewer.layers.move(0, 4)
    viewer.layers.selection = {truth, shown[0]}
    viewer.layers.selection.active = truth
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 3, 5), 7.5
    viewer.dims.set_point(0, 450)
    return prediction, truth, shown


def test_grid_shows_four_tiles_in_order(viewer, crowded):
    prediction, truth, (sam, rmse, _) = crowded
    GridView(viewer).show(prediction, truth, [sam, rmse])
    tiles = [prediction, truth, sam, rmse]
    assert [layer for layer in viewer.layers if layer.visible] == tiles
    assert all(layer.name_overlay.visible for layer in tiles)
    grid = viewer.canvas.grid
    assert grid.enabled
    rows, columns = grid.actual_shape(viewer.layers)
    assert rows * columns == 4
    places = [grid.position(viewer.layers.index(layer), viewer.layers) for layer in tiles]
    assert places == [divmod(i, columns) for i in range(4)]
    assert viewer.dims.point[0] == 450


@pytest.mark.parametrize("size", [(700, 700), (500, 1400), (900, 600)])
def test_names_and_bars_lie_beside_the_data(viewer, crowded, size):
    prediction, truth, (sam, rmse, _) = crowded
    viewer.canvas.size = size
    GridView(viewer).show(prediction, truth, [sam, rmse])
    height, width = viewer.canvas.viewbox_size(viewer.layers)
    camera = viewer.scene.camera
    low, high = prediction.extent.world[:, -2:]
    middle = np.array([height, width]) / 2
    top, left = middle + (low - camera.center[-2:]) * camera.zoom
    bottom, right = middle + (high - camera.center[-2:]) * camera.zoom
    assert top >= NAME_STRIP
    assert right <= width - BAR_STRIP
    assert left >= 0
    assert bottom <= height
    # As large as that allows.
    assert (bottom - top) / (height - NAME_STRIP) > 0.9 or (
        (right - left) / (width - BAR_STRIP) > 0.9
    )


def test_equal_colours_mean_equal_values_in_the_grid(viewer, crowded):
    prediction, truth, shown = crowded
    before = tuple(truth.contrast_limits)
    view = GridView(viewer)
    view.show(prediction, truth, shown[:1])
    assert tuple(prediction.contrast_limits) == tuple(truth.contrast_limits) == before
    truth.contrast_limits = (0.2, 0.4)
    assert tuple(prediction.contrast_limits) == (0.2, 0.4)
    view.restore()
    truth.contrast_limits = (0.0, 0.3)
    assert tuple(prediction.contrast_limits) == (0.1, 0.7)


@pytest.mark.parametrize("times", [1, 3])
def test_grid_and_back_changes_nothing(viewer, crowded, times):
    prediction, truth, shown = crowded
    viewer.canvas.grid.stride, viewer.canvas.grid.shape = -2, (3, -1)
    before = state(viewer)
    view = GridView(viewer)
    for _ in range(times):
        view.show(prediction, truth, shown[:2])
        view.show(prediction, truth, shown[1:])  # another choice, without leaving
        assert view.active
        viewer.layers.move(0, 3)
        shown[2].visible = False
        view.restore()
    assert not view.active
    assert state(viewer) == before
    view.restore()  # nothing left to do
    assert state(viewer) == before


def test_layers_may_come_and_go_while_the_grid_is_shown(viewer, crowded):
    prediction, truth, shown = crowded
    view = GridView(viewer)
    view.show(prediction, truth, shown[:2])
    viewer.layers.remove(prediction)
    viewer.layers.remove(shown[0])
    viewer.add_image(np.ones((12, 16)), name="new")
    view.restore()
    names = [layer.name for layer in viewer.layers]
    assert names[-1] == "new"
    assert "guess" not in names
    assert viewer.layers["other"].visible
    assert not viewer.canvas.grid.enabled


def test_layers_linked_by_the_user_stay_linked(viewer, crowded):
    prediction, truth, shown = crowded
    viewer.layers.link_layers([prediction, truth], ("contrast_limits",))
    view = GridView(viewer)
    view.show(prediction, truth, shown[:1])
    view.restore()
    truth.contrast_limits = (0.2, 0.4)
    assert tuple(prediction.contrast_limits) == (0.2, 0.4)


@pytest.mark.parametrize(
    ("tiles", "canvas", "aspect", "shape"),
    [
        (4, (600, 800), 1.0, (2, 2)),
        (4, (300, 1200), 1.0, (1, 4)),
        (4, (1200, 300), 1.0, (4, 1)),
        (3, (600, 800), 1.0, (2, 2)),
        (3, (400, 1200), 1.0, (1, 3)),
        (4, (800, 800), 8.0, (4, 1)),
    ],
)
def test_tiles_are_as_large_as_the_window_allows(tiles, canvas, aspect, shape):
    assert best_shape(tiles, canvas, aspect) == shape


def test_the_grid_is_shown_beside_a_stack_of_more_axes(viewer, pair):
    viewer.add_image(np.zeros((2, 3, 4, 12, 16)), name="stack")
    grid = GridView(viewer)
    grid.show(*pair, show_maps(viewer, maps(), *pair))
    assert grid.active
    assert viewer.canvas.grid.enabled
    grid.restore()
    assert not viewer.canvas.grid.enabled
