"""What the Super-resolve panel does in its threads, and says in words; nothing here is Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import HSRError, InputError
from napari_hsr.models.card import ILL_POSED
from napari_hsr.notices import Code, has
from napari_hsr.progress import Progress
from napari_hsr.widgets.inference.run_messages import Verdict, memory_advice, took_text

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from napari_hsr.cube import Cube
    from napari_hsr.inference import SuperResolutionResult
    from napari_hsr.models.model import Model
    from napari_hsr.resample import Kind
    from napari_hsr.widgets.models.loaded_models import LoadedModels

#: What may be asked of :func:`napari_hsr.inference.estimate_super_resolution`.
_ESTIMATED = ("refine", "device", "tile", "precision")


@dataclass(frozen=True)
class Request:
    """All that a run needs, taken when Run is pressed: the layer may go away meanwhile.

    Attributes
    ----------
    cube : Cube
    way : str
        Name of a model or an interpolation.
    scale : int
    options : dict
        Of :func:`napari_hsr.inference.super_resolve_events`.
    """

    cube: Cube
    way: str
    scale: int
    options: dict[str, Any]


def find_way(name: str, loaded: LoadedModels) -> Model | Kind:
    """The model or the interpolation of a name."""
    from napari_hsr.inference import upscalers

    return upscalers.baseline(name) or loaded.load(name)


def super_resolve_work(
    request: Request, loaded: LoadedModels, cancel: threading.Event
) -> Iterator[Any]:
    """The events of a run; torch and the weights are loaded here, off the main thread."""
    from napari_hsr import inference
    from napari_hsr.inference.memory_use import is_out_of_memory

    yield Progress(0, 0, "Loading the model")
    way = find_way(request.way, loaded)
    try:
        yield from inference.super_resolve_events(
            request.cube, way, request.scale, **request.options, cancel=cancel
        )
    except Exception as error:
        if isinstance(error, HSRError) or not is_out_of_memory(error):
            raise
        raise InputError(
            f"There is not enough memory on {request.options['device']} to make the pixels of "
            f"{request.cube.name} {request.scale} times as fine: choose a smaller scale, another "
            "device, or crop the cube."
        ) from error


def check_work(
    request: Request,
    loaded: LoadedModels,
    look: Callable[[threading.Event], str | None],
    cancel: threading.Event,
) -> Iterator[Verdict]:
    """Whether a run would be refused, and why; else what it will take.

    ``look`` says what is wrong with the cube's values.
    """
    from napari_hsr.inference import devices, estimate_super_resolution, why_not_super_resolve
    from napari_hsr.resample import Kind

    options, advice = request.options, None
    try:
        way = find_way(request.way, loaded)
        reason = why_not_super_resolve(request.cube, way, request.scale)
        if reason is None and not isinstance(way, Kind):
            reason = devices.why_not_precision(way, options["precision"])
        reason = reason or look(cancel)
        if reason is None:
            takes = estimate_super_resolution(
                request.cube.shape, way, request.scale, **{k: options[k] for k in _ESTIMATED}
            )
            advice = memory_advice(
                takes.bytes_output,
                takes.bytes_working,
                options["device"],
                "a smaller scale, or cropping the cube",
            )
    except HSRError as error:
        reason = str(error)
    yield Verdict(reason) if reason else Verdict(None, advice, takes.words())


def input_note(cube: Cube) -> str:
    """What is known of the cube before a run: its size and bands, and what it rests on itself."""
    bands, height, width = cube.shape
    known = cube.wavelengths.describe() if cube.wavelengths else f"{bands} bands, no wavelengths"
    return " ".join((f"{height} × {width} pixels, {known}.", *assumed_so_far(cube)))


def assumed_so_far(cube: Cube) -> tuple[str, ...]:
    """Sentences on what a cube that was computed rests on, from its history."""
    said = []
    steps = cube.provenance.steps
    if ILL_POSED in steps:
        by = f" by {cube.provenance.model}" if cube.provenance.model else ""
        said.append(f"Its spectra were reconstructed from a photograph{by}. {ILL_POSED}")
    earlier = cube.provenance.extra.get("super_resolution")
    if earlier:
        said.append(
            f"Its pixels were made ×{earlier['scale']} finer already, by {earlier['by']}: what is "
            "made of them takes that detail for measured."
        )
    return tuple(said)


def notices_of(result: SuperResolutionResult) -> tuple[str, ...]:
    """All that the user must know of a result: what each step before it assumed, then its own."""
    own = (
        notice.with_text(f"The coarse cube was {notice[0].lower()}{notice[1:]}")
        if notice in result.coarse.notices and notice.code is Code.PRECISION
        else notice
        for notice in result.notices
    )
    return tuple(dict.fromkeys((*assumed_so_far(result.coarse), *own)))


def expected(notice: str) -> bool:
    """Whether a notice says what holds of any such result: known before the run, no warning."""
    return has([notice], Code.PRECISION, Code.DETAIL_ESTIMATED)


def finer_outcome(result: SuperResolutionResult) -> str:
    """How long it took, and how far the result agrees with the coarse cube."""
    from napari_hsr.resample import Refinement

    found = last = result.agreement
    passes = ""
    if isinstance(found, Refinement):
        last, times = found.history[-1], "1 pass" if found.passes == 1 else f"{found.passes} passes"
        passes = f", {found.history[0].rms:.3g} before {times} of back-projection"
    unit = f" {result.cube.units}" if result.cube.units else ""
    return (
        f"Done in {took_text(result)}; the residual on the coarse pixels is "
        f"{100 * found.relative:.2g} % of the cube’s values: {last.rms:.3g}{unit} (RMS{passes}), angle "
        f"{last.angle:.2g}°, under {found.degradation}. Peak memory +{result.peak_bytes / 1e6:.0f} MB."
    )


def layer_name(of: str, way: str, scale: int, refined: bool) -> str:
    """``scene · bicubic-matlab ×4 refined``."""
    by = way if f"x{scale}" in way else f"{way} ×{scale}"
    return f"{of} · {by}{' refined' if refined else ''}"
