"""A fit that takes milliseconds: a small network, batches out of a formula, a quick measurement."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_hsr.models.card import ModelCard
from napari_hsr.models.state_dict import from_state_dict
from napari_hsr.training.data.batch_sampler import Batch
from napari_hsr.training.engine.loop import Fit
from napari_hsr.training.recipe.schema import Recipe
from napari_hsr.training.validation import Validation

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.models.model import Model
    from napari_hsr.training.engine.checkpoint import Fitted
    from napari_hsr.training.events import Event

BANDS = 8
#: Spectra that the batches are mixtures of, and what they look like.
_SPECTRA = np.random.default_rng(7).random((3, BANDS)).astype(np.float32)


def model(bands: int = BANDS) -> Model:
    """EDSR in its smallest size, with weights that are always the same."""
    from napari_hsr.models.architectures.edsr import EDSR

    with torch.random.fork_rng():
        torch.manual_seed(3)
        weights = EDSR(bands=bands, width=8, blocks=1).state_dict()
    card = ModelCard(
        name="small",
        title="Small",
        architecture="edsr",
        input_encoding="linear-srgb",
        units="reflectance",
        wavelengths_nm=tuple(np.linspace(420, 690, bands)),
    )
    return from_state_dict(weights, card)


def batches(size: int = 4, patch: int = 8):
    """``batch(step, rank, world)`` of a step's patches, ``world``-th from ``rank`` on."""

    def batch(step: int, rank: int, world: int) -> Batch:
        items = [np.random.default_rng([step, i]) for i in range(rank, size, world)]
        inputs = np.stack([r.random((3, patch, patch), dtype=np.float32) for r in items])
        cubes = np.einsum("cb,ncyx->nbyx", _SPECTRA, inputs) / 3
        ones = np.ones(len(items), np.float32)
        names = tuple(f"scene{i}" for i in range(rank, size, world))
        return Batch(inputs, cubes, ones, 0 * ones, names)

    return batch


def validate(model: Model, step: int):
    """PSNR over one fixed batch."""
    batch = batches()(10**6, 0, 1)
    with torch.inference_mode():
        found = model.module(torch.from_numpy(batch.inputs)).numpy()
    psnr = float(-10 * np.log10(np.square(found - batch.cubes).mean()))
    figures = {"psnr_db": psnr, "sam_deg": 50 - psnr, "mrae": 1 / psnr}
    return Validation(figures, {"held": figures})


class Clock:
    """In the place of ``time``: it goes only while batches are made and models measured.

    What a training makes of its seconds is then the same on every machine.
    """

    def __init__(self, step: float = 0.02, validation: float = 0.05):
        self.now, self.step, self.validation = 0.0, step, validation

    def monotonic(self) -> float:
        return self.now

    def batches(self, size: int = 4):
        plain = batches(size)

        def batch(*place: int) -> Batch:
            self.now += self.step
            return plain(*place)

        return batch

    def validate(self, model: Model, step: int):
        self.now += self.validation
        return validate(model, step)


def recipe(steps: int | None = 10, **settings) -> Recipe:
    """Ten steps of four patches on the CPU in float32, measured after four and eight."""
    settings = {
        "model": {"architecture": "edsr"},
        "schedule": {"steps": steps, "warmup": 2},
        "batch": {"size": 4, "patch": 8},
        "optimiser": {"learning_rate": 1e-3},
        "ema": 0.9,
        **settings,
    }
    settings["validation"] = {"every": 4, **settings.get("validation", {})}
    settings["engine"] = {
        "device": "cpu",
        "precision": "float32",
        "tensorboard": False,
        "checkpoint_every": 3,
        **settings.get("engine", {}),
    }
    return Recipe.model_validate(settings)


class Heard(list):
    """A report that remembers; ``stop_at`` asks for a stop once a step is reported as saved."""

    def __init__(self):
        self.stop = threading.Event()

    def __call__(self, event: Event) -> None:
        self.append(event)

    def of(self, kind: type) -> list:
        return [event for event in self if isinstance(event, kind)]


def run(folder: Path, given: Recipe | None = None, **changes) -> tuple[Fitted, Heard]:
    """A fit in ``folder``; what is not named is as above."""
    heard = changes.pop("heard", None) or Heard()
    given = given or recipe()
    settings = {
        "model": model(),
        "batches": batches(given.batch.size),
        "validate": validate,
        "cancel": heard.stop,
        "folder": folder,
        **changes,
    }
    events = Fit(given, **settings).events()
    while True:
        try:
            heard(next(events))
        except StopIteration as end:
            return end.value, heard


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether weights are the same to the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def far(one, other) -> float:
    """The difference of two fits' weights, as a share of their size."""
    a, b = (getattr(fitted, "weights", fitted) for fitted in (one, other))
    gap = sum(float((a[k].double() - b[k].double()).square().sum()) for k in a)
    return (gap / sum(float(v.double().square().sum()) for v in a.values())) ** 0.5


def stopped_after(folder: Path, given: Recipe, step: int, **changes) -> tuple[Fitted, Heard]:
    """A fit that is asked to stop while it makes the batch of a step, counted from 1."""
    stop = threading.Event()
    plain = changes.pop("batches", None) or batches(given.batch.size)

    def batch(at: int, rank: int, world: int) -> Batch:
        if at + 1 >= step:
            stop.set()
        return plain(at, rank, world)

    return run(folder, given, batches=batch, cancel=stop, **changes)
