"""Uncertainty in the Compare panel: computed after the figures, and drawn as curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.progress import Progress

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator

    from napari_hsr.cube import Cube
    from napari_hsr.inference.stacks.frame_figures import FrameTable
    from napari_hsr.inference.trust.evidence import Evidence
    from napari_hsr.inference.trust.uncertainty_check import UncertaintyCheck
    from napari_hsr.metrics import Evaluation
    from napari_hsr.metrics.compare import Comparison
    from napari_hsr.widgets.plotting.curves import PlotCurve

_ASKED = "#9a9aa5"


@dataclass(frozen=True, eq=False)
class Drawn:
    """A curve of the plot, and what its axes are; ``beside`` is drawn with it."""

    title: str
    x_label: str
    y_label: str
    x: np.ndarray
    y: np.ndarray
    by_band: bool = False
    beside: tuple[PlotCurve, ...] = ()


def compared(
    compare: Callable[..., Iterable[Progress | Comparison]],
    inside: Callable[[], dict[str, Any]],
    evidence: Evidence | None,
    truth: Cube,
    cancel: threading.Event,
) -> Iterator[Progress | tuple[Comparison, UncertaintyCheck | None]]:
    """A comparison, and after it what was known of the prediction, where it is on the truth's grid.

    Both are of the region alone, where there is a mask.
    """
    from napari_hsr.inference.trust.uncertainty_check import uncertainty_check_events

    comparison: Any = None
    region = inside()
    for event in compare(cancel=cancel, **region):
        if isinstance(event, Progress):
            yield event
        else:
            comparison = event
    held: Any = None
    if evidence is not None and _on_one_grid(evidence.cube, truth):
        for told in uncertainty_check_events(evidence, truth, cancel, region["mask"]):
            if isinstance(told, Progress):
                yield told
            else:
                held = told
    yield comparison, held


def drawn(held: UncertaintyCheck, evaluation: Evaluation) -> dict[str, Drawn]:
    """The curves of a reckoning, by name."""
    from napari_hsr.widgets.plotting.curves import PlotCurve

    found: dict[str, Drawn] = {}
    unit = evaluation.units.get("rmse")
    error = f"mean absolute error ({unit})" if unit else "mean absolute error"
    if held.coverage_bands is not None:
        nm, y = evaluation.wavelengths, 100 * held.coverage_bands
        x = np.arange(1.0, y.size + 1) if nm is None else np.asarray(nm, dtype=float)
        asked = PlotCurve("asked for", x, np.full(y.size, 100 * held.asked), None, _ASKED, "dash")
        x_label = "band" if nm is None else "wavelength (nm)"
        title, y_label = "Coverage of the intervals", "true values inside (%)"
        found["coverage"] = Drawn(title, x_label, y_label, x, y, True, (asked,))
    if held.risk is not None:
        share, risk = held.risk
        title, x_label = "Error of the most certain pixels", "pixels kept, most certain first (%)"
        found["risk"] = Drawn(title, x_label, error, 100 * share, risk)
    if held.by_share is not None:
        share, mean = held.by_share
        title = "Error by measured share"
        found["by_share"] = Drawn(title, "measured share (%)", error, 100 * share, mean)
    return found


def over_frames(table: FrameTable) -> dict[str, Drawn]:
    """Each figure over the frames of a stack, by name."""
    return {
        f"{column.key} over frames": Drawn(
            f"{column.label} over the frames",
            table.axis.label,
            f"{column.label} ({column.unit})" if column.unit else column.label,
            table.positions,
            table.over_frames(column),
        )
        for column in table.columns
    }


def _on_one_grid(cube: Cube, truth: Cube) -> bool:
    return cube.shape == truth.shape and (
        truth.wavelengths is None
        or cube.wavelengths is None
        or cube.wavelengths.matches(truth.wavelengths)
    )
