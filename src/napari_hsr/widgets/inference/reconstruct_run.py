"""What the Reconstruct panel does in its threads, and says in words; nothing here is Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import HSRError
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.progress import Progress
from napari_hsr.widgets.inference.run_messages import Verdict, memory_advice

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from napari_hsr.cube import Cube
    from napari_hsr.widgets.models.loaded_models import LoadedModels


@dataclass(frozen=True)
class Request:
    """All that a run needs, taken when Run is pressed: the layer may go away meanwhile."""

    photograph: Photograph
    layer_name: str
    scale: tuple[float, float]
    translate: tuple[float, float]
    model: str
    options: dict[str, Any]


def reconstruct_work(
    request: Request, loaded: LoadedModels, cancel: threading.Event
) -> Iterator[Any]:
    """The events of a run; torch and the weights are loaded here, off the main thread."""
    from napari_hsr import inference

    yield Progress(0, 0, "Loading the model")
    model = loaded.load(request.model)
    yield from inference.reconstruct_events(
        request.photograph, model, **request.options, cancel=cancel
    )


def check_work(
    photograph: Photograph,
    name: str,
    options: dict[str, Any],
    loaded: LoadedModels,
    look: Callable[[threading.Event], str | None],
    cancel: threading.Event,
) -> Iterator[Verdict]:
    """Whether a run with these options would be refused, and why; else what it will take.

    ``look`` says what must be known of the photograph's values.
    """
    from napari_hsr import inference
    from napari_hsr.inference import ensembles, subpixel_grid

    offers = None
    try:
        model = loaded.load(name)
        offers = ensembles.offered(model), subpixel_grid.offered(model)
        reason = inference.why_not(photograph, model)
        if reason is None:
            takes = inference.estimate((photograph.height, photograph.width), model, **options)
    except HSRError as error:
        reason = str(error)
    if reason is not None:
        yield Verdict(reason, offers=offers)
        return
    found = look(cancel), memory_advice(takes.bytes_output, takes.bytes_working, options["device"])
    yield Verdict(None, " ".join(filter(None, found)) or None, takes.words(), offers)


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
