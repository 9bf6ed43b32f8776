"""Maps made of a cube as layers directly above it: indices, components, abundances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.viewer.display_limits import map_limits, spread
from napari_hsr.viewer.layer_data import is_copy, spatial_transform
from napari_hsr.viewer.layer_state import texts
from napari_hsr.viewer.layers import add_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_hsr.cube import Cube

#: Key in the metadata of a map layer: the cube's id, and what is shown of it.
KEY = "hsr_analysis"
#: Percentiles that the colours of a map span.
_SPAN = (1.0, 99.0)


def show_analysis(
    viewer: ViewerModel,
    made: Sequence[Cube],
    layer: Layer,
    kind: str,
    *,
    colormap: str = "viridis",
    limits: tuple[float, float] | None = None,
    called: str | None = None,
) -> list[Image]:
    """Show the maps of an analysis, in place of earlier ones of the same kind of the same cube.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    made : sequence of Cube
        Cubes of maps, as :mod:`napari_hsr.analysis` makes them; ``band names`` name the maps.
    layer : Layer
        Of the cube that they were made from; they lie exactly over it.
    kind : str
        Which earlier maps they replace.
    colormap : str
    limits : (float, float), optional
        Contrast limits of the maps of the first cube; by default from the 1st to the 99th
        percentile.
    called : str, optional
        What the cube is called in their names, which for a frame is more than the layer is.

    Returns
    -------
    list of Image layers
        The first is visible, the others and those of other kinds are hidden. The user's selection
        stays.
    """
    mark = {"cube": str(layer.unique_id), "kind": kind}
    active = viewer.layers.selection.active
    for old in [one for one in viewer.layers if texts(one.metadata.get(KEY), "cube", "kind")]:
        if old.metadata[KEY] == mark and not is_copy(old):
            viewer.layers.remove(old)
        elif old.metadata[KEY]["cube"] == mark["cube"]:
            old.visible = False  # it would be covered, and its colour bar is in the way
    shown: list[Any] = []
    for number, cube in enumerate(made):
        for name, data in zip(cube.metadata["band names"], cube.data, strict=True):
            chosen = limits if number == 0 and limits is not None else None
            if chosen is None:
                chosen = map_limits(data) if number else _percentiles(data)
            shown.append(
                add_map(
                    viewer,
                    data,
                    f"{name} · {called or layer.name}",
                    unit=cube.units,
                    title=name,
                    limits=chosen,
                    colormap="magma" if number else colormap,
                    provenance=cube.provenance.to_dict(),
                    visible=not shown,
                    above=layer,
                    metadata={KEY: mark},
                    **spatial_transform(layer),
                )
            )
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
    return shown


def _percentiles(data: np.ndarray) -> tuple[float, float]:
    finite = data[np.isfinite(data)]
    low, high = np.percentile(finite, _SPAN) if finite.size else (0.0, 1.0)
    return spread(float(low), float(high))
