"""The network that a recipe trains: an existing model's, or a new one."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError, did_you_mean
from napari_hsr.models.card import CUBE, RECONSTRUCTION, SUPER_RESOLUTION, ModelCard
from napari_hsr.training.engine.initial_weights import first_weights
from napari_hsr.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from napari_hsr.cameras import Camera
    from napari_hsr.cube import Wavelengths
    from napari_hsr.models.architectures.base import AnyArchitecture
    from napari_hsr.models.model import Model
    from napari_hsr.training.recipe.schema import Recipe

#: Pixels of all images together that give the second moment of spectra.
PIXELS = 200_000
#: Spectra darker than this share of the brightest weigh no more than that share.
DARK = 0.02
#: Added to the second moment's diagonal, so that it stays invertible.
FLOOR = 1e-6
#: Channels or layers of a network that is built by a recipe, at most.
LARGEST = 4096


def start(recipe: Recipe, wavelengths: Wavelengths, thumbnails: Sequence[np.ndarray]) -> Model:
    """The model that training starts from.

    Parameters
    ----------
    recipe : Recipe
    wavelengths : Wavelengths
        Of the training cubes.
    thumbnails : sequence of ndarray, each (bands, h, w)
        Reduced training cubes: the second moment of natural spectra, for a colour head.

    Returns
    -------
    Model
        On the CPU; its weights are its own.

    Raises
    ------
    InputError, ModelError
        If there is no such network or setting, or the camera is not known well enough.
    """
    if recipe.model.start is not None:
        from napari_hsr.models import load_model

        model = load_model(recipe.model.start)
        check_task(model, recipe)
        if recipe.finer:
            return model
        from napari_hsr.training.engine.band_interpolation import change_bands

        return change_bands(model, wavelengths)
    import torch

    torch.manual_seed(recipe.seed)
    network = build(recipe, len(wavelengths))
    return _described(recipe, network, wavelengths, thumbnails)


def check_task(model: Model, recipe: Recipe) -> None:
    """Check that a model does the recipe's task, at the recipe's scale.

    Raises
    ------
    InputError
        If not.
    """
    if model.task != (RECONSTRUCTION if recipe.coarse is None else SUPER_RESOLUTION):
        does, wanted = "makes cubes of photographs", "super-resolves cubes"
        if recipe.coarse is None:
            does, wanted = wanted, does
        raise InputError(f"{model.name} {does}; this training takes a model that {wanted}.")
    if recipe.coarse is not None and model.scale != recipe.coarse.scale:
        raise InputError(
            f"{model.name} makes pixels {model.scale} times as fine, but the recipe sets "
            f"coarse.scale: {recipe.coarse.scale}."
        )


def build(recipe: Recipe, bands: int) -> torch.nn.Module:
    """A network with random weights.

    Parameters
    ----------
    recipe : Recipe
        Its task, ``model.architecture`` and ``model.settings``.
    bands : int
        Of the training cubes.

    Raises
    ------
    InputError
        If no architecture or argument has that name; the nearest one is suggested.
    """
    from napari_hsr.models.registry import ARCHITECTURES

    settings, task = recipe.model, SUPER_RESOLUTION if recipe.finer else RECONSTRUCTION
    others = {a.id: a for a in ARCHITECTURES if a.published and a.task != task}
    if settings.architecture in others:
        raise InputError(
            f"{others[settings.architecture].title} is no network for the task {recipe.task}."
        )
    known = {a.id: a for a in ARCHITECTURES if a.published and a.task == task}
    architecture = known.get(settings.architecture or "")
    if architecture is None:
        raise InputError(_no_such("architecture", settings.architecture, known))
    make: Callable[..., torch.nn.Module] = architecture.published[0]
    arguments = dict(settings.settings)
    if "variant" in arguments:
        make = _variant(architecture, arguments.pop("variant"))
    possible = inspect.signature(make).parameters
    for name in arguments:
        if name not in possible:
            raise InputError(_no_such(f"setting of {architecture.id}", name, possible))
    if recipe.coarse is not None:
        arguments["scale"] = recipe.coarse.scale
    elif "bands" in possible:
        arguments.setdefault("bands", bands)
    elif bands != 31:
        raise InputError(f"{architecture.title} makes 31 bands only, and the cubes have {bands}.")
    if arguments.get("bands", bands) != bands:
        raise InputError(
            f"The recipe sets bands: {arguments['bands']}, but the cubes have {bands} bands."
        )
    try:
        _check_size(lambda: make(**arguments), arguments, architecture.title)
        return make(**arguments)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError, OverflowError, ZeroDivisionError) as error:
        raise InputError(f"{architecture.title} cannot be built so: {error}.") from error


def _check_size(make: Callable[[], torch.nn.Module], arguments: dict[str, Any], title: str) -> None:
    """Refuse a network that this computer cannot hold, before memory is taken for it."""
    import psutil

    from napari_hsr.models.architectures.without_weights import without_weights

    for name, value in arguments.items():
        for number in np.ravel(np.asarray(value, dtype=object)):
            if isinstance(number, (int, float)) and not abs(number) <= LARGEST:
                raise InputError(f"{title}: {name} is {number:.6g}; up to {LARGEST:,} is built.")
    with without_weights():
        network = make()
    needed = sum(4 * p.numel() for p in (*network.parameters(), *network.buffers()))
    free = psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"{title} would take {format_bytes(needed)} of memory so, {format_bytes(free)} are free: "
            "set model.settings to less."
        )


def _variant(architecture: AnyArchitecture, name: Any) -> Callable[..., torch.nn.Module]:
    """One of the sizes that an architecture was published in."""
    variants = architecture.variants
    if name not in variants:
        raise InputError(_no_such(f"variant of {architecture.id}", name, variants or ["none"]))
    return variants[name]


def _no_such(what: str, name: Any, known: Any) -> str:
    return f"There is no {what} {name!r}{did_you_mean(name, known, 0.4)}; there are {', '.join(known)}."


def _described(
    recipe: Recipe,
    network: torch.nn.Module,
    wavelengths: Wavelengths,
    thumbnails: Sequence[np.ndarray],
) -> Model:
    """The network's descriptor, behind a colour head where the recipe asks for one."""
    import torch

    from napari_hsr.models.registry import recognise
    from napari_hsr.models.state_dict import from_state_dict

    encoding = CUBE if recipe.finer else input_encoding(recipe, wavelengths, thumbnails[0])
    first_weights(network, recipe.model)
    weights = network.state_dict()
    card = ModelCard(
        name=recipe.name,
        title=recipe.title or recipe.name,
        architecture=recognise(weights).id,
        input_encoding=encoding,
        wavelengths_nm=tuple(float(nm) for nm in wavelengths),
        units="reflectance-like, as the training cubes",
        scale=1 if recipe.coarse is None else recipe.coarse.scale,
    )
    model = from_state_dict(weights, card)
    model = _with_rule(model)
    if recipe.model.head == "none":
        return model
    if recipe.model.head == "over-base":
        return _over_base(model, recipe, wavelengths, thumbnails)
    from napari_hsr.models.architectures.colour_exact import spread_for, wrap

    camera = camera_matrix(recipe, wavelengths, encoding)
    moments = spread_for(camera, second_moment(thumbnails, recipe.seed))
    spread, colours = (torch.from_numpy(m.astype(np.float32)) for m in (moments, camera))
    return wrap(model, spread, colours if recipe.model.head == "colour-exact" else None)


