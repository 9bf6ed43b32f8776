"""Regions of Shapes and Labels layers, mapped onto the pixels of a cube.

A region layer and a cube may differ in pixel size, position and number of axes; the last two
axes of both are (y, x) in the world. A pixel belongs to a region if its centre lies inside. Of a
layer that has the frames of a film, the regions are those of one frame: see ``drawn_frames``.
Nothing here needs Qt, and nothing needs napari once the regions are collected, so that the
statistics can be computed in a thread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import spectra
from napari_hsr.errors import InputError
from napari_hsr.viewer.distinct_colors import hex_color
from napari_hsr.viewer.drawn_frames import DrawnFrames
from napari_hsr.viewer.layer_data import is_overlay
from napari_hsr.viewer.names import given_names, numbered
from napari_hsr.viewer.world_coordinates import plane_in_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.inference.trust.evidence import Evidence

#: Pixels of labels that are read from disk, or computed: they are held in memory at once.
MOST_LAZY = 2**24


@dataclass(frozen=True)
class Plane:
    """The affine map of a layer's last two axes into the world: ``world = matrix @ data + offset``."""

    matrix: np.ndarray
    offset: np.ndarray

    @classmethod
    def of(cls, layer: Any, viewer: Any = None) -> Plane:
        """The plane of a layer in the viewer's units; a tilt of the band axis is left out."""
        return cls(*plane_in_world(layer, viewer))

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Data (n, 2) → world (n, 2)."""
        return points @ self.matrix.T + self.offset

    def to_data(self, points: np.ndarray) -> np.ndarray:
        """World (n, 2) → data (n, 2); NaN where the plane is flat."""
        return _solved(self.matrix, (points - self.offset).T).T


def _solved(matrix: np.ndarray, of: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.solve(matrix, of)
    except np.linalg.LinAlgError:  # pixels without extent
        return np.full_like(of, np.nan)


@dataclass(frozen=True)
class ShapeRegion:
    """One shape.

    Attributes
    ----------
    name, color : str
        For the legend; ``#rrggbb``.
    outline : array, shape (n, 2)
        Corners (y, x) in the world.
    closed : bool
        False for lines and paths: their pixels are those that they cross.
    origin : (id of the layer, number) or None
        The number is that of the shape, which it keeps.
    """

    name: str
    color: str
    outline: np.ndarray
    closed: bool
    origin: Any = None


@dataclass(frozen=True)
class LabelRegions:
    """All labels of one layer.

    Attributes
    ----------
    layer_name : str
    colors : dict of int to str
        The labels to measure and their colours.
    image : array, shape (h, w)
        Where they have bands, each pixel has its highest label in any of them.
    plane : Plane
        The transform of the label image.
    names : dict of int to str
        Names that the user gave to labels.
    layer_id
        The layer.
    """

    layer_name: str
    colors: dict[int, str]
    image: np.ndarray
    plane: Plane
    names: dict[int, str] = field(default_factory=dict)
    layer_id: Any = None


@dataclass(frozen=True)
class UnreadLabels:
    """A layer of labels of which no pixel was looked at: that can take long, and is for a thread.

    Attributes
    ----------
    layer_name, plane, names, layer_id
        As of :class:`LabelRegions`.
    stored : array, shape (…, h, w)
        May lie on disk, or be computed when it is read.
    color_of : callable
        The colour of a label, RGBA.
    frame : tuple of int or None
        The index on the axes before the last three; None for a frame that they do not have.
    """

    layer_name: str
    stored: Any
    plane: Plane
    names: dict[int, str]
    layer_id: Any
    color_of: Callable[[int], Any]
    frame: tuple[int, ...] | None = ()

    @classmethod
    def of(
        cls, layer: Any, viewer: Any = None, place: Sequence[float] | None = None
    ) -> UnreadLabels:
        """The labels of a Labels layer: of a film's, those of the frame on show, or at a place in the world."""
        stored = layer.data[0] if layer.multiscale else layer.data
        plane, names = Plane.of(layer, viewer), given_names(layer)
        frame = DrawnFrames(viewer, layer).plane(stored.shape, place)
        return cls(layer.name, stored, plane, names, layer.unique_id, layer.get_color, frame)

    @property
    def in_memory(self) -> bool:
        """Whether no disk and no computation stands behind them."""
        return isinstance(self.stored, np.ndarray) and not isinstance(self.stored, np.memmap)

    def read(self, limit: int) -> tuple[LabelRegions | None, int]:
        """The first ``limit`` labels, None without any, and their total number.

        Raises
        ------
        InputError
            If they are not in memory, and too many to be held there.
        """
        if self.frame is None:
            return None, 0
        size = math.prod(self.stored.shape[len(self.frame) :])
        if size > MOST_LAZY and not self.in_memory:
            raise InputError(
                f"{self.layer_name} has {size:,} pixels that are not in memory; up to "
                f"{MOST_LAZY:,} are read as regions. Take a part of it, or load it first."
            )
        image = np.asarray(self.stored[self.frame] if self.frame else self.stored)
        if image.ndim > 2:
            image = image.max(axis=0)
        labels = _present(image)
        if not labels.size:
            return None, 0
        colors = {int(label): hex_color(self.color_of(int(label))) for label in labels[:limit]}
        found = LabelRegions(self.layer_name, colors, image, self.plane, self.names, self.layer_id)
        return found, int(labels.size)


