"""What Lightning trains: a model's module, its loss, and the average of its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch.utils.data import IterableDataset

from napari_hsr.errors import HSRError, InputError
from napari_hsr.training.engine.learning_rate import first_beta, learning_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor

    from napari_hsr.training.data.examples import Batch
    from napari_hsr.training.engine.losses import Loss
    from napari_hsr.training.recipe.schema import Recipe


#: All patches of a batch.
_ALL = slice(None)


class NotFiniteError(HSRError):
    """The loss became NaN or infinite; the weights are those of the step before."""


def check_steps(recipe: Recipe, network: torch.nn.Module, title: str, world: int) -> None:
    """Whether a network can take steps as a recipe has them.

    Raises
    ------
    InputError
        If each band is to take one, and the network makes all bands at once, or several
        processes would share them.
    """
    if recipe.optimiser.step_per == "batch":
        return
    if not hasattr(network, "band_by_band"):
        raise InputError(
            f"{title} makes all bands at once; set optimiser.step_per: batch instead of band."
        )
    if world > 1:
        raise InputError(
            f"A step after each band is taken in one process, not in {world}: set "
            "engine.devices: 1, or optimiser.step_per: batch."
        )


class StepBatches(IterableDataset):
    """The batches of the steps from ``first`` to ``last``, each in ``parts``.

    A batch is a pure function of its step, so that a run that goes on sees what it would have
    seen. Workers of a DataLoader take parts in turn, which keeps their order; a fault in one of
    them is handed on as the batch, for it would lose its sentence on the way.

    Parameters
    ----------
    batch : callable
        ``batch(step, rank, world) -> Batch``.
    first : int
    last : callable
        The number of steps in all; asked anew at each step, for it may be found on the way.
    parts : int
        Parts of a step on this process.
    rank, world : int
        This process among those that share a step.
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

    def __iter__(self) -> Iterator[dict]:
        worker = torch.utils.data.get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        part = self.first * self.parts + number
        while part // self.parts < self.last():
            step, within = divmod(part, self.parts)
            try:
                batch = self.batch(step, self.rank * self.parts + within, self.world * self.parts)
            except HSRError as fault:
                yield {"fault": str(fault)}
                return
            yield {
                "part": part,
                "step": step,
                "inputs": torch.from_numpy(np.ascontiguousarray(batch.inputs)),
                "cubes": torch.from_numpy(np.ascontiguousarray(batch.cubes)),
                "gains": torch.from_numpy(batch.gains)[:, None, None, None],
                "offsets": torch.from_numpy(batch.offsets)[:, None, None, None],
                "names": batch.names,
            }
            part += workers


