"""What a training would be fed with: every image looked through, its faults said in its row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_hsr import colour
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import HSRError
from napari_hsr.progress import stop_if
from napari_hsr.training.data import checks, split
from napari_hsr.training.data.cache import CacheError, folder
from napari_hsr.training.data.cache_entry import Entry
from napari_hsr.training.data.discovery import Pair, Scene, find
from napari_hsr.training.data.findings import Findings, Row
from napari_hsr.training.data.scan import load, survey
from napari_hsr.training.events import Event, Preparing, Report, result_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_hsr.photograph import Photograph
    from napari_hsr.training.recipe.schema import Recipe


def inspect(
    recipe: Recipe,
    report: Report | None = None,
    cancel: threading.Event | None = None,
    *,
    images: Sequence[Pair] = (),
    keep: bool = False,
) -> Findings:
    """Look through every image that a recipe names: :func:`inspect_events` to its end."""
    return result_of(inspect_events(recipe, cancel, images=images, keep=keep), report)


def inspect_events(
    recipe: Recipe,
    cancel: threading.Event | None = None,
    *,
    images: Sequence[Pair] = (),
    keep: bool = False,
) -> Iterator[Event | Findings]:
    """Look through every image that a recipe names.

    Parameters
    ----------
    recipe : Recipe
    cancel : threading.Event, optional
    images : sequence of (Cube, Photograph or None), optional
        Further images, in memory.
    keep : bool
        Decode into the cache on the way, so that :func:`cache.build` need not read twice.

    Yields
    ------
    Preparing, Notice
    Findings
        Last of all: a row an image; one that cannot be used says why, and
        :meth:`Findings.check` refuses.

    Raises
    ------
    FileError, InputError
        If a folder, a split file or a named file is missing, or ``hold_out`` makes no sense.
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
        Wavelengths(data.wavelengths_nm)  # says at once what is wrong with them
    if recipe.finer:  # photographs that lie beside the cubes are of no use
        data = data.model_copy(update={"simulate": True})
    scenes = split.assign(find(data, images), data, recipe.seed)
    rows = []
    for number, scene in enumerate(scenes):
        stop_if(cancel)
        yield Preparing(number, len(scenes), f"Looking through {scene.name}")
        rows.append(_row(scene, recipe, encoding, cancel, keep))
    yield Preparing(len(scenes), len(scenes), "All images are looked through")
    grid = checks.common_grid(rows)
    rows = checks.on_one_grid(rows, grid)
    rows = checks.on_one_scale(rows)
    faults, notices = checks.faults(rows, recipe), checks.notices(rows)
    yield from notices
    yield Findings(tuple(rows), grid, notices, faults)


def _row(
    scene: Scene, recipe: Recipe, encoding: str | None, stop: threading.Event | None, keep: bool
) -> Row:
    row = Row(
        scene.name,
        _called(scene.rgb),
        _called(scene.cube),
        bool(scene.held_out),
        problem=scene.problem,
        left_out=scene.alone,
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
            found = survey(*load(scene), wanted, encoding, stop)
    except CacheError:
        raise
    except HSRError as error:
        return replace(row, problem=str(error))
    return _made_coarse(checks.judged(row, found, recipe), recipe)


def _made_coarse(row: Row, recipe: Recipe) -> Row:
    """What an image is for a training of finer pixels; of any other it is left as it is."""
    if not recipe.finer:
        return row
    (high, rows), (wide, columns) = (
        divmod(n, recipe.coarse.scale) for n in (row.height, row.width)
    )
    return replace(row, coarse=(high, wide), left_over=(rows, columns))


def _called(image: Path | Cube | Photograph | None) -> str:
    return "" if image is None else image.name
