"""The file of a session: what was open in a viewer and how it was shown, as JSON of one version.

Cubes and photographs stand in it by their files, with what tells whether these have changed since;
pins and shapes by their coordinates. What is read is checked as a whole before anything is opened: a
session may come from anybody.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.library_errors import translated
from napari_hsr.io.read_choice import Choice
from napari_hsr.io.text_files import write_text
from napari_hsr.units import one_line
from napari_hsr.viewer.fingerprints import fingerprint
from napari_hsr.viewer.session_limits import check_drawing, is_tangle

SUFFIX = ".hsrsession"
VERSION = 1
#: Who reads the files of a session.
PLUGIN = "napari-hsr"
#: Keys in layers' metadata that are ours, beside the state.
OURS = ("hsr_", "napari_hsr_")
#: Parts of a look that are colours, one a point or shape.
#: Stands among colours of labels for those that have none of their own.
OTHERS = "others"
COLORS = ("face_color", "border_color", "edge_color")
#: Bytes of a session's file, layers in it (napari takes 15 s for so many), and points or corners of one
#: layer, at most.
MOST_BYTES, MOST_LAYERS, MOST_POINTS = 2**26, 200, 200_000
#: Files of one stack that are named one by one: each is looked at.
MOST_FILES = 1000

#: Letters of a text.
MOST_TEXT = 4096
Text = Annotated[str, Field(max_length=MOST_TEXT)]
Numbers = Annotated[list[FiniteFloat], Field(max_length=MOST_POINTS)]
Rows = Annotated[list[Numbers], Field(max_length=MOST_POINTS)]
Few = Annotated[list[FiniteFloat], Field(max_length=16)]
#: Where napari can place a layer: further away, or with smaller pixels, its sliders have no end.
_LARGEST, _SMALLEST = 1e15, 1e-15
Places = Annotated[list[Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]], Field(max_length=16)]
Names = Annotated[list[Text], Field(max_length=16)]
Scalar = bool | int | FiniteFloat | Text | None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Reference(_Strict):
    """A file or folder that a layer was read from, and how.

    Attributes
    ----------
    path, beside : str
        Where it was, and the same from the folder of the session (empty where there is no such way).
    size : int
        Bytes of all its files.
    digest : str
        SHA-256 of names, sizes and samples of its files.
    read_as : dict
        What the user stated of it (:class:`~napari_hsr.io.read_choice.Choice`).
    """

    path: Text
    beside: Text = ""
    size: int = Field(ge=0)
    digest: str = Field(max_length=64)
    read_as: dict[Literal["variable", "axes", "full_scale", "half_size", "no_data"], Scalar] = {}

    @classmethod
    def to(cls, path: str | Path, folder: Path, read_as: dict[str, Any] | None = None) -> Reference:
        """What must be known of a file to find it again from a session in ``folder``.

        Raises
        ------
        FileError
            If it cannot be looked at.
        """
        path = Path(os.path.abspath(path))
        try:
            beside = Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # on another drive
            beside = ""
        size, digest = fingerprint(path)
        return cls.model_validate(
            {"path": str(path), "beside": beside, "size": size, "digest": digest}
            | {"read_as": read_as or {}}
        )

    def places(self, folder: Path) -> list[Path]:
        """Files that it may be now: seen from the session, where it was, or beside the session."""
        ways = [Path(os.path.abspath(folder / self.beside))] if self.beside else []
        ways += [Path(self.path), folder / Path(self.path.replace("\\", "/")).name]
        there = []
        for way in dict.fromkeys(ways):
            with suppress(OSError, ValueError):  # a name that no file can have
                if way.exists():
                    there.append(way)
        return there

    def found(self, folder: Path) -> Path | None:
        """Where it is now: the first of its places.

        Of several files the one that is as it was counts: beside a session that was copied there may
        be another's of that name. It may as well be a later one of the same, so whoever shows the
        file says which it is where it is not the first.
        """
        there = self.places(folder)
        if len(there) > 1:
            for way in there:
                with suppress(FileError):
                    if self.is_of(way):
                        return way
        return there[0] if there else None

    def is_of(self, file: Path) -> bool:
        """Whether a file is as it was when it was saved.

        Raises
        ------
        FileError
            If it cannot be looked at.
        """
        return fingerprint(file) == (self.size, self.digest)

    def choice(self) -> Choice:
        """What was stated of it.

        Raises
        ------
        InputError
            If that means nothing.
        """
        values: dict[str, Any] = {str(name): value for name, value in self.read_as.items()}
        return Choice(**values)


class Look(_Strict):
    """How a layer is shown, and where; what a kind of layer does not have is None."""

    visible: bool = True
    opacity: FiniteFloat = Field(1.0, ge=0, le=1)
    blending: Text | None = None
    scale: Places | None = None
    translate: Places | None = None
    rotate: Annotated[list[Places], Field(max_length=16)] | None = None
    shear: Places | None = None
    affine: Annotated[list[Places], Field(max_length=16)] | None = None
    units: Names | None = None
    axis_labels: Names | None = None
    contrast_limits: Few | None = None
    gamma: FiniteFloat | None = Field(None, gt=0)
    colormap: Text | None = None
    interpolation2d: Text | None = None
    size: Numbers | None = None
    symbol: Annotated[list[Text], Field(max_length=MOST_POINTS)] | None = None
    shape_type: Annotated[list[Text], Field(max_length=MOST_POINTS)] | None = None
    shown: Annotated[list[bool], Field(max_length=MOST_POINTS)] | None = None
    z_index: Annotated[list[int], Field(max_length=MOST_POINTS)] | None = None
    face_color: Rows | None = None
    border_color: Rows | None = None
    border_width: Numbers | None = None
    border_width_is_relative: bool | None = None
    edge_color: Rows | None = None
    edge_width: Numbers | None = None
    canvas_size_limits: Few | None = None

    @field_validator("scale")
    @classmethod
    def _has_extent(cls, scale: list[float] | None) -> list[float] | None:
        if any(abs(step) < _SMALLEST for step in scale or ()):
            raise ValueError("pixels have no extent")
        return scale

    def keywords(self) -> dict[str, Any]:
        """For ``viewer.add_…``."""
        return {name: value for name, value in self if value is not None}


class LayerRecord(_Strict):
    """One layer.

    Attributes
    ----------
    kind : str
    id, name : str
        The id is that of the layer in the viewer that was saved; other layers name it.
    file : Reference or None
        What it is read from; of maps and labels an ``.npy``.
    further : list of Reference
        Of files that were opened as a stack, those after the first.
    ndim : int
    points, shapes : list or None
        Coordinates, of pins (n, ndim) and of shapes.
    columns : dict
        napari's features of points, shapes or labels.
    colors : dict or None
        Of labels, where each has its own; of :data:`OTHERS`, that of all others.
    wavelengths, assumed, encoding
        As the user stated them; None: as the file does.
    metadata : dict
        What our layers carry beside their state.
    """

    kind: Literal["cube", "photograph", "stack", "map", "labels", "points", "shapes"]
    id: Text
    name: Text
    file: Reference | None = None
    further: Annotated[list[Reference], Field(max_length=MOST_FILES)] = []
    ndim: int = Field(2, ge=1, le=8)
    points: Rows | None = None
    shapes: Annotated[list[Rows], Field(max_length=MOST_POINTS)] | None = None
    columns: dict[Text, Annotated[list[Scalar], Field(max_length=MOST_POINTS)]] = {}
    colors: dict[Text, Few] | None = None
    wavelengths: Numbers | None = None
    assumed: bool = False
    encoding: Text | None = None
    look: Look = Look()
    metadata: dict[Text, JsonValue] = {}

    @model_validator(mode="after")
    def _fits(self) -> LayerRecord:
        for places in (self.points or [], *(self.shapes or [])):
            if any(len(place) != self.ndim for place in places):
                raise ValueError(f"a place in it has not {self.ndim} coordinates")
        check_drawing(self.shapes or [])
        if any(map(is_tangle, self.shapes or [])):
            raise ValueError("the edges of one of its shapes cross too often")
        return self


class View(_Strict):
    """Sliders, camera and the active layer."""

    point: Places = []
    ndisplay: Literal[2, 3] = 2
    center: Places = []
    zoom: FiniteFloat = Field(1.0, ge=_SMALLEST, le=_LARGEST)
    angles: Places = []
    active: Text | None = None


class PanelRecord(_Strict):
    """One open panel: its name in the manifest, its controls by their names, its files.

    Of a file there is what tells whether it has changed since; where nothing is
    known of it, its path alone. ``front``: no other panel of its stack lies over it.
    """

    name: Text
    settings: Annotated[dict[Text, Scalar], Field(max_length=500)] = {}
    files: Annotated[list[Text | Reference], Field(max_length=100)] = []
    front: bool = False


class Session(_Strict):
    """All of it."""

    version: Literal[1] = 1
    layers: Annotated[list[LayerRecord], Field(max_length=MOST_LAYERS)] = []
    view: View = View()
    panels: Annotated[list[PanelRecord], Field(max_length=100)] = []

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Session:
        check_drawing([shape for layer in self.layers for shape in layer.shapes or []])
        return self


def write(session: Session, path: Path) -> None:
    """Write the file in one step; on a fault what was there stays.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    try:  # what could not be opened again is not written
        kept = session.model_dump(mode="json", exclude_defaults=True)
        Session.model_validate(kept)
    except ValidationError as error:
        raise FileError(path, f"a session cannot hold it: {told(error)}") from error
    write_text(path, json.dumps({"version": VERSION, **kept}, ensure_ascii=False))


def read(path: str | os.PathLike[str]) -> Session:
    """Read the file and check all of it.

    Raises
    ------
    FileError
        If it is missing, damaged, no session, or one of a later version.
    """
    path = Path(path)
    with translated(path, "a session is a JSON file"):
        raw = limits.content(path, MOST_BYTES)
        values = json.loads(raw)
    found = values.get("version") if isinstance(values, dict) else None
    if not isinstance(found, int) or limits.too_deep(values):
        raise FileError(path, "this is no session of napari-hsr")
    if found > VERSION:
        raise FileError(path, f"a later napari-hsr wrote it (version {found} of sessions)")
    try:
        return Session.model_validate_json(raw)
    except ValidationError as error:
        raise FileError(path, f"it is damaged: {told(error)}") from error


def told(error: ValidationError) -> str:
    """The first thing that does not fit, and where."""
    fault = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    return one_line(f"{where}: {fault['msg']}", 300)
