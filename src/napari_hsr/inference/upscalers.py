"""What makes the pixels of a cube finer: a model, or a bicubic baseline, and whether it fits."""

from __future__ import annotations

import difflib
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Cube
from napari_hsr.errors import Cancelled, HSRError, InputError
from napari_hsr.models.card import SUPER_RESOLUTION
from napari_hsr.photograph import Photograph
from napari_hsr.progress import Progress
from napari_hsr.resample import methods
from napari_hsr.resample.methods import Kind

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model

#: Fewer bands are no spectrum to make finer; CoarSR looks at five together.
LEAST_BANDS = 5
#: The baseline, where the caller names none.
BASELINE = "bicubic-matlab"


def as_cube(image: Any) -> Cube:
    """The input as a cube with bands enough.

    Parameters
    ----------
    image : Cube, ndarray (bands, height, width), or path

    Raises
    ------
    InputError
        If it is a photograph, or an array like one, or has fewer than :data:`LEAST_BANDS` bands.
    """
    if isinstance(image, (str, PathLike)):
        from napari_hsr.io import read

        image = read(image)
    if isinstance(image, Photograph):
        raise InputError(
            f"{image.name} is an RGB photograph: super-resolution takes a spectral cube, which can "
            "be reconstructed from it first."
        )
    if not isinstance(image, Cube):
        image = np.asarray(image)
        if image.dtype.kind == "u" and image.ndim == 3 and image.shape[-1] in (3, 4):
            raise InputError(
                f"The array of shape {image.shape} looks like an RGB image: super-resolution takes "
                "a spectral cube, (bands, height, width)."
            )
        image = Cube(image, name="array")
    if image.bands < LEAST_BANDS:
        bands = "1 band" if image.bands == 1 else f"{image.bands} bands"
        raise InputError(
            f"{image.name} has {bands}: super-resolution takes spectral cubes of "
            f"{LEAST_BANDS} bands or more."
        )
    return image


def baseline(name: Any) -> Kind | None:
    """The way up of this name, or None if it names a model."""
    if isinstance(name, Kind):
        return name
    if not isinstance(name, str):
        return None
    try:
        found = methods.find(name)
    except InputError:
        return None
    return found if found.up else None


def offered(scale: int | None = None) -> list[ModelCard]:
    """Cards of the models at hand that make pixels finer, by so much if it is stated."""
    from napari_hsr.models import list_models

    cards = [card for card in list_models() if card.task == SUPER_RESOLUTION]
    return [card for card in cards if scale in (None, card.scale)]


def choose(way: Model | Kind | str | PathLike | None, scale: int | None) -> tuple[Any, int]:
    """What makes the pixels finer, and by how much.

    Parameters
    ----------
    way : Model, str, path or None
        A loaded model, the name or path of one, or the name of a baseline such as
        ``"bicubic-matlab"``. None takes the first model at hand for the scale.
    scale : int or None
        None takes the model's.

    Returns
    -------
    way : Model or Kind
    scale : int

    Raises
    ------
    HSRError
        If there is no such model, it is none for cubes, or it has another scale.
    """
    if scale is not None:
        scale = methods.checked_scale(scale)
    if way is None:
        way = _default(scale)
    kind = baseline(way)
    if kind is not None:
        if scale is None:
            raise InputError(f"{kind.name} needs a scale, such as 2, 3, 4 or 8.")
        return kind, scale
    from napari_hsr.models import load_model

    _check_name(way)
    model = load_model(way)
    if model.task != SUPER_RESOLUTION:
        raise InputError(
            f"{model.name} makes cubes of photographs; to make the pixels of a cube finer, choose a "
            f"model for that or a baseline ({', '.join(methods.BASELINES)})."
        )
    if scale is not None and scale != model.scale:
        raise InputError(
            f"{model.name} makes pixels {model.scale} times as fine, not {scale}: choose another "
            "model or scale."
        )
    return model, model.scale


