"""Compare predictions with ground truth: figures and error maps, by named protocols."""

from __future__ import annotations

from napari_hsr.metrics.evaluate import average, evaluate
from napari_hsr.metrics.evaluation import Evaluation
from napari_hsr.metrics.match import match
from napari_hsr.metrics.protocols import BETTER, LABELS, METRICS, PROTOCOLS, Protocol, get_protocol
from napari_hsr.metrics.several import FigureTable, evaluate_several

__all__ = [
    "BETTER",
    "LABELS",
    "METRICS",
    "PROTOCOLS",
    "Evaluation",
    "FigureTable",
    "Protocol",
    "average",
    "evaluate",
    "evaluate_several",
    "get_protocol",
    "match",
]
