"""Files of a batch: read, compute, write; a result that is there already is not computed again."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari_hsr import __version__
from napari_hsr.cube import Cube, jsonable
from napari_hsr.errors import AlreadyThereError, Cancelled, HSRError
from napari_hsr.inference.batch.queue import Outcome, Told
from napari_hsr.io import can_read, read, write
from napari_hsr.io.atomic import check_unchanged, expecting, standing
from napari_hsr.io.file_sets import Inputs, files_beside, files_read, replaces, standing_at
from napari_hsr.io.library_errors import made_folder
from napari_hsr.io.read_choice import split_variable
from napari_hsr.io.zarr.files import RUN
from napari_hsr.io.zarr.in_parts import restate
from napari_hsr.io.zarr.resumed import facts as facts_of_run
from napari_hsr.io.zarr.unfinished_store import unfinished
from napari_hsr.notices import Code, has
from napari_hsr.progress import Progress

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from pathlib import Path

    from napari_hsr.inference import Estimate, Result
    from napari_hsr.provenance import Provenance

#: Inputs that are larger are known by their size and time of change, not by their content.
HASHED_BYTES = 2**30
#: Where a result's provenance says what the batch made it from.
KEY = "batch"


@dataclass(frozen=True)
class FileWork:
    """What is done to each file.

    Attributes
    ----------
    model : Model or Kind
        What computes the results. Notices of a model are told once.
    events : callable
        The events of a run, from what a file holds and a cancel event; where it can write in
        parts, also from the zarr store that it is to write.
    estimate : callable
        What a run takes, from what a file holds; True as well where it writes a store.
    facts : callable
        What is reported of a result, from what the file holds and the result; its ``notices`` are
        told.
    beside : callable
        Further cubes of a result, by what is added to the name of its file; not where it writes a store.
    names_beside : tuple of str
        All that may be added.
    settings : mapping
        All that determines the result beside file and model.
    reading : mapping
        What is stated of the files, for :func:`napari_hsr.read`.
    again : bool
        Compute also what is there already.
    overwrite : bool
        Replace other files without a word.
    sparing : bool
        Fail where another file lies under the name of a result, in place of replacing it.
    inputs : tuple of Path
        All files of the batch: none of them is overwritten.
    in_parts : bool
        Whether a run can write a zarr store itself, part by part.
    """

    model: Any
    events: Callable[..., Iterator[Progress | Result]]
    estimate: Callable[..., Estimate]
    facts: Callable[[Any, Any], dict[str, Any]]
    beside: Callable[[Any], dict[str, Cube]] = lambda _result: {}
    names_beside: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False
    overwrite: bool = False
    sparing: bool = False
    inputs: tuple[Path, ...] = ()
    in_parts: bool = False

    @cached_property
    def held(self) -> Inputs:
        """The files of the batch, looked at once: of a thousand, a million looks take minutes."""
        return Inputs(self.inputs)


@dataclass(frozen=True)
class FileItem:
    """One file of a batch, and where its result goes."""

    source: Path
    output: Path
    work: FileWork

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.source.name

    def events(self, cancel: threading.Event) -> Generator[Progress | Told | Outcome, None, None]:
        """Read, compute and write; the outcome's value is what is reported of the file."""
        work, out, name = self.work, self.output, self.source.name
        exists = replaces(out, work.held)
        further = {key: out.with_name(f"{out.stem}_{key}{out.suffix}") for key in work.names_beside}
        before, seen = standing_at([out, *further.values()]), standing(_looked_at(self.source))
        made_by = fingerprint(self.source, work)
        files = {"input": str(self.source), "output": str(out)}
        if exists and not work.again and (facts := kept(out, made_by)) is not None:
            text = f"{out} was made from this file with the same settings, and is kept."
            yield Told((text,), name)
            found = {**files, "replaced": False, "unchanged": True, "estimate": None, **facts}
            yield Outcome(found, facts.get("notices", ()), unchanged=True)
            return
        yield from self._about_replacing(out, exists)
        for other in further.values():
            yield from self._about_replacing(other, replaces(other, work.held))
        image, result = read(self.source, **work.reading), None
        takes: Estimate | None = None
        in_parts = work.in_parts and out.suffix.lower() == ".zarr"
        if in_parts:
            image = _announced(image, made_by)
        made_folder(out.parent)
        try:
            for event in work.events(image, cancel, *([out] if in_parts else [])):
                if not isinstance(event, Progress):
                    result = event
                    break
                if event.total and takes is None:  # the input was accepted
                    takes = work.estimate(image, *([True] if in_parts else []))
                    yield Told((takes.words(),), name)
                yield event
        except Cancelled:
            begun = unfinished(out)
            if in_parts and begun.exists():
                text = f"{begun} keeps what is finished: the same command goes on with it."
                yield Told((text,), name)
            raise
        assert result is not None  # a run ends with its result
        facts, of_model = work.facts(image, result), getattr(work.model, "notices", ())
        shared = [n for n in facts["notices"] if n in of_model or has([n], Code.PRECISION)]
        yield Told(tuple(shared))
        own = [n for n in facts["notices"] if n not in shared]
        yield Told((*own, f"{result.summary()}."), name)
        others = work.beside(result)
        for target, known in () if in_parts else before.items():
            check_unchanged(target, known)
        if standing(_looked_at(self.source)) != seen:  # made_by may be of what was there before
            made_by = ""
            yield Told((f"{name} changed meanwhile: the same command computes it again.",), name)
        beside = {key: str(further[key]) for key in others}
        recorded = _recorded(result.cube, made_by, beside | facts, beside)
        if in_parts:
            restate(out, recorded)
        else:
            with expecting(before):
                for (
                    key,
                    cube,
                ) in others.items():  # first: the record of the cube says that all is there
                    write(cube, further[key])
                write(recorded, out)
        made = {**files, "replaced": exists, "estimate": takes and asdict(takes)}
        yield Outcome({**made, **beside, **facts}, facts["notices"])

    def _about_replacing(self, out: Path, exists: bool) -> Iterator[Told]:
        if exists and self.work.sparing:
            raise AlreadyThereError(out)
        if exists and not self.work.overwrite:
            text = (
                f"{out} exists already, and is replaced once the result is there. A later version will "
                "refuse to where overwriting is not allowed."
            )
            yield Told((text,))


