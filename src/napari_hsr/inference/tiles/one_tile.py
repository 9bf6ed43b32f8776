"""What a network makes of one tile, here or on another machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.inference.tiles.transfers import AtOnce

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_hsr.inference.ensembles import Net
    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiles.tiling import Tile
    from napari_hsr.inference.tiles.transfers import Arriving, Transfers


def computed(
    tile: Tile, values: np.ndarray, run: RunPlan, network: Net
) -> Iterator[np.ndarray | None]:
    """None between passes; at the end the network's result for what is kept of a tile.

    As :func:`begun`, which ends with what waits for it.

    Yields
    ------
    None, or ndarray of shape (bands, h, w), float32, in the units of the network.
    """
    for arriving in begun(tile, values, run, network, AtOnce(run.device)):
        yield None if arriving is None else arriving()


def begun(
    tile: Tile, values: np.ndarray, run: RunPlan, network: Net, transfers: Transfers
) -> Iterator[Arriving | None]:
    """None between passes; at the end what waits for the network's result.

    Parameters
    ----------
    tile : Tile
    values : ndarray, shape (channels, h, w), float32
        What is read of the tile. Where it is not finite, the result is NaN.
    run : RunPlan
        Its tiles are not looked at.
    network : callable
        One pass.
    transfers : Transfers
        To the device of the plan, and back.

    Yields
    ------
    None, or a callable without arguments: an ndarray of shape (bands, h, w), float32, of what is
    kept of the tile, in the units of the network.
    """
    scale = run.model.scale
    unknown = ~np.isfinite(values).all(0)
    if unknown.any():  # one such pixel would spread over the whole receptive field
        values = np.where(unknown, np.float32(0), values)
    values = pad_to_multiple(values, run.model.size_multiple)
    # an array of its own: that of the caller may be read-only, and is never handed to a network
    images = transfers.up(np.require(values, np.float32, ["C", "O", "W"])[None])
    del values
    result = None
    for result in run.ensemble.run(network, images):
        if result is None:
            yield None
    assert result is not None  # an ensemble ends with a result
    rows, columns = (scaled(s.keep, scale) for s in (tile.rows, tile.columns))
    arriving = transfers.down(result[0, :, rows, columns])
    del result, images
    if not unknown.any():
        yield arriving
        return
    lost = unknown.repeat(scale, 0).repeat(scale, 1)[rows, columns]
    yield lambda: np.where(lost, np.float32(np.nan), arriving())


def pad_to_multiple(values: np.ndarray, multiple: int) -> np.ndarray:
    """Pad (channels, h, w) below and to the right to multiples of a size.

    By reflection, or by repeating the edge where an image is too small for that.
    """
    short = [-n % multiple for n in values.shape[1:]]
    if not any(short):
        return values
    fits = all(s < n for s, n in zip(short, values.shape[1:], strict=True))
    around = ((0, 0), (0, short[0]), (0, short[1]))
    return np.pad(values, around, mode="reflect" if fits else "edge")


def scaled(pixels: slice, scale: int) -> slice:
    """Pixels of the input as those of the output."""
    return slice(pixels.start * scale, pixels.stop * scale)
