"""A session is opened: ``open_events`` reads its files, in a thread if need be, and ``show`` adds the layers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import io
from napari_hsr.colour import encoding_label
from napari_hsr.cube import Cube
from napari_hsr.errors import FileError, HSRError, InputError
from napari_hsr.io import limits, stacks
from napari_hsr.io.library_errors import translated
from napari_hsr.photograph import Photograph
from napari_hsr.photograph_stack import PhotographStack
from napari_hsr.progress import Progress, stop_if
from napari_hsr.units import one_line
from napari_hsr.viewer import as_read
from napari_hsr.viewer.canvas_text import is_map, show_bar, show_wavelength
from napari_hsr.viewer.file_choices import READ_AS
from napari_hsr.viewer.fingerprints import Trace
from napari_hsr.viewer.frames import stack_layer
from napari_hsr.viewer.layer_data import KEY, layer_name
from napari_hsr.viewer.layers import cube_layer, photograph_layer
from napari_hsr.viewer.session_file import (
    COLORS,
    OTHERS,
    OURS,
    PLUGIN,
    LayerRecord,
    PanelRecord,
    Reference,
    Session,
    View,
    read,
)
from napari_hsr.viewer.session_limits import carried

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel
    from napari.layers import Layer


@dataclass
class Opened:
    """A session whose files were read: for each record what it holds, None where it cannot be shown.

    ``traces``: how the files were before they were read. ``renamed``: layers that were shown under another name, by the one they have in the session.
    """

    session: Session
    things: list[Any]
    paths: list[Path | None]
    traces: list[Trace | None]
    told: list[str]
    renamed: dict[str, str] = field(default_factory=dict)

    @property
    def is_lost(self) -> bool:
        """Whether there were layers, and none of them can be shown."""
        return bool(self.things) and all(thing is None for thing in self.things)


def open_events(
    path: str | Path, cancel: threading.Event | None = None
) -> Iterator[Progress | Opened]:
    """Read a session and the files that it names; what is missing or changed is told.

    Yields
    ------
    Progress
        One a layer.
    Opened

    Raises
    ------
    FileError
        If it is no session.
    """
    path = Path(path).absolute()
    session = read(path)
    opened = Opened(session, [], [], [], [])
    for at, record in enumerate(session.layers):
        stop_if(cancel)
        yield Progress(at, len(session.layers), f"Opening {record.name}")
        thing, trace = None, None
        try:
            thing, trace = _held(record, path.parent, opened.told)
        except HSRError as error:
            opened.told.append(one_line(f"{record.name}: {error}", 500))
        opened.things.append(thing)
        opened.paths.append(None if trace is None else Path(trace.path))
        opened.traces.append(trace)
    panels = [_with_found(panel, path.parent, opened.told) for panel in session.panels]
    opened.session = session.model_copy(update={"panels": panels})
    yield opened


def _with_found(panel: PanelRecord, folder: Path, told: list[str]) -> PanelRecord:
    """A panel with the paths at which its files are now."""
    files: list[str | Reference] = []
    for one in panel.files:
        try:
            files.append(one if isinstance(one, str) else str(_found(one, folder, told)))
        except HSRError as error:
            told.append(one_line(f"{panel.name}: {error}", 500))
    return panel.model_copy(update={"files": files})


def _held(record: LayerRecord, folder: Path, told: list[str]) -> tuple[Any, Trace | None]:
    """What a record holds, and the file that it is in as it was before it was read."""
    if record.kind == "points":
        return np.asarray(record.points or np.zeros((0, record.ndim)), dtype=float), None
    if record.kind == "shapes":
        return [np.asarray(one, dtype=float) for one in record.shapes or []], None
    if record.file is None:
        raise InputError("the session names no file of it.")
    file = _found(record.file, folder, told)
    if record.kind in ("map", "labels"):
        return _read_array(file), Trace.of(file)
    if record.kind == "stack":
        further = _all_found(record.further, folder, told)
        stack = stacks.read_stack([file, *further] if further else file)
        trace = as_read.trace_of_stack(str(file), stack)
        return _encoded(stack, record, file, told), trace
    choice = record.file.choice()
    trace = Trace.of(file)
    thing = io.read(
        file,
        variable=choice.variable,
        axes=choice.axes,
        full_scale=choice.full_scale,
        half_size=choice.half_size,
        no_data=choice.no_data,
    )
    if isinstance(thing, Photograph):
        return _encoded(thing, record, file, told), trace
    return _with_wavelengths(thing, record, file, told), trace


def _with_wavelengths(cube: Cube, record: LayerRecord, file: Path, told: list[str]) -> Cube:
    """A cube with the wavelengths that it was saved with: of a file that is another by now, with its own."""
    nm, own = record.wavelengths, cube.wavelengths
    if not nm or (
        own is not None and nm == [float(v) for v in own] and record.assumed == own.assumed
    ):
        return cube
    if record.file is None or record.file.is_of(file):  # the user has stated them
        return cube.with_wavelengths(nm, record.assumed)
    if own is not None and not own.assumed:
        told.append(f"{file.name}: its wavelengths are its own, {own.describe()}.")
    elif len(nm) != cube.bands:
        told.append(
            f"{file.name}: the session has {len(nm)} wavelengths, and it has {cube.bands} bands by now: "
            "state them anew."
        )
    else:
        told.append(f"{file.name}: its wavelengths are those of the session; it states none.")
        return cube.with_wavelengths(nm, record.assumed)
    return cube


def _encoded(thing: Any, record: LayerRecord, file: Path, told: list[str]) -> Any:
    """A photograph or a stack in the encoding that it was saved with; what else its changed file says is told."""
    if not record.encoding or record.encoding == thing.encoding:
        return thing
    if record.file is not None and not record.file.is_of(file):
        told.append(
            f"{file.name}: it is taken as {encoding_label(record.encoding)}, as in the session; by the "
            f"file as it is now it is {encoding_label(thing.encoding)}."
        )
    return replace(thing, encoding=record.encoding)


def _found(reference: Reference, folder: Path, told: list[str]) -> Path:
    """Where a file is now; that another is shown than was saved is told."""
    file = reference.found(folder)
    if file is None:
        raise FileError(Path(reference.path), "it is no longer there")
    if not reference.is_of(file):
        told.append(
            f"{file.name} has changed since the session was saved; it is shown as it is now."
        )
    elif file != (nearest := reference.places(folder)[0]):
        told.append(
            f"{nearest} is not as it was when the session was saved: {file}, which is, is shown "
            f"in its place. Open {nearest.name} itself to see what it holds."
        )
    return file


def _all_found(references: list[Reference], folder: Path, told: list[str]) -> list[Path]:
    """Where many files are now; of those that are others, the first few are named."""
    said: list[str] = []
    files = [_found(one, folder, said) for one in references]
    more = [f"The same is true of {len(said) - 3} more files."] if len(said) > 3 else []
    told += [*said[:3], *more]
    return files


def _read_array(file: Path) -> np.ndarray:
    limits.check_regular(file)
    with translated(file, "an array of NumPy was expected"):
        array = np.load(file, allow_pickle=False, mmap_mode="r")
        if not isinstance(array, np.ndarray):
            raise FileError(file, "an array of NumPy was expected, and this is an archive of them")
        limits.check_room(file, array.nbytes, "the layer")
        return np.array(array)


def show(viewer: ViewerModel, opened: Opened) -> list[str]:
    """Add the layers of a session, and go where the user was.

    Returns
    -------
    list of str
        What could not be opened, or not as it was: a sentence each.
    """
    told, made = list(opened.told), {}
    for record, thing, trace in zip(
        opened.session.layers, opened.things, opened.traces, strict=True
    ):
        if thing is None:
            continue
        try:
            made[record.id] = _add(viewer, record, thing, trace, told)
        except (
            Exception
        ) as error:  # a session may say anything, and napari refuses in its own words
            told.append(f"{record.name} could not be shown: {one_line(error, 300)}")
    names = {record.id: record.name for record in opened.session.layers}
    opened.renamed = {
        names[at]: layer.name for at, layer in made.items() if layer.name != names[at]
    }
    ids = {old: str(layer.unique_id) for old, layer in made.items()}
    for layer in made.values():
        ours = {k: v for k, v in layer.metadata.items() if k == KEY or k.startswith(OURS)}
        layer.metadata = {**layer.metadata, **_renamed(ours, ids)}
    _restore_view(viewer, opened.session.view, made)
    return told


def _add(
    viewer: ViewerModel, record: LayerRecord, thing: Any, trace: Trace | None, told: list[str]
) -> Layer:
    from napari.layers._source import layer_source

    look = record.look.keywords() | {"name": layer_name(record.name)}
    metadata, whole = carried(record.metadata)
    if not whole:
        told.append(
            f"{record.name}: a part of what the session says of it is none, and was left out."
        )
    if record.file is not None and record.file.read_as:
        metadata[READ_AS] = dict(record.file.read_as)
    if isinstance(thing, (Cube, Photograph, PhotographStack)):
        ndim = len(thing.data.shape) - isinstance(thing, Photograph)
        fits = {k: v for k, v in look.items() if k not in ("scale", "translate") or len(v) == ndim}
        if isinstance(thing, Cube) and not _goes_along(thing, record):
            fits.pop("axis_labels", None)
            fits |= {k: fits[k][-2:] for k in ("scale", "translate", "units") if k in fits}
        if isinstance(thing, PhotographStack):
            data, keywords, _ = stack_layer(thing, **look)
        else:
            make: Callable[..., Any] = cube_layer if isinstance(thing, Cube) else photograph_layer
            data, keywords, _ = make(thing, metadata=metadata, **fits)
        if trace is not None:
            as_read.note(data, trace)
        with layer_source(path=str(trace), reader_plugin=PLUGIN):
            layer = viewer.add_image(data, **keywords)
        if isinstance(thing, Cube):
            show_wavelength(viewer)
        return layer
    look["metadata"] = metadata
    if record.kind == "map":
        layer = viewer.add_image(thing, rgb=False, multiscale=False, **look)
        if is_map(layer):
            show_bar(viewer, layer)
        return layer
    if record.columns:
        import pandas as pd

        columns = {name: _as_numbers(values) for name, values in record.columns.items()}
        look["features"] = pd.DataFrame(columns)
    if record.kind == "labels":
        return _add_labels(viewer, record, thing, look)
    add = viewer.add_points if record.kind == "points" else viewer.add_shapes
    if not len(thing):  # napari takes no empty lists of colours
        for name in (
            *COLORS,
            "size",
            "symbol",
            "shape_type",
            "edge_width",
            "border_width",
            "shown",
            "z_index",
        ):
            look.pop(name, None)
    return add(thing if len(thing) else None, ndim=record.ndim, **look)


def _as_numbers(values: list[Any]) -> list[Any]:
    """A column of numbers among which are those that JSON has no number for; any other as it is."""
    texts = {value for value in values if isinstance(value, str)}
    others = (value for value in values if not isinstance(value, str))
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in others)
    if not texts or not texts <= {"nan", "inf", "-inf"} or not numbers:
        return values
    return [float(value) for value in values]


def _goes_along(cube: Cube, record: LayerRecord) -> bool:
    """Whether the axis of the bands is that which the session has."""
    own = cube.wavelengths
    return record.wavelengths == (None if own is None else [float(v) for v in own])


def _add_labels(
    viewer: ViewerModel, record: LayerRecord, thing: np.ndarray, look: dict[str, Any]
) -> Layer:
    from napari.utils.colormaps import DirectLabelColormap

    if record.colors is not None:
        own = {label: color for label, color in record.colors.items() if label != OTHERS}
        drawn: dict[Any, Any] = {int(label): color for label, color in own.items()}
        drawn[None] = record.colors.get(OTHERS, "transparent")
        look["colormap"] = DirectLabelColormap(color_dict=drawn)
    return viewer.add_labels(thing, **look)


def _renamed(value: Any, ids: dict[str, str]) -> Any:
    """What names layers of the saved viewer, in the words of this one."""
    if isinstance(value, dict):
        return {k: _renamed(v, ids) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(v, ids) for v in value]
    return ids.get(value, value) if isinstance(value, str) else value


def _restore_view(viewer: ViewerModel, view: View, made: dict[str, Layer]) -> None:
    viewer.dims.ndisplay = view.ndisplay
    if len(view.point) == viewer.dims.ndim:
        viewer.dims.point = tuple(view.point)
    if view.center and view.angles:
        viewer.scene.camera.center = tuple(view.center)
        viewer.scene.camera.zoom = view.zoom
        viewer.scene.camera.angles = tuple(view.angles)
    if view.active in made:
        viewer.layers.selection.active = made[view.active]
