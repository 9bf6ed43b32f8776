"""What each network's file states: how its weights are recognised, and what their shapes tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM
from napari_hsr.errors import ModelError
from napari_hsr.models.architectures.without_weights import without_weights
from napari_hsr.models.card import (
    CUBE,
    RECONSTRUCTION,
    SUPER_RESOLUTION,
    ModelCard,
    WavelengthsNeededError,
)
from napari_hsr.models.input_rules import InputRule, MinMax
from napari_hsr.models.model import Model, NetworkTraits
from napari_hsr.models.model_file import weights_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.models.model import Prepare

Weights = Mapping[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
Build = Callable[..., nn.Module]

#: In the card of weights that came without one.
ASSUMED = {
    RECONSTRUCTION: (
        "These weights came without a card: their wavelengths (400 to 700 nm in steps of 10) and "
        "their input encoding (linear sRGB) are assumptions."
    ),
    SUPER_RESOLUTION: (
        "These weights came without a card: the bands that they were trained on (31, from 400 to "
        "700 nm) are an assumption."
    ),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Network(NetworkTraits):
    """One network of an architecture, as the shapes of its weights describe it.

    Attributes
    ----------
    build : callable
        Makes the network; called where tensors take no memory, so constants must be in the
        state dict.
    title : str
        Name for people, if it says more than that of the architecture.
    limits : str
        Known limits, for cards.
    weights : mapping of str to torch.Tensor, optional
        What the network is filled with, if that is not the state dict as it is.
    """

    build: Callable[[], nn.Module]
    title: str = ""
    limits: str = ""
    weights: Weights | None = None
    precisions: tuple[str, ...] = ("float32", "bfloat16", "float16")
    rule: InputRule = field(default_factory=MinMax)


@dataclass(frozen=True, kw_only=True)
class AnyArchitecture(ABC):
    """A family of networks, or of wrappers around networks.

    Attributes
    ----------
    id : str
        Name in model cards.
    title : str
        Name for people; what follows a comma is left out within sentences.
    keys : mapping of str to int
        Tensors that its weights contain, with their number of axes.
    also : callable or None
        ``also(weights) -> bool``: what else its weights must fulfil.
    published : tuple of callable
        Make the network in its published sizes; the first one takes settings of recipes.
    variants : mapping of str to callable
        Published sizes by the names that recipes use.
    by_position : callable or None
        ``by_position(weights)``: the weights under their own names if they are known by their
        order alone, else None.
    task : str
        Reconstruction or super-resolution, as in :attr:`napari_hsr.models.card.ModelCard.task`.
    prepare : callable or None
        Makes the optimised copy; assigned in :mod:`napari_hsr.models.registry`.
    """

    id: str
    title: str
    keys: Mapping[str, int]
    also: Callable[[Weights], bool] | None = None
    published: tuple[Build, ...] = ()
    variants: Mapping[str, Build] = field(default_factory=dict)
    by_position: Callable[[Weights], Weights | None] | None = None
    task: str = RECONSTRUCTION
    prepare: Prepare | None = None

    @property
    def short_title(self) -> str:
        """The title as it stands within a sentence."""
        return self.title.partition(",")[0]

    def detect(self, weights: Weights) -> bool:
        """Whether these are weights of this architecture."""
        return has(weights, self.keys) and (self.also is None or self.also(weights))

    @abstractmethod
    def load(
        self, weights: Weights, card: ModelCard | None = None, *, share: bool = False
    ) -> Model:
        """Build a network and fill it with its weights.

        Parameters
        ----------
        weights : mapping of str to torch.Tensor
            A state dict that :meth:`detect` accepts.
        card : ModelCard, optional
            Made from what the weights tell if there is none.
        share : bool
            Whether the model may use the memory of ``weights``; otherwise they are copied.

        Raises
        ------
        WavelengthsNeededError
            If there is no card and its wavelengths cannot be assumed.
        ModelError
            If a tensor is missing, superfluous, of another shape or not finite, or the card does
            not fit.
        """


@dataclass(frozen=True, kw_only=True)
class Architecture(AnyArchitecture):
    """A family of networks.

    Attributes
    ----------
    read : callable
        ``read(weights) -> Network``: sizes are read off the shapes. Raises ModelError if that
        cannot be done.
    read_with_card : callable or None
        ``read_with_card(weights, card) -> Network``, where the card says what shapes do not.
    """

    read: Callable[[Weights], Network]
    read_with_card: Callable[[Weights, ModelCard], Network] | None = None

    def load(
        self, weights: Weights, card: ModelCard | None = None, *, share: bool = False
    ) -> Model:
        """As of :class:`AnyArchitecture`."""
        if card is None or self.read_with_card is None:
            network = self.read(weights)
        else:
            network = self.read_with_card(weights, card)
        weights = weights if network.weights is None else network.weights
        traits = {f.name: getattr(network, f.name) for f in fields(NetworkTraits)}
        return Model(
            module=fill(network.build, weights, self.short_title, share=share),
            card=self._card_for(card, network),
            weights_sha256=weights_sha256(weights),
            prepare=self.prepare,
            **traits,
        )

    def _card_for(self, card: ModelCard | None, network: Network) -> ModelCard:
        """The card, checked against the weights; or one that says what is assumed."""
        if card is None:
            if network.bands not in (None, len(DEFAULT_WAVELENGTHS_NM)):
                raise WavelengthsNeededError(network.bands)
            return ModelCard(
                name=self.id,
                title=f"{network.title or self.title} without a card",
                architecture=self.id,
                input_encoding=CUBE if self.task == SUPER_RESOLUTION else "linear-srgb",
                input_rule=network.rule.name,
                wavelengths_nm=DEFAULT_WAVELENGTHS_NM,
                scale=network.scale,
                limits=f"{ASSUMED[self.task]} {network.limits}".strip(),
            )
        if network.bands is not None:
            check_bands(card, network.bands)
        elif card.task != SUPER_RESOLUTION or card.scale != network.scale:
            raise ModelError(
                f"The card of {card.name} is that of a model for {card.input_encoding}, "
                f"×{card.scale}, but its weights make the pixels of a cube {network.scale} times "
                "as fine."
            )
        return card.model_copy(update={"input_rule": network.rule.name})


def check_bands(card: ModelCard, bands: int) -> None:
    """Raise a ModelError unless a card names as many wavelengths as there are bands."""
    if len(card.wavelengths_nm) != bands:
        raise ModelError(
            f"The card of {card.name} names {len(card.wavelengths_nm)} wavelengths, "
            f"but its weights make {bands} bands."
        )


def has(weights: Weights, keys: Mapping[str, int]) -> bool:
    """Whether all these tensors are there, with these numbers of axes."""
    return all(key in weights and weights[key].ndim == ndim for key, ndim in keys.items())


def kernels(*keys: str) -> dict[str, int]:
    """Tensors with four axes, as of two-dimensional convolutions."""
    return dict.fromkeys(keys, 4)


def numbered(weights: Weights, prefix: str) -> list[int]:
    """The numbers n for which there are keys ``<prefix><n>.…``, ascending."""
    ends = (key[len(prefix) :].split(".", 1)[0] for key in weights if key.startswith(prefix))
    return sorted({int(number) for number in ends if number.isdecimal()})


def shapes_of(build: Callable[[], nn.Module]) -> Shapes:
    """Keys and shapes of a network's state dict, without memory for its weights."""
    with without_weights():
        return {key: tuple(value.shape) for key, value in build().state_dict().items()}


