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


def gate_layers(width: int, hidden: int) -> nn.Sequential:
    """Three linear layers that turn channel means (N, width) into gates between 0 and 1."""
    return nn.Sequential(
        nn.Linear(width, hidden, bias=False),
        nn.ReLU(),
        nn.Linear(hidden, hidden, bias=False),
        nn.ReLU(),
        nn.Linear(hidden, width, bias=False),
        nn.Sigmoid(),
    )


class SupervisedAttention(Module):
    """Features weighted by an image that is made of them, between the stages of a network."""

    def __init__(self, features: int, image: int, size: int, bias: bool):
        super().__init__()
        for name, into, out in (
            ("conv1", features, features),
            ("conv2", features, image),
            ("conv3", image, features),
        ):
            self.add_module(name, nn.Conv2d(into, out, size, padding=size // 2, bias=bias))

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """(N, features, H, W) and (N, image, H, W) → (N, features, H, W)."""
        gate = self.conv3(self.conv2(x) + image).sigmoid()
        return self.conv1(x) * gate + x
