"""Which precision a run is computed in, and what the user is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_hsr.errors import InputError
from napari_hsr.inference.devices import why_not_precision
from napari_hsr.inference.ensembles import find
from napari_hsr.inference.estimates.product_speed import bfloat16_gain
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    import torch

    from napari_hsr.models.model import Model

#: The lowest PSNR against float32, in dB, at which "auto" takes a lower precision.
ENOUGH_DB = 45.0
#: How many times as fast as in float32 products are on a processor on which "auto" takes bfloat16:
#: what else a network does gains nothing.
ENOUGH_GAIN = 1.25
#: The first compute capability of CUDA devices that multiply natively in each lower precision; a
#: device that does in both takes the first, which has the range of float32.
_CUDA_SINCE = {"bfloat16": (8, 0), "float16": (7, 0)}


class Choice(NamedTuple):
    """What a run is computed in.

    Attributes
    ----------
    precision : str
        ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    notice : Notice or None
        Why, and at what error; None where there was no choice.
    """

    precision: str
    notice: Notice | None


def choose(model: Model, precision: str, device: torch.device, ensemble: str = "single") -> Choice:
    """The precision for a run of ``model`` on ``device``.

    "auto" takes bfloat16, or float16 on graphics cards without it, only where the model's card states
    a PSNR of at least :data:`ENOUGH_DB` against float32; else the exact precision.

    Parameters
    ----------
    model : Model
    precision : str
        One of :data:`napari_hsr.inference.devices.PRECISIONS`.
    device : torch.device
    ensemble : str
        One that reproduces published figures is computed in the exact precision.

    Raises
    ------
    InputError
        If the model, the ensemble or the device cannot be computed in it.
    """
    reason = why_not_precision(model, precision)
    if reason:
        raise InputError(reason)
    exact = model.precisions[0]
    if find(ensemble).exact:
        if precision not in ("auto", exact):
            raise InputError(
                f"{ensemble.capitalize()} reproduce published figures, so they are computed in "
                f"{exact}: choose that precision, or another ensemble for {precision}."
            )
        return Choice(exact, None)
    if precision == exact or model.precisions == (exact,):
        return Choice(exact, None)
    if precision == "float16" and device.type == "cpu":
        raise InputError(
            "float16 is computed on a GPU only, since few processors compute in it: choose another precision."
        )
    if precision == "auto":
        precision = fastest(device)
        reason = _why_exact(model, precision)
        if reason:
            return Choice(exact, _notice(exact, reason))
    error = model.card.precision_errors.get(precision)
    known = _not_measured(model, "its error") if error is None else error.words()
    return Choice(precision, _notice(precision, known))


def _notice(precision: str, why: str) -> Notice:
    return Notice.info(Code.PRECISION, f"Computed in {precision}: {why}.")


def _why_exact(model: Model, fast: str) -> str | None:
    """None if "auto" takes the precision that is fastest on the device, else the reason why not."""
    if not fast:
        return "bfloat16 would be no faster on this device"
    if fast not in model.precisions:
        return f"{model.name} has no {fast}"
    error = model.card.precision_errors.get(fast)
    if error is None:
        return _not_measured(model, f"the error of {fast}")
    if not error.within(ENOUGH_DB):
        return (
            f"{fast} was measured at {error.psnr_db:.1f} dB against it, less than {ENOUGH_DB:g} dB"
        )
    return None


def _not_measured(model: Model, what: str) -> str:
    from napari_hsr.models.bundled_models import bundled

    found = f"{what} was not measured for this model"
    if model.source in bundled():  # the user cannot write the card of a bundled model
        return found
    return f"{found} ('napari-hsr models measure {model.name}' does it)"


def fastest(device: torch.device) -> str:
    """The lower precision that a device multiplies in natively and faster; empty if there is none.

    On CUDA devices of compute capability 7.x float16, on later ones bfloat16.
    """
    import torch

    if device.type == "cuda":
        capability = tuple(torch.cuda.get_device_capability(device))
        return next((kind for kind, since in _CUDA_SINCE.items() if capability >= since), "")
    return "bfloat16" if computes_bfloat16(device) else ""


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 natively, and is faster in it.

    A CUDA device of compute capability 8.0 or higher, or an x86 processor with AMX or AVX-512 for
    bfloat16, where that was measured to be faster: with the latter alone it may not be. Others
    compute in float32 and round, which takes longer than float32 alone.
    """
    import torch

    if device.type == "cuda":
        return fastest(device) == "bfloat16"
    if device.type != "cpu" or not onednn_has_bfloat16():
        return False
    # Both are private to torch and missing in older versions: without an answer, the answer is no.
    known = {name: getattr(torch.cpu, f"_is_{name}_supported", None) for name in _INSTRUCTIONS}
    there = [name for name, ask in known.items() if ask is not None and ask()]
    return bool(there) and bfloat16_gain(there) >= ENOUGH_GAIN


def onednn_has_bfloat16() -> bool:
    """Whether the library of matrix products takes bfloat16 at all, if only emulated.

    ``ONEDNN_MAX_CPU_ISA`` may forbid it; then torch emulates it, up to a hundred times slower.
    """
    import torch

    ask = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)  # private, as those above
    return ask is None or bool(ask())


_INSTRUCTIONS = ("amx_tile", "avx512_bf16")
