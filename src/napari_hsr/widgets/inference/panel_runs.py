"""What the Reconstruct and Super-resolve panels compute in their threads; nothing here is Qt.

Both check and run the same way: a request says what is specific to each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_hsr.errors import HSRError, InputError, lacks_memory
from napari_hsr.photograph import Photograph
from napari_hsr.progress import Progress
from napari_hsr.units import format_bytes, from_home

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_hsr.cube import Cube
    from napari_hsr.inference import Estimate, Result
    from napari_hsr.models.model import Model
    from napari_hsr.photograph_stack import PhotographStack
    from napari_hsr.resample import Kind
    from napari_hsr.widgets.models.loaded_models import LoadedModels

#: A run that takes more than this share of the free memory is announced as such.
MEMORY_SHARE = 0.7
#: Where a result is kept: on disk only if it is too large for the memory, or always the one.
AUTO, MEMORY, DISK = "auto", "memory", "disk"
#: Options of a reconstruction that its estimate does not depend on.
_TRUST = ("intervals", "camera", "exact")
#: Options of a super-resolution that its estimate depends on.
_ESTIMATED = ("refine", "device", "tile", "precision")


@dataclass(frozen=True)
class Keeping:
    """Where a result is to be kept.

    Attributes
    ----------
    choice : str
        :data:`AUTO`, :data:`MEMORY` or :data:`DISK`.
    store : Path or None
        The zarr store that it would be written to.
    """

    choice: str = MEMORY
    store: Path | None = None

    def place(self, takes: Estimate, device: str) -> Path | None:
        """The store of a run that takes so much; None for memory."""
        if self.choice == AUTO and _advice(takes, device, "") is None:
            return None
        return None if self.choice == MEMORY else self.store


@dataclass(frozen=True)
class Verdict:
    """What was found before a run: why it would be refused, else what the user should know.

    Attributes
    ----------
    obstacle, advice : str or None
        A sentence.
    estimate : str
        What the run will take.
    offers : dict or None
        What the model offers to choose from; None if it could not be loaded.
    """

    obstacle: str | None = None
    advice: str | None = None
    estimate: str = ""
    offers: dict[str, tuple[Any, ...]] | None = None
    #: The zarr store that the result is to be written to.
    output: Path | None = None
    #: What the run will take; infinite if that is not known.
    seconds: float = math.inf


@dataclass(frozen=True)
class Request:
    """All that a run needs, taken when Run is pressed: the layer may be deleted meanwhile.

    Attributes
    ----------
    image : Photograph or Cube
    model : str
        Name of a model or of an interpolation.
    options : dict
        Of the function of :mod:`napari_hsr.inference` that runs it.
    """

    image: Any
    model: str
    options: dict[str, Any]
    keeping: Keeping = field(default=Keeping(), kw_only=True)
    #: The zarr store that the check has found the result is to be written to.
    output: Path | None = field(default=None, kw_only=True)
    #: What the check has estimated the run to take; infinite if that is not known.
    seconds: float = field(default=0.0, kw_only=True)
    #: What needs less memory, for a sentence.
    smaller: ClassVar[str]

    def load(self, loaded: LoadedModels) -> Any:
        """The model; HSRError if it cannot be loaded."""
        return loaded.load(self.model)

    def offers(self, _model: Any) -> dict[str, tuple[Any, ...]]:
        """What the model offers to choose from, by the name of the option."""
        return {}

    def store(self, _takes: Estimate) -> Path | None:
        """The zarr store that the result of a run which takes so much is written to, if any."""
        return None


class ReconstructionRequest(Request):
    """A photograph to reconstruct a cube from."""

    image: Photograph
    smaller = "smaller tiles or a smaller photograph"

    def offers(self, model: Model) -> dict[str, tuple[Any, ...]]:
        """Its ensembles, its grids, and whether it has intervals."""
        from napari_hsr.inference import ensembles, subpixel_grid
        from napari_hsr.inference.trust import intervals

        return {
            "ensemble": ensembles.offered(model),
            "finer": subpixel_grid.offered(model),
            "intervals": intervals.offered(model),
        }

    def why_not(self, model: Model) -> str | None:
        """Why the model cannot take the photograph."""
        from napari_hsr import inference
        from napari_hsr.inference.trust.apply_camera_profile import profiled
        from napari_hsr.inference.trust.run import linear_camera_of

        camera, exact = self.options.get("camera"), bool(self.options.get("exact"))
        image = self.image
        pixel = replace(image, data=np.asarray(image.data[:1, :1]))
        pixel, _, camera = profiled(pixel, None, camera, exact)  # of all of it when the run begins
        image = replace(image, data=image.data, encoding=pixel.encoding)
        obstacle = inference.why_not(image, model)
        if obstacle is None and (exact or camera is not None):
            linear_camera_of(
                image, model, camera, self.options["finer"]
            )  # an HSRError says why not
        return obstacle

    def estimate(self, model: Model) -> Estimate:
        """What the run takes."""
        from napari_hsr import inference
        from napari_hsr.inference import region

        options = {name: value for name, value in self.options.items() if name not in _TRUST}
        area = options.pop("region", None)
        size = region.shape(area, self.image.height, self.image.width)
        takes = inference.estimate(size, model, **options)
        if self.store(takes) is None:
            return takes
        return inference.estimate(size, model, **options, on_disk=True)

    def store(self, takes: Estimate) -> Path | None:
        """Where the result goes; in memory what is exact, or has intervals."""
        if not (self.options.get("exact") or self.options.get("intervals")):
            return self.keeping.place(takes, self.options["device"])
        if self.keeping.choice == DISK:
            raise InputError(
                "Spectra are made exact, and intervals found, in memory: choose “in memory” as the "
                "place of the result, or untick them."
            )
        return None

    def events(self, model: Model, cancel: threading.Event) -> Iterator[Progress | Result]:
        """The events of the run."""
        from napari_hsr import inference

        yield from self.preview(model)
        yield from inference.reconstruct_events(
            self.image, model, **self.options, output=self.output, cancel=cancel
        )

    def preview(self, model: Model) -> Iterator[Progress]:
        """A first picture of a run that takes long."""
        from napari_hsr.inference.preview import preview_events

        area, device = self.options.get("region"), self.options["device"]
        return preview_events(self.image, model, self.seconds, region=area, device=device)


@dataclass(frozen=True)
class StackRequest(ReconstructionRequest):
    """A stack of photographs, of which the frame on show is reconstructed first."""

    stack: PhotographStack
    first: tuple[int, ...]

    def store(self, _takes: Estimate) -> None:
        """Frames are computed when they are looked at, and kept in memory."""

    def events(self, model: Model, cancel: threading.Event) -> Iterator[Progress | Result]:
        """The events of the run on that frame; it ends with all frames."""
        from napari_hsr.inference.stacks.run import stack_events

        how = {"first": self.first, "seconds": self.seconds, **self.options}
        return stack_events(self.stack, model, **how, cancel=cancel)


@dataclass(frozen=True)
class SuperResolutionRequest(Request):
    """A cube to super-resolve, ``scale`` times."""

    image: Cube
    scale: int
    smaller = "a smaller scale or a part of the cube"

    def load(self, loaded: LoadedModels) -> Model | Kind:
        """The model or the interpolation."""
        from napari_hsr.inference import upscalers

        return upscalers.baseline(self.model) or loaded.load(self.model)

    def why_not(self, upscaler: Model | Kind) -> str | None:
        """Why the cube cannot be super-resolved."""
        from napari_hsr import inference

        return inference.why_not_super_resolve(self.image, upscaler, self.scale)

    def estimate(self, upscaler: Model | Kind) -> Estimate:
        """What the run takes."""
        from napari_hsr import inference
        from napari_hsr.inference import region

        options = {name: self.options[name] for name in _ESTIMATED}
        bands, *size = self.image.shape
        shape = bands, *region.shape(self.options.get("region"), *size)
        takes = inference.estimate_super_resolution(shape, upscaler, self.scale, **options)
        if self.store(takes) is None:
            return takes
        return inference.estimate_super_resolution(
            shape, upscaler, self.scale, **options, on_disk=True
        )

    def store(self, takes: Estimate) -> Path | None:
        """Where the result goes; in memory what is refined."""
        if not self.options["refine"]:
            return self.keeping.place(takes, self.options["device"])
        if self.keeping.choice == DISK:
            raise InputError(
                "A result is refined in memory: choose “in memory” as its place, or untick the "
                "back-projection."
            )
        return None

    def events(self, upscaler: Model | Kind, cancel: threading.Event) -> Iterator[Any]:
        """The events of the run."""
        from napari_hsr import inference

        return inference.super_resolve_events(
            self.image, upscaler, self.scale, **self.options, output=self.output, cancel=cancel
        )


def run_events(
    request: Any, loaded: LoadedModels, cancel: threading.Event
) -> Iterator[Progress | Result]:
    """Load the model and run it; torch is imported here, off the main thread."""
    yield Progress(0, 0, "Loading the model")
    model = request.load(loaded)
    try:
        yield from request.events(model, cancel)
    except Exception as error:
        if isinstance(error, HSRError) or not lacks_memory(error):
            raise
        raise InputError(
            f"There is not enough memory on {request.options['device']} for {request.image.name}: "
            f"choose {request.smaller}, or another device."
        ) from error


def check_events(
    request: Any,
    loaded: LoadedModels,
    look: Callable[[threading.Event], str | None],
    cancel: threading.Event,
) -> Iterator[Progress | Verdict]:
    """Find out whether a run would be refused, else what it will take.

    ``look`` says what is wrong with the values of the image: a cube with values that are not
    finite is refused, pixels of a photograph are only told.
    """
    advice = offers = None
    yield Progress(0, 0, "Loading the libraries and the model")
    try:
        model = request.load(loaded)
        offers = request.offers(model)
        obstacle = request.why_not(model)
        if obstacle is None:
            yield Progress(0, 0, "Measuring how long a run will take")
            takes = request.estimate(model)
            advice = look(cancel)
    except HSRError as error:
        obstacle = str(error)
    if obstacle is not None:
        yield Verdict(obstacle, offers=offers)
        return
    memory = _advice(takes, request.options["device"], request.smaller)
    output = request.keeping.store if takes.on_disk else None
    if output is not None:
        where = f"The result is written to {output.name} in {from_home(output.parent)}."
        memory = f"{memory or ''} {where}".strip()
    said = " ".join(filter(None, (advice, memory))) or None
    seconds = math.inf if takes.seconds is None else takes.seconds
    yield Verdict(None, said, takes.words(), offers, output, seconds)


def look_at_values(image: Photograph | Cube, cancel: threading.Event) -> str | None:
    """What must be known of all values of an image before a run."""
    from napari_hsr.inference import inputs

    if isinstance(image, Photograph):
        return inputs.not_finite(image, cancel)
    return inputs.missing(image, cancel)


def failed_verdict(error: BaseException) -> Verdict:
    """A check that broke: the model cannot be used, and the log says why."""
    if isinstance(error, HSRError):  # memory was lacking
        return Verdict(str(error))
    return Verdict(f"The model cannot be used ({type(error).__name__}: {error}).")


def _advice(takes: Estimate, device: str, smaller: str) -> str | None:
    return memory_advice(takes.bytes_output, takes.bytes_working, device, smaller)


def memory_advice(output: int, working: int, device: str, smaller: str) -> str | None:
    """A sentence if a run will hardly fit into the memory that is free, in bytes."""
    from napari_hsr.inference import devices, memory_budget

    on_cpu = devices.resolve(device).type == "cpu"
    needed, free = output + (working if on_cpu else 0), memory_budget.free()
    if needed < MEMORY_SHARE * free:
        return None
    return (
        f"This run takes {format_bytes(needed)} of memory, and {format_bytes(free)} are free: "
        f"consider {smaller}."
    )
