"""Check that two cubes are a fine and a coarse image of one scene."""

from __future__ import annotations

from typing import Any

from napari_hsr.arguments import told
from napari_hsr.cube import Cube
from napari_hsr.errors import InputError
from napari_hsr.resample.methods import checked_scale


@told
def check_pair(fine: Any, coarse: Any, scale: int | None = None) -> int:
    """Determine the scale between two cubes.

    Parameters
    ----------
    fine, coarse : Cube
    scale : int, optional
        The expected scale.

    Raises
    ------
    InputError
        If either is not a cube, bands or wavelengths differ, the sizes are equal, or their ratio
        is not a whole number or not the scale.
    """
    for given in (fine, coarse):
        if not isinstance(given, Cube):
            name = getattr(given, "name", None) or type(given).__name__
            raise InputError(f"{name} is not a cube: refining needs a fine and a coarse cube.")
    if fine.bands != coarse.bands:
        raise InputError(
            f"{fine.name} has {fine.bands} bands and {coarse.name} has {coarse.bands}: "
            "the fine and the coarse cube must have the same."
        )
    if fine.wavelengths and coarse.wavelengths and not fine.wavelengths.matches(coarse.wavelengths):
        raise InputError(
            f"{fine.name} ({fine.wavelengths.describe()}) and {coarse.name} "
            f"({coarse.wavelengths.describe()}) have different wavelengths."
        )
    sizes = [" × ".join(map(str, cube.shape[1:])) for cube in (fine, coarse)]
    if fine.shape == coarse.shape:
        raise InputError(
            f"{coarse.name} is already at the target size: both cubes have {sizes[0]} pixels."
        )
    ratios = [large / small for large, small in zip(fine.shape[1:], coarse.shape[1:], strict=True)]
    found = ratios[0] if ratios[0] == ratios[1] else None
    if found is None or found < 1 or found != int(found):
        raise InputError(
            f"{fine.name} has {sizes[0]} pixels and {coarse.name} has {sizes[1]}, which do not "
            "divide: the fine cube must have a whole number of times as many along both sides."
        )
    if scale is not None and checked_scale(scale) != found:
        raise InputError(
            f"{fine.name} has {sizes[0]} pixels and {coarse.name} has {sizes[1]}, which is "
            f"×{found:g} and not ×{scale}."
        )
    return checked_scale(found)
