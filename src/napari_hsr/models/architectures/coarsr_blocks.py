"""The parts of CoarSR: residual blocks, and the exchange within and between groups of bands."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_hsr.models.layers import Module, Part, WeightNormConv2d, WeightNormConv3d

#: What the last norm of a block begins with, where norms are fixed.
_BEGIN = 0.1
#: Parts of a group, in the order of the state dict.
_PARTS = ("one", "two", "three")


class ResidualBlock(Module):
    """x + norm(conv(relu(norm(conv(x)))))."""

    def __init__(self, width: int, fixed: bool = False):
        super().__init__()
        self.fixed = fixed
        self.body = nn.Sequential(
            WeightNormConv2d(width, width, 3),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            WeightNormConv2d(width, width, 3),
            nn.BatchNorm2d(width),
        )
        if fixed:  # nothing else keeps features from doubling with each block
            last: Part = self.body[4]
            nn.init.constant_(last.weight, _BEGIN)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as ``x``."""
        if not self.fixed:
            return self.body(x) + x
        inner = functional.relu(_as_one(self.body[0], self.body[1], x))
        return _as_one(self.body[3], self.body[4], inner) + x


def _as_one(conv: Part, norm: Part, x: Tensor) -> Tensor:
    """A convolution and a norm whose statistics do not change, in training either."""
    by = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = (conv.bias - norm.running_mean) * by + norm.bias
    if conv.training:
        x = x.contiguous(memory_format=torch.channels_last)
    return functional.conv2d(x, conv.kernel() * by[:, None, None, None], bias, padding=1)


class Body(Module):
    """Residual blocks, and a way around them all."""

    def __init__(self, width: int, blocks: int, fixed: bool = False):
        super().__init__()
        made = (ResidualBlock(width, fixed) for _ in range(blocks))
        self.body = nn.Sequential(nn.Sequential(*made))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as ``x``."""
        return self.body(x) + x


class Intra(Module):
    """Fusion of the three features of a band: each is made anew from all."""

    def __init__(self, width: int, blocks: int, fixed: bool = False):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(3, 3))
        self.gamma_inter = nn.Parameter(torch.ones(3))
        for side in ("left", "right"):
            for part in _PARTS:
                setattr(self, f"{side}_{part}_body", Body(width, blocks, fixed))
        for part in _PARTS:
            setattr(self, f"fusion_{part}", nn.Sequential(WeightNormConv2d(3 * width, width, 1)))

    def layers(self, name: str) -> list[nn.Module]:
        """``left_{}_body`` and the like, of each part."""
        return [getattr(self, name.format(part)) for part in _PARTS]

    def forward(self, features: list[Tensor]) -> Tensor:
        """Three times (N, width, H, W) → (N, width, 3, H, W)."""
        left = [body(x) for body, x in zip(self.layers("left_{}_body"), features, strict=True)]
        made = []
        for k, (fuse, right) in enumerate(
            zip(self.layers("fusion_{}"), self.layers("right_{}_body"), strict=True)
        ):
            joined = torch.cat([self.gamma[k, j] * x for j, x in enumerate(left)], 1)
            made.append(self.gamma_inter[k] * (right(fuse(joined)) + features[k]))
        return torch.stack(made, 2)


class ThreeUnit(Module):
    """Exchange along the three features and over the image, as convolutions over three axes."""

    def __init__(self, width: int):
        super().__init__()
        self.spatial = WeightNormConv3d(width, (1, 3, 3))
        self.spectral = WeightNormConv3d(width, (3, 1, 1))
        self.spatial_one = WeightNormConv3d(width, (1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, 3, H, W) → the same shape."""
        return self.spatial_one(functional.relu(self.spatial(x) + self.spectral(x)))


class Inter(Module):
    """The unit under the name that it has in checkpoints, and a way around it."""

    def __init__(self, width: int):
        super().__init__()
        self.threeunit = ThreeUnit(width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, 3, H, W) → the same shape."""
        return self.threeunit(x) + x
