"""What every file of ours carries beside data and wavelengths, as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_hsr.cube import Cube, jsonable
from napari_hsr.errors import InputError
from napari_hsr.georeference import Place
from napari_hsr.io import limits
from napari_hsr.notices import Code, Notice
from napari_hsr.provenance import Provenance

if TYPE_CHECKING:
    from napari_hsr.photograph import Photograph

#: The key, attribute, dataset or header item that holds the record in every format.
KEY = "napari_hsr"
_LAYOUT = 1


@dataclass(frozen=True)
class Record:
    """Facts read back from a file that this package wrote.

    ``wavelengths`` is ``"stated"``, ``"assumed"`` or ``"none"``, and None for a photograph.
    ``place`` is None where the pixels are those of an image by itself, and where what the file
    says of it is no place: then ``notices`` says so.
    """

    name: str
    provenance: Provenance
    metadata: dict[str, Any]
    units: str | None = None
    wavelengths: str | None = None
    encoding: str | None = None
    place: Place | None = None
    notices: tuple[Notice, ...] = ()


def of_cube(cube: Cube) -> dict[str, Any]:
    """The record of a cube as plain values."""
    if cube.wavelengths is None:
        wavelengths = "none"
    else:
        wavelengths = "assumed" if cube.wavelengths.assumed else "stated"
    place = {} if cube.place is None else {"place": cube.place.to_dict()}
    return {
        "layout": _LAYOUT,
        "kind": "cube",
        "name": cube.name,
        "units": cube.units,
        "wavelengths": wavelengths,
        **place,
        "provenance": jsonable(cube.provenance.to_dict()),
        "metadata": jsonable(cube.metadata),
    }


def of_photograph(photograph: Photograph) -> dict[str, Any]:
    """The record of a photograph as plain values."""
    return {
        "layout": _LAYOUT,
        "kind": "photograph",
        "name": photograph.name,
        "encoding": photograph.encoding,
        "provenance": jsonable(photograph.provenance.to_dict()),
        "metadata": jsonable(photograph.metadata),
    }


def to_text(image: Cube | Photograph, width: int = 1) -> str:
    """The record as one line of ASCII, kept in so many bytes for each character.

    Raises
    ------
    InputError
        If it is longer than files are read with.
    """
    text = json.dumps(of_cube(image) if isinstance(image, Cube) else of_photograph(image))
    limits.check_kept(width * len(text), f"The metadata of {image.name}")
    return text


def parse(found: Any) -> Record | None:
    """The record in a text or a mapping; None if it is not one of ours.

    A field that holds anything else than it should is left out, and a notice says so.
    """
    if isinstance(found, bytes):
        found = found.decode("utf-8", "replace")
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            return None  # another program's text under the same key
        except RecursionError:
            found = {"layout": _LAYOUT, "nested": None}
    if not isinstance(found, dict) or not isinstance(found.get("layout"), int):
        return None
    if limits.too_deep(found) or "nested" in found:
        told = "What the file says of its origin was left out: it lies too deep in lists."
        return Record("", Provenance(), {}, notices=(Notice.warning(Code.RECORD_UNUSABLE, told),))
    wrong: list[str] = []

    def field(values: dict[str, Any], key: str, kind: type, default: Any = None) -> Any:
        value = values.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            wrong.append(key)
            return default
        return value

    provenance = field(found, "provenance", dict, {})
    for key in ("input", "model", "weights_sha256", "version", "created"):
        provenance = {
            **provenance,
            key: field(provenance, key, str, "" if key == "input" else None),
        }
    steps = field(provenance, "steps", list, [])
    wrong += ["steps"] * (not all(isinstance(step, str) for step in steps))
    provenance["steps"] = [step for step in steps if isinstance(step, str)]
    provenance["extra"] = field(provenance, "extra", dict, {})
    place, notices = _place(found.get("place"))
    record = Record(
        name=field(found, "name", str, ""),
        provenance=Provenance.from_dict(provenance),
        metadata=dict(field(found, "metadata", dict, {})),
        units=field(found, "units", str),
        wavelengths=field(found, "wavelengths", str),
        encoding=field(found, "encoding", str),
        place=place,
        notices=notices,
    )
    if wrong:
        told = (
            f"What the file says of its {', '.join(dict.fromkeys(wrong))} was left out: it is none."
        )
        record = replace(record, notices=(*notices, Notice.warning(Code.RECORD_UNUSABLE, told)))
    return record


def _place(stored: Any) -> tuple[Place | None, tuple[Notice, ...]]:
    if stored is None:
        return None, ()
    try:
        return Place.from_dict(stored), ()
    except InputError as error:
        told = f"What the file says of the place of its pixels was left out: {error}"
        return None, (Notice.warning(Code.PLACE_UNUSABLE, told),)
