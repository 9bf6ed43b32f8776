"""What the Reconstruct panel does in its threads, and says in words; nothing here is Qt."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from napari_hsr.cube import Cube
from napari_hsr.errors import HSRError
from napari_hsr.photograph import SRGB, Photograph

#: Output that takes more than this share of the free memory is announced before the run.
MEMORY_SHARE = 0.7


@dataclass(frozen=True)
class Request:
    """All that a run needs, taken when Run is pressed: the layer may go away meanwhile."""

    photograph: Photograph
    layer_name: str
    scale: tuple[float, float]
    translate: tuple[float, float]
    model: str
    device: str
    tile: int | str
    precision: str


@dataclass(frozen=True)
class Verdict:
    """What was found before a run: what stands in its way, else what the user should know."""

    obstacle: str | None = None
    advice: str | None = None


def reconstruct_work(request: Request, cancel: threading.Event) -> Iterator[Any]:
    """The events of a run; torch and the weights are loaded here, off the main thread."""
    from napari_hsr import inference

    yield from inference.events(
        request.photograph,
        request.model,
        device=request.device,
        tile=request.tile,
        precision=request.precision,
        cancel=cancel,
    )


def check_work(
    photograph: Photograph, name: str, tile: int | str, precision: str, cancel: threading.Event
) -> Iterator[Verdict]:
    """Whether a run would be refused, and why."""
    from napari_hsr import inference
    from napari_hsr.inference import devices, tiling
    from napari_hsr.models import load_model

    try:
        model = load_model(name)
        reason = inference.why_not(photograph, model)
        reason = reason or devices.why_not_precision(model, precision)
        if reason is None:
            tiling.plan(photograph.height, photograph.width, model, tile)
    except HSRError as error:
        reason = str(error)
    yield Verdict(reason) if reason else Verdict(advice=memory_advice(photograph, model))


def failed_verdict(error: BaseException) -> Verdict:
    """A check that broke: the model cannot be used, and the log says why."""
    return Verdict(f"The model cannot be used ({type(error).__name__}: {error}).")


def memory_advice(photograph: Photograph, model: Any) -> str | None:
    """A sentence if the cube will hardly fit into the memory that is free."""
    import psutil

    pixels = photograph.height * photograph.width * model.scale**2
    needed, free = pixels * model.bands * 4, psutil.virtual_memory().available
    if needed < MEMORY_SHARE * free:
        return None
    return (
        f"The cube will take {needed / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free: "
        "consider a smaller photograph."
    )


def place_of(cube: Cube, request: Request) -> dict[str, tuple[float, float]]:
    """``scale`` and ``translate`` (y, x) that lay the cube over its photograph.

    A cube of another size covers the same ground: the pixels' edges meet, not their centres.
    """
    photo = request.photograph
    ratios = (photo.height / cube.shape[1], photo.width / cube.shape[2])
    return {
        "scale": tuple(s * r for s, r in zip(request.scale, ratios, strict=True)),
        "translate": tuple(
            t + s * (r - 1) / 2
            for t, s, r in zip(request.translate, request.scale, ratios, strict=True)
        ),
    }


def outcome_text(result: Any) -> str:
    """``1.2 s on cpu, peak memory +85 MB``."""
    seconds = f"{result.seconds:.2g}" if result.seconds < 10 else f"{result.seconds:.0f}"
    return f"{seconds} s on {result.device}, peak memory +{result.peak_bytes / 1e6:.0f} MB"


def encoding_note(photograph: Photograph, stated: bool) -> str:
    """What the encoding means for the run, and whether it was stated or assumed."""
    if photograph.encoding is None:
        return (
            "This photograph holds floating-point values, and nothing says whether they are "
            "sRGB-encoded or linear light: choose its encoding."
        )
    bits = photograph.data.dtype.itemsize * 8
    start = "" if stated else f"Assumed for {bits}-bit photographs; change it if you know better. "
    if photograph.encoding == SRGB:
        return f"{start}The values are decoded to linear light before the model sees them."
    if photograph.encoding.startswith("camera:"):
        return f"{start}Only a model made for this camera can take these values."
    return f"{start}The values are taken as linear light."