class TrainingModule(LightningModule):
    """The steps of a training.

    Parameters
    ----------
    network : torch.nn.Module
        (N, 3, h, w) → (N, bands, h, w).
    loss : Loss
    recipe : Recipe
    total : callable
        The number of steps in all, as far as it is known.
    start : mapping of str to Tensor
        Weights that training began with, by the network's names: the anchor of L2-SP.
    parts : int
        That the patches of a batch are taken in where each band takes a step.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        loss: Loss,
        recipe: Recipe,
        total: Callable[[], int],
        start: Mapping[str, Tensor],
        parts: int = 1,
    ):
        super().__init__()
        self.network = network
        self.loss = loss
        self.recipe = recipe
        self.total = total
        self.parts = parts
        self.by_band = recipe.optimiser.step_per == "band"
        self.automatic_optimization = not self.by_band
        self.anchor: list[Tensor] = []
        if recipe.anchor:
            self.anchor = [start[name].detach() for name, _ in self._trained()]
        self.seen: list[tuple[float, dict[str, float]]] = []

    def _trained(self) -> list[tuple[str, torch.nn.Parameter]]:
        return [(n, p) for n, p in self.network.named_parameters() if p.requires_grad]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam or AdamW; the learning rate is set at each step."""
        settings = self.recipe.optimiser
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.kind]
        return kind(
            [p for _, p in self._trained()],
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )

    def training_step(self, batch: dict, index: int) -> Tensor | None:
        """The loss of a batch, in the cube's units; None where each band has taken its step.

        Raises
        ------
        NotFiniteError
            If it is NaN or infinite: the images of the batch are named.
        InputError
            If there was a fault in making the batch.
        """
        if "fault" in batch:
            raise InputError(batch["fault"])
        # What a network draws at random is a function of the step too.
        settings = self.recipe
        seed = np.random.SeedSequence([settings.seed, batch["part"], self.global_rank])
        torch.manual_seed(int(seed.generate_state(1)[0]))
        rate = learning_rate(settings.optimiser, settings.schedule, batch["step"], self.total())
        beta = first_beta(settings.optimiser, settings.schedule, batch["step"], self.total())
        for group in self.optimizers(use_pl_optimizer=False).param_groups:
            group["lr"] = rate
            group["betas"] = (beta, settings.optimiser.betas[1])
        if self.by_band:
            self._step_each_band(batch)
            return None
        return self._loss(self.network(batch["inputs"]), batch["cubes"], batch)

    def _loss(self, output: Tensor, cubes: Tensor, batch: dict, patches: slice = _ALL) -> Tensor:
        prediction = output.float() * batch["gains"][patches] + batch["offsets"][patches]
        loss, terms = self.loss(prediction, cubes, batch["step"])
        value = float(loss.detach())
        self._check_finite(value, batch)
        self.seen.append((value, terms))
        return loss

    def _step_each_band(self, batch: dict) -> None:
        """For each band in turn: its loss, the gradient of that alone, and a step.

        Weights that a band does not use go on by their moments, as they do in the authors' torch,
        where a gradient that has been there once is 0 afterwards and not missing.
        """
        optimiser = self.optimizers()
        moments = self.optimizers(use_pl_optimizer=False).state
        number = len(batch["inputs"])
        size = number // self.parts
        patches = [slice(at, at + size) for at in range(0, number, size)]
        ways = [self.network.band_by_band(batch["inputs"][some]) for some in patches]
        for band in range(batch["cubes"].shape[1]):
            optimiser.zero_grad()
            for way, some in zip(ways, patches, strict=True):
                truth = batch["cubes"][some, band : band + 1]
                self.manual_backward(self._loss(next(way), truth, batch, some) / self.parts)
            for _, weights in self._trained():
                if weights.grad is None and moments.get(weights):
                    weights.grad = torch.zeros_like(weights)
            optimiser.step()

    def _check_finite(self, value: float, batch: dict) -> None:
        """All processes of a step stop together, for the others would wait for ever."""
        faults: list[tuple[float, tuple[str, ...]]] = []
        if not np.isfinite(value):
            faults = [(value, batch["names"])]
        if self.trainer.world_size > 1:
            bad = torch.tensor([len(faults)], device=self.device)
            torch.distributed.all_reduce(bad)
            if bad.item():
                found: list = [None] * self.trainer.world_size
                torch.distributed.all_gather_object(found, faults)
                faults = [fault for one in found for fault in one]
        if faults:
            names = ", ".join(dict.fromkeys(name for _, each in faults for name in each))
            raise NotFiniteError(
                f"The loss became {faults[0][0]} at step {batch['step'] + 1}, on patches of "
                f"{names}; training stopped, and the last good weights are kept."
            )

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """L2-SP: a pull towards the start's weights (Li and others 2018)."""
        if self.anchor:
            with torch.no_grad():
                for (_, p), start in zip(self._trained(), self.anchor, strict=True):
                    if p.grad is not None:
                        p.grad.add_(p - start.to(p), alpha=self.recipe.anchor)
        if self.by_band and self.recipe.optimiser.clip:  # else Lightning clips
            self.clip_gradients(optimizer, self.recipe.optimiser.clip, "norm")


class Average:
    """Exponentially averaged weights: ``average += (1 - decay) (weights - average)``.

    The decay rises with the steps, (1 + n) / (10 + n) at most ``decay``, so that the random
    beginning is forgotten. Buffers are copied, and so are weights that are not trained.
    """

    def __init__(self, network: torch.nn.Module, decay: float):
        self.decay = decay
        self.trained = {n for n, p in network.named_parameters() if p.requires_grad}
        self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: torch.nn.Module, step: int) -> None:
        """Take in the weights after ``step`` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            mine = self.weights[key]
            if decay > 0 and key in self.trained:
                mine.lerp_(value.detach().to(mine), 1 - decay)
            else:
                mine.copy_(value)

    @torch.no_grad()
    def restore_buffers(self, network: torch.nn.Module) -> None:
        """A step that was broken off has changed what a network measures on its way."""
        for key, value in network.named_buffers():
            if key in self.weights:
                value.copy_(self.weights[key])
