"""Figures of the held-out images, by the product's own inference and metrics, and previews."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Cube
from napari_hsr.errors import FileError, InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.training.data.scan import block_means
from napari_hsr.training.data.validation_images import ValidationImage, validation_images
from napari_hsr.training.events import Baseline, Figures

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import ArrayLike

    from napari_hsr.cube import Wavelengths
    from napari_hsr.models.model import Model
    from napari_hsr.training.data.cache import CachedImage
    from napari_hsr.training.recipe.schema import Recipe

#: Names of the figures: in protocols, and in cards and events.
KEYS = {"psnr": "psnr_db", "sam": "sam_deg", "mrae": "mrae", "rmse": "rmse", "ssim": "ssim"}
#: Decibels, degrees, and absolute MRAE that a model must gain to replace another.
LEAST_GAINS = {"psnr": 0.01, "sam": 0.01, "mrae": 0.001}
#: Longest side of a preview, in pixels.
PREVIEW_SIDE = 128
#: The same for a super-resolved cube, whose middle is shown pixel by pixel.
FINE_SIDE = 192
#: The interpolation that super-resolution networks are compared with.
BASELINE = "bicubic-matlab"


@dataclass(frozen=True)
class Validation:
    """Figures of the held-out images.

    Attributes
    ----------
    mean : dict
        Over the images: ``psnr_db``, ``sam_deg``, ``mrae``, ``rmse``, ``ssim``, as far as the
        protocol defines them.
    images : dict of str to dict
        The same for each image, or each of its photographs.
    preview : str
        Name of a file with a preview of the first image, see :func:`write_preview`; may be empty.
    notices : tuple of Notice
        What was in the way of it.
    """

    mean: Figures
    images: dict[str, Figures]
    preview: str = ""
    notices: tuple[Notice, ...] = ()


def validate(
    model: Model,
    images: Sequence[CachedImage],
    recipe: Recipe,
    cancel: threading.Event | None = None,
    *,
    preview: Path | None = None,
) -> Validation:
    """Reconstruct or super-resolve the held-out images and compare them with their cubes.

    Parameters
    ----------
    model : Model
        With final weights: inference keeps an optimised copy, so after training steps the model
        must be built anew (:func:`napari_hsr.models.from_state_dict`). It runs in its exact
        precision, on the recipe's device.
    images : sequence of CachedImage
        On the model's wavelengths.
    recipe : Recipe
        Its protocol, device, captures and seed are used.
    cancel : threading.Event, optional
    preview : Path, optional
        A ``.npz`` file for the first image, see :func:`write_preview`. Where it cannot be written,
        that is told: the figures count.

    Raises
    ------
    InputError
        If there are no images, they do not fit the model, or the protocol does not define the
        figure that the best weights are chosen by.
    Cancelled
        If ``cancel`` was set.
    """
    check_protocol(recipe)
    if not images:
        raise InputError("There are no held-out images to measure on: hold at least one out.")
    found: dict[str, Figures] = {}
    notices: tuple[Notice, ...] = ()
    for image in images:
        for given in validation_images(image, model.wavelengths, recipe, held_out=True):
            prediction = _predicted(given, model, recipe, cancel)
            found[given.name] = _figures(prediction, given, recipe)
            if preview is not None and len(found) == 1:
                notices = _previewed(preview, prediction, given, model.wavelengths)
    name = preview.name if preview and not notices else ""
    return Validation(_mean(found), found, name, notices)


def _previewed(
    path: Path, prediction: Cube, given: ValidationImage, wavelengths: Wavelengths
) -> tuple[Notice, ...]:
    """Write a preview; what was in the way."""
    cubes = prediction.data, given.reference.data
    try:
        if isinstance(given.input, Cube):
            write_fine_preview(path, *cubes, given.input.data, wavelengths)
        else:
            write_preview(path, *cubes, wavelengths)
    except FileError as error:  # a full disk: it is to look at alone
        text = f"The preview of {given.name} is left out, and training goes on: {error}"
        return (Notice.warning(Code.PREVIEW_LEFT_OUT, text),)
    return ()


def baseline(images: Sequence[CachedImage], recipe: Recipe, wavelengths: Wavelengths) -> Baseline:
    """Figures of plain interpolation of the coarse held-out cubes, by the same protocol.

    Parameters
    ----------
    images : sequence of CachedImage
        Held out.
    recipe : Recipe
        Of the task ``super-resolution``.
    wavelengths : Wavelengths
        Of the cubes.
    """
    from napari_hsr.resample import find, upsample

    scale = 1 if recipe.coarse is None else recipe.coarse.scale
    found: dict[str, Figures] = {}
    for image in images:
        for given in validation_images(image, wavelengths, recipe, held_out=True):
            if isinstance(given.input, Cube):
                prediction = upsample(given.input, scale, BASELINE)
                found[given.name] = _figures(prediction, given, recipe)
    return Baseline(find(BASELINE).title, _mean(found), found)


def _figures(prediction: Cube, given: ValidationImage, recipe: Recipe) -> Figures:
    from napari_hsr.metrics import evaluate

    result = evaluate(prediction, given.reference, recipe.validation.protocol)
    return {name: float(result[key]) for key, name in KEYS.items() if key in result.values}


def _mean(found: dict[str, Figures]) -> Figures:
    keys = next(iter(found.values()))
    return {key: math.fsum(f[key] for f in found.values()) / len(found) for key in keys}


def _predicted(
    given: ValidationImage, model: Model, recipe: Recipe, cancel: threading.Event | None
) -> Cube:
    """The product's prediction for a photograph or a coarse cube."""
    from napari_hsr.inference import reconstruct, super_resolve

    device, exact = recipe.engine.device, model.precisions[0]
    if isinstance(given.input, Cube):
        return super_resolve(given.input, model, device=device, precision=exact, cancel=cancel)
    return reconstruct(given.input, model, device=device, precision=exact, cancel=cancel)


