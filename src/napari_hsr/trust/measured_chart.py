"""A camera profile from a chart in a photograph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cameras.estimate import GRID_NM, estimate_camera
from napari_hsr.cameras.profiles import CameraProfile
from napari_hsr.colour import decode_photograph_tile
from napari_hsr.colour.observers import illuminant_values
from napari_hsr.errors import InputError
from napari_hsr.photograph import LINEAR_SRGB, SRGB
from napari_hsr.trust.chart_layout import fit_picture, known_patches, patch_colours

if TYPE_CHECKING:
    from napari_hsr.photograph import Photograph
    from napari_hsr.trust.chart import ChartFit
    from napari_hsr.trust.chart_layout import Chart

#: Share of full scale from which a stored value counts as clipped.
_CLIPPED = 0.99


def measure_chart(
    photograph: Photograph,
    corners: np.ndarray,
    chart: Chart,
    illuminant: str = "D65",
    name: str | None = None,
) -> tuple[CameraProfile, ChartFit]:
    """Exposure, balance and matrix from a chart, and of linear photographs the sensitivities.

    Parameters
    ----------
    photograph : Photograph
    corners : ndarray, shape (4, 2)
        (y, x) of pixels, see :func:`napari_hsr.trust.chart_layout.quadrilaterals`.
    chart : Chart
    illuminant : str
        The light on the chart.
    name : str, optional
        Of the profile; that of the photograph by default.

    Raises
    ------
    InputError
        If the encoding is not known, or as :func:`napari_hsr.trust.chart_layout.fit_picture`.
    """
    encoding = photograph.encoding
    if encoding is None:
        raise InputError(f"The encoding of {photograph.name} is not known: state it first.")
    corners = np.asarray(corners, float)
    if corners.shape != (4, 2) or not np.isfinite(corners).all():
        raise InputError("A chart has four corners.")
    size = np.array(photograph.data.shape[:2])
    first = np.clip(np.floor(np.min(corners, axis=0)).astype(int), 0, size - 1)
    last = np.clip(np.ceil(np.max(corners, axis=0)).astype(int) + 1, first + 1, size)
    stored = np.asarray(photograph.data[first[0] : last[0], first[1] : last[1]])
    top = np.iinfo(stored.dtype).max if stored.dtype.kind == "u" else 1.0
    clipped = np.any(stored >= _CLIPPED * top, axis=-1)
    linear = decode_photograph_tile(stored, encoding, LINEAR_SRGB if encoding == SRGB else encoding)
    inside = corners - first
    fit = fit_picture(linear, clipped, inside, chart, illuminant)
    curves: tuple[tuple[float, ...], ...] = ()
    spreads: tuple[tuple[float, ...], ...] = ()
    if encoding != SRGB:
        light = illuminant_values(illuminant, GRID_NM)
        light = light / light.mean()
        numbers, known = known_patches(chart, GRID_NM)
        seen = patch_colours(linear, clipped, inside, chart)[numbers]
        found = estimate_camera(seen, known, light)
        curves, spreads = (
            tuple(map(tuple, (values * light[:, None]).tolist()))
            for values in (found.sensitivities, found.deviations)
        )
    profile = CameraProfile(
        name=name or photograph.name,
        encoding=encoding,
        gains=tuple((fit.balance * fit.exposure).tolist()),
        matrix=tuple(map(tuple, fit.matrix.tolist())),
        chart=chart.name,
        illuminant=illuminant,
        delta_e=float(np.nanmean(fit.delta_e)),
        wavelengths_nm=tuple(GRID_NM.tolist()) if curves else (),
        sensitivities=curves,
        deviations=spreads,
        polynomial=tuple(map(tuple, fit.polynomial.tolist())),
    )
    return profile, fit


def table_of(profile: CameraProfile) -> str:
    """The estimated sensitivities as a table that :func:`napari_hsr.cameras.read_cameras` reads.

    Raises
    ------
    InputError
        If there are none.
    """
    if not profile.sensitivities:
        raise InputError(
            "The camera's sensitivities are estimated from a ColorChecker in a raw or linear photograph: a "
            "picture in sRGB no longer has what the camera measured."
        )
    lines = [
        f"# {profile.name}, estimated from a {profile.chart}; times the light {profile.illuminant}",
        "wavelength_nm,R,G,B,R_sd,G_sd,B_sd",
    ]
    rows = zip(profile.wavelengths_nm, profile.sensitivities, profile.deviations, strict=True)
    for nm, curve, spread in rows:
        lines.append(",".join(f"{value:.6g}" for value in (nm, *curve, *spread)))
    return "\n".join(lines) + "\n"


def words(profile: CameraProfile, fit: ChartFit) -> str:
    """What was found, for people."""
    left_out = int(np.isnan(fit.delta_e).sum())
    said = (
        f"Exposure × {fit.exposure:.3g}, gains {' '.join(f'{g:.3f}' for g in fit.balance)}; ΔE00 "
        f"{profile.delta_e:.2f} in the mean and {np.nanmax(fit.delta_e):.2f} at most, "
        f"{np.nanmean(fit.delta_e_before):.2f} by exposure and balance alone."
    )
    if fit.doubtful:
        said += (
            " That is much for this chart: do the corners lie on those of its patches, and is it evenly "
            "lit, without glare?"
        )
    if left_out:
        what = "patch is" if left_out == 1 else "patches are"
        said += f" {left_out} {what} clipped or black and left out."
    if profile.sensitivities:
        curves, spreads = np.array(profile.sensitivities), np.array(profile.deviations)
        share = np.sqrt((spreads**2).sum() / (curves**2).sum())
        said += f" Sensitivities were estimated, within {share:.1%} of their own."
    return said
