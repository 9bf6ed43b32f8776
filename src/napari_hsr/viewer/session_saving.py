"""A viewer's session is saved: ``plan`` looks at the layers, and ``save_events`` writes, in a thread if need be."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from napari_hsr.cube import Cube, jsonable
from napari_hsr.errors import FileError, HSRError, InputError
from napari_hsr.io.atomic import beside, clear_up
from napari_hsr.io.library_errors import check_name
from napari_hsr.io.stacks.files import FileFrames
from napari_hsr.photograph import Photograph
from napari_hsr.progress import Progress, stop_if
from napari_hsr.units import one_line
from napari_hsr.viewer import session_losses
from napari_hsr.viewer.as_read import file_of
from napari_hsr.viewer.computed_cubes import computed_cube
from napari_hsr.viewer.file_choices import READ_AS
from napari_hsr.viewer.frames import OnBandAxis
from napari_hsr.viewer.layer_data import (
    KEY,
    is_cube,
    is_frames,
    is_image,
    is_overlay,
    is_photograph,
    is_photograph_stack,
    layer_photograph,
    layer_state,
    unwrapped,
)
from napari_hsr.viewer.session_file import (
    COLORS,
    MOST_FILES,
    OTHERS,
    OURS,
    PLUGIN,
    LayerRecord,
    Look,
    PanelRecord,
    Reference,
    Session,
    View,
    told,
    write,
)
from napari_hsr.viewer.session_folder import (
    files_of,
    made_for,
    placed,
    remove,
    taken_back,
    unclaimed,
)
from napari_hsr.viewer.session_limits import carried

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_hsr.viewer.fingerprints import Trace

#: The width of the border of a point, in napari's default.
_BORDER = 0.05


@dataclass
class Plan:
    """What will be saved.

    Attributes
    ----------
    session : Session
    files : dict of int to (path, what was stated of it)
        By the place of a record: files to refer to.
    further : dict of str to list of Path
        By the id of a record: of files that were opened as a stack, those after the first.
    things : dict of int to Cube, Photograph or array, which may be lazy
        By the place of a record: what has no file, and will be written beside the session.
    told : list of str
        Which layers are left out, and why.
    lost : list of str
        Names of layers that were to be saved, and could not be written.
    """

    session: Session
    files: dict[int, tuple[Path, dict[str, Any]]] = field(default_factory=dict)
    further: dict[str, list[Path]] = field(default_factory=dict)
    things: dict[int, Any] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def without_file(self) -> list[LayerRecord]:
        """Cubes and photographs that no file holds."""
        records = (self.session.layers[at] for at in self.things)
        return [one for one in records if one.kind in ("cube", "photograph")]

    def size(self) -> int:
        """Bytes of all that has no file."""
        return sum(
            int(np.prod(data.shape)) * np.dtype(data.dtype).itemsize
            for thing in self.things.values()
            for data in (thing.data if isinstance(thing, (Cube, Photograph)) else thing,)
        )

    def leave_out(self) -> None:
        """Save without the cubes and photographs that have no file."""
        for at in list(self.things):
            record = self.session.layers[at]
            if record.kind in ("cube", "photograph"):
                del self.things[at]
                self.told.append(f"{record.name}: it has no file and was left out.")


def plan(
    viewer: ViewerModel, panels: Sequence[PanelRecord] = (), opened: Sequence[Trace] = ()
) -> Plan:
    """What a session of this viewer would hold; ``opened``: the files of its panels, as they were then."""
    made = Plan(Session(panels=list(panels)))
    for one in dict.fromkeys(opened):
        if not one.holds():
            made.told.append(f"{Path(one.path).name} {one.changed()}, for a panel.")
    for layer in viewer.layers:
        if not is_overlay(layer):
            try:
                _plan_layer(made, layer)
            except HSRError as error:
                made.told.append(str(error))
            except ValidationError as error:  # more, or longer, than a session holds
                made.things.pop(len(made.session.layers), None)
                made.files.pop(len(made.session.layers), None)
                made.told.append(f"{one_line(layer.name, 80)} was left out: {told(error)}")
    camera, active = viewer.scene.camera, viewer.layers.selection.active
    made.session.view = View(
        point=[float(v) for v in viewer.dims.point],
        ndisplay=viewer.dims.ndisplay,
        center=[float(v) for v in camera.center],
        zoom=float(camera.zoom),
        angles=[float(v) for v in camera.angles],
        active=None if active is None else str(active.unique_id),
    )
    return made


def _plan_layer(made: Plan, layer: Layer) -> None:
    kind = _kind(layer)
    if kind is None:
        made.told.append(f"{layer.name}: {session_losses.why_left_out(layer)}")
        return
    at = len(made.session.layers)
    values: dict[str, Any] = {}
    source = layer.source
    trace = file_of(layer) if source.reader_plugin == PLUGIN else None
    own_file = trace is not None and trace.holds()
    if kind == "cube":
        cube = computed_cube(layer)
        nm = cube.wavelengths
        values = {"wavelengths": nm and list(map(float, nm)), "assumed": bool(nm and nm.assumed)}
        thing: Any = cube
    elif kind == "photograph":
        thing = layer_photograph(layer)
        values = {"encoding": thing.encoding}
    elif kind == "stack":
        thing, values = None, {"encoding": layer_state(layer).get("encoding")}
        own_file = source.reader_plugin == PLUGIN  # its frames are read when they are looked at
        if further := _further(layer):
            made.further[str(layer.unique_id)] = further
    elif kind in ("map", "labels"):
        # labels on disk are read by the thread that writes them
        own_file, trace, thing = False, None, layer.data[0] if layer.multiscale else layer.data
    else:
        own_file, trace, thing = False, None, None
        data = [np.asarray(one, dtype=float).tolist() for one in layer.data]
        values = {kind: data}
    if own_file:
        first = layer.data.stack.frames.paths[0] if str(layer.unique_id) in made.further else None
        made.files[at] = first or Path(source.path), dict(layer.metadata.get(READ_AS) or {})
    elif thing is not None:
        made.things[at] = thing
    if not own_file and (lost := session_losses.of_layer(layer, kind)):
        made.told.append(f"{layer.name}: {lost}.")
    if trace is not None and not trace.holds():
        shown = "the session names it as it is now" if own_file else "what is on show is in no file"
        made.told.append(f"{layer.name}: {Path(trace.path).name} {trace.changed()}; {shown}.")
    ours = {k: v for k, v in layer.metadata.items() if k.startswith(OURS) and k != READ_AS}
    if kind in ("map", "labels") and KEY in layer.metadata:
        ours[KEY] = layer.metadata[KEY]
    if kind in ("points", "shapes", "labels"):
        columns = layer.features.to_dict("list")
        values["columns"] = {str(k): jsonable(v) for k, v in columns.items()}
    if kind == "labels":
        values["colors"] = _label_colors(layer)
    made.session.layers.append(
        LayerRecord.model_validate(
            {
                "kind": kind,
                "id": str(layer.unique_id),
                "name": layer.name,
                "ndim": layer.ndim,
                "look": _look(layer),
                "metadata": carried(jsonable(ours))[0],
                **values,
            }
        )
    )


def _further(layer: Layer) -> list[Path]:
    """Of files that were opened as a stack, those after the first, which napari names alone."""
    frames = layer.data.stack.frames
    if not isinstance(frames, FileFrames) or frames.folder is not None:
        return []
    if len(frames.paths) > MOST_FILES:
        raise InputError(
            f"{layer.name} was left out: a session holds up to {MOST_FILES:,} files that were opened as a "
            f"stack, and it has {len(frames.paths):,}; a folder of any number can be opened."
        )
    return frames.paths[1:]


def _kind(layer: Layer) -> str | None:
    name = type(unwrapped(layer)).__name__.lower()
    if name in ("points", "shapes", "labels"):
        return name
    if not is_image(layer) or is_frames(layer) or layer.multiscale:
        return None
    if is_photograph(layer):
        return "photograph"
    if is_photograph_stack(layer):
        held = isinstance(layer.data, OnBandAxis) and layer.source.path is not None
        return "stack" if held else None
    if is_cube(layer):
        return "cube"
    return "map" if isinstance(layer.data, np.ndarray) else None


def _look(layer: Layer) -> Look:
    """What of a layer's state a :class:`Look` has room for."""
    state = layer._get_state()
    values: dict[str, Any] = {}
    for name in Look.model_fields:
        value = state.get(name)
        if name == "colormap":
            value = _colormap(layer)
        elif name in COLORS and value is not None:
            # where there are no points, the name of the colour that the first one will have
            value = np.asarray(value, dtype=float).reshape(-1, 4) if len(layer.data) else None
        elif name in ("units", "axis_labels") and value is not None:
            value = [str(one) for one in value]
        elif name == "symbol" and value is not None:
            value = [str(getattr(one, "value", one)) for one in np.atleast_1d(value)]
        elif name == "size" and value is not None:
            value = np.broadcast_to(np.asarray(value, dtype=float), len(layer.data))
        elif name == "border_width" and value is not None:
            widths = np.broadcast_to(np.asarray(value, dtype=float), len(layer.data))
            value = None if np.all(widths == _BORDER) else widths
        elif name == "border_width_is_relative" and value is not None:
            value = None if value else False
        elif name == "shown" and value is not None:
            value = None if np.all(value) else np.broadcast_to(value, len(layer.data))
        elif name == "z_index" and value is not None:
            value = [int(one) for one in value] if np.any(value) else None
        elif name == "contrast_limits" and getattr(layer, "rgb", False):
            value = None
        if value is not None:
            values[name] = jsonable(getattr(value, "value", value))
    return Look.model_validate(values)


