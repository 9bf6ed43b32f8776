"""Which architecture weights belong to; of those that are not recognised, which is the nearest."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from napari_hsr.errors import ModelError
from napari_hsr.models.architectures.base import first_difference, shapes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_hsr.models.architectures.base import AnyArchitecture, Shapes, Weights

_shapes_of = lru_cache(maxsize=None)(shapes_of)  # the published networks never change

#: The smallest share of shapes in common that is more than chance.
_SIMILAR = 0.25


def recognise_among(weights: Weights, architectures: Sequence[AnyArchitecture]) -> AnyArchitecture:
    """The first of these architectures whose names and shapes the weights have.

    Raises
    ------
    ModelError
        If there is none: the nearest is named, with the first tensor that differs.
    """
    for architecture in architectures:
        if architecture.detect(weights):
            return architecture
    raise ModelError(f"Weights not recognised: {nearest(weights, architectures)}.")


def nearest(weights: Weights, architectures: Iterable[AnyArchitecture]) -> str:
    """A clause that names the most similar architecture and the first tensor that differs.

    It is the one with the largest share of names in common, names with equal shapes counted
    twice; where no name is known, the one with most shapes in common; where hardly a shape is,
    the clause says so.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        Weights that were not recognised.
    architectures : iterable of AnyArchitecture
        Compared in their published sizes.

    Returns
    -------
    str
        Without a full stop.
    """
    networks = [(a.short_title, _shapes_of(build)) for a in architectures for build in a.published]
    found = {key: tuple(value.shape) for key, value in weights.items()}

    def by_names(expected: Shapes) -> float:
        common = found.keys() & expected.keys()
        equal = sum(found[key] == expected[key] for key in common)
        return (len(common) + equal) / len(found.keys() | expected.keys())

    title, expected = max(networks, key=lambda network: by_names(network[1]))
    if by_names(expected) == 0:
        return _nearest_by_shapes(weights, networks)
    # A missing name says more than a shape: widths may legitimately differ.
    missing = {key: shape for key, shape in expected.items() if key not in found}
    return f"the nearest is {title}, but {first_difference(weights, missing or expected)}"


def _nearest_by_shapes(weights: Weights, networks: list[tuple[str, Shapes]]) -> str:
    """The same for unknown names; vectors are left out, as their lengths occur everywhere.

    Of networks with equally many shapes in common, the one with the most similar number of tensors.
    """
    found = Counter(tuple(value.shape) for value in weights.values() if value.ndim > 1)

    def by_shapes(expected: Shapes) -> tuple[float, float]:
        sizes = Counter(shape for shape in expected.values() if len(shape) > 1)
        share = (found & sizes).total() / max((found | sizes).total(), 1)
        fewer, more = sorted((len(weights), len(expected)))
        return share, fewer / more

    title, expected = max(networks, key=lambda network: by_shapes(network[1]))
    share, _ = by_shapes(expected)
    difference = first_difference(weights, expected)
    if share > _SIMILAR:
        return f"the nearest by shapes alone is {title}, but {difference}"
    if share > 0:
        return (
            f"they are like those of no known network; of these, {title} has most shapes in "
            f"common with them, but {difference}"
        )
    return (
        "they have no name and no shape in common with those of any known network; the nearest by "
        f"the number of tensors is {title}, but {difference}"
    )
