"""Photographs as items of a batch, the same for the command line and the panels: files, or open ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr.cameras.profiles import known_by
from napari_hsr.inference.batch.files import FileItem, FileWork
from napari_hsr.inference.batch.queue import Outcome, batch_events
from napari_hsr.inference.estimates.run_estimate import COMPUTED, estimate
from napari_hsr.inference.reconstruction import reconstruct_events
from napari_hsr.inference.region import shape
from napari_hsr.inference.subpixel_grid import on_grid
from napari_hsr.io.detect import PHOTOGRAPH_SUFFIXES
from napari_hsr.io.file_lists import expand, output_names
from napari_hsr.models.library import load_model
from napari_hsr.notices import Code, without
from napari_hsr.progress import Progress

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from napari_hsr.cube import Cube
    from napari_hsr.inference.batch.queue import BatchProgress, BatchResult, Item
    from napari_hsr.inference.estimates.run_estimate import Estimate
    from napari_hsr.inference.results import Result
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph

#: Options of a reconstruction that its estimate does not take, as they are by default.
OBEYED: dict[str, Any] = {"exact": False, "camera": None, "intervals": False, "region": None}


def photograph_work(
    model: Model,
    used: Model,
    options: dict[str, Any],
    *,
    encoding: str | None = None,
    client: Callable[[], Any] = lambda: None,
    **about: Any,
) -> FileWork:
    """What is done to each photograph.

    Parameters
    ----------
    model : Model
    used : Model
        The same on the grid that is asked for: what results are known by.
    options : dict
        Of :func:`napari_hsr.reconstruct`; what is left out is as by default.
    encoding : str, optional
        Of all photographs; by default as each says.
    client : callable
        Gives the client of the workers that compute tiles.
    **about
        Other fields of :class:`~napari_hsr.inference.batch.files.FileWork`.
    """
    computed = {name: options.get(name, usual) for name, usual in COMPUTED.items()}
    obeyed = {name: options.get(name, usual) for name, usual in OBEYED.items()}

    def events(
        image: Photograph, cancel: threading.Event, store: Path | None = None
    ) -> Iterator[Progress | Result]:
        return reconstruct_events(
            image,
            model,
            encoding=encoding,
            **computed,
            **obeyed,
            cancel=cancel,
            client=client(),
            output=store,
            overwrite=about.get("overwrite", False),
        )

    def takes(image: Photograph, on_disk: bool = False) -> Estimate:
        size = shape(obeyed["region"], image.height, image.width)
        return estimate(size, model, **computed, on_disk=on_disk)

    def facts(image: Photograph, result: Result) -> dict[str, Any]:
        notices = dict.fromkeys((*image.notices, *result.notices))
        if encoding:  # stated: the user has answered
            notices = dict.fromkeys(without(notices, Code.ENCODING_UNKNOWN))
        trust = {"trust": result.trust.record()} if result.trust else {}
        return {"notices": list(notices), **trust}

    return FileWork(
        model=used,
        events=events,
        estimate=takes,
        facts=facts,
        beside=_bounds,
        names_beside=_BOUNDS if obeyed["intervals"] else (),
        settings={
            **computed,
            **obeyed,
            "camera": known_by(obeyed["camera"]),
            "encoding": encoding,
        },
        in_parts=not (obeyed["exact"] or obeyed["intervals"]),
        **about,
    )


#: What is added to the names of the ends of intervals.
_BOUNDS = ("lower", "upper")


def _bounds(result: Result) -> dict[str, Cube]:
    """The ends of the intervals, where these were asked for."""
    found = result.trust and result.trust.intervals
    return dict(zip(_BOUNDS, found.bounds(result.cube), strict=True)) if found else {}


@dataclass(frozen=True)
class OpenItem:
    """A photograph that is open already; its result is handed over, not written."""

    name: str
    photograph: Photograph
    work: FileWork

    def events(self, cancel: threading.Event) -> Generator[Progress | Outcome, None, None]:
        """Compute; the outcome's value is the :class:`~napari_hsr.inference.Result`."""
        for event in self.work.events(self.photograph, cancel):
            if isinstance(event, Progress):
                yield event
            else:
                yield Outcome(event, self.work.facts(self.photograph, event)["notices"])


class NotThere:
    """A file that was asked for and cannot be found: an item that fails."""

    def __init__(self, name: str, error: Exception):
        self.name, self._error = name, error

    def events(self, _cancel: threading.Event) -> Generator[Progress, None, None]:
        """Say so."""
        yield Progress(0, 0)
        raise self._error


def folder_events(
    sources: Sequence[str],
    output: Path,
    suffix: str,
    model: str,
    options: dict[str, Any],
    *,
    encoding: str | None = None,
    cancel: threading.Event | None = None,
    pause: threading.Event | None = None,
    **about: Any,
) -> Iterator[Progress | BatchProgress | BatchResult]:
    """Files, folders and patterns as a queue whose results go into a folder.

    A result that is there, made from the same file with the same model and options, is kept. What is to
    become of other files under the names of results is among the fields of
    :class:`~napari_hsr.inference.batch.files.FileWork`.
    """
    yield Progress(0, 0, "Loading the model")
    loaded = load_model(model)
    inputs, missing = expand(list(sources), PHOTOGRAPH_SUFFIXES, "photograph")
    used = on_grid(loaded, options.get("finer", 1))
    work = photograph_work(loaded, used, options, encoding=encoding, inputs=tuple(inputs), **about)
    outputs = output_names(inputs, output, loaded.name, suffix)
    items: list[Item] = [FileItem(*pair, work) for pair in zip(inputs, outputs, strict=True)]
    items += [NotThere(error.path, error) for error in missing]
    yield from batch_events(items, cancel=cancel, pause=pause)


def open_events(
    photographs: Sequence[Photograph],
    model: str,
    options: dict[str, Any],
    *,
    encoding: str | None = None,
    cancel: threading.Event | None = None,
    pause: threading.Event | None = None,
) -> Iterator[Progress | BatchProgress | BatchResult]:
    """Photographs that are open as a queue, whose results are the values of its rows."""
    yield Progress(0, 0, "Loading the model")
    loaded = load_model(model)
    work = photograph_work(loaded, loaded, options, encoding=encoding)
    items = [OpenItem(one.name, one, work) for one in photographs]
    yield from batch_events(items, cancel=cancel, pause=pause)
