"""What was said of a reconstruction's uncertainty, held against ground truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.metrics.uncertainty import error_by_share, mean_of_known, risk_coverage
from napari_hsr.progress import Progress, stop_if
from napari_hsr.trust.measured_share import measured_share

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from napari_hsr.cube import Cube
    from napari_hsr.inference.trust.evidence import Evidence

#: Pixels looked at together.
_STRIP_PIXELS = 2**16

Curve = tuple[np.ndarray, np.ndarray]
Figure = tuple[str, int | None, float | None, float]


@dataclass(frozen=True, eq=False, kw_only=True)
class UncertaintyCheck:
    """How well the intervals and the measured share knew of the errors.

    Attributes
    ----------
    asked : float
        The probability that the intervals promise.
    coverage : float or None
        Share of all values that lie in their intervals; None without intervals.
    coverage_bands : ndarray, shape (bands,), or None
        NaN for a band in which nothing could be compared.
    half_width : float or None
        Half the distance of the ends, mean over all values; the lower end stops at zero.
    risk : (share of pixels, mean error) or None
        Of the most certain pixels: see :func:`napari_hsr.metrics.uncertainty.risk_coverage`.
    by_share : (measured share, mean error) or None
        Where the camera is known.
    """

    asked: float = 0.9
    coverage: float | None = None
    coverage_bands: np.ndarray | None = None
    half_width: float | None = None
    risk: Curve | None = None
    by_share: Curve | None = None

    def words(self, units: str | None = None) -> str:
        """For people; empty if nothing was promised."""
        if self.coverage is None:
            return ""
        unit = f" {units}" if units else ""
        return (
            f"The {self.asked:.0%} intervals hold {self.coverage:.1%} of the true values; their "
            f"half-width is {self.half_width:.3g}{unit} in the mean."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the names that ``napari-hsr evaluate --json`` has for them."""
        found: dict[str, Any] = {}
        if self.coverage_bands is not None:
            found["intervals"] = {
                "asked": self.asked,
                "coverage": self.coverage,
                "coverage_bands": [
                    None if np.isnan(value) else value for value in self.coverage_bands.tolist()
                ],
                "half_width": self.half_width,
            }
        for name, curve in (("risk_coverage", self.risk), ("error_by_share", self.by_share)):
            if curve is not None:
                found[name] = {"share": curve[0].tolist(), "error": curve[1].tolist()}
        return found

    def figures(self) -> list[Figure]:
        """The same one by one: name, band or None, pixels kept or measured share or None, value."""
        found: list[Figure] = []
        if self.coverage_bands is not None:
            for name, value in (("coverage", self.coverage), ("half_width", self.half_width)):
                found.append((name, None, None, float(value or 0)))
            bands = enumerate(self.coverage_bands.tolist())
            found += [("coverage", band, None, value) for band, value in bands if value == value]
        for name, curve in (("risk_coverage", self.risk), ("error_by_share", self.by_share)):
            for share, error in zip(*curve, strict=True) if curve is not None else ():
                found.append((name, None, float(share), float(error)))
        return found


def uncertainty_check_events(
    evidence: Evidence,
    truth: Cube,
    cancel: threading.Event | None = None,
    mask: np.ndarray | None = None,
) -> Iterator[Progress | UncertaintyCheck]:
    """Hold a cube and what is known of it against the truth on the same grid and bands.

    As the figures of a comparison, it leaves out bands that either marks as bad, and all outside a mask
    (height, width), where there is one.
    """
    cube, (_, height, width) = evidence.cube, evidence.cube.shape
    bands = np.flatnonzero(cube.good_bands & truth.good_bands)
    inside, known, widths = np.zeros((3, bands.size))
    maps = np.full((3, height, width), np.nan)  # error, half-width, share
    step = max(1, _STRIP_PIXELS // width)
    for start in range(0, height, step):
        stop_if(cancel)
        yield Progress(start, height, "Holding the intervals against the truth")
        strip = slice(start, min(start + step, height))
        made, true = (np.asarray(one.data[:, strip], np.float64) for one in (cube, truth))
        apart = np.abs(made - true)[bands]
        if mask is not None:
            apart[:, ~mask[strip]] = np.nan
        maps[0, strip] = mean_of_known(apart)
        if evidence.linear_camera is not None:
            maps[2, strip] = measured_share(made, evidence.linear_camera)
        if evidence.intervals is not None:
            half = evidence.intervals.half_width(rows=strip)
            low, high = np.maximum(made - half, 0), made + half  # as they are drawn and written
            within = ((true >= low) & (true <= high))[bands]
            half = ((high - low) / 2)[bands]
            finite = np.isfinite(apart) & np.isfinite(half)
            inside += (within & finite).sum(axis=(1, 2))
            known += finite.sum(axis=(1, 2))
            half = np.where(finite, half, np.nan)
            widths += np.nansum(half, axis=(1, 2))
            maps[1, strip] = mean_of_known(half)
    error, half_map, share = maps
    some = np.isfinite(error) & np.isfinite(half_map)
    held = UncertaintyCheck()
    if some.any():
        held = UncertaintyCheck(
            coverage=float(inside.sum() / known.sum()),
            coverage_bands=np.where(known > 0, inside / np.maximum(known, 1), np.nan),
            half_width=float(widths.sum() / known.sum()),
            risk=risk_coverage(error, half_map),
        )
    if (np.isfinite(error) & np.isfinite(share)).any():
        held = replace(held, by_share=error_by_share(error, share))
    yield held
