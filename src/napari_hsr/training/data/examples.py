"""The input of a training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches as the network expects them, and the cubes that it is to predict.

    Attributes
    ----------
    inputs : ndarray, shape (n, 3, h, w) or (n, bands, h, w), float32
        Photographs: in the model's encoding, with its whole-image rule applied with the statistics
        of the whole image. Coarse cubes: as they are.
    cubes : ndarray, shape (n, bands, h, w), float32
        In the cube's units, with the photograph's change of exposure; for super-resolution,
        height and width are multiplied by the scale.
    gains, offsets : ndarray, shape (n,), float32
        ``output * gain + offset`` is the prediction in the cube's units: it undoes the rule.
    names : tuple of str
        Of the patches' images.
    """

    inputs: np.ndarray
    cubes: np.ndarray
    gains: np.ndarray
    offsets: np.ndarray
    names: tuple[str, ...]
