"""What a step does to weights: the optimiser, its learning rate, clipping, anchor and average."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from napari_hsr.errors import HSRError
from napari_hsr.training.engine.learning_rate import first_beta, learning_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.nn import Module, Parameter

    from napari_hsr.training.recipe.schema import OptimiserSettings, Recipe


def trained_parameters(network: Module) -> dict[str, Parameter]:
    """The weights that steps change, by name."""
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


def make_optimiser(network: Module, settings: OptimiserSettings) -> torch.optim.Optimizer:
    """Adam or AdamW over the trained weights; the learning rate is set at each step."""
    kind = torch.optim.Adam if settings.kind == "adam" else torch.optim.AdamW
    return kind(
        list(trained_parameters(network).values()),
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
    )


def set_learning_rate(
    optimiser: torch.optim.Optimizer, recipe: Recipe, step: int, total: int
) -> None:
    """Give the optimiser the learning rate and the first beta of a step, from 0."""
    settings, schedule = recipe.optimiser, recipe.schedule
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(settings, schedule, step, total)
        group["betas"] = (first_beta(settings, schedule, step, total), settings.betas[1])


@torch.no_grad()
def pull_to_anchor(
    parameters: Sequence[Parameter], anchor: Sequence[Tensor], strength: float
) -> None:
    """Add the gradient of ½ · strength · ‖p - anchor‖²: L2-SP (Li and others 2018)."""
    for parameter, start in zip(parameters, anchor, strict=True):
        if parameter.grad is not None:
            parameter.grad.add_(parameter - start.to(parameter), alpha=strength)


class Average:
    """Exponential moving average (EMA): ``average += (1 - decay) (weights - average)``.

    The decay rises with the steps n as (1 + n) / (10 + n), up to ``decay``, so that the random
    start is soon forgotten. Buffers, and weights that are not trained, are copied.

    Parameters
    ----------
    network : Module
    decay : float
        0 for no averaging.
    """

    def __init__(self, network: Module, decay: float):
        self.decay = decay
        self.trained = set(trained_parameters(network))
        self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def take(self, weights: dict[str, torch.Tensor]) -> None:
        """Go on from an average; RuntimeError if it is that of another network."""
        if {k: v.shape for k, v in weights.items()} != {
            k: v.shape for k, v in self.weights.items()
        }:
            raise RuntimeError("the average has other names or shapes")
        self.weights = weights

    def to(self, device: torch.device) -> None:
        """Move the average to a device."""
        self.weights = {key: value.to(device) for key, value in self.weights.items()}

    @torch.no_grad()
    def update(self, network: Module, step: int) -> None:
        """Take in the weights after ``step`` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            mine = self.weights[key]
            if decay > 0 and key in self.trained:
                mine.lerp_(value.detach().to(mine), 1 - decay)
            else:
                mine.copy_(value)

    @torch.no_grad()
    def restore_buffers(self, network: Module) -> None:
        """Undo what an interrupted step did to a network's running statistics."""
        for key, value in network.named_buffers():
            if key in self.weights:
                value.copy_(self.weights[key])


def all_finite(network: Module) -> bool:
    """Whether no weight is NaN or infinite: a gradient may be where the loss is a number."""
    return all(bool(torch.isfinite(value).all()) for value in network.parameters())


def finite_state(network: Module) -> dict[str, Tensor]:
    """The weights and buffers of a network for a checkpoint; HSRError if weights are spoilt."""
    if not all_finite(network):
        raise HSRError(
            "The weights became NaN or infinite; training stopped, and the last checkpoint stays. "
            "A lower optimiser.learning_rate may help."
        )
    return network.state_dict()


def load_moments(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Take the moments of a checkpoint, but not its settings: those are the recipe's.

    Raises
    ------
    ValueError
        If they are not shaped like the weights.
    """
    groups = [{**group} for group in optimiser.state_dict()["param_groups"]]
    optimiser.load_state_dict(state)
    for value, moments in optimiser.state.items():
        for name, moment in moments.items():
            if getattr(moment, "ndim", 0) and moment.shape != value.shape:
                raise ValueError(f"{name} has the shape {tuple(moment.shape)}")
    for group, own in zip(optimiser.param_groups, groups, strict=True):
        group.update({key: setting for key, setting in own.items() if key != "params"})
