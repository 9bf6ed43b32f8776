"""A trained network on another wavelength grid: its last layer's rows, interpolated.

Row i of the new last layer is a mixture of the rows of the bands on either side of wavelength i,
so that training starts from what the network knows, whatever the number of bands. On the same
grid it is the same network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    import torch

    from napari_hsr.cube import Wavelengths
    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model

#: Last layers that no short cut leads past and no activation cuts, by architecture: what their
#: tensors' names begin with. Behind all others the bands are mixed by a matrix
#: (:mod:`napari_hsr.models.architectures.band_mapping`). A root polynomial cuts at 0 only.
LAST = {
    "adapted": "adapter.",
    "bands": "bands.",
    "drcr": "output_conv2D.conv2d.",
    "edsr": "tail.0.",
    "hdnet": "tail.0.",
    "hscnn_plus": "conv_out.",
    "restormer": "output.",
    "root-polynomial": "weight",
}


def same(one: Wavelengths, other: Wavelengths) -> bool:
    """Whether two grids are one, to a hundredth of a nanometre."""
    return one.matches(other, tolerance_nm=0.01)


def interpolation(source_nm: Any, target_nm: Any) -> np.ndarray:
    """The matrix that interpolates spectra, or rows of a layer, linearly over wavelength.

    Parameters
    ----------
    source_nm : array-like, shape (m,)
        Ascending.
    target_nm : array-like, shape (n,)
        Beyond the source's ends the nearest band is taken.

    Returns
    -------
    ndarray, shape (n, m), float64
        Rows are not negative and sum to 1; the identity where the grids are the same.
    """
    source = np.asarray(source_nm, dtype=np.float64)
    target = np.asarray(target_nm, dtype=np.float64)
    return np.stack([np.interp(target, source, row) for row in np.eye(len(source))], axis=1)


def change_bands(model: Model, wavelengths: Wavelengths) -> Model:
    """The model with its bands at other wavelengths, before any training there.

    Parameters
    ----------
    model : Model
    wavelengths : Wavelengths
        They must overlap the model's.

    Returns
    -------
    Model
        The one given if the grids are the same; else a new one whose card has no figures and
        says what was done. The one given stays as it is.

    Raises
    ------
    InputError
        If the grids have nothing in common.
    """
    from napari_hsr.models.state_dict import from_state_dict

    if same(model.wavelengths, wavelengths):
        return model
    source, target = (np.asarray(w) for w in (model.wavelengths, wavelengths))
    if target[0] > source[-1] or target[-1] < source[0]:
        raise InputError(
            f"{model.name} makes {model.wavelengths.describe()}; nothing of it lies within "
            f"{wavelengths.describe()}: choose another start model, or train from nothing."
        )
    matrix = interpolation(source, target)
    weights = mixed(model.module.state_dict(), model.card.architecture, matrix)
    return from_state_dict(weights, _card(model.card, wavelengths, weights))


def mixed(
    weights: dict[str, torch.Tensor], architecture: str, matrix: np.ndarray
) -> dict[str, torch.Tensor]:
    """Weights that make ``matrix @ spectrum`` where the given ones make ``spectrum``.

    Parameters
    ----------
    weights : dict of str to Tensor
        They are not changed.
    architecture : str
        Id in the registry.
    matrix : ndarray, shape (n, bands)
        Rows that sum to 1, not negative.

    Returns
    -------
    dict of str to Tensor
        Of the same architecture where nothing bypasses its last layer, else of ``bands``.
    """
    import torch

    from napari_hsr.models.architectures.wrappers import around

    plain = {key: value.detach().cpu() for key, value in weights.items()}
    tensor = torch.from_numpy(np.ascontiguousarray(matrix))
    prefix = LAST.get(architecture)
    if prefix is None:
        return around(plain, bands__weight=tensor.float())
    return {
        key: torch.tensordot(tensor, value.double(), dims=1).to(value.dtype)
        if key.startswith(prefix)
        else value
        for key, value in plain.items()
    }


def _card(card: ModelCard, wavelengths: Wavelengths, weights: dict[str, torch.Tensor]) -> ModelCard:
    from napari_hsr.models.registry import recognise

    done = (
        f"Its bands were interpolated from {card.wavelengths.describe()} to "
        f"{wavelengths.describe()}."
    )
    low, high = card.wavelengths_nm[0], card.wavelengths_nm[-1]
    beyond = [nm for nm in wavelengths if nm < low or nm > high]
    if beyond:
        listed = ", ".join(f"{nm:g}" for nm in beyond[:5]) + (", …" if len(beyond) > 5 else "")
        done += f" At {listed} nm, beyond its own, it repeats its nearest band until trained there."
    limits = "" if card.limits == "not stated" else f"{card.limits} "
    return card.unmeasured(
        architecture=recognise(weights).id,
        wavelengths_nm=tuple(float(nm) for nm in wavelengths),
        limits=f"{limits}{done}",
    )
