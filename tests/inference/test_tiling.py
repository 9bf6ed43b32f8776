"""The tile plan: every output pixel once, with its context, within the memory asked for."""

import numpy as np
import pytest
import torch

from napari_hsr.errors import InputError
from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.inference.tiles.one_tile import pad_to_multiple
from napari_hsr.inference.tiles.tiling import spans
from napari_hsr.models import ModelCard
from napari_hsr.models.model import Model

CARD = ModelCard(
    name="toy",
    title="A toy",
    architecture="toy",
    input_encoding="linear-srgb",
    wavelengths_nm=(500, 550, 600),
)


def plan(height, width, model, tile="auto"):
    """The tiles of an image on the CPU."""
    return plan_run(model, height, width, tile=tile, device="cpu").tiles


def toy(module=None, **facts):
    return Model(
        module=module or torch.nn.Identity(), card=CARD, weights_sha256="", bands=3, **facts
    )


@pytest.mark.parametrize("length", [1, 7, 64, 65, 100])
@pytest.mark.parametrize("tile", [1, 16, 64, 1000])
@pytest.mark.parametrize(("context", "multiple"), [(0, 1), (3, 1), (5, 4)])
def test_cores_cover_once_and_read_their_context(length, tile, context, multiple):
    cut = spans(length, tile, context, multiple)
    cores = np.concatenate([np.arange(length)[s.core] for s in cut])
    np.testing.assert_array_equal(cores, np.arange(length))
    for span in cut:
        assert span.read.start <= max(0, span.core.start - context)
        assert span.read.stop == min(length, span.core.stop + context)
        assert span.read.start % multiple == 0
        np.testing.assert_array_equal(
            np.arange(length)[span.read][span.keep], np.arange(length)[span.core]
        )


@pytest.mark.parametrize("tile", [5, 16, 33])
def test_tiled_equals_whole_for_a_network_with_context(tile):
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding="valid"),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 3, 5, padding="valid"),
    )

    class Reflecting(torch.nn.Module):
        """Valid convolutions; the border is only replicated at the image's edge."""

        def forward(self, x):
            return network(torch.nn.functional.pad(x, (3, 3, 3, 3), mode="replicate"))

    model = toy(Reflecting(), context=3)
    image = np.random.default_rng(0).random((41, 50, 3), dtype=np.float32)
    *_, whole = reconstruct_events(image, model, tile="whole")
    *_, tiled = reconstruct_events(image, model, tile=tile)
    assert whole.tiles == 1
    assert tiled.tiles == -(-41 // tile) * -(-50 // tile)
    np.testing.assert_allclose(tiled.cube.data, whole.cube.data, rtol=0, atol=1e-6)


def test_output_finer_than_input():
    model = toy(torch.nn.Upsample(scale_factor=2, mode="nearest"), scale=2)
    image = np.random.default_rng(0).random((7, 9, 3), dtype=np.float32)
    *_, result = reconstruct_events(image, model, tile=4)
    expected = image.repeat(2, 0).repeat(2, 1).transpose(2, 0, 1)
    np.testing.assert_array_equal(result.cube.data, expected)


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (8, 8), (13, 5)])
def test_any_size_with_a_network_that_needs_multiples(shape):
    class Strict(torch.nn.Module):
        def forward(self, x):
            assert x.shape[2] % 8 == 0
            assert x.shape[3] % 8 == 0
            return x

    image = np.random.default_rng(0).random((*shape, 3), dtype=np.float32)
    *_, result = reconstruct_events(image, toy(Strict(), size_multiple=8))
    np.testing.assert_array_equal(result.cube.data, image.transpose(2, 0, 1))


def test_padding_reflects_where_it_can():
    image = np.arange(3 * 5 * 6, dtype=np.float32).reshape(3, 5, 6)
    padded = pad_to_multiple(image, 8)
    np.testing.assert_array_equal(padded[:, 5], padded[:, 3])
    np.testing.assert_array_equal(padded[:, :, 6], padded[:, :, 4])
    small = pad_to_multiple(image[:, :2], 8)
    np.testing.assert_array_equal(small[:, 2:, :6], np.broadcast_to(image[:, 1:2], (3, 6, 6)))


@pytest.mark.parametrize("tile", [0, -3, 2.5, "big", True, None])
def test_tiles_that_are_none(tile):
    with pytest.raises(InputError, match="tile"):
        plan(10, 10, toy(), tile)
