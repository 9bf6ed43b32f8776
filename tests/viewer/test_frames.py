"""Stacks of photographs and the cubes of their frames as layers, on the same sliders."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image

from napari_hsr import spectra
from napari_hsr.errors import InputError
from napari_hsr.inference.stacks.frame_cubes import FrameCubes, State
from napari_hsr.photograph_stack import StackAxis, stack_of_array
from napari_hsr.viewer import axis, contributions, frames, layer_data
from napari_hsr.viewer.layers import set_wavelengths
from napari_hsr.viewer.rendering import add_true_colour, true_colour

MODEL, COUNT = "rootpoly-srgb", 5


@pytest.fixture
def values():
    return np.random.default_rng(3).integers(20, 230, (COUNT, 6, 8, 3)).astype(np.uint8)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def shown(viewer, values):
    """A viewer with a stack and the cubes of its frames: (viewer, stack layer, cube layer)."""
    axes = (StackAxis("time", COUNT, 0.5, 0.0, "second"),)
    stack = stack_of_array(values, name="film", axes=axes)
    source = frames.add_stack(viewer, stack)
    cubes = FrameCubes(stack, MODEL)
    layer = frames.add_frames(viewer, cubes, source, cubes[0], "film · cubes")
    return viewer, source, layer


def test_both_lie_on_the_same_axes(shown):
    viewer, source, layer = shown
    assert layer.data.shape == (COUNT, 31, 6, 8)
    assert layer.axis_labels == ("time (s)", "λ (nm)", "y", "x")
    assert [str(unit) for unit in layer.units] == ["second", "nanometer", "pixel", "pixel"]
    assert tuple(viewer.dims.range[0]) == (0.0, 2.0, 0.5)
    assert tuple(viewer.dims.range[1]) == (400.0, 700.0, 10.0)
    assert axis.current_nm(viewer, layer) == 550.0
    assert source.data.shape == (COUNT, 1, 6, 8, 3)


def test_the_time_slider_moves_both_and_the_wavelength_slider_the_cubes(shown, values):
    viewer, source, layer = shown
    viewer.dims.set_point(0, 1.5)
    axis.go_to(viewer, 640.0)
    cube = layer.data.frames[3]
    np.testing.assert_array_equal(layer._slice.image.raw, cube.data[24])
    np.testing.assert_array_equal(source._slice.image.raw, values[3])
    assert frames.shown_frame(viewer, layer) == frames.shown_frame(viewer, source) == (3,)


def test_a_cube_of_the_layer_is_that_of_the_frame_on_show(shown):
    viewer, _, layer = shown
    assert layer in layer_data.cube_layers(viewer)
    viewer.dims.set_point(0, 1.0)
    cube = layer_data.layer_cube(layer)
    assert cube.name == "film · cubes · frame 3"
    assert cube.provenance.model == MODEL
    np.testing.assert_array_equal(cube.data, layer.data.frames[2].data)
    curve = spectra.pixel(cube, 1, 2)
    np.testing.assert_allclose(curve.mean, layer.data.frames[2].data[:, 1, 2])
    assert true_colour(cube).data.shape == (6, 8, 3)
    assert layer_data.pixel_at(layer, (1.0, 550.0, 4.0, 7.0), viewer) == (4, 7)


def test_what_is_not_there_yet_is_empty_and_never_waited_for(shown):
    viewer, _, layer = shown
    cubes = layer.data.frames
    cubes.on_ask = lambda: None  # somebody computes, but has not begun
    viewer.dims.set_point(0, 2.0)
    assert np.isnan(layer._slice.image.raw).all()
    assert cubes.shown == (4,)
    list(cubes.events(State.PLACEHOLDER))
    heard = []
    layer.events.data.connect(lambda event: heard.append(event))
    frames.frame_changed(layer)
    assert np.isfinite(layer._slice.image.raw).all()
    assert heard


def test_the_stack_of_another_program_gets_its_axis_of_bands(viewer, values):
    layer = viewer.add_image(values, rgb=True, scale=(2, 1, 1), axis_labels=("t", "y", "x"))
    stack = frames.layer_stack(layer)
    assert (stack.encoding, stack.axes[0].step, stack.axes[0].name) == ("srgb", 2.0, "t")
    cubes = FrameCubes(stack, MODEL)
    made = frames.add_frames(viewer, cubes, layer, cubes[0], "cubes")
    assert [one.name for one in viewer.layers] == [layer.name, "cubes"]
    assert viewer.layers[0].data.shape == (COUNT, 1, 6, 8, 3)
    assert tuple(viewer.dims.range[0]) == (0.0, 8.0, 2.0)
    assert made.data.shape == (COUNT, 31, 6, 8)
    with pytest.raises(InputError, match="no stack"):
        frames.layer_stack(made)


def test_folders_and_animations_open_as_stacks(values, tmp_path):
    for number, picture in enumerate(values):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    reader = contributions.get_reader(str(tmp_path))
    ((data, keywords, kind),) = reader(str(tmp_path))
    assert (data.shape, keywords["rgb"], kind) == ((COUNT, 1, 6, 8, 3), True, "image")
    np.testing.assert_array_equal(np.asarray(data)[:, 0], values)
    np.testing.assert_array_equal(data[2, 0, 1:3, 4], values[2, 1:3, 4])
    several = [str(tmp_path / f"{number}.png") for number in (0, 3)]
    ((data, *_),) = contributions.get_reader(several)(several)
    np.testing.assert_array_equal(data[1, 0], values[3])


def test_a_picture_of_another_frame_is_another_picture(shown):
    viewer, _, layer = shown
    viewer.dims.set_point(0, 0.5)
    first = add_true_colour(viewer, layer)
    before = np.array(first.data)
    viewer.dims.set_point(0, 1.0)
    other = add_true_colour(viewer, layer)
    names = [f"film · cubes · frame {number} · true colour" for number in (2, 3)]
    assert [first.name, other.name] == names
    np.testing.assert_array_equal(first.data, before)
    assert add_true_colour(viewer, layer) == other
    other.name = "dry leaf"  # the user's own
    assert add_true_colour(viewer, layer) not in (first, other)
    assert add_true_colour(viewer, layer).name == names[1]


def test_wavelengths_of_frames_are_the_models(shown):
    _, _, layer = shown
    with pytest.raises(InputError, match="those of the model"):
        set_wavelengths(layer, np.linspace(500, 800, 31))
    assert layer_data.layer_wavelengths(layer).nm[0] == 400
