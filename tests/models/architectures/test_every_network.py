"""What holds of every network, in its published size and with the weights of the parity tests."""

import numpy as np
import pytest
import torch

from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import mirnet

from ...double_precision import assert_exact, distance, one_by_one
from ...thorough import thorough

#: Of each: the side that its own rule pads to a multiple of, and the least side.
PADDING = {
    "awan": (1, 3),
    "drcr": (4, 1),
    "edsr": (1, 1),
    "hdnet": (1, 1),
    "hinet": (16, 1),
    "hrnet": (8, 1),
    "hscnn_plus": (1, 1),
    "inr": (4, 8),
    "mirnet": (8, 1),
    "mprnet": (8, 1),
    "mst_l": (8, 1),
    "mstpp": (8, 1),
    "mxrunet_shallow": (2, 1),
    "mxrunet_34_nosa": (2, 1),
    "restormer": (8, 1),
}
SIZES = thorough([(1, 1), (5, 7), (33, 18)], always=[(5, 7)])
#: An image in a batch is rounded otherwise than alone; instance norms of few cells enlarge that.
TOLERANCE = {"inr": 6e-5}


@pytest.fixture(scope="module", params=PADDING)
def net(request):
    return request.param


@pytest.fixture(scope="module")
def module(parity, net):
    if net == "mirnet":  # its blur kernels are constants of its own
        return from_state_dict(parity.filled(net, mirnet.MIRNet().state_dict())).module
    return from_state_dict(parity.weights(net)).module


def grown(image, net):
    """By reflection below and to the right, where that is too short by repetition."""
    multiple, least = PADDING[net]
    for axis in (2, 3):
        length = image.shape[axis]
        first = -length % multiple
        for more in (first, max(0, least - length - first)):
            mode = "reflect" if more < image.shape[axis] and net[:3] != "mxr" else "edge"
            width = [(0, more if axis == other else 0) for other in range(4)]
            image = np.pad(image, width, mode=mode)
    return image


@pytest.mark.parametrize("size", SIZES)
def test_any_size_is_grown_by_its_own_rule_and_cut_again(parity, net, module, size):
    image = parity.seeded_input(21, (1, 3, *size))
    larger = torch.from_numpy(grown(image.numpy(), net))
    found = module(image)
    assert found.shape == (1, 31, *size)
    assert parity.relative_error(found, module(larger)[..., : size[0], : size[1]]) <= 1e-6


@pytest.mark.parametrize("size", SIZES)
def test_images_of_a_batch_do_not_mix(parity, net, module, size):
    images = parity.seeded_input(22, (2, 3, *size))
    found = module(images)
    if net == "mst_l":  # as the original does it: the first image's mask for all
        assert distance(found, one_by_one(module, images)).largest > 0.01
    else:
        assert_exact(found, module, images, TOLERANCE.get(net, 1e-5), run=one_by_one)
