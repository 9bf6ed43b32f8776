"""Convolutions under the names that published weights give them, and blocks made of them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from napari_hsr.models.layers.module import Module


class NamedConv(Module):
    """A convolution called ``conv2d`` that keeps the size.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    side : int
        Of the kernel.
    reflect : bool
        Whether the image is extended by reflection, and there is no bias.
    slope : float, optional
        Of the leaky rectifier that follows.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int = 3,
        reflect: bool = False,
        slope: float | None = None,
    ):
        super().__init__()
        self.slope = slope
        self.conv2d = nn.Conv2d(
            inputs,
            outputs,
            side,
            padding=side // 2,
            padding_mode="reflect" if reflect else "zeros",
            bias=not reflect,
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, outputs, H, W)."""
        x = self.conv2d(x)
        return x if self.slope is None else functional.leaky_relu(x, self.slope, inplace=True)


class ResidualBlock(Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).add_(x)