def fingerprint(source: Path, work: FileWork) -> str:
    """What determines a result, as a hash: the file's content and what lies beside it, which array of it, model, settings."""
    digest = hashlib.sha256()
    for file in _looked_at(source):
        if not file.is_file():
            continue
        found = file.stat()
        # a name that is no text in the system's encoding is read with half characters
        digest.update(f"{file.name} {found.st_size} ".encode(errors="surrogatepass"))
        if found.st_size > HASHED_BYTES:
            digest.update(str(found.st_mtime_ns).encode())
        else:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    weights = getattr(work.model, "weights_sha256", None)
    card = getattr(work.model, "card_sha256", None)
    stated = jsonable({**work.settings, **work.reading})
    known = [__version__, work.model.name, weights, card, stated]
    known += [of for of in (split_variable(source)[1],) if of]  # one of several in the file
    digest.update(json.dumps(known, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _looked_at(source: Path) -> list[Path]:
    return [*sorted(files_read(source)), *files_beside(source)]


def kept(output: Path, made_by: str) -> dict[str, Any] | None:
    """What was reported of a result with this fingerprint; None if it must be computed."""
    try:
        known = read(output).provenance if can_read(output) else None
    except (HSRError, OSError):  # no result of ours
        return None
    record = known.extra.get(KEY) if known else None
    if known is None or not isinstance(record, dict):
        return None
    ended_by_run = record.get("of") is None and (facts_of_run(output, RUN) or {}).get("finished")
    if record.get("fingerprint") != made_by or not (ended_by_run or record.get("of") == _of(known)):
        return None
    facts, others = record.get("facts"), record.get("beside")
    if not isinstance(facts, dict) or not isinstance(others, list):
        return None
    told = facts.get("notices", [])
    if not isinstance(told, list) or not all(isinstance(notice, str) for notice in told):
        return None
    names = [facts.get(other) for other in others if isinstance(other, str)]
    there = [isinstance(name, str) and os.path.isfile(name) for name in names]
    return facts if len(there) == len(others) and all(there) else None


def _announced(image: Any, made_by: str) -> Any:
    """The input with a record for the store that is made of it, which has its name before all is known."""
    record: dict[str, Any] = {"fingerprint": made_by, "of": None, "beside": [], "facts": {}}
    made = replace(image.provenance, extra={**image.provenance.extra, KEY: record})
    return (
        image.replace(provenance=made)
        if isinstance(image, Cube)
        else replace(image, provenance=made)
    )


def _recorded(cube: Cube, made_by: str, facts: dict[str, Any], beside: Iterable[str]) -> Cube:
    """The cube with a record of what it was made from."""
    record = {"fingerprint": made_by, "of": _of(cube.provenance), "beside": list(beside)}
    extra = {**cube.provenance.extra, KEY: record | {"facts": jsonable(facts)}}
    return cube.replace(
        provenance=replace(cube.provenance, extra=extra), _value_range=cube.value_range
    )


def _of(known: Provenance) -> list[Any]:
    """What tells a result from whatever was made of it later, which inherits the record."""
    return [known.created, len(known.steps)]
