"""A network behind colours that are known: it predicts only what the colours leave open.

For a linear camera with matrix C (bands, 3), a photograph rho = Cᵀs leaves a spectrum s open in
all directions that the camera does not see. With Q the second moment of natural spectra, the
likeliest spectra of the colours are ``K rho``, K = Q C (Cᵀ Q C)⁻¹ (the *spread*, Cᵀ K = I), and

    s = K rho + (I - K Cᵀ) f(rho)

has exactly the photographed colours whatever the network f says: the null-space projection of
Lin and Finlayson (Sensors 2020, 20(21) 6399), with the spread weighted by Q in place of the
camera's own directions. Where the camera is not known exactly, or the photograph is noisy, the
projection is left out and the network adds to ``K rho`` freely.

The network sees the photograph divided by its mean over the whole image, and the cube is
multiplied by it again, so that twice the exposure gives twice the spectra.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_hsr.errors import ModelError
from napari_hsr.models.architectures.wrapping import PREFIX, inner, own
from napari_hsr.models.input_rules import Mean
from napari_hsr.models.model_file import weights_sha256
from napari_hsr.models.optimised_copy import made_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from torch import Tensor

    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model

ID = "colour-exact"
TITLE = "Colour-exact"
#: Rounding to half precision leaves Cᵀ K this near to 1 and 0.
ROUNDED = 0.02


class ColourHead(nn.Module):
    """(N, 3, H, W) → (N, bands, H, W), float32.

    Parameters
    ----------
    network : torch.nn.Module
        (N, 3, H, W) → (N, bands, H, W).
    spread : Tensor, shape (bands, 3)
        K of the module's documentation.
    camera : Tensor, shape (bands, 3), or None
        C, if the network's addition must not change the colours.
    """

    def __init__(self, network: nn.Module, spread: Tensor, camera: Tensor | None = None):
        super().__init__()
        self.network = network
        self.colour = nn.Module()
        self.colour.register_buffer("spread", spread.clone())
        if camera is not None:
            self.colour.register_buffer("camera", camera.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel, in units of the photograph's mean."""
        return self.join(x, self.network(x))

    def join(self, x: Tensor, addition: Tensor) -> Tensor:
        """What the network adds, and the colours, in float32."""
        with torch.autocast(x.device.type, enabled=False):
            addition, colours = addition.float(), x.float()
            camera = getattr(self.colour, "camera", None)
            if camera is not None:
                colours = colours - torch.einsum("kc,nkhw->nchw", camera.float(), addition)
            return addition + torch.einsum("kc,nchw->nkhw", self.colour.spread.float(), colours)


def spread_for(camera: np.ndarray, second_moment: np.ndarray) -> np.ndarray:
    """K = Q C (Cᵀ Q C)⁻¹.

    Parameters
    ----------
    camera : ndarray, shape (bands, 3)
    second_moment : ndarray, shape (bands, bands)
        Positive definite.

    Returns
    -------
    ndarray, shape (bands, 3), float64
    """
    import numpy as np

    seen = second_moment @ camera
    return np.linalg.solve(camera.T @ seen, seen.T).T


class _PreparedHead(nn.Module):
    """The head around the network's prepared copy."""

    def __init__(self, head: ColourHead, network: nn.Module):
        super().__init__()
        self.head = [head]  # not registered: its exact network need not follow to the device
        self.network = network
        self.colour = nn.Module()
        for name, value in head.colour.named_buffers():
            self.colour.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        return ColourHead.join(self, x, self.network(x))


def detect(weights: Mapping[str, Tensor]) -> bool:
    """The spread beside a network's keys."""
    spread = weights.get("colour.spread")
    return spread is not None and spread.ndim == 2 and any(k.startswith(PREFIX) for k in weights)


def load(weights: Mapping[str, Tensor], card: ModelCard | None = None) -> Model:
    """Build the model around the one that is recognised in its keys below ``network.``.

    Raises
    ------
    ModelError
        If that one is not recognised, or a key or shape differs.
    """
    shape = tuple(weights["colour.spread"].shape)
    within = inner(weights, card, bands=shape[0])
    shapes = {"colour.spread": shape}
    if "colour.camera" in weights:
        shapes["colour.camera"] = shape
    tensors = own(weights, TITLE, shapes)
    if shape[1] != within.channels:
        raise ModelError(
            f"The weights look like those of {TITLE}, but colour.spread has {shape[1]} channels "
            f"and its network {within.channels}."
        )
    spread, camera = tensors["colour.spread"], tensors.get("colour.camera")
    if camera is not None and torch.equal(spread.half().float(), spread):
        spread = _unrounded(spread, camera)  # the file was in half precision
    return wrap(within, spread, camera, weights_sha256(dict(weights)))


def _unrounded(spread: Tensor, camera: Tensor) -> Tensor:
    """A spread that was rounded, so that Cᵀ K = I again; one that is of another camera stays."""
    product = camera.double().T @ spread.double()
    if (product - torch.eye(len(product))).abs().max() > ROUNDED:
        return spread
    return (spread.double() @ torch.linalg.inv(product)).float()


def wrap(within: Model, spread: Tensor, camera: Tensor | None, sha256: str = "") -> Model:
    """A model's network behind known colours.

    Parameters
    ----------
    within : Model
        Its rule is replaced by the division by the mean.
    spread, camera : Tensor, shape (bands, 3)
        As :class:`ColourHead` takes them.
    sha256 : str
        Of the weights.
    """

    def prepare(module: nn.Module, precision: str) -> nn.Module:
        return _PreparedHead(module, made_of(module.network, precision, within.prepare))

    rule = Mean()
    return replace(
        within,
        module=ColourHead(within.module, spread, camera).eval().requires_grad_(False),
        card=within.card.model_copy(update={"architecture": ID, "input_rule": rule.name}),
        weights_sha256=sha256,
        bytes_per_pixel=within.bytes_per_pixel + 8 * within.bands,
        bytes_fixed=within.bytes_fixed,
        rule=rule,
        window=None,
        prepare=prepare,
    )
