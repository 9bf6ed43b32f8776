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
from napari_hsr.spectra.sampling import labels, pixel, region
from napari_hsr.spectra.tables import (
    QUANTILES,
    TABLE_SUFFIXES,
    to_text,
    write_csv,
    write_table,
)

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
