"""Why cubes are not seen together: each goes along its own axis of bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.viewer import axis
from napari_hsr.viewer.layer_data import layer_wavelengths

if TYPE_CHECKING:
    from napari_hsr.cube import Wavelengths


def why_apart(layer: Any, known: Wavelengths | None, cubes: list) -> str:
    """Why this cube and others cannot be shown together; empty if they can."""
    if layer is None or len({axis.on_nm_axis(cube) for cube in cubes}) < 2:
        return ""
    if not axis.on_nm_axis(layer):
        if known is None:
            how = "state its wavelengths to see them together."
        else:
            how = "its wavelengths are irregular, so they are not seen together."
        return f"This cube goes by band number and the others by nm: {how}"
    other = next(cube for cube in cubes if not axis.on_nm_axis(cube))
    if layer_wavelengths(other) is not None:
        return f"“{other.name}” goes by band number: it is not seen together with this cube."
    return (
        f"“{other.name}” goes by band number and this cube by nm: choose it above and state its "
        "wavelengths to see them together."
    )
