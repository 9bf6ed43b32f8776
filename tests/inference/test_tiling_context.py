"""How far a local network sees, by perturbing a pixel; and that tiles with that context change nothing."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from napari_hsr.inference import reconstruct
from napari_hsr.models.architectures import edsr, hrnet, hscnn_plus
from napari_hsr.models.optimised_copy import prepared

#: Small ones of each: what is built, and the hyper-parameters that are read off its weights.
NETWORKS = {
    "EDSR, 1 block": lambda: (edsr, edsr.EDSR(3, 31, 4, 1)),
    "EDSR, 5 blocks": lambda: (edsr, edsr.EDSR(3, 31, 4, 5)),
    "HSCNN+, 2 blocks": lambda: (hscnn_plus, hscnn_plus.HSCNNPlus(3, 31, 2)),
    "HSCNN+, 5 blocks": lambda: (hscnn_plus, hscnn_plus.HSCNNPlus(3, 31, 5)),
    "HRNet": lambda: (hrnet, hrnet.HRNet(3, 31, 4)),
}


@cache
def model(name: str, positive: bool):
    """With positive weights every connection shows; with mixed ones it is a network like any."""
    architecture, network = NETWORKS[name]()
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for key, value in network.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        size = max(1, value[0].numel()) ** -0.5 if value.ndim > 1 else 0.05
        weights[key] = noise.abs() * 0.1 * size + 1e-3 if positive else noise * size
    return architecture.ARCHITECTURE.load(weights)


def reach(network, size: tuple[int, int], at: tuple[int, int]) -> int:
    """The farthest output pixel that another value of one input pixel changes.

    The value is so large because the longest of many paths carries but a trace of it.
    """
    network = copy.deepcopy(network).double()
    image = torch.rand(1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    other = image.clone()
    other[..., at[0], at[1]] += 1e150
    with torch.inference_mode():
        changed = (network(other) != network(image))[0].any(0).nonzero().numpy()
    assert changed.min() > 0, "the image is too small to tell"
    assert (changed.max(0) < np.array(size) - 1).all(), "the image is too small to tell"
    return int(np.abs(changed - np.array(at)).max())


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "HRNet"])
def test_context_is_what_a_perturbed_pixel_reaches(name):
    found = model(name, positive=True)
    side = 2 * found.context + 9
    assert reach(found.module, (side, side), (side // 2, side // 2)) == found.context


@pytest.mark.thorough
def test_a_pixel_of_hrnet_reaches_no_farther_than_its_context():
    """How far depends on where a pixel lies in the coarsest grid: from both ends of a cell."""
    found = model("HRNet", positive=True)
    side = 2 * found.context + 24
    middle = side // 16 * 8
    farthest = [reach(found.module, (side, side), (middle + d, middle + d)) for d in (0, 7)]
    assert found.context - 8 < max(farthest) <= found.context


@pytest.mark.parametrize(
    ("name", "size", "tile"),
    [
        ("EDSR, 1 block", (61, 47), 17),
        ("EDSR, 5 blocks", (61, 47), 23),
        ("EDSR, 5 blocks", (40, 75), 7),
        ("HSCNN+, 2 blocks", (61, 47), 17),
        ("HSCNN+, 5 blocks", (29, 75), 13),
        ("HRNet", (391, 21), 37),
        ("HRNet", (11, 403), 131),
    ],
)
def test_odd_tiles_equal_the_whole(name, size, tile):
    found = model(name, positive=False)
    image = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    tiled, whole = (reconstruct(image, found, tile=t, device="cpu") for t in (tile, "whole"))
    assert np.ptp(whole.data) > 0.01
    error = np.abs(tiled.data - whole.data).max() / np.abs(whole.data).max()
    assert error <= 1e-5
    assert tiled.notices == whole.notices


@pytest.mark.parametrize("name", ["EDSR, 5 blocks", "HSCNN+, 5 blocks"])
def test_less_context_would_not_do(name):
    """The test above would notice a context that is too small."""
    found = model(name, positive=True)
    short = replace(found, context=found.context - 3)
    image = np.random.default_rng(0).random((45, 33, 3), dtype=np.float32)
    tiled, whole = (reconstruct(image, short, tile=t, device="cpu").data for t in (9, "whole"))
    assert np.abs(tiled - whole).max() > 0


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "HRNet"])
def test_the_copy_that_runs_reaches_no_farther(name):
    found = model(name, positive=True)
    side = 2 * found.context + 9
    fast = prepared(found, "float32")
    assert reach(fast, (side, side), (side // 2, side // 2)) <= found.context
