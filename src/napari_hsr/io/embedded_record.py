"""What every file of ours carries beside data and wavelengths, as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from napari_hsr.cube import Cube, jsonable
from napari_hsr.errors import InputError
from napari_hsr.georeference import Place
from napari_hsr.io import limits
from napari_hsr.io.decoding import nearly, plain_name
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import encoding_named
from napari_hsr.provenance import Provenance
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_hsr.photograph import Photograph

#: The key, attribute, dataset or header item that holds the record in every format.
KEY = "napari_hsr"
_LAYOUT = 1
#: The fields of every record, those of its kind, and those that not each one has.
_ALWAYS = ("kind", "name", "provenance", "metadata")
_OF_KIND = {"cube": ("units", "wavelengths"), "photograph": ("encoding",)}
_SOMETIMES = ("layout", "place")
_ALL = frozenset((*_ALWAYS, *_SOMETIMES, *sum(_OF_KIND.values(), ())))
_SURENESS = ("stated", "assumed", "none")
_TOO_DEEP = "it lies too deep in lists"


@dataclass(frozen=True)
class Record:
    """Facts read back from a file that this package wrote.

    ``kind`` is ``"cube"`` or ``"photograph"``, and None where the record is too damaged to say it.
    ``wavelengths`` is ``"stated"``, ``"assumed"`` or ``"none"``, and None for a photograph.
    ``lacks`` are the fields that are not there or cannot be used: what else the file says counts.
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
    kind: str | None = None
    lacks: frozenset[str] = frozenset()


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


def stored_as(names: Iterable[str]) -> str:
    """Which of these names is the record's: :data:`KEY`, or one that is nearly it; empty where none is."""
    names, own = list(names), plain_name(KEY)
    spelled = [name for name in names if plain_name(name) == own]
    if spelled:
        return KEY if KEY in spelled else spelled[0]
    alike = (name for name in names if abs(len(name) - len(KEY)) <= 1)
    return next((name for name in alike if nearly(name, (own,))), "")


def parse(found: Any) -> Record | None:
    """The record in a text or a mapping; None if it is not one of ours.

    A field that holds anything else than it should, or is missing, is left out, and a notice says so.
    """
    if isinstance(found, bytes):
        found = found.decode("utf-8", "replace")
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:  # ours that is damaged, or another program's text under the same key
            return _unusable("it is damaged") if looks_like_one(found) else None
        except RecursionError:
            return _unusable(_TOO_DEEP)
    if not isinstance(found, dict):
        return None
    if not isinstance(found.get("layout"), int) and len(_ALL.intersection(found)) < 3:
        return None
    return _unusable(_TOO_DEEP) if limits.too_deep(found) else _Fields(found).record()


def of_variable(name: str, found: Any) -> Record | None:
    """As :func:`parse`, of what a file holds under a name: a record of ours, whatever it holds, if that is :data:`KEY`."""
    return parse(found) or (_unusable("it is damaged") if name == KEY else None)


class _Fields:
    """The fields of a record, each held against what it is to be."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found
        self.wrong: list[str] = []

    def record(self) -> Record:
        """What can be used of them; notices say what cannot."""
        found, wrong = self.found, self.wrong
        provenance = self.provenance()
        place, notices = _place(found.get("place"))
        kind = self.one_of("kind", _OF_KIND) or next(
            (kind for kind, own in _OF_KIND.items() if set(own) & set(found)), None
        )
        encoding = self.field(found, "encoding", str)
        if encoding is not None and encoding_named(encoding) is None:
            wrong.append("encoding")
            encoding = None
        record = Record(
            name=self.field(found, "name", str, ""),
            provenance=provenance,
            metadata=dict(self.field(found, "metadata", dict, {})),
            units=self.field(found, "units", str),
            wavelengths=self.one_of("wavelengths", _SURENESS),
            encoding=encoding,
            place=place,
            kind=kind,
        )
        missing = [key for key in (*_ALWAYS, *_OF_KIND.get(kind or "", ())) if key not in found]
        notices += self.told(missing)
        return replace(record, notices=notices, lacks=frozenset((*wrong, *missing)))

    def provenance(self) -> Provenance:
        stated = dict(self.field(self.found, "provenance", dict, {}))
        for key in ("input", "model", "weights_sha256", "version", "created"):
            stated[key] = self.field(stated, key, str, "" if key == "input" else None)
        steps = self.field(stated, "steps", list, [])
        self.wrong += ["steps"] * (not all(isinstance(step, str) for step in steps))
        stated["steps"] = [step for step in steps if isinstance(step, str)]
        stated["extra"] = self.field(stated, "extra", dict, {})
        return Provenance.from_dict(stated)

    def field(self, values: dict[str, Any], key: str, kind: type, default: Any = None) -> Any:
        """A field of this type; the default where it is nothing or of another type."""
        value = values.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            self.wrong.append(key)
            return default
        return value

    def one_of(self, key: str, values: Iterable[str]) -> str | None:
        """A field that is one of these words."""
        value: str | None = self.field(self.found, key, str)
        if value is None or value in values:
            return value
        self.wrong.append(key)
        return None

    def told(self, missing: list[str]) -> tuple[Notice, ...]:
        """What was left out, what is missing, and what may be a damaged name."""
        stated = self.found.get("provenance")
        known = [each.name for each in fields(Provenance)]
        strange = [key for key in self.found if key not in _ALL]
        # what a later version may have written of its history is kept, and is not nearly what is known
        strange += [
            key
            for key in (stated if isinstance(stated, dict) else ())
            if key not in known and get_close_matches(key, known, 1, 0.75)
        ]
        texts = []
        if self.wrong:
            named = _listed(self.wrong)
            texts.append(f"What the file says of its {named} was left out: it is none.")
        if missing:
            named = _listed(missing)
            texts.append(f"What the file says of its origin is damaged: it lacks {named}.")
        if strange:
            named = _listed(strange)
            texts.append(f"What the file says of its origin may be damaged: {named} has no effect.")
        return tuple(Notice.warning(Code.RECORD_UNUSABLE, text) for text in texts)


def looks_like_one(text: str) -> bool:
    """Whether a text that cannot be parsed was a record of ours once, or something with one in it."""
    return text.lstrip().startswith("{") or '"layout"' in text or '"provenance"' in text


def _unusable(why: str) -> Record:
    told = f"What the file says of its origin, units and encoding was left out: {why}."
    notices = (Notice.warning(Code.RECORD_UNUSABLE, told),)
    return Record("", Provenance(), {}, notices=notices, lacks=_ALL)


def _listed(names: Iterable[str]) -> str:
    return one_line(", ".join(dict.fromkeys(map(str, names))), 120)


def _place(stored: Any) -> tuple[Place | None, tuple[Notice, ...]]:
    if stored is None:
        return None, ()
    try:
        return Place.from_dict(stored), ()
    except InputError as error:
        told = f"What the file says of the place of its pixels was left out: {error}"
        return None, (Notice.warning(Code.PLACE_UNUSABLE, told),)
