"""Inspection: every image of a recipe is found, read once and checked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr import colour
from napari_hsr.cameras import random_camera
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import HSRError
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import stop_if
from napari_hsr.training.data import checks, split
from napari_hsr.training.data.cache import CacheError, folder
from napari_hsr.training.data.cache_entry import Entry
from napari_hsr.training.data.discovery import find
from napari_hsr.training.data.findings import Findings, Row
from napari_hsr.training.data.material_scenes import load_materials, painted_images
from napari_hsr.training.data.scan import load, scan
from napari_hsr.training.events import Event, Noticed, Preparing

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_hsr.photograph import Photograph
    from napari_hsr.training.data.image_source import Pair, Scene
    from napari_hsr.training.recipe.schema import Recipe


def inspect_events(
    recipe: Recipe,
    cancel: threading.Event | None = None,
    *,
    images: Sequence[Pair] = (),
    keep: bool = False,
) -> Iterator[Event | Findings]:
    """Find, read and check every image of a recipe.

    Parameters
    ----------
    recipe : Recipe
    cancel : threading.Event, optional
    images : sequence of (Cube, Photograph or None), optional
        Further images, in memory.
    keep : bool
        Also write decoded images to the cache, so that :func:`cache.build` need not read them.

    Yields
    ------
    Preparing, Noticed
    Findings
        Last of all, with one row per image. Images that cannot be used have a problem there;
        :meth:`Findings.check` raises it.

    Raises
    ------
    FileError, InputError, ModelError
        If a folder, a split file, a named file or the start model is missing, or ``hold_out``
        makes no sense.
    CacheError
        If images are to be kept and cannot be.
    Cancelled
        If ``cancel`` is set.
    """
    data = recipe.data
    encoding = None
    if data.input_encoding is not None:
        encoding = colour.normalise_encoding(data.input_encoding)
    if data.wavelengths_nm is not None:
        Wavelengths(
            np.asarray(data.wavelengths_nm)
        )  # refuses what is no grid before images are read
    if recipe.finer:  # photographs beside the cubes are not used
        data = data.model_copy(update={"simulate": True})
    scenes = split.assign(find(data, images, painted_images(recipe)), data, recipe.seed)
    rows = []
    for number, scene in enumerate(scenes):
        stop_if(cancel)
        yield Preparing(number, len(scenes), f"Inspecting {scene.name}")
        rows.append(_row(scene, recipe, encoding, cancel, keep))
    yield Preparing(len(scenes), len(scenes), "All images are inspected")
    grid = checks.common_grid(rows)
    rows = checks.on_one_grid(rows, grid)
    rows = checks.for_start_model(checks.on_one_scale(rows), recipe)
    nm = None if grid is None else grid.nm
    faults, notices = checks.faults(rows, recipe, nm), checks.notices(rows)
    if recipe.materials is not None and nm is not None:
        notices += load_materials(recipe.materials, nm, recipe.seed).notices
    if nm is not None and not faults and recipe.camera and checks.simulates(rows, recipe):
        notices += random_camera.doubts(recipe.camera, nm)
    yield from map(Noticed, notices)
    yield Findings(tuple(rows), grid, notices, faults)


def _row(
    scene: Scene, recipe: Recipe, encoding: str | None, stop: threading.Event | None, keep: bool
) -> Row:
    row = Row(
        scene.name,
        _file_name(scene.rgb),
        _file_name(scene.cube),
        bool(scene.held_out),
        problem=scene.problem,
        scene=scene,
    )
    if scene.problem:
        return row
    place, wanted = folder(recipe.data.cache), recipe.data.wavelengths_nm
    try:
        entry = Entry(scene, place, wanted, encoding, bool(scene.held_out))
        row = replace(row, files=entry.files, stamps=entry.stamps)
        found = entry.facts()
        if found is None and keep:
            found = entry.write(stop)
        elif found is None:
            found = scan(*load(scene), wanted, encoding, stop)
    except CacheError:
        raise
    except HSRError as error:
        return replace(row, problem=Notice.warning(Code.UNREADABLE, str(error)))
    return _with_coarse_size(checks.checked(row, found, recipe), recipe)


def _with_coarse_size(row: Row, recipe: Recipe) -> Row:
    """For super-resolution, the size of the coarse image and what is left over."""
    if not recipe.finer or row.height is None or row.width is None:
        return row
    high, rows = divmod(row.height, recipe.scale)
    wide, columns = divmod(row.width, recipe.scale)
    return replace(row, coarse=(high, wide), left_over=(rows, columns))


def _file_name(image: Path | Cube | Photograph | None) -> str:
    return "" if image is None else image.name
