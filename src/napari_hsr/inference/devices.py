"""What a model can run on, and in which precision. torch is imported on first use."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from napari_hsr.models.model import Model

#: The choices of a user; :func:`napari_hsr.inference.precision.choose` decides what ``auto`` takes.
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


class Device(NamedTuple):
    """An entry of a list of devices: ``id`` is for :func:`resolve`, ``label`` for the screen."""

    id: str
    label: str


def list_devices() -> list[Device]:
    """``auto``, each CUDA device by name, ``mps`` if there is one, and ``cpu``."""
    import torch

    devices = [
        Device(f"cuda:{i}", f"{torch.cuda.get_device_name(i)} (cuda:{i})")
        for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    ]
    if torch.backends.mps.is_available():
        devices.append(Device("mps", "Apple GPU (mps)"))
    devices.append(Device("cpu", "CPU (cpu)"))
    return [Device("auto", f"automatic: {devices[0].id}"), *devices]


def resolve(device: str) -> torch.device:
    """The torch device of an id; ``auto`` is the first real one of :func:`list_devices`.

    Raises
    ------
    InputError
        If this computer has no such device.
    """
    import torch

    ids = [d.id for d in list_devices()][1:]
    wanted = ids[0] if device == "auto" else "cuda:0" if device == "cuda" else str(device)
    if wanted not in ids:
        raise InputError(
            f"There is no device {device!r} on this computer; there are: auto, {', '.join(ids)}."
        )
    return torch.device(wanted)


def why_not_precision(model: Model, precision: str) -> str | None:
    """None if the model can be computed in ``precision``, else the reason."""
    if precision not in PRECISIONS:
        return f"There is no precision {precision!r}; there are: {', '.join(PRECISIONS)}."
    if precision == "auto" or precision in model.precisions:
        return None
    offered = ", ".join(model.precisions)
    return (
        f"{model.name} is computed in {offered} only: "
        f"{precision} would add error to its spectra and save no time."
    )


@contextmanager
def full_float32(device: torch.device) -> Iterator[None]:
    """float32 convolutions multiply in float32, which torch's on graphics cards do not by default.

    They take TensorFloat-32, with ten bits of each factor.
    """
    import torch

    if device.type != "cuda":
        yield
        return
    convolutions: Any = torch.backends.cudnn
    name: str = "allow_tf32"
    full: bool | str = False
    if hasattr(getattr(convolutions, "conv", None), "fp32_precision"):  # torch 2.9 and later
        convolutions, name, full = convolutions.conv, "fp32_precision", "ieee"
    before = getattr(convolutions, name)
    setattr(convolutions, name, full)
    try:
        yield
    finally:
        setattr(convolutions, name, before)
