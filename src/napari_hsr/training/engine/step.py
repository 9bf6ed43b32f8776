"""One training step: gradients of a batch, part by part or band by band, and the update."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from napari_hsr.errors import HSRError, InputError
from napari_hsr.training.engine import checkpoint
from napari_hsr.training.engine.launch import launch, quiet
from napari_hsr.training.engine.losses import Loss
from napari_hsr.training.engine.optimisation import (
    load_moments,
    make_optimiser,
    pull_to_anchor,
    set_learning_rate,
    trained_parameters,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor
    from torch.nn import Module

    from napari_hsr.models.model import Model
    from napari_hsr.training.data.batch_sampler import Batch
    from napari_hsr.training.engine.devices import Place
    from napari_hsr.training.recipe.schema import Recipe


class Part(NamedTuple):
    """The patches of a step that go through the network together.

    Attributes
    ----------
    number : int
        Of this part, counted over all steps.
    step : int
        From 0.
    inputs, cubes : Tensor
        As in :class:`~napari_hsr.training.data.batch_sampler.Batch`.
    gains, offsets : Tensor, shape (n, 1, 1, 1)
        ``output * gains + offsets`` is the prediction in the cube's units.
    names : tuple of str
        Of the images that the patches come from.
    """

    number: int
    step: int
    inputs: Tensor
    cubes: Tensor
    gains: Tensor
    offsets: Tensor
    names: tuple[str, ...]

    def to(self, device: torch.device) -> Part:
        """The part with its tensors on a device."""
        tensors = ("inputs", "cubes", "gains", "offsets")
        return self._replace(**{key: getattr(self, key).to(device) for key in tensors})

    def patches(self, which: slice) -> Part:
        """Some of the patches."""
        tensors = ("inputs", "cubes", "gains", "offsets")
        return self._replace(**{key: getattr(self, key)[which] for key in tensors})

    def band(self, band: int) -> Part:
        """The same inputs with one band of the truth."""
        return self._replace(cubes=self.cubes[:, band : band + 1])


class StepBatches(IterableDataset[Part | InputError]):
    """The batches of the steps from ``first`` on, each in ``parts``.

    A batch is a pure function of its step, so a resumed run sees what it would have seen.
    Workers of a DataLoader take parts in turn, which keeps their order. A fault is handed on as
    an item: raised in a worker, it would lose its message on the way.

    Parameters
    ----------
    batch : callable
        ``batch(step, rank, world) -> Batch``.
    first : int
        The first step, from 0.
    last : callable
        The total number of steps, asked before each one: a time budget fixes it on the way.
    parts : int
        Parts of a step on this process.
    rank, world : int
        This process, and the number of processes that share a step.
    """

    def __init__(
        self,
        batch: Callable[[int, int, int], Batch],
        first: int,
        last: Callable[[], int],
        parts: int = 1,
        rank: int = 0,
        world: int = 1,
    ):
        self.batch, self.first, self.last = batch, first, last
        self.parts, self.rank, self.world = parts, rank, world

    def __iter__(self) -> Iterator[Part | InputError]:
        worker = get_worker_info()
        first, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        number = self.first * self.parts + first
        while number // self.parts < self.last():
            step, within = divmod(number, self.parts)
            try:
                batch = self.batch(step, self.rank * self.parts + within, self.world * self.parts)
            except HSRError as fault:
                yield InputError(str(fault))
                return
            yield Part(
                number,
                step,
                torch.from_numpy(np.ascontiguousarray(batch.inputs)),
                torch.from_numpy(np.ascontiguousarray(batch.cubes)),
                torch.from_numpy(batch.gains)[:, None, None, None],
                torch.from_numpy(batch.offsets)[:, None, None, None],
                batch.names,
            )
            number += workers


class NotFiniteError(HSRError):
    """The loss became NaN or infinite; the weights are those of the step before."""


class Stepper:
    """A network on its device, with what a step needs.

    Parameters
    ----------
    recipe : Recipe
    place : Place
    network : Module
        Moved to the device of the place.
    start : mapping of str to Tensor
        Initial weights: the anchor of L2-SP.
    batches : StepBatches
    parts : int
        Parts of a step whose gradients are added, on this process.
    log : Path
        Folder of TensorBoard's files.

    Attributes
    ----------
    updating : bool
        True during an update, and after one that a fault interrupted: some of the weights may
        have changed and others not.
    losses : list of (float, dict)
        Loss and its terms of all parts since the list was last cleared.
    """

    def __init__(
        self,
        recipe: Recipe,
        place: Place,
        network: Module,
        start: Mapping[str, Tensor],
        batches: StepBatches,
        parts: int,
        log: Path,
    ):
        self.recipe, self.place, self.network, self.parts = recipe, place, network, parts
        self.total = batches.last
        self.updating = False
        self.losses: list[tuple[float, dict[str, float]]] = []
        self.loss = Loss(recipe.loss, self.total())
        with quiet():
            self.fabric = launch(recipe, place, network, log)
            self.optimiser = make_optimiser(network, recipe.optimiser)
            self._wrapped, self._wrapped_optimiser = self.fabric.setup(network, self.optimiser)
            loader = DataLoader(batches, batch_size=None, num_workers=place.workers)
            self._batches: Iterator[Part | InputError] = iter(loader)
        self.parameters = trained_parameters(network)
        self._anchor: list[Tensor] = []
        if recipe.anchor:
            self._anchor = [start[name].detach() for name in self.parameters]

    def load_state(self, optimiser: dict[str, Any] | None, precision: dict[str, Any]) -> None:
        """Take the optimiser's moments, and the loss scale of float16, of a checkpoint.

        Raises
        ------
        InputError
            If they are no such moments, or those of another network.
        """
        try:
            if optimiser is not None:
                load_moments(self.optimiser, optimiser)
            if precision:
                self.fabric.strategy.precision.load_state_dict(precision)
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                "The checkpoint's state of the optimiser is damaged, or that of another network: "
                "begin a new training in another folder."
            ) from error

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What :meth:`load_state` takes, on the CPU."""
        precision = dict(self.fabric.strategy.precision.state_dict())
        return checkpoint.on_cpu(self.optimiser.state_dict()), precision

    def step(self) -> None:
        """Take a step.

        Raises
        ------
        NotFiniteError
            If the loss is NaN or infinite; the images of the batch are named.
        InputError
            If a batch could not be made.
        """
        self.updating = False
        self.loss.total_steps = self.total()
        if self.recipe.optimiser.step_per == "band":
            self._step_each_band(self._next())
        else:
            self._wrapped_optimiser.zero_grad()
            for number in range(self.parts):
                part = self._next()
                unfinished = number < self.parts - 1
                with self.fabric.no_backward_sync(self._wrapped, enabled=unfinished):
                    loss = self._loss(self._wrapped(part.inputs), part)
                    self.fabric.backward(loss / self.parts)
            self._update()
        self.updating = False

    def _next(self) -> Part:
        """The next patches on the device, with the random numbers and the rate of their step."""
        part = next(self._batches)
        if isinstance(part, InputError):
            raise part
        seed = np.random.SeedSequence([self.recipe.seed, part.number, self.place.rank])
        torch.manual_seed(int(seed.generate_state(1)[0]))
        set_learning_rate(self.optimiser, self.recipe, part.step, self.total())
        return part.to(self.fabric.device)

    def _loss(self, output: Tensor, part: Part) -> Tensor:
        prediction = output.float() * part.gains + part.offsets
        loss, terms = self.loss(prediction, part.cubes, part.step)
        value = float(loss.detach())
        self._check_finite(value, part)
        self.losses.append((value, terms))
        return loss

    def _update(self) -> None:
        """Change the weights by their gradients."""
        self.updating = True
        self.fabric.strategy.precision.unscale_gradients(self.optimiser)
        if self._anchor:
            pull_to_anchor(list(self.parameters.values()), self._anchor, self.recipe.anchor)
        if self.recipe.optimiser.clip:
            torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.recipe.optimiser.clip)
        self._wrapped_optimiser.step()

    def _step_each_band(self, whole: Part) -> None:
        """For each band in turn: its loss, the gradient of that alone, and an update.

        Weights that a band does not use keep moving by their moments, as in the torch version of
        CoarSR's authors, where a gradient that once existed is 0 afterwards and not missing.
        """
        count = len(whole.inputs)
        size = count // self.parts
        several = [whole.patches(slice(at, at + size)) for at in range(0, count, size)]
        make: Any = self.network.band_by_band  # check_band_steps found it
        outputs = [make(part.inputs) for part in several]
        for band in range(whole.cubes.shape[1]):
            self._wrapped_optimiser.zero_grad()
            for output, part in zip(outputs, several, strict=True):
                with self.fabric.autocast():
                    made = next(output)
                self.fabric.backward(self._loss(made, part.band(band)) / self.parts)
            for weights in self.parameters.values():
                if weights.grad is None and self.optimiser.state.get(weights):
                    weights.grad = torch.zeros_like(weights)
            self._update()

    def _check_finite(self, value: float, part: Part) -> None:
        """Stop all processes of a step together: the others would wait for ever."""
        faults = [] if math.isfinite(value) else [(value, part.names)]
        if self.place.world > 1:
            bad = torch.tensor([len(faults)], device=self.fabric.device)
            torch.distributed.all_reduce(bad)
            if bad.item():
                found: list[Any] = [None] * self.place.world
                torch.distributed.all_gather_object(found, faults)
                faults = [fault for one in found for fault in one]
        if faults:
            names = ", ".join(dict.fromkeys(name for _, each in faults for name in each))
            raise NotFiniteError(
                f"The loss became {faults[0][0]} at step {part.step + 1}, on patches of {names}; "
                "training stopped, and the last good weights are kept."
            )


