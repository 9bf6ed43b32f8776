"""What panels that run a model find out before a run, and say after it; nothing here is Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr.notices import Code, has

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A run that takes more than this share of the free memory is announced as such.
MEMORY_SHARE = 0.7


@dataclass(frozen=True)
class Verdict:
    """What was found before a run: what stands in its way, else what the user should know.

    Attributes
    ----------
    obstacle, advice : str or None
        A sentence.
    estimate : str
        What the run will take.
    offers : object or None
        What the model offers to choose from, as the panel takes it; None if it offers nothing,
        or could not be loaded.
    """

    obstacle: str | None = None
    advice: str | None = None
    estimate: str = ""
    offers: Any = None


def failed_verdict(error: BaseException) -> Verdict:
    """A check that broke: the model cannot be used, and the log says why."""
    return Verdict(f"The model cannot be used ({type(error).__name__}: {error}).")


def memory_advice(
    output: int, working: int, device: str, instead: str = "smaller tiles, or a smaller photograph"
) -> str | None:
    """A sentence if a run will hardly fit into the memory that is free, in bytes."""
    from napari_hsr.inference import devices, memory_budget

    on_cpu = devices.resolve(device).type == "cpu"
    needed, free = output + (working if on_cpu else 0), memory_budget.free()
    if needed < MEMORY_SHARE * free:
        return None
    return (
        f"This run will take {needed / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free: "
        f"consider {instead}."
    )


def all_well(notices: Iterable[str]) -> bool:
    """Whether they only say what a run was computed in: nothing to be warned of."""
    return all(has([notice], Code.PRECISION) for notice in notices)


def outcome_text(result: Any) -> str:
    """``1.2 s on cpu, peak memory +85 MB``."""
    return f"{took_text(result)}, peak memory +{result.peak_bytes / 1e6:.0f} MB"


def took_text(result: Any) -> str:
    """``1.2 s on cpu``."""
    seconds = f"{result.seconds:.2g}" if result.seconds < 10 else f"{result.seconds:.0f}"
    return f"{seconds} s on {result.device}"
