"""Interpolations as models of one layer, for the loop over tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM
from napari_hsr.models.card import CUBE, ModelCard
from napari_hsr.models.model import Model
from napari_hsr.resample.resize import enlarge

if TYPE_CHECKING:
    from napari_hsr.resample.methods import Kind

#: Coarse pixels beside a tile that the widest kernel reaches, and one more.
_CONTEXT = 3


class Interpolation(nn.Module):
    """(N, bands, height, width) to (N, bands, scale * height, scale * width)."""

    def __init__(self, name: str, scale: int):
        super().__init__()
        self.name, self.scale = name, scale

    def forward(self, images: Tensor) -> Tensor:
        """The images, interpolated."""
        made: Tensor = enlarge(images, self.scale, self.name)
        return made


def as_model(kind: Kind, scale: int, bands: int) -> Model:
    """An interpolation of cubes of so many bands."""
    card = ModelCard(
        name=kind.name,
        title=kind.title,
        architecture="interpolation",
        input_encoding=CUBE,
        scale=scale,
        wavelengths_nm=DEFAULT_WAVELENGTHS_NM,
    )
    return Model(
        module=Interpolation(kind.name, scale).eval(),
        card=card,
        weights_sha256="",
        channels=None,
        bands=None,
        scale=scale,
        context=_CONTEXT,
        bytes_per_pixel=4 * bands * scale * (1 + scale),
    )
