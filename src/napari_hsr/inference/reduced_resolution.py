"""Large photographs quickly: the network on fewer pixels, carried to all of them by the colours.

A network over a per-pixel base (``Model.base``) sees the photograph reduced by a whole number of
pixels along each side. What it adds to its base there is written, around each reduced pixel, as an
affine function of the colour: a guided filter with a guide of three channels (He, Sun and Tang,
TPAMI 2013, 35(6) 1397). These functions, interpolated to the photograph's grid, are applied to its
own colours and added to the base's spectrum of each pixel, so that edges stay where they are.

A per-pixel network, alone or as a base, is looked up in a table of chromaticities.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.inference.devices import resolve
from napari_hsr.inference.estimates.speed import expected_seconds, remember
from napari_hsr.inference.inputs import PhotographReader
from napari_hsr.inference.tiles.tiling import Span, Tile
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import Photograph
from napari_hsr.progress import Progress, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    import torch

    from napari_hsr.models.model import Model

#: On a CPU, larger photographs would take minutes.
LARGE_PIXELS = 4_000_000
#: Pixels that the network sees of a large photograph, or somewhat fewer.
SEEN_PIXELS = 600_000
#: Of the guided filter: its radius in reduced pixels, and what is added to the variance of
#: colours as a share of their mean square.
RADIUS, SMOOTH = 6, 5e-2
#: What the times of what is done around the network are remembered by: for each pixel of the
#: photograph, value of the reduced cube, and value of the cube.
REDUCING, FITTING, CARRYING = ("fast", "reducing"), ("fast", "fitting"), ("fast", "carrying")
#: Side of the photograph by which they are measured, in pixels.
_SMALL = 192


def reduction(
    detail: str, model: Model, height: int, width: int, device: str = "auto", finer: int = 1
) -> int:
    """Pixels of the photograph along the side of a pixel that the network sees; 1 for all.

    Parameters
    ----------
    detail : str
        ``"full"``; ``"fast"``; ``"auto"``: fast for photographs of more than
        :data:`LARGE_PIXELS` on a CPU, where the model has a base. A per-pixel network sees all
        pixels, see :func:`tabulated`.
    model : Model
    height, width : int
        Of the photograph.
    device, finer
        As for :func:`napari_hsr.reconstruct`.

    Raises
    ------
    InputError
        If ``detail`` is none of these, or fast is asked for where it cannot be.
    """
    if detail not in ("auto", "full", "fast"):
        raise InputError(f"The detail is auto, full or fast, not {detail!r}.")
    if detail == "fast" and (finer > 1 or (model.base is None and not _is_smooth(model))):
        raise InputError(
            f"{model.name} cannot be run fast: that takes a per-pixel network, or one over such a "
            "base, as mstpp-photo, on the photograph's own grid."
        )
    if model.base is None or finer > 1 or not _wanted(detail, height, width, device):
        return 1
    return max(2, math.ceil(math.sqrt(height * width / SEEN_PIXELS)))


def tabulated(
    detail: str, model: Model, height: int, width: int, device: str = "auto", finer: int = 1
) -> Model:
    """A per-pixel network as a table where it runs fast, see :func:`reduction`; else the model."""
    if model.base is not None or finer > 1 or not _wanted(detail, height, width, device):
        return model
    return quick(model)


def quick(model: Model) -> Model:
    """A per-pixel network as a table, another model as it is."""
    from napari_hsr.models.colour_table import FINE_NODES, as_table

    return as_table(model, FINE_NODES) if _is_smooth(model) else model


def is_quick(model: Model) -> bool:
    """Whether a model is a table that stands for a network."""
    from napari_hsr.models.colour_table import is_tabulated

    return is_tabulated(model)


def _is_smooth(model: Model) -> bool:
    from napari_hsr.models.colour_table import is_smooth

    return is_smooth(model)


def _wanted(detail: str, height: int, width: int, device: str) -> bool:
    large = height * width > LARGE_PIXELS and resolve(device).type == "cpu"
    return detail == "fast" or (detail == "auto" and large)


def notices_of(factor: int, intervals: bool, looked_up: bool) -> tuple[Notice, ...]:
    """What the user must know of a cube that was made so, and of its intervals if it has any."""
    if looked_up:
        text = (
            "The spectra were looked up in a table of the network's, to 0.01%. Choose the detail "
            "full for the network itself at every pixel."
        )
        return (Notice.info(Code.DETAIL_FAST, text),)
    if factor == 1:
        return ()
    text = (
        f"The network saw the photograph reduced by {factor}; the photograph's own pixels carried "
        "its result to full resolution. Choose the detail full for the network at every pixel."
    )
    found = [Notice.info(Code.DETAIL_FAST, text)]
    if intervals:
        text = "The intervals were calibrated with the detail full; with fast they are approximate."
        found.append(Notice.warning(Code.INTERVALS_APPROXIMATE, text))
    return tuple(found)


def reduced(
    photograph: Photograph, model: Model, factor: int, cancel: threading.Event | None = None
) -> Photograph:
    """The photograph in the model's encoding, each pixel the mean of ``factor`` × ``factor``.

    Blocks at the right and lower edge hold fewer pixels; those that are not finite are left out.
    """
    start = time.perf_counter()
    reader = PhotographReader(photograph, model)
    height, width = photograph.height, photograph.width
    rows = []
    columns = np.arange(0, width, factor)
    for top in range(0, height, factor):
        stop_if(cancel)
        block = reader.read(slice(top, min(top + factor, height)), slice(0, width))
        finite = np.isfinite(block).all(axis=-1, keepdims=True)
        sums = np.add.reduceat(np.where(finite, block, 0).sum(axis=0), columns, axis=0)
        counts = np.add.reduceat(finite.sum(axis=0), columns, axis=0)
        with np.errstate(invalid="ignore"):
            rows.append(np.where(counts > 0, sums / counts, np.nan))
    small = np.stack(rows).astype(np.float32)
    remember(REDUCING, height * width, time.perf_counter() - start)
    return Photograph(small, model.input_encoding, name=photograph.name)


def around_seconds(height: int, width: int, bands: int, factor: int) -> float | None:
    """Time for what is done around the network: reducing, fitting, carrying; None if never measured.

    Parameters
    ----------
    height, width : int
        Of the photograph.
    """
    values = height * width * bands
    parts = ((REDUCING, height * width), (FITTING, values / factor**2), (CARRYING, values))
    found = [expected_seconds(work, amount) for work, amount in parts]
    return None if None in found else sum(part for part in found if part is not None)


def measure_around(model: Model, factor: int) -> None:
    """Do it once to a small photograph; the times are remembered."""
    noise = np.random.default_rng(0).random((_SMALL, _SMALL, 3), np.float32)
    small = reduced(Photograph(noise, model.input_encoding), model, factor)
    added = np.zeros((model.bands or 31, small.height, small.width), np.float32)
    whole = Span(slice(0, _SMALL), slice(0, _SMALL))
    correction = Correction(np.asarray(small.data), added, factor)
    correction.at(Tile(whole, whole), np.moveaxis(noise, -1, 0))


class Correction:
    """What a network adds to its base, as affine functions of the colour.

    Parameters
    ----------
    colours : ndarray, shape (h, w, 3)
        Of the reduced photograph.
    added : ndarray, shape (bands, h, w)
        The network's spectra there without those of the base.
    factor : int
        Pixels of the photograph along the side of a reduced one.
    cancel : threading.Event, optional

    Raises
    ------
    Cancelled
        If ``cancel`` was set: it is looked at before each band.
    """

    def __init__(
        self,
        colours: np.ndarray,
        added: np.ndarray,
        factor: int,
        cancel: threading.Event | None = None,
    ):
        for _ in self._fitting(colours, added, factor, cancel):
            pass

    @classmethod
    def events(cls, *what: Any) -> Iterator[Progress | Correction]:
        """One made of the same, as events: before each band, and at last the correction."""
        made = cls.__new__(cls)
        yield from made._fitting(*what)
        yield made

    def _fitting(
        self,
        colours: np.ndarray,
        added: np.ndarray,
        factor: int,
        cancel: threading.Event | None = None,
    ) -> Iterator[Progress]:
        import torch

        start = time.perf_counter()
        self._factor = factor
        known = np.isfinite(colours).all(axis=-1) & np.isfinite(added).all(axis=0)
        guide = torch.from_numpy(np.where(known[..., None], colours, 0).astype(np.float32))
        added = np.where(known, added, 0)
        guide = guide.movedim(-1, 0).contiguous()
        mean = _smooth(guide)
        square = torch.stack([a * b for a in guide for b in guide])
        covariance = _smooth(square) - (mean[:, None] * mean[None]).flatten(0, 1)
        covariance = covariance.view(3, 3, -1).movedim(-1, 0).double()
        stop_if(cancel)
        level = SMOOTH * (mean.square().sum(0).flatten().double() + 1e-8)
        inverse = torch.linalg.inv(covariance + level[:, None, None] * torch.eye(3))
        inverse = inverse.movedim(0, -1).view(3, 3, *guide.shape[1:]).float()
        bands = len(added)
        #: (4, bands, h, w): of red, green and blue, and the constant.
        self._maps = torch.empty(4, bands, *guide.shape[1:])
        for band in range(bands):  # one at a time: the maps are the largest thing here
            stop_if(cancel)
            yield Progress(band, bands, "Fitting the correction to the colours")
            values = torch.from_numpy(np.ascontiguousarray(added[band], dtype=np.float32))
            with_colours = _smooth(guide * values) - mean * _smooth(values[None])
            slopes = torch.einsum("abhw,bhw->ahw", inverse, with_colours)
            constant = _smooth(values[None])[0] - (slopes * mean).sum(0)
            self._maps[:, band] = _smooth(torch.cat([slopes, constant[None]]))
        remember(FITTING, added.size, time.perf_counter() - start)

    def at(self, tile: Tile, colours: np.ndarray) -> torch.Tensor:
        """What is added in a tile.

        Parameters
        ----------
        tile : Tile
            Of the photograph.
        colours : ndarray, shape (3, h, w)
            Of the tile.

        Returns
        -------
        Tensor, shape (bands, h, w)
        """
        import torch

        start = time.perf_counter()
        maps = self._maps.flatten(0, 1)
        s = self._factor
        parts, offsets = [], []
        for span, size in zip((tile.rows.read, tile.columns.read), maps.shape[1:], strict=True):
            low, high = max(0, span.start // s - 1), min(size, -(-span.stop // s) + 1)
            parts.append(slice(low, high))
            offsets.append(slice(span.start - low * s, span.stop - low * s))
        fine = torch.nn.functional.interpolate(
            maps[:, parts[0], parts[1]][None], scale_factor=s, mode="bilinear", align_corners=False
        )[0][:, offsets[0], offsets[1]]
        slopes = fine.view(4, -1, *fine.shape[1:])
        found = slopes[3].clone()
        for channel, values in enumerate(torch.from_numpy(np.ascontiguousarray(colours))):
            found.addcmul_(slopes[channel], values)
        remember(CARRYING, found.numel(), time.perf_counter() - start)
        return found


def _smooth(maps: torch.Tensor) -> torch.Tensor:
    """Means over (2 · radius + 1)² pixels, of fewer at the edges: of the means along one side."""
    from torch.nn.functional import avg_pool2d

    side = 2 * RADIUS + 1
    down = avg_pool2d(maps[None], (side, 1), 1, (RADIUS, 0), count_include_pad=False)
    return avg_pool2d(down, (1, side), 1, (0, RADIUS), count_include_pad=False)[0]
