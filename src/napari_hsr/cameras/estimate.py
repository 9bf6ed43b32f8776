"""A camera's sensitivities from a chart: what its patches say, and what measured cameras are like.

Cameras are alike: the mean and a few principal components of measured ones describe a channel
nearly whole (Jiang, Liu, Gu and Süsstrunk, WACV 2013). With A the reflectances of the patches under
the light, (patches, bands), y the linear colours of a channel and g its unknown gain, the channel
c ≥ 0 is that of the least

    ‖(A c − y) / σ‖² + ‖L (c − g m)‖² / g²,   LᵀL = (B Λ Bᵀ + ε I)⁻¹,

m the mean and B, Λ the components of measured cameras and their variances: the most probable one
for a Gaussian prior. Its covariance is (AᵀA / σ² + LᵀL / g²)⁻¹ where c is not zero. σ is the noise of a
patch, or what the fit leaves of the colours if that is more, as under glare, a shadow or uneven light.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.cameras.sensitivities import Camera

#: Wavelengths that components are kept at.
GRID_NM = np.arange(400.0, 701.0, 10.0)
#: Components of each channel.
COMPONENTS = 4
#: ε relative to the largest sensitivity: what the components leave out of measured cameras.
_LEFT_OUT = 0.01
#: Standard deviation of a patch's colour, relative to the brightest patch of the channel, at least.
_NOISE = 0.004
_FILE = Path(__file__).with_name("camera_components.json")


@dataclass(frozen=True, eq=False)
class Components:
    """What cameras are like.

    Attributes
    ----------
    mean : ndarray, shape (3, bands)
        Channels R, G and B, each of sum 1 over :data:`GRID_NM`.
    directions : ndarray, shape (3, components, bands)
        Orthonormal.
    deviations : ndarray, shape (3, components)
        Standard deviations along these.
    cameras : int
        How many they are from.
    """

    mean: np.ndarray
    directions: np.ndarray
    deviations: np.ndarray
    cameras: int

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, rounded to what their use needs."""
        arrays = {name: getattr(self, name) for name in ("mean", "directions", "deviations")}
        return {
            "cameras": self.cameras,
            **{name: np.round(values, 5).tolist() for name, values in arrays.items()},
        }


@lru_cache(maxsize=1)
def bundled_components() -> Components:
    """Those that come with the package, of 49 measured cameras."""
    held = json.loads(_FILE.read_text(encoding="utf-8"))
    mean, directions, deviations = (
        np.array(held[name]) for name in ("mean", "directions", "deviations")
    )
    return Components(mean, directions, deviations, held["cameras"])


def components_of(cameras: Sequence[Camera]) -> Components:
    """Mean and principal components of measured cameras."""
    if len(cameras) <= COMPONENTS:
        raise InputError(
            f"{COMPONENTS} components take more than {COMPONENTS} cameras; there are {len(cameras)}."
        )
    curves = np.stack([_on_grid(camera) for camera in cameras])  # (cameras, 3, bands)
    mean = curves.mean(axis=0)
    directions, deviations = [], []
    for channel in range(3):
        _, size, found = np.linalg.svd(curves[:, channel] - mean[channel], full_matrices=False)
        directions.append(found[:COMPONENTS])
        deviations.append(size[:COMPONENTS] / np.sqrt(len(cameras) - 1))
    return Components(mean, np.stack(directions), np.stack(deviations), len(cameras))


@dataclass(frozen=True, eq=False)
class CameraEstimate:
    """Estimated sensitivities.

    Attributes
    ----------
    sensitivities, deviations : ndarray, shape (bands, 3)
        On :data:`GRID_NM`, in the units of the colours, to a reflectance under the light; and
        their standard deviations.
    """

    sensitivities: np.ndarray
    deviations: np.ndarray


def estimate_camera(
    colours: np.ndarray,
    reflectances: np.ndarray,
    light: np.ndarray,
    components: Components | None = None,
) -> CameraEstimate:
    """Estimate a camera's sensitivities from the linear colours of patches.

    Parameters
    ----------
    colours : ndarray, shape (patches, 3)
        Linear, without white balance or with any; NaN or 1 (clipped) leaves a patch out.
    reflectances : ndarray, shape (patches, bands)
        On :data:`GRID_NM`.
    light : ndarray, shape (bands,)
        Relative power of the light on the chart.
    components : Components, optional
        What cameras are like; :func:`bundled_components` by default.

    Returns
    -------
    CameraEstimate

    Raises
    ------
    InputError
        If fewer than twelve patches are left, or sizes differ.
    """
    from scipy.optimize import nnls

    known = components or bundled_components()
    seen, matrix = np.asarray(colours, float), np.asarray(reflectances, float) * light
    if seen.shape != (len(matrix), 3) or matrix.shape[1:] != GRID_NM.shape:
        raise InputError(
            f"Colours of {seen.shape} and reflectances of {matrix.shape} do not fit: a chart has three "
            f"numbers and {GRID_NM.size} reflectances a patch."
        )
    used = np.isfinite(seen).all(axis=1) & (seen < 0.99).all(axis=1)
    if used.sum() < 12:
        raise InputError(
            f"Only {int(used.sum())} of the {len(seen)} patches are not clipped, and an estimate of the "
            "camera takes twelve: expose the chart less."
        )
    seen, matrix = seen[used], matrix[used]
    curves, spreads = np.empty((2, GRID_NM.size, 3))
    for channel in range(3):
        mean, basis = known.mean[channel], known.directions[channel]
        prior = (basis.T * known.deviations[channel] ** 2) @ basis
        prior += (_LEFT_OUT * mean.max()) ** 2 * np.eye(GRID_NM.size)
        root = np.linalg.cholesky(np.linalg.inv(prior)).T
        y = seen[:, channel]
        sigma = _NOISE * y.max()
        gain = float(y @ (matrix @ mean) / np.square(matrix @ mean).sum())
        for _ in range(5):
            rows = np.vstack([matrix / sigma, root / gain])
            curve, _ = nnls(rows, np.concatenate([y / sigma, root @ mean]))
            gain = float(curve.sum())
            sigma = max(sigma, float(np.sqrt(np.square(matrix @ curve - y).mean())))
        free = curve > 0
        inside = rows[:, free]
        spreads[:, channel] = 0
        spreads[free, channel] = np.sqrt(np.diag(np.linalg.inv(inside.T @ inside)))
        curves[:, channel] = curve
    return CameraEstimate(curves, spreads)


def _on_grid(camera: Camera) -> np.ndarray:
    """The channels of a camera on :data:`GRID_NM`, each of sum 1, (3, bands)."""
    from napari_hsr.colour.observers import sample

    curves = np.maximum(sample(GRID_NM, camera.wavelengths_nm, camera.sensitivities), 0)
    found: np.ndarray = (curves / curves.sum(axis=0)).T
    return found
