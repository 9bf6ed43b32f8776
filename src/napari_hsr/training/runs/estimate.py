"""What a training would take on this machine, extrapolated from a few of its steps."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import Cancelled, HSRError, InputError
from napari_hsr.training.events import Event, passed_on, result_of
from napari_hsr.units import device_words, format_bytes, format_seconds

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from napari_hsr.models.model import Model
    from napari_hsr.training.data.cache import Images
    from napari_hsr.training.data.findings import Findings
    from napari_hsr.training.recipe.schema import Recipe

#: Steps that an estimate takes; the first one does not count.
TRIED = 3
#: A first validation that takes fewer seconds is repeated: most of them may be start-up.
WARM = 3.0
#: Seconds between two looks at whether the estimate was cancelled.
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Estimate:
    """What a training would take.

    Attributes
    ----------
    seconds : float
        In all, validation included.
    memory_bytes : int
        Of the process, or of the GPU.
    device : str
        For people.
    seconds_a_step : float
    steps : int
    """

    seconds: float
    memory_bytes: int
    device: str
    seconds_a_step: float
    steps: int


def describe(found: Estimate, recipe: Recipe) -> str:
    """One sentence: ``About 10 min and 812 MB of memory on the CPU, 2 threads: …``."""
    memory = format_bytes(found.memory_bytes)
    said = f"About {format_seconds(found.seconds)} and {memory} of memory on {device_words(found.device)}"
    each = f"{found.seconds_a_step:.2g} s"
    if found.steps < 2:
        return f"{said}."
    if recipe.strategy == "auto":
        return f"{said}; a step of all weights takes {each}."
    return f"{said}: {found.steps:,} steps of {each}."


def estimate_events(
    recipe: Recipe, cancel: threading.Event | None = None, findings: Findings | None = None
) -> Iterator[Event | Estimate]:
    """Decode the images, validate and take a few steps, and extrapolate.

    Nothing is written but the cache of decoded images.

    Parameters
    ----------
    recipe : Recipe
    cancel : threading.Event, optional
    findings : Findings, optional
        The images, where they were checked before.

    Yields
    ------
    Preparing, Noticed
    Estimate
        Last of all.

    Raises
    ------
    HSRError
        Why the training could not start, in one sentence.
    Cancelled
    """
    from napari_hsr.training.engine import devices
    from napari_hsr.training.train import prepare_events
    from napari_hsr.training.validation import validate

    images, model = yield from passed_on(prepare_events(recipe, cancel, findings))
    place = devices.place(recipe)

    def validation_seconds() -> float:
        return _seconds(lambda: validate(model, images.held_out[:1], recipe, cancel))

    measuring = validation_seconds()
    closed = recipe.strategy == "auto" and not list(model.module.parameters())
    if recipe.strategy == "adapter" or closed:  # such a model is trained in closed form only
        seconds = measuring * (len(images.train) + 2 * len(images.held_out))
        yield Estimate(seconds, devices.memory(place), place.words, seconds, 1)
        return
    if measuring < WARM:
        measuring = validation_seconds()
    measuring *= len(images.held_out)
    each = _seconds_a_step(recipe, images, model, place.world, cancel)
    every = recipe.validation.every
    if recipe.schedule.steps is None:
        seconds = (recipe.schedule.minutes or 0.0) * 60
        around = 3 * measuring  # before the first step, after the last, and as it is stored
        steps = max(1, int((seconds - around) / (each + measuring / every)))
    else:
        steps = recipe.schedule.steps
        # before the first step, on the way, after the last, and once more in half precision
        seconds = steps * each + measuring * (2 + math.ceil(steps / every))
    yield Estimate(seconds, devices.memory(place), place.words, each, steps)


def _seconds_a_step(
    recipe: Recipe, images: Images, model: Model, world: int, cancel: threading.Event | None
) -> float:
    """Seconds that one process needs for its share of a step."""
    from napari_hsr.training.engine.loop import Fit
    from napari_hsr.training.train import training_patches
    from napari_hsr.training.validation import Validation

    def no_figures(_model: Model, _step: int) -> Validation:
        return Validation({"psnr_db": 0.0, "sam_deg": 0.0, "mrae": 0.0}, {})

    changes = {
        "schedule": {"steps": TRIED, "minutes": None},
        "engine": {"tensorboard": False, "devices": 1, "nodes": 1},
        "batch": {"size": recipe.batch.size // world},
    }
    short = recipe.model_copy(
        update={key: getattr(recipe, key).model_copy(update=v) for key, v in changes.items()}
    )
    batches = training_patches(images, short, model).batch
    with tempfile.TemporaryDirectory() as folder:
        fit = Fit(short, model, batches, no_figures, cancel, Path(folder) / "run")
        for _ in fit.events():
            pass
    if not fit.times[1:]:
        raise Cancelled
    return sum(fit.times[1:]) / len(fit.times[1:])


def _seconds(action: Callable[[], object]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


# --- in a process of its own --------------------------------------------------------------------


def command(recipe: Path, answer: Path) -> list[str]:
    """The command line of a process that writes an estimate to ``answer``."""
    return [sys.executable, "-P", "-m", __name__, str(recipe), str(answer)]


def estimate_apart(recipe: Recipe, cancel: threading.Event) -> Estimate:
    """Estimate in another process, whose memory is the training's alone and which can be ended.

    Parameters
    ----------
    recipe : Recipe
        With absolute paths.
    cancel : threading.Event
        When set, the process is ended.

    Raises
    ------
    InputError
        Why the training could not start, in one sentence.
    HSRError
        If the process ended without an answer.
    Cancelled
    """
    from napari_hsr.training.runs.processes import detached, kill_family

    with tempfile.TemporaryDirectory(prefix="napari-hsr-") as folder:
        question, answer = Path(folder) / "recipe.pickle", Path(folder) / "estimate.pickle"
        question.write_bytes(pickle.dumps(recipe))
        log = Path(folder) / "log.txt"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command(question, answer),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                **detached(),
            )
            try:
                while process.poll() is None:
                    if cancel.wait(LOOK_SECONDS):
                        raise Cancelled
            finally:
                if process.poll() is None:
                    kill_family(process.pid)
                process.wait()
        if not answer.is_file():
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            said = f" The last line of its log: {last[0]}" if last else ""
            raise HSRError(
                f"The estimate ended without an answer: its process was killed or crashed.{said}"
            )
        found = pickle.loads(answer.read_bytes())  # written by our own process just now
    if isinstance(found, Estimate):
        return found
    raise InputError(found)


def main(question: str, answer: str) -> None:
    """Read a recipe, and write an :class:`Estimate`, or why there is none as a string."""
    recipe = pickle.loads(Path(question).read_bytes())
    try:
        found: Estimate | str = result_of(estimate_events(recipe))
    except HSRError as error:
        found = str(error)
    Path(answer).write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    # by its own name, so that the pickled class is the caller's
    from napari_hsr.training.runs import estimate as module

    module.main(*sys.argv[1:])
