"""What is known of the spectrum of one pixel: its curve with ranges, and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.trust.feasible import SMOOTHNESS_SOURCE, smoothness

if TYPE_CHECKING:
    from napari_hsr.spectra import Curve


@dataclass(frozen=True, eq=False, kw_only=True)
class PixelTrust:
    """What is known of one pixel.

    Attributes
    ----------
    curve : Curve
        Its spectrum, with the ranges ``feasible`` and, for instance, ``90%``.
    measured_share : float or None
        Of its energy; None where the camera is not known.
    outside : ndarray of bool, shape (bands,), or None
        Bands in which the curve leaves the feasible band; all where no spectrum has the colour.
    half_width : float or None
        Of its interval, mean over the bands.
    unlike : float or None
        Above 1, the pixel is unlike what the model was trained on.
    """

    curve: Curve
    measured_share: float | None = None
    outside: np.ndarray | None = None
    half_width: float | None = None
    unlike: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        ranges = {
            name: {"lower": low.tolist(), "upper": high.tolist()}
            for name, (low, high) in self.curve.ranges.items()
        }
        outside = None if self.outside is None else np.flatnonzero(self.outside).tolist()
        return {
            "position": list(self.curve.position or ()),
            "spectrum": self.curve.mean.tolist(),
            "ranges": ranges,
            "measured_share": self.measured_share,
            "outside_feasible_bands": outside,
            "interval_half_width_mean": self.half_width,
            "unlike_training": self.unlike,
        }

    def words(self) -> str:
        """For people, in one line."""
        said = []
        if self.measured_share is not None:
            said.append(f"{self.measured_share:.0%} of its energy measured")
        if self.half_width is not None and self.unlike is not None:
            kin = "unlike" if self.unlike > 1 else "like"
            said.append(f"± {self.half_width:.3g} in the mean, {kin} the training")
        if self.outside is not None:
            if not np.isfinite(self.curve.ranges["feasible"][0]).all():
                said.append("no smooth spectrum in 0..1 has its colour")
            elif self.outside.any():
                count = int(self.outside.sum())
                said.append(f"outside the feasible band in {count} band{'s' * (count > 1)}")
            else:
                said.append("inside the feasible band")
        if not np.isfinite(self.curve.mean).all():
            said = ["it has no value"]
        return f"{self.curve.name}: " + (", ".join(said) or "nothing known")


def smoothness_words(wavelengths_nm: tuple[float, ...]) -> str:
    """The bound of the feasible band and where it comes from."""
    bound = smoothness(wavelengths_nm)
    return f"Feasible: second differences up to {bound:.3g}, as {SMOOTHNESS_SOURCE}."
