"""What NumPy's masked arrays hide is missing, wherever they are handed in."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import Cube, Photograph, evaluate, super_resolve
from napari_hsr.errors import InputError
from napari_hsr.matching import spectral_angle
from napari_hsr.spectra import labels, region
from napari_hsr.spectral_library import SpectralLibrary

HIDDEN = np.ma.masked_equal(np.arange(24, dtype=np.uint16).reshape(2, 3, 4) + 1, 6)


def test_hidden_values_of_a_cube_are_nan_and_the_array_is_left_as_it_was():
    cube = Cube(HIDDEN)
    assert type(cube.data) is np.ndarray
    assert np.array_equal(np.isnan(cube.data), np.ma.getmaskarray(HIDDEN))
    assert cube.value_range == (1, 24)
    assert HIDDEN.dtype == np.uint16
    assert HIDDEN.data[0, 1, 1] == 6
    nothing_hidden = Cube(np.ma.MaskedArray(np.ones((2, 3, 4))))
    assert type(nothing_hidden.data) is np.ndarray


def test_hidden_values_have_no_part_in_figures():
    truth = np.arange(24.0).reshape(2, 3, 4) + 1
    wrong = truth.copy()
    wrong[0, 1, 1] = 1000
    hidden = np.ma.masked_equal(wrong, 1000)
    assert evaluate(hidden, truth).values["rmse"] == 0
    assert evaluate(truth, hidden).excluded["nonfinite"] == 1
    assert np.isnan(
        super_resolve(np.ma.concatenate([hidden] * 3) / 1000, "bicubic-matlab", 2).data[0]
    ).any()


def test_hidden_values_of_spectra_and_photographs():
    spectra = np.ma.masked_equal([[1.0, 2, 99, 3], [3, 1, 2, 2]], 99)
    assert np.isnan(SpectralLibrary(("a", "b"), [1, 2, 3, 4], spectra).values[0, 2])
    known = spectral_angle(spectra[:1, [0, 1, 3]], spectra[1:, [0, 1, 3]])
    assert np.allclose(spectral_angle(spectra[:1], spectra[1:]), known)
    colours = np.ma.masked_less(np.linspace(0, 1, 27).reshape(3, 3, 3), 0.1)
    assert np.isnan(Photograph(colours).data).sum() == 3
    with pytest.raises(InputError, match="hidden by a mask"):
        Photograph(np.ma.masked_equal(np.eye(3, dtype=np.uint8)[..., None].repeat(3, 2), 1))


def test_what_is_hidden_or_nan_lies_in_no_region():
    cube = Cube(np.arange(24.0).reshape(2, 3, 4))
    mask = np.zeros((3, 4))
    mask[0, 0], mask[1, 1], mask[2, 2] = 1, np.nan, 1
    assert region(cube, mask).count == 2
    assert region(cube, np.ma.masked_array(mask, mask=np.eye(3, 4) * [[0], [0], [1]])).count == 1
    assert evaluate(cube, cube.data + 1, mask=mask).excluded["nonfinite"] == 0
    drawn = np.ma.masked_equal(np.eye(3, 4, dtype=int) + np.eye(3, 4, 1, dtype=int) * 2, 2)
    assert [curve.count for curve in labels(cube, drawn)] == [3]
    with pytest.raises(InputError, match="array of numbers"):
        region(cube, np.full((3, 4), "a"))