def check_protocol(recipe: Recipe) -> None:
    """Check that the recipe's protocol exists and defines what the best weights are chosen by.

    Raises
    ------
    InputError
        If not.
    """
    from napari_hsr.metrics.protocols import get_protocol

    protocol, choose = get_protocol(recipe.validation.protocol), recipe.validation.choose
    wanted = "psnr" if choose == "last" else choose
    if wanted not in protocol.metrics:
        raise InputError(
            f"The protocol {protocol.name} does not define {wanted}, by which the best weights "
            f"are chosen; it defines {', '.join(protocol.metrics)}."
        )


def better(one: Figures, other: Figures | None, choose: str) -> bool:
    """Whether the first figures are better than the second.

    Parameters
    ----------
    one, other : dict
        Means; None, or a figure that is not a number, is worse than any other.
    choose : {"psnr", "sam", "mrae", "last"}
        Of the recipe; ``last`` compares by PSNR.
    """
    a, b = score(one, choose), score(other or {}, choose)
    return a > b


def worthwhile(one: Figures, other: Figures | None, choose: str) -> bool:
    """Whether the first figures are better by a margin that shows when both are written down.

    A model is not replaced for less: the next image could decide otherwise.

    Parameters
    ----------
    one, other, choose
        As for :func:`better`; the least gains are :data:`LEAST_GAINS`.
    """
    gain = score(one, choose) - score(other or {}, choose)
    return gain >= LEAST_GAINS["psnr" if choose == "last" else choose]  # never so for NaN


def score(figures: Figures, choose: str) -> float:
    """The figure that models are chosen by, as a number that is higher for better models."""
    key = KEYS["psnr" if choose == "last" else choose]
    value = figures.get(key, math.nan)
    if math.isnan(value):
        return -math.inf
    return value if key == "psnr_db" else -value


def write_preview(
    path: str | PathLike[str],
    prediction: ArrayLike,
    truth: ArrayLike,
    wavelengths: ArrayLike,
    side: int = PREVIEW_SIDE,
) -> Path:
    """Write one image, downsampled by averaging, as a ``.npz`` file that appears whole.

    Parameters
    ----------
    path : path-like
    prediction, truth : array-like, shape (bands, height, width)
    wavelengths : array-like, shape (bands,)
        In nm.
    side : int
        Longest side of the preview, in pixels.

    Returns
    -------
    Path
        The file holds ``prediction`` and ``truth`` (bands, h, w) float32, ``sam`` (h, w) float32
        in degrees, NaN where the truth is black, and ``wavelengths_nm`` (bands,); ``size``
        (height, width) of the image, ``pixel``, the side of the preview's pixels in pixels of
        the image, and ``origin`` (y, x), the centre of its first pixel in them.
    """
    cubes = np.asarray(prediction), np.asarray(truth)
    size = cubes[1].shape[1:]
    step = max(1, math.ceil(max(size) / side))
    small = [block_means(cube.astype(np.float32), step, axes=(1, 2)) for cube in cubes]
    origin = ((step - 1) / 2,) * 2
    return _write(path, small[0], small[1], wavelengths, pixel=step, origin=origin, size=size)


def write_fine_preview(
    path: str | PathLike[str],
    prediction: np.ndarray,
    truth: np.ndarray,
    coarse: np.ndarray,
    wavelengths: ArrayLike,
    side: int = FINE_SIDE,
) -> Path:
    """Write the middle of one super-resolved image, pixel by pixel, with the coarse one.

    Parameters
    ----------
    path : path-like
    prediction, truth : ndarray, shape (bands, scale · h, scale · w)
    coarse : ndarray, shape (bands, h, w)
        The input; its pixels are shown whole.
    wavelengths : array-like, shape (bands,)
        In nm.
    side : int
        Longest side of the preview, in fine pixels.

    Returns
    -------
    Path
        As of :func:`write_preview`, and ``coarse``.
    """
    scale = truth.shape[1] // coarse.shape[1]
    most = max(1, side // scale)
    parts = [slice(at := max(0, (n - most) // 2), at + min(n, most)) for n in coarse.shape[1:]]
    fine = [slice(part.start * scale, part.stop * scale) for part in parts]
    made, true, given = (
        np.asarray(cube[:, where[0], where[1]], dtype=np.float32)
        for cube, where in ((prediction, fine), (truth, fine), (coarse, parts))
    )
    origin = [part.start for part in fine]
    size = truth.shape[1:]
    return _write(path, made, true, wavelengths, pixel=1, origin=origin, size=size, coarse=given)


def _write(
    path: str | PathLike[str],
    prediction: np.ndarray,
    truth: np.ndarray,
    wavelengths: ArrayLike,
    **about: Any,
) -> Path:
    from napari_hsr.io.atomic import replacing
    from napari_hsr.io.library_errors import translated
    from napari_hsr.metrics import maps

    path = Path(path)
    with translated(path.parent, "the folder cannot be made", only=(OSError,)):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            prediction=prediction,
            truth=truth,
            sam=maps.sam(prediction, truth).data,
            wavelengths_nm=np.asarray(wavelengths, dtype=np.float64),
            **about,
        )
    return path
