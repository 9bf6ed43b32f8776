"""A whole training, from a recipe to a model folder, for Python, the command line and the panel.

recipe → images → start model → training loop → validation → the best model, written with its card.
"""

from __future__ import annotations

import shlex
import threading
import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import Cancelled, InputError
from napari_hsr.models import load_model
from napari_hsr.notices import Code, Notice
from napari_hsr.training import export, validation
from napari_hsr.training.data import cache
from napari_hsr.training.data.coarse_patches import CoarsePatches
from napari_hsr.training.data.inspection import inspect_events
from napari_hsr.training.data.patches import ModelInput, Patches
from napari_hsr.training.engine import devices, initial_model
from napari_hsr.training.events import (
    Event,
    Finished,
    Noticed,
    Report,
    Saved,
    Step,
    Stopped,
    passed_on,
)
from napari_hsr.training.runs.heartbeat import check_still_ours
from napari_hsr.training.runs.recorder import recorded
from napari_hsr.training.runs.run_folder import CHECKPOINTS, PREVIEW, SPENT, read_state
from napari_hsr.training.strategies import train_by_strategy

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from napari_hsr.models.model import Model
    from napari_hsr.training.data.batch_sampler import BatchSampler
    from napari_hsr.training.data.cache import CachedImage, Images
    from napari_hsr.training.data.findings import Findings
    from napari_hsr.training.engine.checkpoint import Fitted
    from napari_hsr.training.recipe.schema import Recipe

#: Seconds of a time budget for writing the model, its card and its plot; and what training gets of
#: it in any case, in minutes.
WRITING = 2.0
LEAST_MINUTES = 0.01
#: How a training ends in a process that helps another.
ELSEWHERE = Finished("", "Another process of this training writes the model.")


def train(
    recipe: Recipe,
    output: Path,
    report: Report | None = None,
    cancel: threading.Event | None = None,
    resume: bool = False,
) -> Finished | Stopped:
    """Train by a recipe: :func:`train_events` to its end.

    ``report``, a callable, takes all events but the last one, which is returned.
    """
    with closing(train_events(recipe, output, cancel, resume)) as events:
        for event in events:
            if isinstance(event, (Finished, Stopped)):
                return event
            if report is not None:
                report(event)
    raise AssertionError("a training ends with a result")


def train_events(
    recipe: Recipe,
    output: Path,
    cancel: threading.Event | None = None,
    resume: bool = False,
    *,
    began: float | None = None,
) -> Generator[Event, None, None]:
    """Train by a recipe.

    Parameters
    ----------
    recipe : Recipe
    output : Path
        The run's folder, for the events and the model.
    cancel : threading.Event, optional
        When set, the current step is finished and everything saved.
    resume : bool
        Continue from the folder's last checkpoint.
    began : float, optional
        When the user's time began, by ``time.monotonic``; now, by default. A time budget counts
        from there to the model's folder: reading the images, measuring and writing included.

    Yields
    ------
    Event
        Of :mod:`napari_hsr.training.events`; the last one is Finished or Stopped.

    Raises
    ------
    HSRError
        In one sentence; what was saved before stays.
    """
    output, cancel = Path(output), cancel or threading.Event()
    export.check_output(output, recipe.name)
    events = _events(recipe, output, cancel, resume, time.monotonic() if began is None else began)
    if devices.leads(recipe):
        events = recorded(events, recipe, output, resume)
    yield from events  # another process of the same training leads, writes and reports


def prepare_events(
    recipe: Recipe, cancel: threading.Event | None = None, findings: Findings | None = None
) -> Iterator[Event | tuple[Images, Model]]:
    """Check and decode the images of a recipe, and build the model that training starts from.

    Yields
    ------
    Preparing, Noticed
    tuple of (Images, Model)
        Last of all.

    Raises
    ------
    HSRError
        What is wrong with the images, the model, or the two together, in one sentence.
    Cancelled
        If ``cancel`` was set.
    """
    validation.check_protocol(recipe)
    if recipe.model.start is not None:  # its faults are reported before images are read
        initial_model.check_task(load_model(recipe.model.start), recipe)
    if findings is None:
        findings = yield from passed_on(inspect_events(recipe, cancel, keep=True))
    findings.check()
    images = yield from passed_on(cache.build_events(findings, recipe, cancel))
    if images.wavelengths is None:
        raise InputError(
            "The wavelengths of the cubes are not known: set data.wavelengths_nm to those of their "
            "bands."
        )
    yield images, initial_model.start(recipe, images.wavelengths, [i.sample for i in images.train])


def training_patches(images: Images, recipe: Recipe, model: Model) -> BatchSampler:
    """The patches of the training images for a recipe's task."""
    if recipe.finer:
        return CoarsePatches(images.train, recipe, model.least_bands)
    return Patches(images.train, recipe, ModelInput.of(model))


