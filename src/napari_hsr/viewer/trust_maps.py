"""How far a reconstruction can be trusted: hidden maps over its cube, and what is kept to look closer."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.viewer.display_limits import beyond, spread
from napari_hsr.viewer.layer_data import (
    KEY,
    full_resolution,
    layer_shape,
    layer_state,
    spatial_transform,
    state_of,
    unwrapped,
)
from napari_hsr.viewer.layers import add_map

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_hsr.cube import Cube
    from napari_hsr.inference import Result
    from napari_hsr.inference.trust.evidence import Evidence

#: Values above this share of a map do not set its colours.
_SHOWN = 0.99
#: What cubes can be held against, for as long as their layers are there.
_EVIDENCE: weakref.WeakKeyDictionary[Image, Evidence] = weakref.WeakKeyDictionary()


class LazyMap:
    """A map that is computed when it is first looked at, and then kept.

    What draws it takes parts of it. While somebody computes it elsewhere (:attr:`on_ask`), these
    are NaN; the whole of it, as an array, is always the map.

    Parameters
    ----------
    shape : (int, int)
    compute : callable
        Makes the map.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, shape: tuple[int, int], compute: Callable[[], np.ndarray]):
        self.shape = shape
        self.size = shape[0] * shape[1]
        #: Called when a part is asked for that is not there; :meth:`find` is then called elsewhere.
        self.on_ask: Callable[[], None] | None = None
        self._compute: Callable[[], np.ndarray] | None = compute
        self._values = np.empty((0, 0), np.float32)
        self._computing = threading.Lock()

    @property
    def computed(self) -> bool:
        """Whether it has been looked at."""
        return self._compute is None

    def find(self) -> np.ndarray:
        """The map, computed if it is not there."""
        with self._computing:
            if self._compute is not None:
                self._values = np.asarray(self._compute(), np.float32)
                self._compute = None  # and what it was computed from
        return self._values

    def __deepcopy__(self, _memo: Any) -> LazyMap:
        """The same map, for a layer that napari duplicates: it is computed once, and nobody can write to it."""
        return self

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.find(), dtype, copy=copy)

    def __getitem__(self, key: Any) -> Any:
        if self.on_ask is None or self.computed:
            return self.find()[key]
        self.on_ask()
        return np.broadcast_to(np.float32(np.nan), self.shape)[key]

    def __len__(self) -> int:
        return self.shape[0]


def remember(layer: Image, evidence: Evidence | None) -> None:
    """Keep what the cube of a layer can be held against, until the layer is gone."""
    if evidence is not None:
        _EVIDENCE[unwrapped(layer)] = evidence


def evidence_of(layer: Image) -> Evidence | None:
    """What was remembered, unless the layer has other values by now."""
    found = _EVIDENCE.get(unwrapped(layer))
    return found if found is not None and found.cube.data is full_resolution(layer) else None


def has_changed(layer: Image) -> bool:
    """Whether the layer has other values than those that were to be remembered."""
    found = _EVIDENCE.get(unwrapped(layer))
    return found is not None and found.cube.data is not full_resolution(layer)


def source_photograph(cube: Cube, layers: Iterable[Image]) -> Image | None:
    """The layer of the photograph that a cube was reconstructed from, None if it is not among them."""
    for layer in layers:
        state = layer_state(layer)
        named = layer.name, str((state.get("provenance") or {}).get("input", ""))
        if layer_shape(layer)[:2] == cube.shape[1:] and cube.provenance.comes_from(*named):
            return layer
    return None


def add_trust_maps(viewer: ViewerModel, result: Result, cube: Image) -> list[Image]:
    """Add the maps that a result has, hidden, directly above its cube; computed when looked at.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    result : Result
        With ``trust``; nothing is added without it.
    cube : Image layer
        Of the result's cube.
    """
    shown: list[tuple[str, Callable[[], np.ndarray], str | None]] = []
    if result.trust and (intervals := result.trust.intervals):
        coverage = f"{intervals.coverage:.0%} interval, mean over the bands"
        data = result.cube.data
        shown += [
            (f"Half-width of the {coverage}", intervals.mean_half_width, result.cube.units),
            (
                f"Relative half-width of the {coverage}",
                lambda: intervals.mean_half_width(data),
                None,
            ),
            ("Unlike the training (above 1)", lambda: intervals.unlike, None),
        ]
    if result.trust and (colours := result.trust.colours):
        shown += [
            ("Measured share", lambda: colours.share, None),
            ("Colour residual of the network", lambda: colours.residual, None),
        ]
    active = viewer.layers.selection.active
    layers = []
    for title, compute, unit in shown:
        layer = add_map(
            viewer,
            LazyMap(result.cube.shape[1:], compute),
            f"{title} · {cube.name}",
            unit=unit,
            title=title,
            limits=(0.0, 1.0),
            visible=False,
            above=cube,
            **spatial_transform(cube),
        )
        layer.events.visible.connect(_on_visible)
        layers.append(layer)
    viewer.layers.selection.active = active
    return layers


def _on_visible(event: Any) -> None:
    """Set the limits of a map when it is first shown, unless somebody computes it elsewhere."""
    layer = event.source
    elsewhere = isinstance(layer.data, LazyMap) and layer.data.on_ask and not layer.data.computed
    if layer.visible and not elsewhere:
        show_limits(layer, limits_of(layer.data))


def limits_of(found: Any) -> tuple[tuple[float, float], float | None]:
    """Limits of the colours of a map, and its maximum where that is to be told."""
    values = np.asarray(found)
    finite = values[np.isfinite(values)]
    limits = spread(0.0, float(np.quantile(finite, _SHOWN)) if finite.size else 1.0)
    return limits, beyond(values, limits[1])


def show_limits(layer: Image, limits: tuple[tuple[float, float], float | None]) -> None:
    """Give a map the limits that were found of it; the user's own stay from then on."""
    layer.events.visible.disconnect(_on_visible)
    state = {**state_of(layer.metadata), "beyond": limits[1]}
    layer.metadata = {**layer.metadata, KEY: state}
    layer.contrast_limits_range = limits[0]
    layer.contrast_limits = limits[0]
