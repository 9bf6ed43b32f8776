"""Records a training in its folder: recipe, events, and how it ended.

Python, the command line and the panel record alike, so that any of them can follow a run, resume
it, and say why it failed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from napari_hsr.errors import Cancelled, FileError, HSRError, InputError, explain, lacks_memory
from napari_hsr.io.atomic import expecting, standing
from napari_hsr.io.text_files import write_text
from napari_hsr.notices import Code, Notice
from napari_hsr.signs_of_life import FRESH_SECONDS
from napari_hsr.training.events import Event, Failed, Finished, Noticed
from napari_hsr.training.runs.heartbeat import goes_on, is_elsewhere, is_ours, where
from napari_hsr.training.runs.history import History
from napari_hsr.training.runs.journal import Journal
from napari_hsr.training.runs.run_folder import (
    EVENTS,
    RECIPE,
    STATE,
    check_new,
    has_checkpoint,
    holds_a_run,
    read_state,
    remove_what_was_begun,
)
from napari_hsr.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    from napari_hsr.training.recipe.schema import Recipe

#: What training needs beyond the rest of the product.
EXTRA = 'pip install "napari-hsr[train]"'
#: Modules of that extra.
_EXTRA_MODULES = ("lightning", "matplotlib", "tensorboard", "yaml")


def recorded(
    events: Iterable[Event], recipe: Recipe, output: Path, resume: bool = False
) -> Generator[Event, None, None]:
    """Write the events of a training into its folder, and yield them.

    Parameters
    ----------
    events : iterable of Event
        The training; the last event is Finished or Stopped.
    recipe : Recipe
        Written into the folder, unless a run there is resumed.
    output : Path
    resume : bool

    Raises
    ------
    InputError
        If another process trains in the folder, it holds a training and ``resume`` is not set,
        or memory ran out.
    FileError
        If the folder cannot be written to.
    HSRError
        If a package that only training needs is missing; and what the training raises.
    """
    with expecting(standing([output / STATE])):
        _check_nobody_trains(output)
        if not resume:
            check_new(output)
        made = not output.exists()
        try:
            journal = Journal(output, resume)
        except FileError:  # another process may have been faster
            _check_nobody_trains(output)
            raise
    refused = False
    try:
        for event in _guarded(events, recipe, output, resume):
            journal(event)
            yield event
            if not (output / RECIPE).exists() and _restored(recipe, output / RECIPE):
                yield from _told(journal)
    except BaseException as error:
        if not journal.ended:
            journal(Failed(reason(error), journal.step))
        refused = made and isinstance(error, HSRError) and not holds_a_run(output)
        raise
    finally:
        journal.close()
        end = journal.last
        if journal.displaced:  # what lies there now is somebody else's
            pass
        elif refused:  # nothing was trained in it, and the caller knows why
            remove_what_was_begun(output)
        elif not (isinstance(end, Finished) and end.directory):  # a log lies beside each model
            _write_table(output)


def _restored(recipe: Recipe, path: Path) -> bool:
    """Write the recipe of a folder that was moved or removed: without it nothing is resumed."""
    from napari_hsr.training.recipe.yaml_io import write_recipe

    try:
        write_recipe(recipe, path)
    except FileError:  # a disk that is full or gone: tried again at the next event
        return False
    return True


def _told(journal: Journal) -> Iterator[Event]:
    text = (
        f"The folder of this training was moved, or emptied: it goes on in {journal.folder}, which "
        "was made again."
    )
    event = Noticed(Notice.warning(Code.RUN_FOLDER_MADE_AGAIN, text))
    journal(event)
    yield event


def _check_nobody_trains(output: Path) -> None:
    """Two processes that write the same checkpoints would leave neither's."""
    state = read_state(output)
    if state is None or state.status not in ("starting", "running") or is_ours(state):
        return
    if goes_on(output, state):
        by = f", by the process {state.pid}" if state.pid else ""
        later = (
            f"; where that machine was switched off, try again in {format_seconds(FRESH_SECONDS)}"
        )
        raise InputError(
            f"{output} is being trained already{by}{where(state)}: wait for it, or stop it "
            f"first{later if is_elsewhere(state) else ''}."
        )


def _write_table(output: Path) -> None:
    """``log.csv`` of a training that made no model: what it came to can still be looked at."""
    history = History.read(output / EVENTS)
    if not (history.steps or history.measured):
        return
    # A full disk was told when it was met.
    with suppress(OSError, FileError):
        write_text(output / "log.csv", history.csv())


def _guarded(
    events: Iterable[Event], recipe: Recipe, output: Path, resume: bool
) -> Iterator[Event]:
    """The events, with the recipe in the folder first, and faults as sentences for the user."""
    from napari_hsr.training.recipe.yaml_io import put_recipe

    try:
        if not (resume and (output / RECIPE).is_file()):
            before = put_recipe(recipe, output / RECIPE)
            if before is not None:
                text = f"recipe.yaml held other settings; it is kept as {before.name}."
                yield Noticed(Notice.info(Code.RECIPE_CHANGED, text))
        if resume and not has_checkpoint(output):
            text = "There is no checkpoint yet: the training starts again."
            yield Noticed(Notice.info(Code.NO_CHECKPOINT, text))
        yield from events
    except ModuleNotFoundError as error:
        raise missing(error) from error
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        raise InputError(
            "There is not enough memory for this training: reduce batch.patch or batch.size."
        ) from error


def missing(error: ModuleNotFoundError) -> Exception:
    """A sentence with the command that helps, if it is a package of the extra that is missing."""
    name = (error.name or "").split(".")[0]
    if name not in _EXTRA_MODULES:
        return error
    return HSRError(f"Training needs packages that are not installed ({name}): {EXTRA}")


def reason(error: BaseException) -> str:
    """Why a training failed, in one sentence; a fault of the product begins with "unexpected"."""
    # SystemExit: a signal, such as that of a terminal that is closed
    if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit, Cancelled)):
        return "Interrupted before the step was saved; the last checkpoint stays."
    return explain(error, "the command line's --debug shows where")