@dataclass(frozen=True)
class Target:
    """A cube to measure regions on, its transform, and what it can be held against."""

    key: Any
    cube: Cube
    plane: Plane
    evidence: Evidence | None = None


@dataclass(frozen=True)
class RegionCurve:
    """Mean ± s.d. of one region on one cube; ``curve`` is None if it covers no pixel of it."""

    name: str
    color: str
    target: Any
    curve: spectra.Curve | None
    origin: Any = None


Region = ShapeRegion | LabelRegions
Drawn = ShapeRegion | UnreadLabels


def is_regions(layer: Any) -> bool:
    """True for a visible layer of shapes, unless it was drawn to show something."""
    from napari.layers import Shapes

    return isinstance(layer, Shapes) and layer.visible and not is_overlay(layer)


def shape_regions(layer: Any, viewer: Any = None, every: bool = False) -> list[ShapeRegion]:
    """The shapes of a Shapes layer in the world, named after the layer and numbered.

    Of a film's, those of the frame on show, or of every frame.
    """
    plane, names = Plane.of(layer, viewer), given_names(layer)
    here = [True] * layer.nshapes if every else DrawnFrames(viewer, layer).rows()
    return [
        ShapeRegion(
            names.get(at) or f"{layer.name} {number}",
            hex_color(color),
            plane.to_world(outline(np.asarray(corners, dtype=float)[:, -2:], kind)),
            closed=kind not in ("line", "path"),
            origin=(layer.unique_id, number),
        )
        for at, (number, corners, kind, color, shown) in enumerate(
            zip(
                *(numbered(layer)[0], layer.data, layer.shape_type, layer.edge_color, here),
                strict=True,
            )
        )
        if shown
    ]


def read_labels(regions: Sequence[Drawn], limit: int) -> tuple[list[Region], int, str]:
    """The first ``limit`` regions, their total number, and which labels could not be read."""
    found: list[Region] = []
    total, problem = 0, ""
    for region in regions:
        room, count = max(limit - total, 0), 1
        one: Region | None
        if isinstance(region, UnreadLabels):
            try:
                one, count = region.read(room)
            except Exception as error:  # a lazy array may raise anything
                problem = f"The labels of {region.layer_name} could not be read: {error}"
                continue
        else:
            one = region
        found += [one] if one is not None and room else []
        total += count
    return found, total, problem


def _present(image: np.ndarray) -> np.ndarray:
    """The labels other than 0 in an image, ascending."""
    if image.min() >= 0 and image.max() < 2**20:  # many times faster than sorting
        labels = np.flatnonzero(np.bincount(image.ravel()))
    else:
        labels = np.unique(image)
    return labels[labels != 0]


def outline(corners: np.ndarray, kind: str) -> np.ndarray:
    """The corners of a shape as a polygon; napari keeps an ellipse as its bounding box."""
    if kind != "ellipse":
        return corners
    center = corners.mean(axis=0)
    half_a, half_b = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, 128, endpoint=False)[:, None]
    return center + np.cos(angle) * half_a + np.sin(angle) * half_b


