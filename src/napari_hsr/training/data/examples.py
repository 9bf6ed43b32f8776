"""What a training step is fed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches as the network wants them, and the cubes that it is to make of them.

    Attributes
    ----------
    inputs : ndarray, shape (n, 3, h, w) or (n, bands, h, w), float32
        Of photographs: decoded to the model's encoding, its whole-image rule applied with the
        figures of the whole image. Of coarse cubes: as they are.
    cubes : ndarray, shape (n, bands, h, w), float32
        In the cube's units, brightened as the photograph was; fine cubes have as many times
        more pixels along a side as the scale says.
    gains, offsets : ndarray, shape (n,), float32
        ``output * gain + offset`` is the prediction in the cube's units: the rule undone.
    names : tuple of str
        Of the images that the patches are from.
    """

    inputs: np.ndarray
    cubes: np.ndarray
    gains: np.ndarray
    offsets: np.ndarray
    names: tuple[str, ...]