def _over_base(
    model: Model, recipe: Recipe, wavelengths: Wavelengths, thumbnails: Sequence[np.ndarray]
) -> Model:
    """The network over a per-pixel model, with the likeliest linear spectra of the colours."""
    import torch

    from napari_hsr.colour.matrix import rendering_matrix
    from napari_hsr.models import load_model
    from napari_hsr.models.architectures import per_pixel, residual_over_base
    from napari_hsr.models.architectures.colour_exact import spread_for
    from napari_hsr.training.engine.band_interpolation import same

    base = load_model(recipe.model.base)
    if base.card.architecture != per_pixel.ARCHITECTURE.id or not same(
        base.wavelengths, wavelengths
    ):
        raise InputError(
            f"{recipe.model.base} cannot be the base: a per-pixel network on the wavelengths of "
            f"the cubes ({wavelengths.describe()}) is needed."
        )
    if base.input_encoding != model.input_encoding:
        raise InputError(
            f"The base {base.name} takes {base.input_encoding}, and this training makes "
            f"{model.input_encoding}."
        )
    spread = spread_for(rendering_matrix(np.asarray(wavelengths)), second_moment(thumbnails))
    tensors = {f"base.{key}": value.float() for key, value in base.module.state_dict().items()}
    tensors["linear.spread"] = torch.from_numpy(spread.astype(np.float32))
    return residual_over_base.wrap(model, tensors)


