"""Networks wrapped around another network, whose weights lie under ``network.``.

A wrapper adds a few tensors beside them, so that the whole is one file of weights that is
recognised from its keys alone. A wrapper may itself be wrapped.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM
from napari_hsr.errors import ModelError
from napari_hsr.models.architectures.base import (
    AnyArchitecture,
    Weights,
    check_bands,
    check_finite,
    first_difference,
    has,
)
from napari_hsr.models.card import ModelCard, WavelengthsNeededError
from napari_hsr.models.input_rules import Mean
from napari_hsr.models.model_file import weights_sha256
from napari_hsr.models.optimised_copy import copy_in_precision, sharing_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from napari_hsr.models.model import Model, Prepare

    Recognise = Callable[[Weights], AnyArchitecture]

#: What stands before the names of the wrapped network's weights.
PREFIX = "network."


@dataclass(frozen=True)
class Layer:
    """The layer that a wrapper adds behind the network.

    Attributes
    ----------
    shapes : mapping of str to tuple of int
        Its tensors.
    bands_in, bands_out : int
        Taken from the network, and made.
    """

    shapes: Mapping[str, tuple[int, ...]]
    bands_in: int
    bands_out: int


@dataclass(frozen=True, kw_only=True)
class Wrapper(AnyArchitecture):
    """An architecture that contains another one.

    Encoding, rule, precisions, tiles and windows are those of the wrapped network.

    Attributes
    ----------
    read : callable
        ``read(weights) -> Layer``.
    make : callable
        ``make(network, tensors) -> module``.
    recognise : callable
        Finds the architecture of the wrapped network; assigned in the registry.
    """

    read: Callable[[Weights], Layer]
    make: Callable[[nn.Module, Mapping[str, Tensor]], nn.Module]
    recognise: Recognise | None = None

    def detect(self, weights: Weights) -> bool:
        """Whether these are the wrapper's tensors beside those of a network."""
        return has(weights, self.keys) and any(key.startswith(PREFIX) for key in weights)

    def load(
        self, weights: Weights, card: ModelCard | None = None, *, share: bool = False
    ) -> Model:
        """Build the wrapper around the network that is recognised inside it.

        Raises
        ------
        WavelengthsNeededError
            If there is no card and its wavelengths cannot be assumed.
        ModelError
            If the network is not recognised, a tensor does not match, or the card does not fit.
        """
        layer = self.read(weights)
        tensors = self.own(weights, layer.shapes)
        within = inner(weights, self.recognise, card, layer.bands_in, hidden=True, share=share)
        bands = layer.bands_out
        if card is None:
            if bands != len(DEFAULT_WAVELENGTHS_NM):
                raise WavelengthsNeededError(bands)
            changes = {
                "name": self.id,
                "title": f"{within.card.title} ({self.title})",
                "wavelengths_nm": DEFAULT_WAVELENGTHS_NM,
            }
            card = within.card.model_copy(update=changes)
        check_bands(card, bands)
        update = {"architecture": self.id, "input_rule": within.rule.name}
        return replace(
            within,
            module=self.make(within.module, tensors).eval().requires_grad_(False),
            card=card.model_copy(update=update),
            weights_sha256=weights_sha256(weights),
            bands=bands,
            # the network's bands beside the colours, and the wrapper's twice, in float32
            bytes_per_pixel=within.bytes_per_pixel + 4 * (layer.bands_in + 3 + 2 * bands),
            prepare=prepare_around(within),
        )

    def own(self, weights: Weights, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
        """The wrapper's own tensors as float32.

        Raises
        ------
        ModelError
            If one is missing, superfluous, of another shape, or holds NaN or infinite values.
        """
        tensors = {key: value for key, value in weights.items() if not key.startswith(PREFIX)}
        if problem := first_difference(tensors, shapes):
            raise ModelError(f"The weights look like those of {self.title}, but {problem}.")
        check_finite(tensors, self.title)
        return {key: value.detach().float() for key, value in tensors.items()}


@dataclass(frozen=True, kw_only=True)
class HeadWrapper(Wrapper):
    """A wrapper that sees the photograph too, divided by its mean, and keeps the network's bands.

    Attributes
    ----------
    head : callable
        The wrapped model, the wrapper's tensors and the SHA-256 → the model of both, as
        :func:`by_the_mean` makes it.
    colours : str
        The tensor with a column for each channel of the photograph.
    """

    head: Callable[[Model, dict[str, Tensor], str], Model]
    colours: str

    def load(
        self, weights: Weights, card: ModelCard | None = None, *, share: bool = False
    ) -> Model:
        """Build the head around the network that is recognised inside it.

        Raises
        ------
        ModelError
            If the network is not recognised, or a tensor does not match.
        """
        layer = self.read(weights)
        within = inner(weights, self.recognise, card, layer.bands_in, share=share)
        channels = weights[self.colours].shape[1]
        if channels != within.channels:
            raise ModelError(
                f"The weights look like those of {self.title}, but {self.colours} has {channels} "
                f"channels and its network {within.channels}."
            )
        return self.head(within, self.own(weights, layer.shapes), weights_sha256(weights))


def by_the_mean(
    within: Model, module: nn.Module, architecture: str, sha256: str, more: int, **changes: Any
) -> Model:
    """The model of a module around a network, whose rule is replaced by the division by the mean.

    Parameters
    ----------
    within : Model
        Of the network.
    module : torch.nn.Module
        The network is its ``network``.
    architecture : str
    sha256 : str
        Of the weights.
    more : int
        Bytes per pixel that the module takes besides.
    **changes
        Other fields of the model.
    """
    update = {"architecture": architecture, "input_rule": Mean.name}
    return replace(
        within,
        module=module.eval().requires_grad_(False),
        card=within.card.model_copy(update=update),
        weights_sha256=sha256,
        bytes_per_pixel=within.bytes_per_pixel + more,
        rule=Mean(),
        window=None,
        prepare=prepare_around(within),
        **changes,
    )


def inner(
    weights: Weights,
    recognise: Recognise | None,
    card: ModelCard | None,
    bands: int,
    *,
    hidden: bool = False,
    share: bool = False,
) -> Model:
    """The model that is wrapped.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        Of the wrapper.
    recognise : callable
        Finds the architecture of the weights under :data:`PREFIX`.
    card : ModelCard or None
        Of the wrapper: encoding, rule and units are the inner model's too.
    bands : int
        That the wrapper takes from it.
    hidden : bool
        Whether the wrapper makes other bands of them, whose wavelengths are in the card.
    share : bool
        Whether the model may use the memory of ``weights``.

    Returns
    -------
    Model
        Its card is the wrapper's under the inner architecture's name. Where its bands are hidden
        and of another number, their wavelengths are band numbers.

    Raises
    ------
    WavelengthsNeededError
        If there is no card and none can be assumed.
    ModelError
        If no architecture recognises the weights, or they make another number of bands.
    """
    inside = {k.removeprefix(PREFIX): v for k, v in weights.items() if k.startswith(PREFIX)}
    if recognise is None:
        raise TypeError("only wrappers of the registry can recognise the wrapped network")
    architecture = recognise(inside)
    numbers = tuple(float(number) for number in range(1, bands + 1))
    if card is not None:
        changes: dict[str, object] = {"architecture": architecture.id, "weights_sha256": ""}
        if card.input_rule == Mean.name:  # the wrapper's own, not the network's
            changes["input_rule"] = "none"
        if hidden and bands != len(card.wavelengths_nm):
            changes["wavelengths_nm"] = numbers
        card = card.model_copy(update=changes)
    elif bands != len(DEFAULT_WAVELENGTHS_NM):
        if not hidden:
            raise WavelengthsNeededError(bands)
        card = ModelCard(
            name=architecture.id,
            title=architecture.title,
            architecture=architecture.id,
            input_encoding="linear-srgb",
            wavelengths_nm=numbers,
        )
    try:
        return architecture.load(inside, card, share=share)
    except ModelError as error:
        if not hidden:
            raise
        raise ModelError(
            f"The wrapped {architecture.title} does not fit what is around it: {error}"
        ) from error


def around(within: Weights, **tensors: Tensor) -> dict[str, Tensor]:
    """The weights of a wrapper: those of ``within`` under the prefix, and its own.

    Names of its own are given with ``__`` for the dot: ``adapter__weight``.
    """
    found = {f"{PREFIX}{key}": value for key, value in within.items()}
    return found | {key.replace("__", "."): value for key, value in tensors.items()}


def prepare_around(within: Model) -> Prepare:
    """How the optimised copy of a wrapper is made: its layer behind the network's copy.

    The wrapper's module holds the network as ``network``.
    """

    def prepare(module: nn.Module, precision: str) -> nn.Module:
        network = module.get_submodule("network")
        made = copy.copy(module)
        made._modules = {
            name: copy_in_precision(network, precision, within.prepare)
            if name == "network"
            else sharing_memory(layer)
            for name, layer in module.named_children()
        }
        return made

    return prepare
