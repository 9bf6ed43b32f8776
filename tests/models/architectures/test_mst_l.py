"""MST against the original: numbers, names, sizes, and the mask of a batch's first image."""

import numpy as np
import pytest
import torch

from napari_hsr import reconstruct
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import mst_l
from napari_hsr.models.architectures.base import shapes_of

#: channels, bands, depths: L, S, M, and two that were never published
SETS = [
    (3, 31, (4, 7, 5)),
    (3, 31, (2, 2, 2)),
    (3, 31, (2, 4, 4)),
    (4, 31, (1, 3)),
    (3, 31, (1, 1, 1, 2)),
]


@pytest.fixture(scope="module")
def published(parity):
    return from_state_dict(parity.weights("mst_l"))


def test_a_batch_takes_the_mask_of_its_first_image(published):
    """As the original does it; so inference runs one image at a time."""
    rgb = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    single = torch.cat([published.module(image[None]) for image in rgb])
    batch = published.module(rgb)
    torch.testing.assert_close(batch[0], single[0], rtol=1e-5, atol=1e-5)
    differs = float((batch[1] - single[1]).abs().max() / single[1].abs().max())
    assert differs > 0.01
    # the second image with the mask of the first is what the batch gives
    again = published.module(torch.stack([rgb[0], rgb[1], rgb[0]]))
    torch.testing.assert_close(again[1], batch[1], rtol=1e-5, atol=1e-5)


def test_a_user_never_meets_it(published):
    image = np.random.default_rng(3).random((9, 10, 3), dtype=np.float32)
    image = (image - image.min()) / (image.max() - image.min())
    cube = reconstruct(image, published)
    alone = published.module(torch.from_numpy(image.transpose(2, 0, 1))[None])[0]
    # inference runs the prepared copy, which is within 1e-5 of the exact module's largest value
    np.testing.assert_allclose(cube.data, alone, rtol=0, atol=1e-5 * float(alone.abs().max()))


@pytest.mark.parametrize("numbers", SETS)
def test_recognised_with_its_sizes(parity, numbers):
    shapes = shapes_of(lambda: mst_l.MST(*numbers))
    model = from_state_dict(parity.random_weights(shapes))
    assert model.card.architecture == mst_l.ARCHITECTURE.id
    assert model.channels == numbers[0]
    assert {k: tuple(v.shape) for k, v in model.module.state_dict().items()} == shapes