def _check_name(way: Any) -> None:
    """Whether a name is that of any model or file; the sentence names what makes pixels finer."""
    from napari_hsr.models import list_models

    if not isinstance(way, str) or Path(way).exists():
        return
    if way in [card.name for card in list_models()]:
        return
    known = [*(card.name for card in offered()), *methods.BASELINES, "box"]
    near = difflib.get_close_matches(way, known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise InputError(
        f"There is no model or file {way!r}{hint}; pixels are made finer by {', '.join(known)}."
    )


def check_bands(cube: Cube, way: Model | Kind) -> None:
    """Whether a cube has bands as the model needs them.

    Raises
    ------
    InputError
        If not.
    """
    if isinstance(way, Kind):
        return
    if way.channels is None and cube.bands < way.least_bands:
        raise InputError(
            f"{way.name} needs {way.least_bands} bands or more; {cube.name} has {cube.bands}."
        )
    if way.channels not in (None, cube.bands):
        raise InputError(f"{way.name} takes {way.channels} bands; {cube.name} has {cube.bands}.")


def why_not(
    image: Any,
    way: Any = None,
    scale: int | None = None,
    refine: bool | str | None = None,
    half: Any = None,
) -> str | None:
    """None if this could be made finer, else the reason in one sentence; reads no pixels."""
    from napari_hsr.inference.refinement import half_of

    try:
        cube = as_cube(image)
        way, scale = choose(way, scale)
        for one in (way, half_of(way, scale, refine, half)):
            if one is not None:
                check_bands(cube, one)
    except HSRError as error:
        return str(error)
    return None


def check_values(cube: Cube, cancel: threading.Event | None = None) -> Iterator[Progress]:
    """Look at all values before anything is computed.

    Yields
    ------
    Progress

    Raises
    ------
    InputError
        If one is NaN or infinite: what is made of it would spread.
    Cancelled
        If ``cancel`` was set.
    """
    from napari_hsr.resample.resize import Way, read

    for bands, rows in Way(methods.find("box"), 1, *cube.shape[1:]).parts(cube.bands):
        if cancel is not None and cancel.is_set():
            raise Cancelled
        yield Progress(0, 0, "Reading the cube")
        read(cube, bands, rows)


def why_not_values(cube: Cube, cancel: threading.Event | None = None) -> str | None:
    """None if all values can be used, else the reason in one sentence; reads every pixel."""
    try:
        for _ in check_values(cube, cancel):
            pass
    except InputError as error:
        return str(error)
    return None


def notices(cube: Cube, model: Model) -> tuple[str, ...]:
    """What the user must know of this cube for this model."""
    trained = model.wavelengths
    if cube.wavelengths is None:
        return (
            f"{cube.name} names no wavelengths; {model.name} was trained on {trained.describe()}.",
        )
    if not cube.wavelengths.matches(trained):
        return (
            f"{cube.name} has {cube.wavelengths.describe()}; {model.name} was trained on "
            f"{trained.describe()} and computes any bands, but never saw these.",
        )
    return ()


def finer_already(cube: Cube) -> str:
    """A sentence where the cube's own pixels are finer than what was measured; else empty."""
    made = cube.provenance.extra.get("super_resolution")
    if not isinstance(made, dict) or not made.get("scale"):
        return ""
    return (
        f"{cube.name} was already made {made['scale']} times as fine, by "
        f"{made.get('by', 'another model')}: finer pixels yet are an estimate from an estimate; "
        "where that was the target size, nothing more was to be done."
    )


def _default(scale: int | None) -> str:
    if scale is None:
        raise InputError("State a scale, such as 2, 3, 4 or 8, or a model.")
    cards = offered(scale)
    if not cards:
        raise InputError(
            f"There is no model at hand that makes pixels {scale} times as fine: import one, or "
            f"choose a baseline ({', '.join(methods.BASELINES)})."
        )
    return cards[0].name
