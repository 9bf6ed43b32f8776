"""Layers that networks and their optimised copies are built from, under the names of published weights."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_hsr.errors import InputError

#: A part of a network that is taken by name or index: PyTorch types it as a tensor or a module,
#: which is neither callable nor indexable.
Part: TypeAlias = Any


class Module(nn.Module):
    """A module whose parts and tensors are typed by their use."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Part: ...


def pad_below_right(images: Tensor, multiple: int) -> Tensor:
    """Grow (N, C, H, W) until H and W are multiples of ``multiple``.

    Rows are added below and columns to the right, by reflection; where a side is too short
    to be reflected, its last row or column is repeated.
    """
    height, width = images.shape[-2:]
    images = _grow(images, (0, 0, 0, -height % multiple), height)
    return _grow(images, (0, -width % multiple, 0, 0), width)


def pad_to_least(images: Tensor, least: int) -> Tensor:
    """Grow (N, C, H, W) by the same rule where H or W is below ``least``."""
    height, width = images.shape[-2:]
    images = _grow(images, (0, 0, 0, max(0, least - height)), height)
    return _grow(images, (0, max(0, least - width), 0, 0), width)


def _grow(images: Tensor, amounts: tuple[int, int, int, int], length: int) -> Tensor:
    if not any(amounts):
        return images
    mode = "reflect" if max(amounts) < length else "replicate"
    return functional.pad(images, amounts, mode=mode)


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


#: Values of a kernel from which the optimised copy uses it as it is: 32 MiB in float32.
LARGE_KERNEL = 2**23


class WeightNormConv2d(Module):
    """Convolution with kernel g · v / |v|, the norm taken for each output channel.

    Square kernels, zero padding that keeps the size. The kernel is made anew in each call, so
    that only ``weight_v`` is held in memory.
    """

    def __init__(self, into: int, out: int, size: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(out))
        self.weight_g = nn.Parameter(torch.ones(out, 1, 1, 1))
        self.weight_v = nn.Parameter(torch.empty(out, into, size, size))
        if not self.weight_v.is_meta:  # else slow, and without values to draw
            nn.init.kaiming_normal_(self.weight_v)

    def kernel(self) -> Tensor:
        """(out, into, size, size)."""
        norm = torch.linalg.vector_norm(self.weight_v, dim=(1, 2, 3), keepdim=True)
        return self.weight_v * (self.weight_g / norm)

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) → (N, out, H, W)."""
        padding = self.weight_v.shape[-1] // 2
        if self.training:  # the gradients of a CPU are computed faster so
            x = x.contiguous(memory_format=torch.channels_last)
        return functional.conv2d(x, self.kernel(), self.bias, padding=padding)


class WeightNormConv3d(WeightNormConv2d):
    """The same over three axes, of which the kernel may be flat in some."""

    def __init__(self, width: int, size: tuple[int, int, int]):
        nn.Module.__init__(self)
        self.bias = nn.Parameter(torch.zeros(width))
        self.weight_g = nn.Parameter(torch.ones(width, 1, 1, 1, 1))
        self.weight_v = nn.Parameter(torch.empty(width, width, *size))
        if not self.weight_v.is_meta:  # else slow, and without values to draw
            nn.init.kaiming_normal_(self.weight_v)

    def kernel(self) -> Tensor:
        """(out, into, depth, height, width)."""
        norm = torch.linalg.vector_norm(self.weight_v, dim=(1, 2, 3, 4), keepdim=True)
        return self.weight_v * (self.weight_g / norm)

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, D, H, W) → (N, out, D, H, W)."""
        padding = [size // 2 for size in self.weight_v.shape[2:]]
        return functional.conv3d(x, self.kernel(), self.bias, padding=padding)


class SpectralConv1d(Module):
    """1x1 convolution over (N, C, L) with its kernel divided by its largest singular value.

    That value is estimated by the vectors u and v of the state dict. In training each call takes
    one step of the power iteration that finds them (Miyato and others 2018, arXiv:1802.05957);
    otherwise they stay as they are.
    """

    def __init__(self, into: int, out: int):
        super().__init__()
        self.weight_orig = nn.Parameter(torch.empty(out, into, 1))
        nn.init.kaiming_normal_(self.weight_orig)
        self.register_buffer("weight_u", torch.full((out,), out**-0.5))
        self.register_buffer("weight_v", torch.full((into,), into**-0.5))

    def kernel(self) -> Tensor:
        """(out, into, 1)."""
        matrix = self.weight_orig.flatten(1)
        # half precision would make the norm, and with it every weight, that much coarser
        with _exactly(matrix.device.type):
            if self.training:
                self._iterate(matrix.detach())
            # copies: the next call changes the vectors, and the gradient needs these
            u, v = self.weight_u.clone(), self.weight_v.clone()
            return self.weight_orig / torch.dot(u, matrix @ v)

    @torch.no_grad()
    def _iterate(self, matrix: Tensor) -> None:
        """One step towards the singular vectors of the largest singular value."""
        self.weight_v.copy_(functional.normalize(matrix.T @ self.weight_u, dim=0, eps=1e-12))
        self.weight_u.copy_(functional.normalize(matrix @ self.weight_v, dim=0, eps=1e-12))

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, L) → (N, out, L)."""
        return functional.conv1d(x, self.kernel())


def _exactly(device: str) -> AbstractContextManager[object]:
    """Within it nothing is computed in half precision on a device; "meta", say, never does."""
    if torch.amp.is_autocast_available(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()


#: With fewer, a band does not have four others.
LEAST_BANDS = 5
#: Pixels of all bands that the optimised copy takes together, by the kind of device.
PIXELS_AT_ONCE = {"cpu": 2**13}


def neighbours(bands: int, intended: bool) -> list[tuple[int, int, int, int]]:
    """Of each band, the two that help it from the left and the two from the right, nearest last.

    Parameters
    ----------
    bands : int
        How many there are; at least :data:`LEAST_BANDS`.
    intended : bool
        The rule that was meant: the two on either side, at the ends four on one. Otherwise those
        of band 0 for every band.

    Raises
    ------
    InputError
        If there are fewer bands.
    """
    if bands < LEAST_BANDS:
        raise InputError(f"CoarSR needs {LEAST_BANDS} bands or more; this cube has {bands}.")
    first, last = (3, 1, 2, 4), bands - 1
    if not intended:
        return [first] * bands
    inner = [(i - 2, i - 1, i + 1, i + 2) for i in range(2, bands - 2)]
    before_last = (last - 4, last - 2, last, last - 3)
    return [first, (3, 0, 2, 4), *inner, before_last, (last - 3, last - 1, last - 2, last - 4)]


def enlarged(x: Tensor, scale: int) -> Tensor:
    """(N, bands, H, W) by the bicubic kernel with a = -0.5, its weights renormalised at the borders."""
    size = [scale * side for side in x.shape[-2:]]
    return functional.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)
