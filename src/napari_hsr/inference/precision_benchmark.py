"""Measure the error of a model in lower precisions against float32, on an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.colour import decode_photograph_tile
from napari_hsr.errors import InputError
from napari_hsr.inference.devices import resolve
from napari_hsr.inference.inputs import as_cube, as_photograph, why_not
from napari_hsr.inference.reconstruction import reconstruct_events
from napari_hsr.inference.super_resolution import super_resolve_events
from napari_hsr.inference.upscalers import check_bands
from napari_hsr.models.card import SUPER_RESOLUTION, ModelCard, PrecisionError
from napari_hsr.models.library import load_model
from napari_hsr.photograph import LINEAR_SRGB, Photograph
from napari_hsr.progress import Progress, as_part, result_of
from napari_hsr.units import device_words

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from os import PathLike

    import torch

    from napari_hsr.cube import Cube
    from napari_hsr.models.model import Model

#: Least side, in coarse pixels, of the sample cube that models for cubes are measured on.
COARSE_SIDE = 64
#: Steps of the progress for each precision.
_STEPS = 1000


@dataclass(frozen=True)
class Measurement:
    """What a measurement ends with.

    Attributes
    ----------
    model : Model
        The one that was measured.
    errors : dict of str to PrecisionError
        For each lower precision that gave a result.
    left_out : dict of str to str
        For each other one, the reason why it has no error: a clause.
    """

    model: Model
    errors: dict[str, PrecisionError]
    left_out: dict[str, str]


@told
def measure_events(
    model: Model | str | PathLike[str],
    image: Photograph | Cube | np.ndarray | str | PathLike[str] | None = None,
    *,
    encoding: str | None = None,
    device: str = "auto",
    tile: int | str = "auto",
    cancel: threading.Event | None = None,
) -> Iterator[Progress | Measurement]:
    """Measure the error of lower precisions and report progress.

    The photograph is reconstructed, or the cube super-resolved, in the exact precision and in
    each lower one that the model offers: bfloat16 on any device, float16 on a GPU.

    Parameters
    ----------
    model : Model, str or path
        As for :func:`napari_hsr.load_model`.
    image : Photograph, Cube, ndarray, or path, optional
        What the model takes: a photograph, (height, width, 3), or a cube, (bands, height, width).
        By default the sample photograph; for a model of one camera's raw values, of which there is
        no sample, its linear values stand in for them. For a super-resolution model, the sample
        chart of measured reflectances, degraded by its scale.
    encoding, device, tile, cancel
        As for :func:`napari_hsr.reconstruct`.

    Yields
    ------
    Progress
        Before the first tile of the first run, and after each tile of each.
    Measurement
        At the end.

    Raises
    ------
    InputError
        If the image does not fit the model, the model has one precision only, or memory runs out
        in some runs and not in others.
    Cancelled
        Soon after ``cancel`` is set.
    """
    yield Progress(0, 0, "Loading the model")
    model = load_model(model)
    torch_device = resolve(device)
    lower, left_out = _to_measure(model, torch_device)
    name, what, run = _work(image, model, encoding)
    precisions = (model.precisions[0], *lower)
    exact, errors = None, {}
    for number, precision in enumerate(precisions):
        events = run(device=device, tile=tile, precision=precision, cancel=cancel)
        first, total = _STEPS * number, _STEPS * len(precisions)
        told = f"Computing in {precision}"
        result = yield from as_part(events, first, first + _STEPS, total, told)
        if exact is None:
            exact = result
            continue
        if result.tiles != exact.tiles:
            raise InputError(
                f"{name} was cut into {exact.tiles} tiles in {exact.precision} and "
                f"{result.tiles} in {precision}, as memory allowed, so their results cannot be "
                "compared: choose a smaller image, or state the tile."
            )
        where = f"{what}, on {_device_words(torch_device)}"
        found = difference(result.cube.data, exact.cube.data, where)
        if isinstance(found, PrecisionError):
            errors[precision] = found
        else:
            left_out[precision] = found
    yield Measurement(model, errors, left_out)


@told
def measure(
    model: Model | str | PathLike[str],
    image: Photograph | Cube | np.ndarray | str | PathLike[str] | None = None,
    *,
    progress: Callable[[Progress], Any] | None = None,
    **options: Any,
) -> Measurement:
    """Drive :func:`measure_events` to its end; ``progress`` is called with each Progress."""
    return result_of(measure_events(model, image, **options), progress)


def keep(measurement: Measurement) -> ModelCard | None:
    """Write what was measured into the card of an imported model.

    Returns
    -------
    ModelCard or None
        The new card; None for a bundled model or one in a file of its own, whose cards are not
        changed.

    Raises
    ------
    HSRError
        If the file cannot be written, or holds other weights now.
    """
    from napari_hsr.models import user_models

    model = measurement.model
    if model.source not in user_models.stored() or not measurement.errors:
        return None
    return user_models.add_precision_errors(model.source, measurement.errors, model.weights_sha256)


def difference(found: np.ndarray, exact: np.ndarray, where: str) -> PrecisionError | str:
    """PSNR and largest absolute difference of two cubes.

    Parameters
    ----------
    found, exact : ndarray (bands, height, width)
    where : str
        For ``measured_on``.

    Returns
    -------
    PrecisionError or str
        PSNR = 10 log10(max|exact|² / mean((found − exact)²)) in dB; or, where a value is not
        finite or the exact cube is zero everywhere, the reason why there is none.
    """
    squares = largest = peak = 0.0
    for band, true in zip(found, exact, strict=True):
        true = np.asarray(true, np.float64)
        error = np.abs(np.asarray(band, np.float64) - true)
        squares += float(np.square(error).sum())
        largest = float(np.maximum(largest, error.max()))  # keeps a NaN
        peak = float(np.maximum(peak, np.abs(true).max()))
    if not np.isfinite([squares, largest, peak]).all():
        return "its result is not finite"
    if peak == 0:
        return "the cube is black"
    mean = squares / exact.size
    psnr = 10 * np.log10(peak**2 / mean) if mean else None
    return PrecisionError(
        psnr_db=None if psnr is None else round(float(psnr), 2),
        max_abs=float(f"{largest:.3g}"),
        measured_on=where,
    )


def _to_measure(model: Model, device: torch.device) -> tuple[tuple[str, ...], dict[str, str]]:
    """The lower precisions to measure, and the reasons why others are left out."""
    lower = model.precisions[1:]
    if not lower:
        raise InputError(
            f"{model.name} is computed in {model.precisions[0]} only: there is no other "
            "precision to measure."
        )
    if device.type != "cpu" or "float16" not in lower:
        return lower, {}
    rest = tuple(p for p in lower if p != "float16")
    return rest, {"float16": "it is measured on a GPU only"}


def _work(
    image: Any, model: Model, encoding: str | None
) -> tuple[str, str, Callable[..., Iterator[Any]]]:
    """Name and description of the image to measure on, and what computes its cube."""
    if model.task != SUPER_RESOLUTION:
        photograph, what = _photograph(image, model, encoding)
        return photograph.name, what, partial(reconstruct_events, photograph, model)
    if encoding is not None:
        raise InputError(
            f"{model.name} takes cubes, not photographs: the input encoding {encoding} cannot be "
            "stated."
        )
    cube, what = _cube(image, model)
    return cube.name, what, partial(super_resolve_events, cube, model)


def _cube(image: Any, model: Model) -> tuple[Cube, str]:
    """The cube to measure on, and its description."""
    made = ""
    if image is None:
        from napari_hsr import samples
        from napari_hsr.resample import degrade

        scale = model.scale
        height, width = (scale * max(COARSE_SIDE, -(-least // scale)) for least in (120, 160))
        image = degrade(samples.chart(size=(height, width))[0], scale)
        image = image.replace(name="chart")
        made = f", degraded to 1/{model.scale}"
    cube = as_cube(image)
    check_bands(cube, model)
    height, width = cube.shape[1:]
    return cube, f"{cube.name}{made}, {height} × {width} pixels, {cube.bands} bands"


def _photograph(image: Any, model: Model, encoding: str | None) -> tuple[Photograph, str]:
    """The photograph to measure on, and its description."""
    taken = ""
    if image is None:
        from napari_hsr import samples

        photograph = samples.photograph()
        if why_not(photograph, model):
            linear = decode_photograph_tile(photograph.data, photograph.encoding, LINEAR_SRGB)
            photograph = replace(photograph, data=linear, encoding=model.input_encoding)
            taken = f", its linear values taken as {model.input_encoding}"
    else:
        photograph = as_photograph(image, model, encoding)
    size = f"{photograph.height} × {photograph.width} pixels"
    return photograph, f"{photograph.name}, {size}{taken}"


def _device_words(device: torch.device) -> str:
    if device.type != "cuda":
        return device_words(device)
    import torch

    return torch.cuda.get_device_name(device)
