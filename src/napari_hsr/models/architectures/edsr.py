"""EDSR without upsampling: residual blocks without norms, three channels in, bands out.

Lim, Son, Kim, Nah, Lee 2017, "Enhanced deep residual networks for single image
super-resolution", in the form that MST++'s toolbox trains.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torch import nn

from napari_hsr.models.architectures.architecture import assemble, numbered
from napari_hsr.models.optimised.channels_last import prepare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model

ID = "edsr"
TITLE = "EDSR"


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(_conv(width, width), nn.ReLU(inplace=True), _conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as ``x``."""
        return self.body(x).add_(x)


class EDSR(nn.Module):
    """(N, channels, H, W) → (N, bands, H, W), any size."""

    def __init__(self, channels: int = 3, bands: int = 31, width: int = 64, blocks: int = 32):
        super().__init__()
        self.head = nn.Sequential(_conv(channels, width))
        self.body = nn.Sequential(
            *(ResidualBlock(width) for _ in range(blocks)), _conv(width, width)
        )
        self.tail = nn.Sequential(_conv(width, bands))

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        x = self.head(x)
        return self.tail(self.body(x).add_(x))


#: Its defaults are the published size.
PUBLISHED = EDSR

_NAMES = re.compile(r"((head|tail)\.0|body\.\d+(\.body\.[02])?)\.(weight|bias)")


def detect(weights: Mapping[str, Tensor]) -> bool:
    """Residual blocks ``body.0.body.…`` between one convolution and another, and nothing else.

    HDNet has all these names too, and more.
    """
    keys = ("head.0.weight", "body.0.body.0.weight", "body.0.body.2.weight", "tail.0.weight")
    return all(key in weights and weights[key].ndim == 4 for key in keys) and all(
        _NAMES.fullmatch(key) for key in weights
    )


def load(weights: Mapping[str, Tensor], card: ModelCard | None = None) -> Model:
    """Build the model.

    Raises
    ------
    ModelError
        If a tensor is missing, too many or of another shape, or the card does not fit.
    """
    width, channels = weights["head.0.weight"].shape[:2]
    bands = weights["tail.0.weight"].shape[0]
    blocks = len(numbered(weights, "body.")) - 1  # the last part is a lone convolution
    return assemble(
        lambda: EDSR(channels, bands, width, blocks),
        weights,
        card,
        id=ID,
        title=TITLE,
        channels=channels,
        bands=bands,
        context=2 * blocks + 3,  # 3×3 convolutions: two a block, and three more
        bytes_per_pixel=4 * (7 * width + bands),
        prepare=prepare,
    )