def shape_mask(region: ShapeRegion, target: Target) -> np.ndarray:
    """The pixels (height, width) of the cube whose centres lie in the shape."""
    from skimage.draw import polygon

    shape = target.cube.shape[1:]
    mask = np.zeros(shape, dtype=bool)
    corners = target.plane.to_data(region.outline)
    if not np.isfinite(corners).all():
        return mask
    if region.closed:
        mask[polygon(corners[:, 0], corners[:, 1], shape)] = True
        return mask
    for start, stop in pairwise(corners):
        along = np.floor(_along(start, stop, shape) + 0.5)
        inside = ((along >= 0) & (along < shape)).all(axis=1)
        mask[tuple(along[inside].astype(int).T)] = True
    return mask


def _along(start: np.ndarray, stop: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Points (n, 2) of a line, less than a pixel apart; of one that goes far, those near the image."""
    way = stop - start
    steps = np.ceil(2 * np.abs(way).max()) + 1
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ends = np.sort([(-1 - start) / way, (np.array(shape) - start) / way], axis=0)
    first, last = np.nanmax([*ends[0], 0.0]), np.nanmin([*ends[1], 1.0])
    if not first <= last:
        return np.zeros((0, 2))
    numbers = np.arange(np.floor(first * steps), min(np.ceil(last * steps), steps) + 1)
    return start + numbers[:, None] * (way / steps)


def labels_on(regions: LabelRegions, target: Target) -> np.ndarray:
    """The label (height, width) at the centre of each pixel of the cube, 0 for none."""
    image = regions.image
    # From a pixel of the cube to a pixel of the label image: one affine map.
    matrix = _solved(regions.plane.matrix, target.plane.matrix)
    offset = regions.plane.to_data(target.plane.offset[None])[0]
    height, width = target.cube.shape[1:]
    found = np.zeros((height, width), dtype=image.dtype)
    for top in range(0, height, 256):  # in strips, to save memory
        rows = np.arange(top, min(top + 256, height))[:, None]
        cols = np.arange(width)[None, :]
        at = [
            np.floor(matrix[i, 0] * rows + matrix[i, 1] * cols + offset[i] + 0.5) for i in range(2)
        ]
        inside = (at[0] >= 0) & (at[0] < image.shape[0]) & (at[1] >= 0) & (at[1] < image.shape[1])
        strip = found[top : top + 256]
        strip[inside] = image[tuple(axis[inside].astype(int) for axis in at)]
    found[~np.isin(found, list(regions.colors))] = 0
    return found


def measure(
    regions: Sequence[Region],
    targets: Sequence[Target],
    stop: Callable[[], bool],
    quantiles: Sequence[float] = (),
) -> Iterator[RegionCurve]:
    """Mean ± s.d. and quantiles of every region on every cube, until ``stop()`` is true."""
    for region in regions:
        for target in targets:
            if stop():
                return
            if isinstance(region, ShapeRegion):
                mask = shape_mask(region, target)
                curve = None
                if mask.any():
                    curve = spectra.region(target.cube, mask, quantiles=quantiles)
                    curve = _with_interval(curve, target, mask)
                yield RegionCurve(region.name, region.color, target.key, curve, region.origin)
            else:
                yield from _measure_labels(region, target, quantiles)


def _measure_labels(
    regions: LabelRegions, target: Target, quantiles: Sequence[float]
) -> Iterator[RegionCurve]:
    image = labels_on(regions, target)
    measured = spectra.labels(target.cube, image, quantiles=quantiles)
    curves = {int(label): c for label, c in zip(_present(image), measured, strict=True)}
    for label, color in regions.colors.items():
        name = regions.names.get(label) or f"{regions.layer_name} {label}"
        curve = curves.get(label)
        if curve is not None and target.evidence is not None:
            curve = _with_interval(curve, target, image == label)
        yield RegionCurve(name, color, target.key, curve, (regions.layer_id, label))


def _with_interval(curve: spectra.Curve, target: Target, mask: np.ndarray) -> spectra.Curve:
    return curve if target.evidence is None else target.evidence.of_mean(curve, mask)