def _colormap(layer: Any) -> str | None:
    """The name of a picture's colormap; None if napari would not find it by its name."""
    from napari.utils.colormaps import ensure_colormap

    if not is_image(layer) or layer.rgb:
        return None
    try:
        return ensure_colormap(layer.colormap.name).name
    except KeyError:
        return None


def _label_colors(layer: Any) -> dict[str, list[float]] | None:
    from napari.utils.colormaps import DirectLabelColormap

    if not isinstance(layer.colormap, DirectLabelColormap):
        return None
    drawn = layer.colormap.color_dict.items()
    shown = ((OTHERS if label is None else str(label), color) for label, color in drawn)
    # napari keeps a colour for all others, which is mostly none
    return {
        label: [float(v) for v in color] for label, color in shown if label != OTHERS or color[-1]
    }


def save_events(
    made: Plan, path: Path, cancel: threading.Event | None = None
) -> Iterator[Progress | Plan]:
    """Write a plan to a file, and what has no file of its own into a folder beside it.

    Yields
    ------
    Progress
        One a layer.
    Plan
        The same, with what could not be saved.

    Raises
    ------
    FileError
        If the file of the session cannot be written, or a layer cannot and a session would be written over
        that may hold it.
    """
    path = Path(os.path.expanduser(path))
    check_name(path)
    folder = path.with_name(f"{path.stem}-layers")
    clear_up(path.parent)
    aside = beside(folder, "tmp")
    try:
        yield from _written(made, path, folder, aside, cancel)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _written(
    made: Plan, path: Path, folder: Path, aside: Path, cancel: threading.Event | None
) -> Iterator[Progress | Plan]:
    kept: list[tuple[LayerRecord, Path | None, dict[str, Any] | None]] = []
    over = os.path.lexists(path)
    for at, record in enumerate(made.session.layers):
        stop_if(cancel)
        yield Progress(at, len(made.session.layers), f"Saving {record.name}")
        try:
            if at in made.things:
                file = made_for(record, made.things[at], aside / str(at), folder)
                kept.append((record, file, None))
            elif at in made.files:
                kept.append((record, *made.files[at]))
            elif record.points is not None or record.shapes is not None:
                kept.append((record, None, None))
        except HSRError as error:
            _leave_out(made, record, error, path if over else None)
    stop_if(cancel)
    layers: list[LayerRecord] = []
    with taken_back(folder) as new:
        known = files_of(path, folder)
        for record, where, read_as in kept:
            begun = len(new)
            try:
                if where is not None:
                    place = where if read_as is not None else placed(where, folder, known, new)
                    reference = Reference.to(place, path.parent, read_as)
                    further = made.further.get(record.id, [])
                    more = [Reference.to(one, path.parent) for one in further]
                    record = record.model_copy(update={"file": reference, "further": more})
            except HSRError as error:
                _leave_out(made, record, error, path if over else None)
                remove(new[begun:])
                del new[begun:]
            else:
                layers.append(record)
        panels = [_with_files(panel, path.parent, made.told) for panel in made.session.panels]
        write(made.session.model_copy(update={"layers": layers, "panels": panels}), path)
    if left := unclaimed(path, folder):
        made.told.append(left)
    yield made


def _leave_out(made: Plan, record: LayerRecord, error: HSRError, over: Path | None) -> None:
    """Save without a layer that cannot be written, but not in place of a session that may hold it."""
    if over is not None:
        name, why = one_line(record.name, 80), str(error).removesuffix(".")
        problem = f"it stays as it was, for “{name}” could not be saved with it: {why}. Under another name"
        raise FileError(over, f"{problem} the session is saved without that") from error
    made.lost.append(record.name)
    made.told.append(f"{record.name} was left out. {error}")


def _with_files(panel: PanelRecord, folder: Path, told: list[str]) -> PanelRecord:
    """A panel with what tells whether its files have changed since."""
    files: list[str | Reference] = []
    for one in panel.files:
        try:
            files.append(Reference.to(str(one), folder))
        except HSRError as error:
            told.append(f"A file of {panel.name} was left out. {error}")
    return panel.model_copy(update={"files": files})