def first_difference(weights: Weights, expected: Mapping[str, tuple[int, ...]]) -> str | None:
    """The first tensor that is missing or of another shape, else the first superfluous one."""
    for key, shape in expected.items():
        if key not in weights:
            return f"{key} {_written(shape)} is missing"
        found = tuple(weights[key].shape)
        if found != shape:
            return f"{key} is {_written(found)} where {_written(shape)} was expected"
    extra = next((key for key in weights if key not in expected), None)
    return None if extra is None else f"{extra} {_written(weights[extra].shape)} has no place"


def _written(shape: Sequence[int]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"


def check_finite(weights: Weights, title: str) -> None:
    """Raise a ModelError that names the first tensor with NaN or infinite values."""
    for key, value in weights.items():
        # In one pass and without a copy: minimum and maximum are NaN where any value is.
        if value.numel() and not torch.isfinite(torch.stack(value.aminmax())).all():
            raise ModelError(f"The weights of {title} hold NaN or infinite values in {key}.")


def fill(
    build: Callable[[], nn.Module], weights: Weights, title: str, *, share: bool = False
) -> nn.Module:
    """Build a network and fill it with its weights, which must match exactly.

    Parameters
    ----------
    build : callable
        As of :class:`Network`.
    weights : mapping of str to torch.Tensor
        Copied unless ``share`` is set.
    title : str
        Name of the network for messages.
    share : bool
        Whether the network may use the memory of ``weights``.

    Returns
    -------
    torch.nn.Module
        On the CPU, in eval mode, without gradients.

    Raises
    ------
    ModelError
        If a tensor is missing, superfluous, of another shape, or holds NaN or infinite values:
        the first one is named.
    """
    with without_weights():
        module = build()
    expected = module.state_dict()
    hidden = {name for name, _ in module.named_buffers()} - set(expected)
    if hidden:
        raise TypeError(f"{title}: constants outside the state dict would be lost: {hidden}")
    problem = first_difference(weights, {k: tuple(v.shape) for k, v in expected.items()})
    if problem:
        raise ModelError(f"The weights look like those of {title}, but {problem}.")
    check_finite(weights, title)
    if not share:
        weights = {key: _copied(weights[key], like) for key, like in expected.items()}
    module.load_state_dict(dict(weights), strict=True, assign=True)
    return module.eval().requires_grad_(False)


def _copied(weight: Tensor, like: Tensor) -> Tensor:
    """In the precision and order that the network has it in.

    Made from its shape: `to_empty` of a network without weights takes a second when it is first
    called, for the symbolic mathematics that torch loads then.
    """
    return torch.empty(like.shape, dtype=like.dtype, device="cpu").copy_(weight)
