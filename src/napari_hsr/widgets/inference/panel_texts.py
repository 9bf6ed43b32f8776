"""What the Reconstruct and Super-resolve panels say of an input and of a result; no Qt here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from napari_hsr.io.lazy import LazyArray
from napari_hsr.io.zarr.unfinished_store import unfinished
from napari_hsr.models.card import ILL_POSED
from napari_hsr.notices import Code, as_notices, has
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.resample import Refinement
from napari_hsr.units import device_words, format_bytes, format_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari.layers import Layer

    from napari_hsr.cube import Cube
    from napari_hsr.inference import Result, SuperResolutionResult
    from napari_hsr.progress import Progress


def encoding_note(photograph: Photograph, stated: bool) -> str:
    """What the encoding means for the run, and whether it was stated or assumed."""
    if photograph.encoding is None:
        return (
            "The values are floating-point, and nothing says whether they are sRGB-encoded or "
            "linear: choose the encoding."
        )
    bits = photograph.data.dtype.itemsize * 8
    start = "" if stated else f"Assumed for {bits}-bit photographs; change it if you know better. "
    if photograph.encoding == SRGB:
        return f"{start}The values are decoded to linear light before the model sees them."
    if photograph.encoding.startswith("camera:"):
        return f"{start}Only a model made for this camera can take these values."
    return f"{start}The values are taken as linear light."


def cube_note(cube: Cube) -> str:
    """Size and bands of a cube, and the estimates that it rests on itself."""
    bands, height, width = cube.shape
    known = cube.wavelengths.describe() if cube.wavelengths else f"{bands} bands, no wavelengths"
    said = [f"{height} × {width} pixels, {known}.", *_reconstructed(cube)]
    earlier = cube.provenance.extra.get("super_resolution")
    if earlier:
        said.append(
            f"It was super-resolved ×{earlier['scale']} by {earlier['by']} before: that detail is "
            "an estimate, too."
        )
    return " ".join(said)


def _reconstructed(cube: Cube) -> tuple[str, ...]:
    model = cube.provenance.model
    if model is None:
        return ()
    return (f"Its spectra were reconstructed from a photograph by {model}. {ILL_POSED}",)


def notices_of(result: Result) -> tuple[str, ...]:
    """All that the user must know of a result, that of the coarse cube first."""
    from napari_hsr.inference import SuperResolutionResult

    if not isinstance(result, SuperResolutionResult):
        return as_notices([*result.notices, *result.cube.notices])
    coarse = result.coarse
    own = (
        n.with_text(f"Coarse cube: {n}") if has([n], Code.PRECISION) and n in coarse.notices else n
        for n in result.notices
    )
    return as_notices([*_reconstructed(coarse), *own])


def as_expected(notices: Iterable[str]) -> bool:
    """Whether they only say what holds of any such result: no reason for a warning."""
    return all(has([n], Code.PRECISION, Code.DETAIL_ESTIMATED) for n in notices)


def outcome(result: Result, covered: str = "") -> str:
    """``Done in 1.2 s on the CPU; peak memory +85 MB.``, what hides it, and the residual of a super-resolution."""
    from napari_hsr.inference import SuperResolutionResult

    said = (
        f"Done in {format_seconds(result.seconds)} on {device_words(result.device)}; "
        f"peak memory +{format_bytes(result.peak_bytes)}."
    )
    if isinstance(result.cube.data, LazyArray):
        said += f" The cube is in {result.cube.data.path}."
    said += covered and f" {covered}"
    return f"{said} {_residual(result)}" if isinstance(result, SuperResolutionResult) else said


def cancelled(part: Result | None, store: Path | None) -> str:
    """What is left of a cancelled run: a part in memory, an unfinished store, or nothing."""
    if part is not None:
        return " ".join(n for n in part.notices if has([n], Code.CANCELLED_PART))
    if store is not None and os.path.exists(unfinished(store)):
        return f"Cancelled; {unfinished(store)} keeps what is finished: Run goes on with it."
    return "Cancelled; nothing was added."


def _residual(result: SuperResolutionResult) -> str:
    found, passes = result.agreement, ""
    if isinstance(found, Refinement):
        count = f"{found.passes} pass{'' if found.passes == 1 else 'es'}"
        rms, angle = found.history[-1].rms, found.history[-1].angle
        passes = f", {found.history[0].rms:.3g} before {count} of back-projection"
    else:
        rms, angle = found.rms, found.angle
    unit = f" {result.cube.units}" if result.cube.units else ""
    return (
        f"Residual on the coarse grid: {100 * found.relative:.2g}% of the cube’s values, "
        f"{rms:.3g}{unit} (RMS{passes}), angle {angle:.2g}°, under {found.degradation}. "
        "Its map is in the layer list, hidden."
    )


def tile_of(progress: Progress) -> str:
    """How far a run has come, after its message: ``· 25%, tile 2 of 4``."""
    if not progress.total or progress.done >= progress.total:
        return ""
    tile = f", tile {progress.done + 1} of {progress.total}" if progress.total > 1 else ""
    return f" · {progress.share:.0%}{tile}"


def changed(layer: Layer) -> str:
    """What is said where a layer holds something else at the end of a run."""
    return f"“{layer.name}” was changed during the run: the cube is of what it held before."
