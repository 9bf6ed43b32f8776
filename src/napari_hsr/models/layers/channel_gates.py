"""Gates that weight channels by what they hold on average."""

from __future__ import annotations

from torch import Tensor, nn

from napari_hsr.models.layers.module import Module


class ChannelGate(Module):
    """Weights each channel by a small network of all channels' means over the image."""

    def __init__(self, width: int, hidden: int, bias: bool = False):
        super().__init__()
        self.conv_du = nn.Sequential(
            nn.Conv2d(width, hidden, 1, bias=bias),
            nn.ReLU(),
            nn.Conv2d(hidden, width, 1, bias=bias),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.conv_du(x.mean((2, 3), keepdim=True))
