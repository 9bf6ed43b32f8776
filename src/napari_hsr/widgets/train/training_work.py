"""What the Train panel does in its threads: checking data, estimating, starting; no Qt here."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.io.text_files import write_text
from napari_hsr.progress import Progress, stop_if
from napari_hsr.training.events import Event, Preparing

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterator

    from napari_hsr.cube import Cube
    from napari_hsr.photograph import Photograph
    from napari_hsr.training.data.findings import Findings
    from napari_hsr.training.recipe.schema import Recipe

#: Folder inside the run folder that layers are written to.
LAYERS_FOLDER = "data"


@dataclass(frozen=True)
class LayerPair:
    """A cube of the viewer, and the photograph that goes with it (None: simulated).

    The cube's name is that of the files that are written for a training.
    """

    cube: Cube
    photograph: Photograph | None


def look_work(
    recipe: Recipe, layers: list[LayerPair], cancel: threading.Event
) -> Iterator[Progress | Findings]:
    """Inspect the data of a recipe, or layers of the viewer as they are; ends with the findings."""
    from napari_hsr.training.data import inspection

    yield Progress(0, 0, "Checking the data")
    images = [(pair.cube, pair.photograph) for pair in layers]
    for event in inspection.inspect_events(recipe, cancel, images=images):
        if isinstance(event, Preparing):
            yield Progress(event.done, event.total, event.message)
        elif not isinstance(event, Event):
            yield event


def start_work(
    content: dict[str, Any],
    layers: list[LayerPair],
    split: str,
    output: Path,
    cancel: threading.Event,
) -> Iterator[Any]:
    """Write what a training in another process needs into its folder, and start it.

    Parameters
    ----------
    content : dict
        The recipe, as plain values.
    layers : list of LayerPair
        Written as files.
    split : str
        Which images are held out, as the text of a split file; empty: drawn.
    output : Path
        The run's folder.

    Yields
    ------
    Progress, and at last the Run
    """
    from napari_hsr.training.runs import processes

    try:
        recipe = yield from written(content, layers, split, output / LAYERS_FOLDER, cancel)
        yield Progress(0, 0, "Starting the training")
    except BaseException:  # cancelled, with the panel perhaps: no list would ever name the folder
        shutil.rmtree(output, ignore_errors=True)
        raise
    yield processes.start(recipe, output)


def estimate_work(
    content: dict[str, Any], layers: list[LayerPair], split: str, cancel: threading.Event
) -> Iterator[Any]:
    """Estimate the training that :func:`start_work` would start; ends with a sentence."""
    from napari_hsr.training.runs import estimate

    with tempfile.TemporaryDirectory(prefix="napari-hsr-") as folder:
        place = Path(folder)
        if layers:  # these files will be gone, so nothing decoded from them is worth keeping
            content = {**content, "data": {**content["data"], "cache": str(place / "cache")}}
        recipe = yield from written(content, layers, split, place / LAYERS_FOLDER, cancel)
        yield Progress(0, 0, "Reading the data and running a few steps")
        yield estimate.describe(estimate.estimate_apart(recipe, cancel), recipe)


def written(
    content: dict[str, Any],
    layers: list[LayerPair],
    split: str,
    folder: Path,
    cancel: threading.Event,
) -> Generator[Progress, None, Recipe]:
    """Write what another process needs into a folder; returns the recipe."""
    from napari_hsr.errors import FileError
    from napari_hsr.training.recipe.schema import Recipe

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(folder, f"it cannot be made ({error.strerror or error})") from error
    data = dict(content["data"])
    if layers:
        data["pairs"] = []
        for number, pair in enumerate(layers):
            yield Progress(number, len(layers), f"Writing {pair.cube.name}")
            stop_if(cancel)
            data["pairs"].append(write_pair(pair, folder))
    if split:
        data["split_file"] = str(folder / "split.txt")
        write_text(folder / "split.txt", split)
    return Recipe.model_validate({**content, "data": data})


def write_pair(pair: LayerPair, folder: Path) -> dict[str, str | None]:
    """Write the images of a pair as files of one stem, that read back equal."""
    from napari_hsr.io import write

    stem, photo = pair.cube.name, pair.photograph
    cube = write(pair.cube, folder / f"{stem}.h5")
    if photo is None:
        return {"cube": str(cube), "rgb": None}
    suffix = ".tif" if photo.data.dtype.kind == "f" else ".png"
    return {"cube": str(cube), "rgb": str(write(photo, folder / f"{stem}{suffix}"))}


def stems_of(names: list[str]) -> list[str]:
    """File names made of layer names, no two of them alike."""
    found: list[str] = []
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:60].strip("-.") or "image"
        taken, number = {other.casefold() for other in found}, 1
        while (stem if number == 1 else f"{stem}-{number}").casefold() in taken:
            number += 1
        found.append(stem if number == 1 else f"{stem}-{number}")
    return found


def as_ticked(findings: Findings, held_out: dict[str, bool], unused: set[str]) -> Findings:
    """The findings with the split that the user chose, without the images that were unticked."""
    rows = tuple(
        replace(row, held_out=held_out.get(row.name, row.held_out))
        for row in findings.rows
        if row.name not in unused
    )
    return replace(findings, rows=rows)
