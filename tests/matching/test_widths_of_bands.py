"""A library on the bands of a multispectral camera: as wide as these are stated to be."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr.analysis import unmix
from napari_hsr.cube import Cube
from napari_hsr.errors import InputError
from napari_hsr.io.bands import widths_of
from napari_hsr.matching import classify, entries_on, match
from napari_hsr.notices import Code, has
from napari_hsr.spectra import pixel
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.trust.anchored import anchored

FINE = np.arange(400, 901, 1.0)
#: A camera for drones: far apart, and of unlike widths (full, at half maximum).
CENTRES = np.array([475, 560, 668, 717, 842.0])
WIDTHS = np.array([32, 27, 14, 12, 57.0])


def step(nm):
    return 1 / (1 + np.exp(-nm))


LEAF = (
    0.04 + 0.06 * np.exp(-(((FINE - 555) / 35) ** 2)) + 0.42 * step((FINE - 718) / 11)
)  # red edge
SOIL = 0.08 + 0.22 * (FINE - 400) / 500
DRY = 0.10 + 0.35 * step((FINE - 560) / 70)
LIBRARY = SpectralLibrary(("leaf", "soil", "dry"), FINE, np.stack([LEAF, SOIL, DRY]), "reflectance")


def seen(widths=WIDTHS, centres=CENTRES):
    """What the bands measure of each, by the formula."""
    away = (FINE[None] - centres[:, None]) / widths[:, None]
    weights = np.exp(-4 * np.log(2) * away**2)
    return LIBRARY.values @ (weights / weights.sum(axis=1, keepdims=True)).T


def scene(**metadata):
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], (6, 7))
    shares[0, 0] = [1, 0, 0]
    data = np.einsum("yxe,eb->byx", shares, seen())
    return Cube(data, CENTRES, units="reflectance", metadata=metadata), shares


def test_stated_widths_are_those_of_the_library_s_bands():
    found = LIBRARY.on(CENTRES, WIDTHS)
    np.testing.assert_allclose(found.values, seen(), atol=2e-5)
    assert not found.notices


@pytest.mark.parametrize("own", [5.0, 10.0])
def test_the_library_s_own_width_is_not_counted_twice(own):
    narrow = LIBRARY.replace(values=_blurred(own), metadata={"fwhm": [own] * FINE.size})
    inner = slice(0, 4)  # the last is cut off by the end of the library
    found = narrow.on(CENTRES, WIDTHS).values
    np.testing.assert_allclose(found[:, inner], seen()[:, inner], atol=2e-4)


def _blurred(width):
    away = (FINE[None] - FINE[:, None]) / width
    weights = np.exp(-4 * np.log(2) * away**2)
    return LIBRARY.values @ (weights / weights.sum(axis=1, keepdims=True)).T


def test_bands_that_are_narrower_than_the_library_s_are_interpolated():
    coarse = LIBRARY.on(np.arange(400, 901, 10.0))
    found = coarse.on(CENTRES, np.full(5, 2.0)).values
    expected = [np.interp(CENTRES, coarse.wavelengths_nm, row) for row in coarse.values]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_without_widths_bands_are_no_wider_than_ten_nanometres_and_that_is_told():
    found = LIBRARY.on(CENTRES)
    assert has(found.notices, Code.BAND_WIDTHS_ASSUMED)
    assert abs(found["leaf"][2] - seen()[0, 2]) < 0.002  # 0.05 off by a triangle as wide as gaps
    even = LIBRARY.on(np.arange(400, 701, 10.0))
    assert not even.notices


def test_an_even_grid_of_ten_nanometres_is_averaged_as_it_was():
    """By a triangle to the neighbours, the step of the library times."""
    nm = np.arange(410, 691, 10.0)
    weights = np.clip(1 - np.abs(FINE - nm[:, None]) / 10, 0, None)
    expected = LIBRARY.values @ (weights / weights.sum(axis=1, keepdims=True)).T
    np.testing.assert_allclose(LIBRARY.on(nm).values, expected, rtol=1e-12)


def test_what_is_computed_by_a_library_takes_them():
    cube, shares = scene(fwhm=WIDTHS.tolist())
    found = unmix(cube, LIBRARY)
    np.testing.assert_allclose(np.moveaxis(found.abundances.data, 0, -1), shares, atol=2e-3)
    assert not has(found.notices, Code.BAND_WIDTHS_ASSUMED)
    best = match(pixel(cube, 0, 0), LIBRARY, cube=cube).best[0]
    assert (best.name, best.angle < 0.05) == ("leaf", True)
    assert classify(cube, LIBRARY, threshold=0.5).labels[0, 0] == 1
    bare, _ = scene()
    for made in (
        unmix(bare, LIBRARY),
        match(pixel(bare, 0, 0), LIBRARY, cube=bare),
        classify(bare, LIBRARY),
    ):
        assert has(made.notices, Code.BAND_WIDTHS_ASSUMED)
    assert entries_on(LIBRARY, CENTRES, 5, WIDTHS).chosen([0]).notices == ()


@pytest.mark.parametrize(
    "listed", [None, [10.0] * 4, [10.0, 10, 0, 10, 10], ["a"] * 5, [[1.0]] * 5]
)
def test_widths_count_where_all_are_stated(listed):
    assert widths_of(scene(**({} if listed is None else {"fwhm": listed}))[0]) is None
    assert widths_of(scene(fwhm=WIDTHS.tolist())[0]).tolist() == WIDTHS.tolist()


GAP = (FINE > 600) & (FINE < 700)


def holed():
    values = LIBRARY.values.copy()
    values[:, GAP] = np.nan
    return LIBRARY.replace(values=values)


def test_bands_in_a_gap_of_the_library_have_no_value():
    nm = np.arange(405, 896, 10.0)  # on a grid of their own
    inside = (nm > 600) & (nm < 700)
    found = holed().on(nm)
    assert np.isnan(found.values[:, inside]).all()
    assert np.isfinite(found.values[:, ~inside]).all()
    assert np.isfinite(holed().on(nm, close_gaps=True).values).all()
    assert np.isnan(holed().on(FINE).values[:, GAP]).all()  # on its own grid, too
    single = LIBRARY.values.copy()
    single[:, 100] = np.nan
    assert np.isfinite(LIBRARY.replace(values=single).on(nm).values).all()
    assert np.isfinite(LIBRARY.replace(values=single).on(FINE).values).all()


def test_gaps_have_no_part_in_what_is_computed():
    nm = np.arange(405, 896, 10.0)
    cube = Cube(np.broadcast_to(LIBRARY.on(nm).values[0][:, None, None], (nm.size, 3, 4)), nm)
    best = match(pixel(cube, 0, 0), holed(), cube=cube).best[0]
    assert (best.name, best.angle < 0.2) == ("leaf", True)  # averages at the rims of the gap
    assert (classify(cube, holed(), threshold=0.2).labels == 1).all()
    with pytest.raises(InputError, match="The endmember leaf lacks values"):
        unmix(cube, holed())
    places = {"leaf": (0, 0), "soil": (1, 1)}
    with pytest.raises(InputError, match="leaf lacks values between 605 and 695 nm"):
        anchored(cube, holed(), places)
    marked = cube.replace(metadata={"bbl": [int(not 600 < one < 700) for one in nm]})
    assert len(unmix(marked, holed()).abundances.data) == 3
    two = np.array(marked.data)
    two[:, 1, 1] = LIBRARY.on(nm).values[1]
    anchored(marked.replace(data=two), holed(), places)


@pytest.mark.parametrize("widths", [None, 10.0, 30.0])
def test_bands_beside_a_gap_of_the_library_are_not_shifted_and_those_in_it_have_no_value(widths):
    own = np.concatenate([np.arange(400.0, 651, 2.5), np.arange(850.0, 951, 2.5)])
    library = SpectralLibrary(("slope",), own, own[None] / 1000)
    nm = np.arange(480.0, 881.0, 10.0)
    listed = None if widths is None else np.full(nm.size, widths)
    found = library.on(nm, listed).values[0]
    beside = (nm <= 650) | (nm >= 850)
    np.testing.assert_allclose(found[beside], nm[beside] / 1000, rtol=1e-4)
    assert np.isnan(found[~beside]).all()
    closed = library.on(nm, listed, close_gaps=True).values[0]
    np.testing.assert_allclose(closed, nm / 1000, rtol=1e-4)


def test_uneven_steps_of_a_library_are_no_gaps_that_nothing_is_known_of():
    own = np.delete(np.arange(400.0, 701.0), slice(50, 65))
    library = SpectralLibrary(("slope",), own, own[None] / 1000)
    nm = np.arange(420.0, 681.0, 5.0)
    np.testing.assert_allclose(library.on(nm).values[0], nm / 1000, rtol=1e-6)
