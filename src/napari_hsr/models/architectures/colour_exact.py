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

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_hsr.models.architectures.wrappers import HeadWrapper, Layer, by_the_mean
from napari_hsr.models.layers import Module

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_hsr.models.architectures.base import Weights
    from napari_hsr.models.model import Model

_SPREAD, _CAMERA = "colour.spread", "colour.camera"
#: Rounding to half precision leaves Cᵀ K this near to 1 and 0.
ROUNDED = 0.02


class ColourHead(Module):
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
        addition = self.network(x)
        with torch.autocast(x.device.type, enabled=False):
            addition, colours = addition.float(), x.float()
            camera = getattr(self.colour, "camera", None)
            if camera is not None:
                colours = colours - torch.einsum("kc,nkhw->nchw", camera.float(), addition)
            return addition + torch.einsum("kc,nchw->nkhw", self.colour.spread.float(), colours)


def spread_for(camera: NDArray[Any], second_moment: NDArray[Any]) -> NDArray[Any]:
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
    seen = second_moment @ camera
    return np.linalg.solve(camera.T @ seen, seen.T).T


def _read(weights: Weights) -> Layer:
    bands, channels = weights[_SPREAD].shape
    names = [name for name in (_SPREAD, _CAMERA) if name in weights]
    return Layer(dict.fromkeys(names, (bands, channels)), bands, bands)


def _unrounded(spread: Tensor, camera: Tensor) -> Tensor:
    """A spread that was rounded, so that Cᵀ K = I again; one of another camera stays as it is."""
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
    module = ColourHead(within.module, spread, camera)
    return by_the_mean(within, module, ARCHITECTURE.id, sha256, 8 * len(spread))


def _head(within: Model, tensors: dict[str, Tensor], sha256: str) -> Model:
    spread, camera = tensors[_SPREAD], tensors.get(_CAMERA)
    if camera is not None and torch.equal(spread.half().float(), spread):
        spread = _unrounded(spread, camera)  # the file was in half precision
    return wrap(within, spread, camera, sha256)


ARCHITECTURE = HeadWrapper(
    id="colour-exact",
    title="Colour-exact",
    keys={_SPREAD: 2},
    read=_read,
    make=lambda network, tensors: ColourHead(network, tensors[_SPREAD], tensors.get(_CAMERA)),
    head=_head,
    colours=_SPREAD,
)