def _with_rule(model: Model) -> Model:
    """The card names the network's own rule."""
    from dataclasses import replace

    return replace(model, card=model.card.model_copy(update={"input_rule": model.rule.name}))


def input_encoding(recipe: Recipe, wavelengths: Wavelengths, thumbnail: np.ndarray) -> str:
    """The network's input encoding: ``linear-srgb``, or the linear response of the one camera.

    Parameters
    ----------
    recipe : Recipe
    wavelengths : Wavelengths
        Of the training cubes.
    thumbnail : ndarray, shape (bands, h, w)
        Of any of them.

    Raises
    ------
    InputError
        If there are several cameras and their responses are not converted to a common space.
    """
    settings = recipe.camera
    if settings is None:
        encoding = recipe.data.input_encoding
        return encoding if encoding and encoding.startswith("camera:") else "linear-srgb"
    if settings.encoding == "srgb" or settings.colour_matrix:
        return "linear-srgb"
    if settings.preset is None and _one_camera(recipe) is None:
        raise InputError(
            "There are several cameras, so their responses must be converted to one space: set "
            "camera.colour_matrix: true."
        )
    from napari_hsr.cameras.random_camera import draw

    capture = draw(settings, np.asarray(wavelengths), np.random.default_rng(0), thumbnail)
    return "linear-srgb" if capture.encoding == "srgb" else capture.encoding


def _one_camera(recipe: Recipe) -> Camera | None:
    """The recipe's camera, if it names just one."""
    from napari_hsr.cameras.sensitivities import camera_pool

    if recipe.camera is None or not recipe.camera.cameras:
        return None
    pool = camera_pool(recipe.camera.cameras, recipe.camera.leave_out)
    return pool[0] if len(pool) == 1 else None


def camera_matrix(recipe: Recipe, wavelengths: Wavelengths, encoding: str) -> np.ndarray:
    """C (bands, 3): the colours of the network's input are spectra times C.

    Raises
    ------
    InputError
        If a colour-exact head is asked for and the photograph is more than C times the cube.
    """
    from napari_hsr.cameras import matrix
    from napari_hsr.colour.matrix import rendering_matrix

    nm = np.asarray(wavelengths)
    settings = recipe.camera
    if recipe.model.head == "base" and encoding == "linear-srgb":
        return rendering_matrix(nm)
    camera = _one_camera(recipe)
    exact = (
        camera is not None
        and settings is not None
        and camera.observer is None
        and encoding == camera.encoding
        and len(settings.illuminants) <= 1
        and not (settings.clip or settings.white_balance_error or settings.photoelectrons)
        and not (settings.read_noise or settings.jpeg or settings.bits)
    )
    if not exact and recipe.model.head == "colour-exact":
        raise InputError(
            "A colour-exact head needs photographs simulated with one camera, linear and without "
            "noise, clipping or rounding; set model.head: base for others."
        )
    if camera is None or settings is None:
        raise InputError(f"The colours of {encoding} are not known; set model.head: none.")
    illuminant = settings.illuminants[0] if settings.illuminants else None
    illuminant = None if illuminant in (None, "equal-energy") else illuminant
    normalise = "white" if settings.white_balance else settings.normalise
    return matrix(camera, nm, illuminant, normalise)


def second_moment(thumbnails: Sequence[np.ndarray], seed: int = 0) -> np.ndarray:
    """Q (bands, bands): mean of s sᵀ / |s|² over random pixels; dark ones weigh less.

    Parameters
    ----------
    thumbnails : sequence of ndarray, each (bands, h, w)
    seed : int
        Of the choice of pixels, where there are more than :data:`PIXELS`.
    """
    spectra = np.concatenate([t.reshape(t.shape[0], -1).T for t in thumbnails]).astype(np.float64)
    spectra = spectra[np.isfinite(spectra).all(axis=1)]
    if len(spectra) > PIXELS:
        spectra = spectra[np.random.default_rng(seed).permutation(len(spectra))[:PIXELS]]
    bright = np.sqrt(np.square(spectra).mean(axis=1))
    if not bright.size or bright.max() <= 0:
        raise InputError("The training cubes are black: they show no spectra to learn from.")
    spectra /= np.maximum(bright, DARK * bright.max())[:, None]
    moment: np.ndarray = spectra.T @ spectra / len(spectra)
    level = FLOOR * float(np.trace(moment)) / len(moment)
    return moment + level * np.eye(len(moment))
