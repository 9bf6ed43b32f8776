"""Maps of how far a reconstruction can be trusted, as hidden layers over its cube."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.viewer.display_limits import spread
from napari_hsr.viewer.layer_data import spatial_transform
from napari_hsr.viewer.layers import add_map

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_hsr.inference import Result

#: Values above this share of a map do not set its colours.
_SHOWN = 0.99


def add_trust_maps(viewer: ViewerModel, result: Result, cube: Image) -> list[Image]:
    """Add the maps that a result has, hidden, directly above its cube.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    result : Result
        With ``trust``; nothing is added without it.
    cube : Image layer
        Of the result's cube.
    """
    shown: list[tuple[str, np.ndarray, str | None]] = []
    if result.trust and (intervals := result.trust.intervals):
        coverage = f"{intervals.coverage:.0%} interval"
        relative = intervals.mean_half_width(result.cube.data)
        shown += [
            (f"Half-width of the {coverage}", intervals.mean_half_width(), result.cube.units),
            (f"Half-width of the {coverage}, relative", relative, None),
            ("Unlike the training (above 1)", intervals.unlike, None),
        ]
    if result.trust and (colours := result.trust.colours):
        shown += [
            ("Measured share", colours.share, None),
            ("Colour residual of the network", colours.residual, None),
        ]
    active = viewer.layers.selection.active
    layers = []
    for title, data, unit in shown:
        finite = data[np.isfinite(data)]
        most = float(np.quantile(finite, _SHOWN)) if finite.size else 1.0
        layer = add_map(
            viewer,
            np.asarray(data, np.float32),
            f"{title} · {cube.name}",
            unit=unit,
            title=title,
            limits=spread(0.0, most),
            visible=False,
            above=cube,
            **spatial_transform(cube),
        )
        layers.append(layer)
    viewer.layers.selection.active = active
    return layers
