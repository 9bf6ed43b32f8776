"""INR-HSISR against the original's outputs, its windows, and the grid between the pixels."""

import copy

import numpy as np
import pytest
import torch

from napari_hsr import reconstruct
from napari_hsr.errors import InputError, ModelError
from napari_hsr.models import between_pixels, from_state_dict
from napari_hsr.models.architectures import inr
from napari_hsr.models.optimised_copy import prepared

from ...double_precision import assert_exact, assert_original, first, input_of
from ...thorough import thorough

#: The same build, small enough to be made in no time.
SMALL = inr.Layout(channels=3, widths=(4, 6, 8, 8, 12), blocks=2, hidden=inr.HIDDEN, bands=31)
LAYOUTS = [
    SMALL,
    inr.Layout(channels=3, widths=(8, 8, 8, 8, 16), blocks=1, hidden=inr.HIDDEN, bands=24),
    inr.Layout(channels=3, widths=(4, 4, 4, 4, 4), blocks=7, hidden=16, bands=31),
]


def _weights(layout, seed=0):
    torch.manual_seed(seed)
    return inr.INR(layout).state_dict()


@pytest.fixture(scope="module")
def original(parity):
    return from_state_dict(parity.weights("inr"))


@pytest.fixture(scope="module")
def small():
    return from_state_dict(_weights(SMALL))


@pytest.mark.parametrize("case", thorough([1, 2], always=[1]))
def test_parity(golden, parity, original, case):
    expected = golden("inr", case)
    for size in ((8, 12), (16, 8)):
        original.module(torch.zeros(1, 3, *size))  # coordinates belong to the call, not the model
    module, image = original.module, expected.input
    assert_original(module(image), expected.output, module, image, expected.tolerance)


def test_keys_and_shapes(parity, original):
    shapes = {key: list(value.shape) for key, value in original.module.state_dict().items()}
    assert shapes == parity.spec("inr")["keys"]
    assert original.module.layout == inr.PUBLISHED_LAYOUT
    assert original.card.architecture == inr.ARCHITECTURE.id
    assert not original.module.training


def test_pipeline_of_the_original(pipeline, parity, original):
    """Its program keeps the rows and columns that make whole cells."""
    golden = pipeline("inr")
    height, width, _ = golden.outputs["cube"].shape
    photograph = golden.photograph[:height, :width]
    for tile in ("auto", "whole"):
        cube = reconstruct(photograph, original, tile=tile, device="cpu")
        assert_original(
            cube.data,
            golden.outputs["cube"].transpose(2, 0, 1),
            original.module,
            input_of(original, photograph / np.float32(255)),
            parity.TOLERANCES["inr"],
            run=first,
        )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_is_read_off_the_weights(layout, parity):
    weights = _weights(layout)
    assert inr.ARCHITECTURE.detect(weights)
    assert inr.layout_of(weights) == layout
    model = from_state_dict(weights, parity.card(inr.ARCHITECTURE.id, layout.bands))
    assert model.module.layout == layout
    assert model.module(torch.rand(1, 3, 8, 12)).shape == (1, layout.bands, 8, 12)


def test_bands_of_a_card_tell_the_width_of_the_perceptron(parity):
    layout = inr.Layout(channels=3, widths=(4, 4, 4, 4, 4), blocks=1, hidden=20, bands=12)
    model = from_state_dict(_weights(layout), parity.card(inr.ARCHITECTURE.id, 12))
    assert model.module.layout == layout
    with pytest.raises(ModelError, match="for 13 bands"):
        from_state_dict(_weights(layout), parity.card(inr.ARCHITECTURE.id, 13))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (4, 4), (5, 70), (8, 8), (13, 22)])
def test_any_size(small, size):
    out = small.module(torch.rand(2, 3, *size))
    assert out.shape == (2, 31, *size)
    assert out.isfinite().all()


def test_rows_at_once_change_nothing(small):
    image = torch.rand(2, 3, 20, 12)
    in_parts = copy.deepcopy(small.module)
    in_parts.bytes_at_once = 1
    assert_exact(in_parts(image), small.module, image, 1e-6)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_constant_images_give_finite_cubes(small, value):
    cube = reconstruct(np.full((7, 9, 3), value), small, device="cpu")
    assert np.isfinite(cube.data).all()
    assert cube.data.min() >= 0
    assert cube.data.max() <= 1


def test_runs_in_windows_as_trained(small):
    image = np.random.default_rng(0).random((70, 90, 3)).astype(np.float32)
    sizes = []
    run = prepared(small, "float32")
    handle = run.register_forward_pre_hook(lambda _, x: sizes.append(x[0].shape[-2:]))
    try:
        cube = reconstruct(image, small, device="cpu")
        whole = reconstruct(image, small, tile="whole", device="cpu")
    finally:
        handle.remove()
    assert {tuple(s) for s in sizes[:-1]} == {(64, 64)}
    assert len(sizes) == 4 + 1
    assert cube.shape == whole.shape == (31, 70, 90)
    assert "64 × 64" in cube.notices[0]
    assert "whole image" in whole.notices[0]


def test_the_corner_of_a_windowed_cube_is_that_of_its_window(small):
    image = np.random.default_rng(0).random((70, 90, 3)).astype(np.float32)
    cube = reconstruct(image, small, device="cpu")
    corner = reconstruct(image[:64, :64], small, device="cpu")
    np.testing.assert_allclose(cube.data[:, :6, :26], corner.data[:, :6, :26], atol=1e-6)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_finer_grid(small, factor):
    fine = between_pixels(small, factor)
    image = np.random.default_rng(0).random((9, 14, 3)).astype(np.float32)
    cube = reconstruct(image, fine, device="cpu")
    assert cube.shape == (31, 9 * factor, 14 * factor)
    assert any("never trained" in notice for notice in cube.notices)
    assert fine.module.hyper is small.module.hyper  # one set of weights, whatever the grid


def test_the_finer_grid_passes_through_the_coarse_one(small):
    """Of three fine pixels the middle one stands where the coarse pixel does."""
    image = torch.rand(1, 3, 13, 22)
    with torch.device("meta"):
        fine = inr.INR(SMALL, finer=3)
    fine.hyper = small.module.hyper
    torch.testing.assert_close(
        fine(image)[..., 1::3, 1::3], small.module(image), rtol=1e-4, atol=1e-4
    )


def test_only_what_can_be_finer_is(small):
    from napari_hsr import load_model

    with pytest.raises(InputError, match="1, 2 or 4"):
        between_pixels(small, 3)
    with pytest.raises(InputError, match="cannot be evaluated between"):
        between_pixels(load_model("rootpoly-srgb"), 2)
    assert between_pixels(between_pixels(small, 4), 1).notices == ()


def test_faults_are_named():
    weights = _weights(SMALL)
    key = "hyper.model.11.conv_block.0.1.bias"
    with pytest.raises(ModelError, match=f"{key}.*missing"):
        from_state_dict({k: v for k, v in weights.items() if k != key})
    with pytest.raises(ModelError, match=rf"{key} is \(5\)"):
        from_state_dict({**weights, key: torch.ones(5)})
    last = "hyper.model.12.weight"
    with pytest.raises(ModelError, match="no perceptron"):
        from_state_dict({**weights, last: torch.ones(7, 12, 1, 1)})