def trainable_network(
    model: Model, recipe: Recipe, trained: Sequence[str] | None, world: int
) -> Module:
    """A copy of a model's network whose named weights (None: all) are trainable.

    Raises
    ------
    InputError
        If there are none, or as :func:`check_band_steps`.
    """
    from napari_hsr.models.state_dict import from_state_dict

    weights = checkpoint.on_cpu(model.module.state_dict())
    network = from_state_dict(weights, model.card).module.train()
    check_band_steps(recipe, network, model.name, world)
    known = dict(network.named_parameters())
    missing = set(trained or ()) - set(known)
    if missing:
        raise InputError(f"There are no weights named {', '.join(sorted(missing))}.")
    chosen = known if trained is None else trained
    if not chosen:
        raise InputError(
            f"{model.name} has no trainable weights: choose the strategy adapter, or another "
            "start model."
        )
    for name, parameter in known.items():
        parameter.requires_grad_(name in chosen)
        if parameter.dim() == 4:  # faster convolutions on a CPU and in half precision
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def check_band_steps(recipe: Recipe, network: Module, name: str, world: int) -> None:
    """Check that a network can take a step after each band, where the recipe asks for that.

    Raises
    ------
    InputError
        If it makes all bands at once, or several processes would share the steps.
    """
    if recipe.optimiser.step_per == "batch":
        return
    if not hasattr(network, "band_by_band"):
        raise InputError(
            f"{name} makes all bands at once; set optimiser.step_per: batch instead of band."
        )
    if world > 1:
        raise InputError(
            f"A step after each band takes one process, not {world}: set engine.devices: 1, or "
            "optimiser.step_per: batch."
        )
