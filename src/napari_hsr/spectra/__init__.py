"""Spectra: taken from cubes, processed, compared and written."""

from napari_hsr.spectra.curve import Curve
from napari_hsr.spectra.processing import (
    NORMALISATIONS,
    PROCESSINGS,
    Processing,
    derivative,
    difference,
    normalise,
    ratio,
    remove_continuum,
    smooth,
)
from napari_hsr.spectra.region_table import QUANTILES, TABLE_SUFFIXES, write_table
from napari_hsr.spectra.sampling import labels, pixel, region
from napari_hsr.spectra.side_by_side import to_text, write_csv

__all__ = [
    "NORMALISATIONS",
    "PROCESSINGS",
    "QUANTILES",
    "TABLE_SUFFIXES",
    "Curve",
    "Processing",
    "derivative",
    "difference",
    "labels",
    "normalise",
    "pixel",
    "ratio",
    "region",
    "remove_continuum",
    "smooth",
    "to_text",
    "write_csv",
    "write_table",
]
