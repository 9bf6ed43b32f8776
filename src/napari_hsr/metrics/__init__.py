"""How far a prediction is from the truth: figures and maps, by protocols with a name."""

from __future__ import annotations

from napari_hsr.metrics.evaluate import average, evaluate
from napari_hsr.metrics.evaluation import Evaluation
from napari_hsr.metrics.match import match
from napari_hsr.metrics.protocols import BETTER, LABELS, METRICS, PROTOCOLS, Protocol, get_protocol

__all__ = [
    "BETTER",
    "LABELS",
    "METRICS",
    "PROTOCOLS",
    "Evaluation",
    "Protocol",
    "average",
    "evaluate",
    "get_protocol",
    "match",
]
