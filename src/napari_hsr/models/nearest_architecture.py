"""For weights that no architecture recognises: which one they come nearest to, and what differs."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from napari_hsr.models.architectures.architecture import first_difference, shapes_of, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor, nn

    Networks = Iterable[tuple[str, Callable[[], nn.Module]]]

_shapes_of = lru_cache(maxsize=None)(shapes_of)  # the published networks never change


def nearest(weights: Mapping[str, Tensor], networks: Networks) -> str:
    """A clause for people: the nearest network and the first key or shape that differs.

    Nearest is the network with the greatest share of names in common; names with equal
    shapes count twice. Where no name is known, it is the one with most shapes in common; where
    hardly a shape is, that is said.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        Weights that were not recognised.
    networks : iterable of (str, callable)
        Title of each network, and what builds it in a published size.

    Returns
    -------
    str
        Without a full stop.
    """
    networks = list(networks)
    found = {key: tuple(value.shape) for key, value in weights.items()}
    best, share, shapes = None, 0.0, {}
    for title, build in networks:
        expected = _shapes_of(build)
        common = found.keys() & expected.keys()
        equal = sum(found[key] == expected[key] for key in common)
        now = (len(common) + equal) / len(found.keys() | expected.keys())
        if now > share:
            best, share, shapes = title, now, expected
    if best is None:
        return _nearest_by_shapes(weights, networks)
    # A missing name says more than a shape: widths may differ without any fault.
    missing = {key: shape for key, shape in shapes.items() if key not in found}
    return f"the nearest is {short(best)}, but {first_difference(weights, missing or shapes)}"


#: The least share of shapes in common that is more than chance.
_ALIKE = 0.25


def _nearest_by_shapes(weights: Mapping[str, Tensor], networks: Networks) -> str:
    """The same for names that nobody knows; vectors are of one length everywhere, and say nothing.

    Of networks with equally many shapes in common, the one with the likest number of tensors.
    """
    found = Counter(tuple(value.shape) for value in weights.values() if value.ndim > 1)
    best, likeness, shapes = "", (-1.0, 0.0), {}
    for title, build in networks:
        expected = _shapes_of(build)
        sizes = Counter(shape for shape in expected.values() if len(shape) > 1)
        share = (found & sizes).total() / max((found | sizes).total(), 1)
        counts = sorted((len(weights), len(expected)))
        now = (share, counts[0] / counts[1])
        if now > likeness:
            best, likeness, shapes = title, now, expected
    difference = first_difference(weights, shapes)
    if likeness[0] > _ALIKE:
        return f"the nearest by shapes alone is {short(best)}, but {difference}"
    if likeness[0] > 0:
        return (
            f"they are like those of no known network; of these, {short(best)} has most shapes in "
            f"common with them, but {difference}"
        )
    return (
        "they have no name and no shape in common with those of any known network; the nearest by "
        f"the number of tensors is {short(best)}, but {difference}"
    )
