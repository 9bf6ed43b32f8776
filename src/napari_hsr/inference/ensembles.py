"""Ensembles: several passes of a network over one image, combined into one result.

Each is a generator that yields None between passes, so that progress can be reported and the work
cancelled there, and the result at the end.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from napari_hsr.models.model import Model

    #: (N, channels, H, W) → (N, bands, H·scale, W·scale)
    Net = Callable[[Tensor], Tensor]
    Passes = Iterator[Tensor | None]

#: Flips and transposes of an image: (left-right, up-down, transposed).
VIEWS: tuple[tuple[bool, bool, bool], ...] = tuple(
    (across, down, transposed) for across, down, transposed in product((False, True), repeat=3)
)


def single(net: Net, image: Tensor) -> Passes:
    """One pass."""
    yield net(image)


def mean(net: Net, image: Tensor) -> Passes:
    """Mean of the eight flips and transposes, as MST++ was entered in the NTIRE 2022 challenge.

    Parameters
    ----------
    net : callable
        (N, channels, H, W) to (N, bands, H·scale, W·scale), for any H and W.
    image : torch.Tensor
        (N, channels, H, W).

    Yields
    ------
    None or torch.Tensor
        None between passes; at the end (N, bands, H·scale, W·scale) float32.
    """
    total = net(image).float().clone()  # the first view is the image itself
    for view in VIEWS[1:]:
        yield None
        total.add_(_undo(net(_apply(image, view)), view).float())
    yield total / len(VIEWS)


def median(net: Net, image: Tensor) -> Passes:
    """Median of the eight flips and transposes, value by value: the lower of the middle two.

    It holds eight cubes at a time. Parameters and yields as for :func:`mean`.
    """
    import torch

    cubes = [net(image).float()]
    for view in VIEWS[1:]:
        yield None
        cubes.append(_undo(net(_apply(image, view)), view).float())
    bands = range(cubes[0].shape[1])
    yield torch.stack(  # band by band, since the median copies what it sorts
        [torch.stack([cube[:, band] for cube in cubes]).median(0).values for band in bands], 1
    )


def strips(net: Net, image: Tensor) -> Passes:
    """All rows but the last two, and the last two rows from a pass over all but the first two.

    The published figures of DRCR-Net were computed this way: its photographs have 482 rows, and the
    network takes multiples of 4. To reproduce them, inference runs the exact network in float32 in
    strips, and not its faster copy. Parameters and yields as for :func:`mean`.

    Raises
    ------
    InputError
        If the image has fewer than four rows.
    """
    import torch

    rows = image.shape[-2]
    check("strips", rows)
    upper = net(image[..., :-_LAST, :])
    yield None
    lower = net(image[..., _LAST:, :])
    scale = upper.shape[-2] // (rows - _LAST)
    yield torch.cat([upper, lower[..., -_LAST * scale :, :]], -2)


#: Rows added by the second strip.
_LAST = 2


class Ensemble(NamedTuple):
    """Passes over an image and how they are combined.

    Attributes
    ----------
    name : str
    run : callable
        The generator.
    passes : int
        How often the network runs.
    words : str
        For the provenance: how the passes are combined; empty for a single one.
    held : int
        Cubes of the tile that it holds besides what a pass of the network takes.
    exact : bool
        Whether the exact network runs, in float32, and not the copy made for speed.
    whole_image : bool
        Whether it needs the whole image, so that tiles are out of the question.
    """

    name: str
    run: Callable[[Net, Tensor], Passes]
    passes: int
    words: str
    held: int
    exact: bool = False
    whole_image: bool = False


_ALL = (
    Ensemble("single", single, 1, "", 0),
    Ensemble("mean", mean, len(VIEWS), "Mean of the eight flips and transposes of the image.", 2),
    Ensemble(
        "median",
        median,
        len(VIEWS),
        "Median of the eight flips and transposes of the image.",
        len(VIEWS) + 1,
    ),
    Ensemble(
        "strips",
        strips,
        2,
        "Two strips by the network exactly as it was published: all rows but the last two, then "
        "the last two.",
        2,
        exact=True,
        whole_image=True,
    ),
)
ENSEMBLES: dict[str, Ensemble] = {ensemble.name: ensemble for ensemble in _ALL}


def find(name: str) -> Ensemble:
    """The ensemble of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in ENSEMBLES:
        raise InputError(f"There is no ensemble {name!r}; there are: {', '.join(ENSEMBLES)}.")
    return ENSEMBLES[name]


def offered(model: Model) -> tuple[str, ...]:
    """The ensembles that are useful for a model; others run, but gain nothing.

    A pixel-wise model gives the same cube for every view. Strips reproduce the published figures
    of DRCR-Net.
    """
    if model.context == 0:
        return ("single",)
    strips = ("strips",) if model.card.architecture == "drcr" else ()
    return ("single", "mean", "median", *strips)


def check(name: str, height: int, tiles: int = 1) -> None:
    """Raise InputError if an ensemble cannot run over an image of ``height`` rows in such tiles."""
    if not find(name).whole_image:
        return
    if tiles > 1:
        raise InputError("Strips pass over the whole image: choose the tile 'whole', or 'single'.")
    if height < 2 * _LAST:  # the second strip would not have the rows that it adds
        raise InputError(
            f"Strips need an image of at least {2 * _LAST} rows; this one has {height}: "
            "use 'single'."
        )


def _apply(image: Tensor, view: tuple[bool, bool, bool]) -> Tensor:
    across, down, transposed = view
    axes = [axis for axis, flipped in ((-1, across), (-2, down)) if flipped]
    image = image.flip(axes) if axes else image
    return image.transpose(-1, -2) if transposed else image


def _undo(bands: Tensor, view: tuple[bool, bool, bool]) -> Tensor:
    across, down, transposed = view
    axes = [axis for axis, flipped in ((-1, across), (-2, down)) if flipped]
    bands = bands.transpose(-1, -2) if transposed else bands
    return bands.flip(axes) if axes else bands
