"""A finer grid through the one loop: shape, words, one copy of the weights."""

import gc
import weakref

import numpy as np
import pytest
import torch

from napari_hsr import load_model, reconstruct
from napari_hsr.errors import InputError
from napari_hsr.inference import estimate, subpixel_grid
from napari_hsr.models import between_pixels, from_state_dict, optimised_copy
from napari_hsr.models.architectures import inr

IMAGE = np.random.default_rng(0).random((20, 12, 3)).astype(np.float32)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return from_state_dict(inr.INR(inr.Layout(3, (4, 6, 8, 8, 12), 2, inr.HIDDEN, 31)).state_dict())


@pytest.mark.parametrize("factor", [2, 4])
def test_it_is_the_finer_model(model, factor):
    cube = reconstruct(IMAGE, model, finer=factor)
    assert cube.shape == (31, 20 * factor, 12 * factor)
    np.testing.assert_array_equal(cube.data, reconstruct(IMAGE, between_pixels(model, factor)).data)
    assert any("never trained for that" in notice for notice in cube.notices)
    assert any(f"{factor} times as fine" in step for step in cube.provenance.steps)


def test_it_takes_more_memory(model):
    once, twice, four = (estimate((20, 12), model, finer=f) for f in subpixel_grid.GRIDS)
    assert [e.bytes_output for e in (twice, four)] == [
        4 * once.bytes_output,
        16 * once.bytes_output,
    ]
    assert once.bytes_working < twice.bytes_working < four.bytes_working


def test_only_where_the_network_can(model):
    assert subpixel_grid.offered(model) == (1, 2, 4)
    pixelwise = load_model("rootpoly-srgb")
    assert subpixel_grid.offered(pixelwise) == (1,)
    assert subpixel_grid.on_grid(pixelwise, 1) is pixelwise
    for ask in (reconstruct, lambda image, *rest, **more: estimate(image.shape, *rest, **more)):
        with pytest.raises(InputError, match="only INR-HSISR can"):
            ask(IMAGE, pixelwise, finer=2)
        with pytest.raises(InputError, match="1, 2 or 4 times as fine, not 3"):
            ask(IMAGE, model, finer=3)


def test_a_batch_prepares_it_once_and_one_copy_is_kept(model):
    reconstruct(IMAGE, model)
    assert model in optimised_copy._MADE
    fine = subpixel_grid.on_grid(model, 2)
    assert model not in optimised_copy._MADE
    reconstruct(IMAGE, model, finer=2)
    assert subpixel_grid.on_grid(model, 2) is fine
    assert fine in optimised_copy._MADE
    assert fine.module.hyper is model.module.hyper
    seen = weakref.ref(fine)
    del fine
    reconstruct(IMAGE, model)  # back on its own grid
    gc.collect()
    assert seen() is None
