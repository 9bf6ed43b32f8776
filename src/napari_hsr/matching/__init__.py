"""Spectra held against libraries: the best entries for a curve, and a class for every pixel."""

from napari_hsr.matching.classify import THRESHOLD, Classification, classify, classify_events
from napari_hsr.matching.entries import Entries, entries_on
from napari_hsr.matching.match import Match, Matches, match
from napari_hsr.matching.similarity import MEASURES, correlation, divergence, spectral_angle

__all__ = [
    "MEASURES",
    "THRESHOLD",
    "Classification",
    "Entries",
    "Match",
    "Matches",
    "classify",
    "classify_events",
    "correlation",
    "divergence",
    "entries_on",
    "match",
    "spectral_angle",
]
