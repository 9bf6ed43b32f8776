"""A network with context that corrects a per-pixel base, and steps aside where it knows nothing.

The base (:mod:`napari_hsr.models.architectures.per_pixel`) makes a spectrum of each colour alone.
The network sees the neighbourhood and makes another one, K rho + f, where K rho are the likeliest
linear spectra of the colours (:mod:`napari_hsr.models.architectures.colour_exact`). A gate g in
0..1, one number a pixel, decides between the two:

    s = base + g (K rho + f - base)

It begins nearly closed, so that training starts from the base. The network sees the photograph
divided by its mean over the whole image, and the cube is multiplied by it again, so that twice
the exposure gives twice the spectra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_hsr.models.architectures import per_pixel
from napari_hsr.models.architectures.per_pixel import PerPixel
from napari_hsr.models.architectures.without_weights import without_weights
from napari_hsr.models.architectures.wrappers import HeadWrapper, Layer, by_the_mean
from napari_hsr.models.layers import Module

if TYPE_CHECKING:
    from napari_hsr.models.architectures.base import Weights
    from napari_hsr.models.model import Model

_SPREAD, _GATE = "linear.spread", "gate.0.weight"
#: Bias of the gate's last layer at the start: an open share of 0.12.
NEARLY_CLOSED = -2.0


class OverBase(Module):
    """(N, 3, H, W), divided by the image's mean → (N, bands, H, W), float32, not negative.

    Parameters
    ----------
    network : torch.nn.Module
        (N, 3, H, W) → (N, bands, H, W).
    base : PerPixel
        Stays as it is in training.
    spread : Tensor, shape (bands, 3)
        K of the module's documentation.
    gate_width : int
        Features of the gate.
    """

    def __init__(self, network: nn.Module, base: PerPixel, spread: Tensor, gate_width: int = 16):
        super().__init__()
        self.network = network
        self.base = _as_buffers(base)
        self.linear = nn.Module()
        self.linear.register_buffer("spread", spread.clone())
        bands = len(spread)
        last = nn.Conv2d(gate_width, 1, 1)
        self.gate = nn.Sequential(nn.Conv2d(2 * bands + 1, gate_width, 1), nn.GELU(), last)
        nn.init.zeros_(last.weight)
        last.bias = nn.Parameter(torch.full((1,), NEARLY_CLOSED))

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel, in units of the photograph's mean."""
        f = self.network(x)
        with torch.autocast(x.device.type, enabled=False):
            f, x = f.float(), x.float()
            base = self.base(x)
            spectra = f + torch.einsum("kc,nchw->nkhw", self.linear.spread.float(), x)
            level = base.mean(1, keepdim=True)
            # the gate sees shapes of spectra, which exposure does not change, and the brightness
            shapes = torch.cat([base, spectra], 1) / (level + 0.05)
            gate = torch.sigmoid(self.gate(torch.cat([shapes, level], 1)))
            return torch.relu(base + gate * (spectra - base))


def _as_buffers(module: nn.Module) -> nn.Module:
    """The same network with weights that no training changes."""
    for part in module.modules():
        for name, weight in list(part._parameters.items()):
            if weight is not None:
                delattr(part, name)
                part.register_buffer(name, weight.detach())
    return module


def _read(weights: Weights) -> Layer:
    bands = weights[_SPREAD].shape[0]
    gate = weights[_GATE].shape[0]
    width = weights["base.layers.0.weight"].shape[0]
    hidden = sum(key.startswith("base.layers.") and key.endswith(".bias") for key in weights) - 1
    with without_weights():
        empty = OverBase(nn.Identity(), PerPixel(bands, width, hidden), torch.empty(bands, 3), gate)
    shapes = {key: tuple(value.shape) for key, value in empty.state_dict().items()}
    return Layer(shapes, bands, bands)


def wrap(within: Model, tensors: Weights, sha256: str = "") -> Model:
    """A model's network over a per-pixel base.

    Parameters
    ----------
    within : Model
        Its rule is replaced by the division by the mean.
    tensors : mapping of str to Tensor
        ``linear.spread``, ``base.layers.…`` and, unless the gate is new, ``gate.…``.
    sha256 : str
        Of the weights.
    """
    base = {k.removeprefix("base."): v for k, v in tensors.items() if k.startswith("base.")}
    of_base = within.card.model_copy(
        update={"architecture": per_pixel.ARCHITECTURE.id, "weights_sha256": ""}
    )
    return by_the_mean(
        within,
        _make(within.module, tensors),
        ARCHITECTURE.id,
        sha256,
        4 * (6 * len(tensors[_SPREAD]) + 32),
        base=per_pixel.ARCHITECTURE.load(base, of_base, share=True),
    )


def _make(network: nn.Module, tensors: Weights) -> OverBase:
    first = tensors["base.layers.0.weight"]
    hidden = sum(key.startswith("base.layers.") and key.endswith(".bias") for key in tensors) - 1
    spread = tensors[_SPREAD]
    base = PerPixel(len(spread), len(first), hidden)
    gate = len(tensors[_GATE]) if _GATE in tensors else 16
    module = OverBase(network, base, spread, gate)
    module.load_state_dict(dict(tensors), strict=False)
    return module


ARCHITECTURE = HeadWrapper(
    id="over-base",
    title="Network over a per-pixel base",
    keys={_SPREAD: 2, _GATE: 4, "base.layers.0.weight": 2},
    read=_read,
    make=_make,
    head=wrap,
    colours=_SPREAD,
)