def resume_command(output: Path) -> str:
    """The command that continues a run."""
    return f"python -m napari_hsr.train --output {shlex.quote(str(output))} --resume"


def _events(
    recipe: Recipe, output: Path, cancel: threading.Event, resume: bool, began: float
) -> Generator[Event, None, None]:
    leads = devices.place(recipe).leads
    before = read_state(output) if resume else None
    step = before.step if before else 0
    if recipe.engine.tensorboard and recipe.strategy != "adapter" and not find_spec("tensorboard"):
        text = (
            "The package tensorboard is not installed, so nothing is written for it; log.csv and "
            "plot.png are."
        )
        yield Noticed(Notice.info(Code.TENSORBOARD_MISSING, text))
    try:
        images, model = yield from passed_on(prepare_events(recipe, cancel))
        if leads and recipe.finer:
            yield validation.baseline(images.held_out, recipe, model.wavelengths)
        reported = None
        for event in _trained(recipe, output, images, model, cancel, resume, began):
            yield event
            if isinstance(event, Step):
                step = event.step
            if isinstance(event, Saved):  # training goes on with what was decoded
                changed = images.changed()
                if changed and changed != reported:
                    yield Noticed(Notice.warning(Code.IMAGE_CHANGED, changed))
                reported = changed
    except Cancelled:
        yield Stopped(step, resume_command(output)) if leads else ELSEWHERE


def _trained(
    recipe: Recipe,
    output: Path,
    images: Images,
    model: Model,
    cancel: threading.Event,
    resume: bool,
    began: float,
) -> Iterator[Event]:
    """Train, validate and write the model; last of all Finished or Stopped."""
    hashes = _hashes(images.train), _hashes(images.held_out)
    state, told = read_state(output), set[str]()
    started = state.started if state else None

    def validate(candidate: Model, _step: int) -> validation.Validation:
        preview = output / PREVIEW
        found = validation.validate(candidate, images.held_out, recipe, cancel, preview=preview)
        new = tuple(notice for notice in found.notices if notice.code not in told)
        told.update(notice.code for notice in new)  # a disk stays full, and is told once
        return replace(found, notices=new)

    def fit(
        settings: Recipe, start: Model, trained: Sequence[str] | None
    ) -> Generator[Event, None, Fitted]:
        from napari_hsr.training.engine.loop import Fit  # Lightning: the adapter needs none

        # the checkpoints of each strategy have a folder of their own
        part = "" if recipe.strategy == "full" else settings.strategy
        return Fit(
            settings,
            start,
            training_patches(images, settings, start).batch,
            validate,
            cancel,
            output / CHECKPOINTS / part,
            resume=resume,
            trained=trained,
            images=hashes,
            log=output / "tensorboard" / part,
            validations=2,  # of the last weights, and of the best as they are stored
            # before each: the computer may have slept, and another process have gone on
            check=partial(check_still_ours, output, started),
        ).events()

    if recipe.strategy != "adapter" and list(model.module.parameters()):
        import_module("napari_hsr.training.engine.loop")  # its libraries take seconds of the budget
    outcome = yield from train_by_strategy(
        _with_time_left(recipe, time.monotonic() - began),
        model,
        images,
        validate,
        fit,
        cancel,
        spent=output / CHECKPOINTS / SPENT,
        resume=resume,
    )
    place = devices.place(recipe)
    if not place.leads:
        yield ELSEWHERE
        return
    if outcome.stopped:
        yield Stopped(outcome.steps, resume_command(output))
        return
    before = outcome.before.mean if outcome.before else {}
    if outcome.model is None:
        after = outcome.after.mean if outcome.after else {}
        yield Finished("", outcome.kept, before, after, time.monotonic() - began)
        return
    stored = export.choose_precision(outcome.model, images.held_out, recipe, outcome.after, cancel)
    seconds = max(outcome.seconds, time.monotonic() - began)
    facts = export.TrainingFacts(
        before=outcome.before,
        train=hashes[0],
        held_out=hashes[1],
        seconds=seconds,
        steps=outcome.steps,
        machine=f"{place.words}, {place.precision}",
        strategy=outcome.strategy,
        copies=images.copies(),
    )
    check_still_ours(output, started)
    yield from map(Noticed, export.write_model_folder(output, recipe, stored, facts))
    yield Finished(str(output), outcome.kept, before, stored.figures.mean, seconds)


def _with_time_left(recipe: Recipe, seconds: float) -> Recipe:
    """The recipe with what its time budget has left after the preparation, before the end."""
    schedule = recipe.schedule
    if schedule.minutes is None:
        return recipe
    left = max(schedule.minutes - (seconds + WRITING) / 60, LEAST_MINUTES)
    return recipe.model_copy(update={"schedule": schedule.model_copy(update={"minutes": left})})


def _hashes(images: Sequence[CachedImage]) -> dict[str, str]:
    return {image.name: image.sha256 for image in images}
