"""What every training leaves in its folder, whichever door it came through.

The recipe and the events are written as they come, and how it ended: from Python as from the
command line or the panel, so that any of them can look on, resume, and tell why it failed.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import Cancelled, FileError, HSRError, InputError
from napari_hsr.io.atomic import replacing
from napari_hsr.training.events import Event, Failed, Finished, Notice, Report, Stopped
from napari_hsr.training.runs.history import History
from napari_hsr.training.runs.run_folder import (
    EVENTS,
    RECIPE,
    Journal,
    has_checkpoint,
    holds_a_run,
    read_state,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hsr.training.recipe.schema import Recipe

#: What training needs beyond the rest of the product.
EXTRA = 'pip install "napari-hsr[train]"'
#: Modules of that extra.
_EXTRA_MODULES = ("lightning", "pytorch_lightning", "tensorboard", "yaml", "torchmetrics")


def recorded(
    work: Callable[[Report], Finished | Stopped],
    recipe: Recipe,
    output: Path,
    report: Report,
    resume: bool = False,
) -> Finished | Stopped:
    """Do the work of a training and write down, in its folder, all that it says.

    Parameters
    ----------
    work : callable
        Takes the report that it is to use.
    recipe : Recipe
        Written into the folder, unless a run there goes on.
    output : Path
    report : callable
        Is told the same.
    resume : bool

    Returns
    -------
    Finished or Stopped
        As ``work`` does.

    Raises
    ------
    InputError
        If another process trains in the folder, or it holds a training that would be begun
        anew, or memory ran out.
    FileError
        If the folder cannot be written to.
    HSRError
        If a package that only training needs is missing; and what ``work`` raises.
    """
    _check_nobody_trains(output)
    if not resume and holds_a_run(output):
        raise InputError(
            f"{output} holds a training already: --resume goes on with it, another --output "
            "begins a new one."
        )
    made = not Path(output).exists()
    journal = Journal(output, resume)

    def tell(event: Event) -> None:
        journal(event)
        report(event)

    end, refused = None, False
    try:
        end = _done(work, recipe, output, tell, resume)
        journal(end)
        return end
    except BaseException as error:
        journal(Failed(reason(error), journal.step))
        refused = made and isinstance(error, HSRError) and not holds_a_run(output)
        raise
    finally:
        journal.close()
        if refused:  # nothing was trained in it, and whoever called was told why
            shutil.rmtree(output, ignore_errors=True)
        elif not (isinstance(end, Finished) and end.directory):  # it lies beside the model
            _write_table(output)


def _check_nobody_trains(output: Path) -> None:
    """Two processes that write the same checkpoints would leave neither's."""
    from napari_hsr.training.runs.processes import process_of

    state = read_state(output)
    if state is None or state.status not in ("starting", "running"):
        return
    if state.pid != os.getpid() and process_of(state) is not None:
        raise InputError(
            f"{output} is being trained already, by the process {state.pid}: wait for it, or stop "
            "it first."
        )


def _write_table(output: Path) -> None:
    """``log.csv`` of a training that made no model: what it came to can still be looked at."""
    history = History.read(output / EVENTS)
    if not (history.steps or history.measured):
        return
    # A full disk was told when it was met.
    with suppress(OSError, FileError), replacing(output / "log.csv") as temporary:
        temporary.write_text(history.csv(), encoding="utf-8", newline="")


def _done(
    work: Callable[[Report], Finished | Stopped],
    recipe: Recipe,
    output: Path,
    tell: Report,
    resume: bool,
) -> Finished | Stopped:
    from napari_hsr.inference.memory_use import is_out_of_memory
    from napari_hsr.training.recipe.yaml_io import write_recipe

    try:
        if not (resume and (output / RECIPE).is_file()):
            write_recipe(recipe, output / RECIPE)
        if resume and not has_checkpoint(output):
            tell(Notice("There is no checkpoint yet: the training begins anew."))
        return work(tell)
    except ModuleNotFoundError as error:
        raise missing(error) from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(
            "There is not enough memory for this training: a smaller batch.patch or "
            "batch.size takes less."
        ) from error


def missing(error: ModuleNotFoundError) -> Exception:
    """A sentence with the command that helps, if it is a package of the extra that is missing."""
    name = (error.name or "").split(".")[0]
    if name not in _EXTRA_MODULES:
        return error
    return HSRError(f"Training needs packages that are not installed ({name}): {EXTRA}")


def reason(error: BaseException) -> str:
    """Why a training failed, in one sentence; a fault of the product begins with "unexpected"."""
    if isinstance(error, (KeyboardInterrupt, Cancelled)):
        return "Interrupted before the step was saved; the last checkpoint stays."
    if isinstance(error, HSRError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        about = f"{error.filename}: " if error.filename else ""
        return f"{about}{error.strerror}."
    return (
        f"unexpected {type(error).__name__}: {error}. This is a fault in napari-hsr itself; the "
        "command line's --debug shows where."
    )
