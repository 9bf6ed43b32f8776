"""What a run of inference ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hsr.units import device_words, format_bytes, format_seconds

if TYPE_CHECKING:
    from napari_hsr.cube import Cube
    from napari_hsr.inference.trust.intervals import Looker
    from napari_hsr.inference.trust.run import Trust
    from napari_hsr.notices import Notice
    from napari_hsr.photograph import Photograph
    from napari_hsr.resample import Agreement, Refinement


@dataclass(frozen=True, kw_only=True)
class Result:
    """A cube and how it was computed.

    Attributes
    ----------
    cube : Cube
        The result, with its provenance and the model's card in its metadata.
    seconds : float
        Wall time, without loading the model.
    peak_bytes : int
        Peak memory above that at the start: the cube included, and the copy of the network that
        a first run makes.
    device, precision : str
        What it was computed on and in.
    tiles : int
        Number of tiles; 0 for an interpolation.
    notices : tuple of Notice
        What the user must know of this result.
    trust : Trust or None
        How far the cube can be trusted, where that was asked for.
    photograph : Photograph or None
        That the cube was reconstructed from.
    looker : Looker or None
        What finds the intervals of single pixels later, where the model is calibrated.
    """

    cube: Cube
    seconds: float
    peak_bytes: int
    device: str
    precision: str
    tiles: int
    notices: tuple[Notice, ...]
    trust: Trust | None = None
    photograph: Photograph | None = None
    looker: Looker | None = None

    def summary(self) -> str:
        """Time, device, precision and memory in one line."""
        return (
            f"{format_seconds(self.seconds)} on {device_words(self.device)} in {self.precision}, "
            f"peak memory +{format_bytes(self.peak_bytes)}"
        )


@dataclass(frozen=True, kw_only=True)
class SuperResolutionResult(Result):
    """A super-resolved cube, over the same area as the coarse cube it was made from.

    Attributes
    ----------
    coarse : Cube
        What it was made from.
    scale : int
        Output pixels per input pixel along each side.
    agreement : Agreement or Refinement
        How well the result, degraded again, agrees with the coarse cube. ``agreement.residual``
        (height, width) is a quality map that needs no ground truth. It is a
        :class:`~napari_hsr.resample.Refinement` after back-projection.
    refined_by : str or None
        ``"back-projection"``, ``"dualsr"``, or None.
    """

    coarse: Cube
    scale: int
    agreement: Agreement | Refinement
    refined_by: str | None

    def summary(self) -> str:
        """As for any result, and the residual at low resolution."""
        return (
            f"{super().summary()}; residual on the coarse grid "
            f"{self.agreement.relative:.2%} under {self.agreement.degradation}"
            + (f", refined by {self.refined_by}" if self.refined_by else "")
        )
