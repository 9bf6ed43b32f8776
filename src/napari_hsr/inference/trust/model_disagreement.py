"""Other models that look at one pixel at a time, and what they say of every chromaticity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.colour import convert, why_not_convert
from napari_hsr.models.bundled_models import bundled
from napari_hsr.models.library import load_model
from napari_hsr.photograph import LINEAR_SRGB, SRGB
from napari_hsr.trust.difficulty import CELLS, cell_colours, missed_square

if TYPE_CHECKING:
    from napari_hsr.models.model import Model

#: Bundled models that are homogeneous and look at one pixel at a time.
NAMES = ("instant-photo", "rootpoly-srgb", "rootpoly-nikon-d700", "instant-nikon-d700")

#: Cells computed together.
_TOGETHER = 4096


@dataclass(frozen=True, eq=False)
class Witnesses:
    """What some models say of every chromaticity, at brightness 1.

    Attributes
    ----------
    hashes : dict of str to str
        Of the weights, by the names of the models.
    encoding : str
        Of the colours.
    mean : ndarray, shape (bands, CELLS²), float32
        Rounded to half precision, which calibrated intervals rest on; see
        :func:`napari_hsr.trust.difficulty.spread`.
    variance : ndarray, shape (CELLS²,), float32
        See :func:`napari_hsr.trust.difficulty.spread`.
    """

    hashes: dict[str, str]
    encoding: str
    mean: np.ndarray
    variance: np.ndarray

    def missed(self, camera: np.ndarray) -> np.ndarray:
        """Mean square of what their mean misses of every chromaticity at brightness 1, (CELLS²,) float32.

        Parameters
        ----------
        camera : ndarray, shape (bands, 3)
            See :func:`napari_hsr.trust.difficulty.missed_square`.
        """
        colours = cell_colours(np.arange(CELLS**2)).astype(np.float32)
        return missed_square(self.mean, colours, camera)


def witnesses_of(model: Model) -> Witnesses | None:
    """Those of the bundled per-pixel models that see what a model sees; None if there is none.

    They take photographs in an encoding that the model's converts to, have its bands, and are
    not the model itself.
    """
    encoding = LINEAR_SRGB if model.input_encoding == SRGB else model.input_encoding
    names = tuple(
        name
        for name in NAMES
        if name != model.name
        and (card := bundled()[name][0])
        and why_not_convert(encoding, card.input_encoding) is None
        and card.wavelengths.matches(model.wavelengths)
    )
    return _tabulated(names, encoding) if names else None


@lru_cache(maxsize=4)
def _tabulated(names: tuple[str, ...], encoding: str) -> Witnesses:
    import torch

    models = [load_model(name) for name in names]
    cells = np.arange(CELLS**2)
    inside = cells[np.add(*np.divmod(cells, CELLS)) <= CELLS]  # the others are never seen
    bands = len(models[0].wavelengths)
    mean, variance = np.zeros((CELLS**2, bands), np.float16), np.zeros(CELLS**2, np.float32)
    for part in np.array_split(inside, len(inside) // _TOGETHER):
        colours, said = cell_colours(part).T, []
        for model in models:
            rgb = convert(colours, encoding, model.input_encoding).astype(np.float32)
            with torch.inference_mode():
                spectra = model.module(torch.from_numpy(np.ascontiguousarray(rgb.T))[None, :, None])
            said.append(spectra[0, :, 0].numpy().T)
        every = np.stack(said)
        mean[part] = every.mean(axis=0)
        variance[part] = every.var(axis=0).mean(axis=1)
    hashes = {model.name: model.weights_sha256 for model in models}
    in_rows = np.ascontiguousarray(mean.T, dtype=np.float32)  # as spectra lie
    return Witnesses(hashes, encoding, in_rows, variance)
