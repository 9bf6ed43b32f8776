"""The weights of a new network before its first step: another model's, or random ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    import torch

    from napari_hsr.training.recipe.schema import ModelSettings


#: ``identity``: the share of a layer's input that passes unchanged, and the size of random weights.
PASSES, RANDOM = 0.9, 0.5


def first_weights(network: torch.nn.Module, settings: ModelSettings) -> None:
    """Set a new network's weights as a recipe asks: another model's, or random ones.

    Parameters
    ----------
    network : Module
        As its class draws it; changed in place.
    settings : ModelSettings
        ``begin``, ``initialisation`` and ``head``.

    Raises
    ------
    InputError
        If ``begin`` is another network or another size of it.
    """
    if settings.begin is not None:
        begin(network, settings.begin, whole=settings.begin_with == "all")
        return
    if settings.initialisation == "identity":
        pass_through(network)
    if settings.head != "none":
        zero_last_layer(network)


def begin(network: torch.nn.Module, name: str, whole: bool = True) -> None:
    """Fill a network with those of another model, without the head around it.

    Parameters
    ----------
    network : Module
        Changed in place.
    name : str
    whole : bool
        Otherwise its parts of other shapes stay as they are.

    Raises
    ------
    InputError
        If that is another network or another size of it; unless ``whole``, if no part is the same.
    """
    from napari_hsr.models import load_model
    from napari_hsr.models.architectures.base import first_difference

    module = load_model(name).module
    weights = getattr(module, "network", module).state_dict()
    new = network.state_dict()
    expected = {key: tuple(value.shape) for key, value in new.items()}
    problem = first_difference(weights, expected)
    if problem and not whole:
        given = {key: tuple(value.shape) for key, value in weights.items()}
        other = {_part(key) for key, _ in expected.items() ^ given.items()}
        weights = {key: v for key, v in weights.items() if _part(key) not in other}
        problem = "" if weights else "no part is the same"
        weights = {**new, **weights}
    if problem:
        raise InputError(f"The network cannot begin with the weights of {name}: {problem}.")
    network.load_state_dict(weights)


def _part(key: str) -> str:
    """The part of a network that a weight belongs to."""
    return key.partition(".")[0]


def zero_last_layer(network: torch.nn.Module) -> None:
    """Let the network add nothing at first: its last layer with weights becomes 0."""
    import torch

    kinds = (torch.nn.Conv2d, torch.nn.Linear, torch.nn.ConvTranspose2d)
    last = [m for m in network.modules() if isinstance(m, kinds)][-1]
    with torch.no_grad():
        for parameter in last.parameters(recurse=False):
            parameter.zero_()


def pass_through(network: torch.nn.Module) -> None:
    """Every convolution begins as the identity with a little noise; biases are 0.

    Deep networks without short cuts or norms otherwise lose the image on its way: through the
    60 convolutions of DRCR-Net, PyTorch's own random weights let a thousandth of its variation.
    A convolution of several features side by side (twice as many channels in as out) begins as
    their mean. Layers that change the number of channels otherwise, the first and the last, are
    drawn by the rule of He and others (2015), which keeps the variance. After the identity
    start of Le, Jaitly and Hinton (2015, arXiv:1504.00941) and Zagoruyko and Komodakis (2017,
    arXiv:1706.00388).
    """
    import torch

    with torch.no_grad():
        for layer in network.modules():
            if not isinstance(layer, torch.nn.Conv2d):
                continue
            outputs, inputs, height, width = layer.weight.shape
            if layer.bias is not None:
                layer.bias.zero_()
            if layer.groups != 1 or inputs % outputs or not (height % 2 and width % 2):
                torch.nn.init.kaiming_normal_(layer.weight)
                continue
            layer.weight.mul_(RANDOM)
            same = layer.weight[:, :, height // 2, width // 2].unflatten(1, (-1, outputs))
            same += PASSES * outputs / inputs * torch.eye(outputs)[:, None]
