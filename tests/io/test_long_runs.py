"""Texts of one sign many times over, which patterns would go through again and again."""

from __future__ import annotations

import time
from contextlib import suppress

import numpy as np
import pytest

from napari_hsr.errors import HSRError
from napari_hsr.io.envi import esri_header
from napari_hsr.io.envi import header as envi_header
from napari_hsr.io.libraries import text_formats
from napari_hsr.io.libraries.assemble import Choice
from napari_hsr.io.libraries.tables import Table
from napari_hsr.io.tiff import wavelengths as tiff_wavelengths
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.io.wavelengths.wavelength_list import parse

_RUN = 200_000


@pytest.mark.parametrize(
    "door",
    [
        lambda _: parse("400\n" + "9" * _RUN + "x\n"),
        lambda _: wl.from_texts(["4" + " " * _RUN + "1 x y", "5"]),
        lambda _: wl.from_ends(["4" + " " * _RUN + "x"]),
        lambda _: wl.from_band_names(["()" * _RUN, "1" * _RUN + "x"]),
        lambda _: wl.key_of("(" + " " * _RUN + "x"),
        lambda _: esri_header.is_one(b"\n" * _RUN + b"NROWS"),
        lambda path: esri_header.parse(path, "NROWS 1\nNCOLS 1\n" + "WAVELENGTHS\n" * 20_000),
        lambda path: envi_header.parse(path),
        lambda _: tiff_wavelengths._ELEMENTS.search("<" + "wavelength" * 20_000),
        lambda _: tiff_wavelengths._LIST.search("wavelength" + " " * _RUN),
    ],
)
def test_long_runs_of_one_sign_take_no_time_of_their_square(tmp_path, door):
    path = tmp_path / "a.hdr"
    path.write_text("ENVI\nsamples = 1\nlines = 1\nbands = 1\ndata type = 4\nx =" + "\n" * _RUN)
    began = time.process_time()
    with suppress(HSRError):
        door(path)
    assert time.process_time() - began < 2  # each took tens of seconds, or hours


def test_a_heading_shorter_than_its_rows_names_the_others_by_their_number(tmp_path):
    numbers = np.column_stack([np.arange(400.0, 701, 10), np.full((31, 2), 0.5)])
    table = Table([], ["Wvl", "leaf"], numbers)
    found = text_formats._columns(tmp_path / "a.txt", {}, table, Choice())
    assert list(found.names) == ["leaf", "column 3"]
