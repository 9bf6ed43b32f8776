"""CIE ΔE00: how different two cubes of reflectance look under a light."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cameras.illuminants import BLACKBODY, Light, light_pool
from napari_hsr.colour.matrix import integrate, why_no_true_colour
from napari_hsr.colour.observers import colour_science, observer_values
from napari_hsr.colour.render import beyond_reflectance, full_reflectance, is_radiance
from napari_hsr.cube import Cube
from napari_hsr.errors import InputError
from napari_hsr.metrics.formulas import Sums

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from napari_hsr.cube import Wavelengths
    from napari_hsr.metrics.row_blocks import Block

_OBSERVER = "cie-1931"
_KELVIN = re.compile(r"(\d{4,5})\s*k", re.IGNORECASE)
#: Where CIE Lab goes from the cube root to a line.
_LINEAR = 6.0 / 29.0


def lights_named(names: Sequence[str]) -> list[Light]:
    """Lights by name: ``"D65"``, ``"A"``, ``"FL11"``, ``"3200K"``, ``"lamps.csv:NAME"``.

    Raises
    ------
    InputError
        If one is not known.
    """
    found: list[Light] = []
    for name in names:
        kelvin = _KELVIN.fullmatch(name.strip())
        if kelvin:
            found.append(Light(f"{kelvin[1]}K", float(kelvin[1])))
            continue
        pool = light_pool(name)
        if any(light.name == BLACKBODY and light.kelvin is None for light in pool):
            raise InputError("A black body needs its temperature: 3200K.")
        found += pool
    return found


def delta_e_2000(lab: np.ndarray, other: np.ndarray) -> np.ndarray:
    """ΔE00 of colours in CIE Lab, (…, 3) each (CIE 142-2001; computed by colour-science)."""
    found: np.ndarray = np.asarray(colour_science().difference.delta_E_CIE2000(lab, other))
    return found


def xyz_to_lab(xyz: np.ndarray, white: np.ndarray) -> np.ndarray:
    """CIE 1976 Lab of XYZ (…, 3) relative to a white (3,) (CIE 15)."""
    ratio = xyz / white
    root = np.where(ratio > _LINEAR**3, np.cbrt(ratio), ratio / (3 * _LINEAR**2) + 4.0 / 29.0)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


class ColourDifference(Sums):
    """The mean ΔE00 under one light, summed block by block.

    The perfect reflector under the light is white. CIE 1931 2° observer.

    Parameters
    ----------
    light : Light
    wavelengths : Wavelengths
        Of the bands compared.
    scales : (float, float)
        What the values of prediction and truth are multiplied by to be reflectances in 0..1.
    """

    ADDED = ("_sum", "_count")

    def __init__(self, light: Light, wavelengths: Wavelengths, scales: tuple[float, float]):
        self.name = light.name
        self._scales = scales

        def seen(nm: np.ndarray) -> np.ndarray:
            lit: np.ndarray = observer_values(_OBSERVER, nm) * light.power(nm)[:, None]
            return lit

        self._weights = integrate(wavelengths.nm, seen)
        self._used = (self._weights != 0).any(axis=1)
        self._white = self._weights.sum(axis=0)
        self._sum, self._count = 0.0, 0

    def add(self, block: Block) -> None:
        """Add one block; pixels with a value missing in the visible are left out."""
        pair = (block.prediction, block.truth)
        whole = np.ones(block.truth.shape[1:], dtype=bool)
        if block.valid is not None:
            whole = block.valid[self._used].all(axis=0)
        if not whole.any():
            return
        weights = self._weights[self._used]
        labs = [
            xyz_to_lab(values[self._used][:, whole].T @ weights * scale, self._white)
            for values, scale in zip(pair, self._scales, strict=True)
        ]
        self._sum += float(delta_e_2000(*labs).sum())
        self._count += int(whole.sum())

    @property
    def mean(self) -> float:
        """NaN if no pixel was counted."""
        return self._sum / self._count if self._count else float("nan")


def differences(
    prediction: Any, truth: Any, wavelengths: Wavelengths | None, lights: Sequence[str]
) -> list[ColourDifference]:
    """One sum for each light.

    Raises
    ------
    InputError
        If a light is not known, or the cubes do not hold reflectances of the visible range.
    """
    if not len(lights):
        return []
    found = lights_named(lights)
    if wavelengths is None:
        raise InputError("ΔE00 needs the wavelengths of both cubes, and they are not known.")
    if reason := why_no_true_colour(wavelengths):
        raise InputError(f"ΔE00 cannot be given. {reason}")
    scales = tuple(_to_reflectance(cube) for cube in (prediction, truth))
    return [ColourDifference(light, wavelengths, (scales[0], scales[1])) for light in found]


def _to_reflectance(cube: Any) -> float:
    """What values are multiplied by."""
    if not isinstance(cube, Cube):
        return 1.0
    if is_radiance(cube):
        raise InputError(
            f"ΔE00 under chosen lights needs reflectances; {cube.name} is in {cube.units}, which "
            "has a light of its own."
        )
    if beyond_reflectance(cube):
        raise InputError(
            f"ΔE00 under chosen lights needs reflectances in 0..1; {cube.name} reaches "
            f"{cube.value_range[1]:.4g}."
        )
    return 1.0 / full_reflectance(cube)
