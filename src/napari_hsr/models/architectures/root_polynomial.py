"""Root-polynomial regression: linear in features that scale with the light.

Features are all distinct (r^i g^j b^k)^(1/d) with i + j + k = d, for d = 1…order
(Finlayson, Mackiewicz, Hurlbert 2015, for colour correction; Lin and Finlayson 2019, for
spectra). Each is homogeneous of degree one, so f(q · rgb) = q · f(rgb) for every exposure
q > 0: to the last bit if q is a power of two, and to float32 rounding otherwise. Negative
inputs count as zero, and so do negative outputs, which keeps that property.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise, product

import numpy as np
import torch
from torch import Tensor

from napari_hsr.errors import ModelError
from napari_hsr.models.architectures.base import Architecture, Network, Weights
from napari_hsr.models.input_rules import AsIs
from napari_hsr.models.layers import Module


@lru_cache
def exponents(order: int) -> np.ndarray:
    """Exponents of the features up to ``order``, shape (features, 3), each row summing to 1.

    Order 1 has 3 features, order 2 has 6, order 3 has 13, order 4 has 22.
    """
    rows: dict[tuple[float, ...], None] = {}  # a dict keeps the order of arrival
    for degree in range(1, order + 1):
        for powers in product(range(degree, -1, -1), repeat=3):
            if sum(powers) == degree:
                rows.setdefault(tuple(round(p / degree, 12) for p in powers))
    return np.array(list(rows))


class RootPolynomial(Module):
    """(N, 3, H, W) linear RGB, any exposure → (N, bands, H, W), not negative.

    A NaN in a pixel makes that pixel's spectrum NaN and touches no other.
    """

    def __init__(self, powers: Tensor, weight: Tensor):
        super().__init__()
        self.register_buffer("exponents", powers)
        self.register_buffer("weight", weight)
        # The powers that occur for each channel, and which of them each feature takes:
        # a root costs far more than a product, so each is taken once.
        self._levels = [sorted(set(column.tolist())) for column in powers.T]
        self._terms = [
            [levels.index(p) for levels, p in zip(self._levels, row.tolist(), strict=True)]
            for row in powers
        ]

    def features(self, rgb: Tensor) -> Tensor:
        """(3, pixels) → (features, pixels)."""
        rgb = rgb.clamp_min(0)
        roots = [
            [None if p == 0 else channel if p == 1 else channel.pow(p) for p in levels]
            for channel, levels in zip(rgb, self._levels, strict=True)
        ]
        out = rgb.new_empty((len(self._terms), rgb.shape[1]))
        for feature, term in zip(out, self._terms, strict=True):
            factors = [r[level] for r, level in zip(roots, term, strict=True)]
            factors = [f for f in factors if f is not None]
            feature.copy_(factors[0])
            for factor in factors[1:]:
                feature.mul_(factor)
        return out

    def forward(self, rgb: Tensor) -> Tensor:
        """Spectra of every pixel."""
        n, _, height, width = rgb.shape
        out = rgb.new_empty((n, self.weight.shape[0], height * width))
        for spectra, colours in zip(out, rgb.flatten(2), strict=True):
            for part in _blocks(colours.shape[1], rgb.device.type):
                block = colours[:, part]
                spare = -block.shape[1] % _LANES
                block, exposure = _exposed(torch.nn.functional.pad(block, (0, spare)))
                found = (self.weight @ self.features(block)).mul_(exposure)
                spectra[:, part] = found[:, : part.stop - part.start]
        return out.clamp_min_(0).view(n, -1, height, width)


def _exposed(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """(3, pixels) at an exposure where the largest channel is in 0.5..1, and the way back.

    The exposures are powers of two, so nothing is rounded: a photograph at twice the light
    gives twice the spectrum to the last bit, and dark pixels are as exact as bright ones.
    """
    brightest = rgb.amax(0)
    exponent = torch.where(torch.isfinite(brightest), brightest, 0).frexp().exponent
    exponent = exponent.clamp(-100, 100)  # what is smaller or larger would leave float32
    one = torch.ones_like(brightest)
    return rgb * torch.ldexp(one, -exponent), torch.ldexp(one, exponent)


#: Pixels that torch hands to one CPU thread at a time in element-wise operations.
_GRAIN = 32768
#: A multiple of every vector width.
_LANES = 64


def _blocks(pixels: int, device: str) -> list[slice]:
    """Parts in which a CPU computes a pixel the same way wherever it stands.

    Where an operation ends in the middle of a vector, torch takes the last pixels one by
    one, with another routine that rounds otherwise. Parts that every thread shares in whole
    vectors give a spectrum that is the same, to the last bit, in any tile; and they stay in
    the cache.
    """
    if device != "cpu":
        return [slice(0, pixels)]
    cuts = [0]
    for length in (_GRAIN * torch.get_num_threads(), _GRAIN):
        cuts += range(cuts[-1] + length, pixels + 1, length)
    if cuts[-1] < pixels:
        cuts.append(pixels)
    return [slice(*pair) for pair in pairwise(cuts)]


def _read(weights: Weights) -> Network:
    powers, weight = weights["exponents"].float(), weights["weight"].float()
    sums = powers.sum(1)
    if (powers < 0).any() or not torch.allclose(sums, torch.ones_like(sums), atol=1e-5):
        raise ModelError("The exponents of a root polynomial are not negative and sum to 1.")
    bands = weight.shape[0]
    return Network(
        build=lambda: RootPolynomial(powers, weight),
        bands=bands,
        rule=AsIs(),
        precisions=("float32",),
        # the colours, and the bands twice, in float32; features are made block by block
        bytes_per_pixel=4 * (6 + 2 * bands),
    )


ARCHITECTURE = Architecture(
    id="root-polynomial",
    title="Root-polynomial regression",
    keys={"exponents": 2, "weight": 2},
    also=lambda weights: (
        len(weights) == 2
        and weights["exponents"].shape[1] == 3
        and weights["exponents"].shape[0] == weights["weight"].shape[1]
    ),
    read=_read,
)
