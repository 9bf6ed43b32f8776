"""Which precision a run is computed in, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_hsr.errors import InputError
from napari_hsr.inference import ensembles
from napari_hsr.inference.devices import PRECISIONS, why_not_precision

if TYPE_CHECKING:
    import torch

    from napari_hsr.models.model import Model

#: What "auto" may take besides the exact one, where the device computes in it natively.
FAST = "bfloat16"
#: The least PSNR against float32, in dB, at which "auto" takes it.
ENOUGH_DB = 45.0
#: The first generation of CUDA devices with bfloat16 of their own.
_CUDA_SINCE = (8, 0)


class Choice(NamedTuple):
    """What a run is computed in.

    Attributes
    ----------
    precision : str
        ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    notice : str
        What the user should know of it; empty where nothing was to be chosen.
    """

    precision: str
    notice: str


def choose(model: Model, precision: str, device: torch.device, ensemble: str = "single") -> Choice:
    """The precision for a run of ``model`` on ``device``.

    "auto" takes bfloat16 only where its error is in the model's card, with a PSNR of at least
    :data:`ENOUGH_DB` against float32, and the device computes in it natively; else the exact
    precision.

    Parameters
    ----------
    model : Model
    precision : str
        What the user asks for, one of :data:`napari_hsr.inference.devices.PRECISIONS`.
    device : torch.device
    ensemble : str
        One that repeats published numbers is computed in the exact precision.

    Raises
    ------
    InputError
        If the model, or the ensemble, cannot be computed in it.
    """
    reason = why_not_precision(model, precision)
    if reason:
        raise InputError(reason)
    exact = model.precisions[0]
    if ensembles.find(ensemble).exact:
        if precision not in ("auto", exact):
            raise InputError(
                f"{ensemble.capitalize()} repeat published numbers, so they are computed in {exact}: "
                f"choose that precision, or another ensemble for {precision}."
            )
        return Choice(exact, "")
    if precision == exact or model.precisions == (exact,):
        return Choice(exact, "")
    if precision == "auto":
        reason = _why_exact(model, device)
        if reason:
            return Choice(exact, f"Computed in {exact}: {reason}.")
        precision = FAST
    error = model.card.precision_errors.get(precision)
    said = _not_measured(model, "its error") if error is None else error.words()
    return Choice(precision, f"Computed in {precision}: {said}.")


def _why_exact(model: Model, device: torch.device) -> str | None:
    """None if "auto" takes :data:`FAST`, else the reason why it does not."""
    if FAST not in model.precisions:
        return f"{model.name} has no {FAST}"
    if not computes_bfloat16(device):
        return f"this device has no {FAST} of its own"
    error = model.card.precision_errors.get(FAST)
    if error is None:
        return _not_measured(model, f"the error of {FAST}")
    if not error.within(ENOUGH_DB):
        return (
            f"{FAST} was measured at {error.psnr_db:.1f} dB against it, less than {ENOUGH_DB:g} dB"
        )
    return None


def _not_measured(model: Model, what: str) -> str:
    from napari_hsr.models.library import bundled

    said = f"{what} was not measured for this model"
    if model.source in bundled():  # the card of one on board is not the user's to write
        return said
    return f"{said} ('napari-hsr models measure {model.name}' does it)"


def tells_precision(notice: str) -> bool:
    """Whether a notice of a result says no more than what it was computed in (:func:`choose`)."""
    return notice.startswith(tuple(f"Computed in {one}: " for one in PRECISIONS))


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 itself, so that it is faster in it.

    An x86 processor with AMX or AVX-512 for bfloat16, or a CUDA device of generation 8.0 or
    later. Others compute in float32 and round, which takes longer than float32 alone.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= _CUDA_SINCE
    if device.type != "cpu":
        return False
    # Both are private to torch, and older ones lack them; what cannot be told is taken as no.
    known = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in _INSTRUCTIONS)
    return any(ask is not None and ask() for ask in known)


_INSTRUCTIONS = ("amx_tile", "avx512_bf16")
