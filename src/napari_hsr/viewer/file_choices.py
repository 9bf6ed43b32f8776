"""What users chose to read of files that leave a choice, kept for files of the same layout.

Two files have one layout if their suffix and their arrays agree in name, number of axes and data
type; without names, in the shape of the stored array.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr import io
from napari_hsr.errors import SeveralArraysError
from napari_hsr.io import alternatives, limits
from napari_hsr.io.library_errors import made_folder
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.text_files import write_text
from napari_hsr.notices import Code, Notice
from napari_hsr.user_folders import data_folder

if TYPE_CHECKING:
    from napari_hsr.cube import Cube
    from napari_hsr.io.alternatives import Alternatives
    from napari_hsr.photograph import Photograph

#: Where users find the panel that decides otherwise.
PANEL = "Plugins ▸ Hyperspectral reconstruction ▸ Contents of a file…"
#: Key in a layer's metadata: what the user stated of its file.
READ_AS = "hsr_read_as"
#: What is kept of a choice: bands and the full scale are of one file.
_KEPT = ("variable", "axes")
#: A damaged or foreign file of choices this long is not read.
_MOST_BYTES = 2**20


def read_as_before(path: str) -> tuple[Cube | Photograph, bool, Choice]:
    """Read a file as the user chose for its layout, else as it is read by itself.

    Returns
    -------
    image : Cube or Photograph
    asks : bool
        Whether the file leaves a choice that was never made.
    choice : Choice
        What was read: the one kept for its layout, or none in particular.

    Raises
    ------
    SeveralArraysError
        If nothing tells which array is the cube, and none was ever chosen.
    HSRError
        If it cannot be read.
    """
    refusal = None
    with alternatives.recorded() as seen:
        try:
            thing = io.read(path)
        except SeveralArraysError as error:
            refusal = error
    chosen = remembered(path, seen) if seen.leave_a_choice else None
    if chosen is not None and (chosen.variable or seen.chosen, chosen.axes or seen.axes) != (
        seen.chosen,
        seen.axes,
    ):
        return _read_again(path, chosen), False, chosen
    if refusal is not None:
        raise refusal
    return thing, seen.leave_a_choice and chosen is None, ANY


def stated(choice: Choice) -> dict[str, Any]:
    """What a layer's metadata say of a choice: what it states, as plain values."""
    names = ("variable", "axes", "full_scale", "half_size", "no_data")
    kept = {n: v for n in names if (v := getattr(choice, n)) or (n == "no_data" and v == 0)}
    return {READ_AS: kept} if kept else {}


def _read_again(path: str, chosen: Choice) -> Cube | Photograph:
    thing = io.read(path, variable=chosen.variable, axes=chosen.axes)
    told = f"It was opened as chosen for files of its layout; to open it otherwise: {PANEL}."
    notice = Notice.info(Code.OPENED_AS_CHOSEN, told)
    return replace(thing, notices=(*thing.notices, notice))


def layout(path: str, seen: Alternatives) -> str:
    """What files of one program have in common, as a short text."""
    arrays: list[Any] = sorted([a.name, len(a.shape), a.kind] for a in seen.arrays)
    facts = [Path(path).suffix.lower(), arrays or list(seen.shape)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def remember(path: str, seen: Alternatives, choice: Choice) -> None:
    """Keep a choice for files of this layout.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    kept = _all() | {layout(path, seen): {key: getattr(choice, key) for key in _KEPT}}
    file = _file()
    made_folder(file.parent)
    write_text(file, json.dumps(kept, indent=1))


def remembered(path: str, seen: Alternatives) -> Choice | None:
    """The choice for files of this layout; None if there is none that can be used."""
    kept = _all().get(layout(path, seen))
    if not isinstance(kept, dict):
        return None
    variable, axes = (kept.get(key) for key in _KEPT)
    names = {a.name for a in seen.arrays}
    orders = {None, "byx", "bxy", "ybx", "xby", "yxb", "xyb"}
    usable = (variable is None or variable in names) and axes in orders
    return Choice(variable=variable, axes=axes) if usable else None


def _all() -> dict[str, Any]:
    file = _file()
    try:
        kept = json.loads(limits.content(file, _MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}  # none yet, or not ours: the question is asked again
    return kept if isinstance(kept, dict) else {}


def _file() -> Path:
    return data_folder() / "file-layouts.json"
