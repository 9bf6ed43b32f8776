"""Maps of indices and of band arithmetic."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from napari_hsr.analysis import catalogue, index, offers
from napari_hsr.analysis.indices import names, why_not
from napari_hsr.cube import Cube
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.io.lazy import LazyArray
from napari_hsr.notices import Code, has
from napari_hsr.provenance import Provenance

VISIBLE = np.arange(400.0, 701.0, 10.0)
WIDE = np.arange(400.0, 1001.0, 20.0)


def cube(nm=VISIBLE, shape=(5, 4), **changes):
    data = np.random.default_rng(1).uniform(0.1, 0.9, (len(nm), *shape)).astype(np.float32)
    return Cube(data, nm, name="leaf", **changes)


def mean(one, first, last):
    inside = (one.wavelengths.nm >= first) & (one.wavelengths.nm <= last)
    return one.data[inside].astype(float).mean(axis=0)


def test_an_index_is_its_formula_of_the_means_in_its_bands():
    one = cube(WIDE, units="reflectance")
    red, near = mean(one, 620, 690), mean(one, 760, 900)
    made = index(one, "ndvi")
    np.testing.assert_allclose(made.data[0], (near - red) / (near + red), rtol=1e-6)
    assert (made.shape, made.units, made.wavelengths) == ((1, 5, 4), None, None)
    assert made.name == "leaf · NDVI"
    assert made.provenance.extra["analysis"]["index"] == "NDVI"
    assert [n.code for n in made.notices] == [Code.BANDS_CHOSEN]


def test_ndvi_of_the_visible_is_refused_with_what_it_needs_and_what_there_is():
    with pytest.raises(InputError, match=r"760–900 nm\); leaf has .*400–700 nm"):
        index(cube(), "NDVI")
    offered = {offer.index.name: offer.why_not for offer in offers(cube())}
    assert offered["VARI"] is None
    assert "760–900" in offered["NDVI"]
    assert set(names(cube())) == {name for name, reason in offered.items() if reason is None}


def test_an_index_partly_covered_is_told_as_a_doubt():
    made = index(cube(np.arange(400.0, 861.0, 20.0), units="reflectance"), "NDVI")
    assert [(n.code, n.severity) for n in made.notices] == [(Code.BANDS_CHOSEN, "warning")]


def test_constants_are_the_catalogues_unless_stated():
    one = cube(WIDE, units="reflectance")
    red, near = mean(one, 620, 690), mean(one, 760, 900)
    assumed = index(one, "SAVI")
    assert has(assumed.notices, Code.CONSTANTS_ASSUMED)
    stated = index(one, "SAVI", constants={"L": 0.5})
    assert not has(stated.notices, Code.CONSTANTS_ASSUMED)
    np.testing.assert_allclose(stated.data[0], 1.5 * (near - red) / (near + red + 0.5), rtol=1e-6)
    with pytest.raises(InputError, match="no constant 'x'"):
        index(one, "SAVI", constants={"x": 1})


def test_the_scale_of_values_is_a_doubt_where_it_matters():
    assert has(index(cube(WIDE), "SAVI").notices, Code.SCALE_MATTERS)
    assert not has(index(cube(WIDE), "NDVI").notices, Code.SCALE_MATTERS)
    assert not has(index(cube(WIDE, units="reflectance"), "SAVI").notices, Code.SCALE_MATTERS)
    assert not has(index(cube(WIDE, units="Albedo"), "SAVI").notices, Code.SCALE_MATTERS)


@pytest.mark.parametrize("times", [100, 10_000])
def test_a_unit_of_reflectance_is_not_believed_against_the_values(times):
    one = cube(WIDE, units="reflectance")
    one = one.replace(data=one.data * times)
    (found,) = [n for n in index(one, "SAVI").notices if n.code is Code.SCALE_MATTERS]
    assert (found.severity, f"{one.value_range[1]:.4g}" in found.text) == ("warning", True)
    assert not has(index(one, "NDVI").notices, Code.SCALE_MATTERS)


def test_an_unknown_index_names_similar_ones():
    with pytest.raises(InputError, match="NDVI"):
        index(cube(), "ndvx")


def test_without_the_library_arithmetic_goes_on(monkeypatch):
    catalogue.catalogue.cache_clear()
    monkeypatch.setitem(sys.modules, "spyndex", None)
    with pytest.raises(InputError, match=r"napari-hsr\[indices\]"):
        index(cube(), "VARI")
    assert names(cube()) == []
    assert index(cube(), "b650 - b550").shape == (1, 5, 4)


def test_a_wavelength_is_the_nearest_band_or_between_two():
    one = cube()
    nearest = index(one, "b652")
    np.testing.assert_array_equal(nearest.data[0], one.data[25])
    assert "650 nm" in nearest.notices[0]
    between = index(one, "b652", interpolate=True)
    expected = 0.8 * one.data[25].astype(float) + 0.2 * one.data[26]
    np.testing.assert_allclose(between.data[0], expected, rtol=1e-6)
    assert "650 and 660 nm" in between.notices[0]
    assert index(one, "b650").notices == ()


def test_bad_bands_are_left_out():
    bad = [1] * 31
    bad[25] = 0
    made = index(cube(metadata={"bbl": bad}), "b650")
    assert has(made.notices, Code.BANDS_CHOSEN)
    np.testing.assert_array_equal(made.data[0], cube().data[24])


def test_without_wavelengths_bands_go_by_number():
    one = Cube(cube().data, name="leaf")
    np.testing.assert_array_equal(index(one, "b2").data[0], one.data[1])
    with pytest.raises(InputError, match="b1 to b31"):
        index(one, "b650")
    with pytest.raises(InputError, match="not known"):
        index(one, "VARI")


@pytest.mark.parametrize("what", ["", "b900", "x + b650", "3 * 4", "b650 +"])
def test_what_cannot_be_made_is_refused_before_the_run(what):
    assert why_not(cube(), what)
    with pytest.raises(InputError):
        index(cube(), what)


def test_holes_stay_holes_and_are_counted():
    one = cube()
    one.data[25, 0, 0] = np.nan
    one.data[[15, 25], 1, 1] = 0
    one.data[3, 2, 2] = np.nan  # a band without a part in it
    made = index(one, "(b650 - b550) / (b650 + b550)")
    assert np.argwhere(np.isnan(made.data[0])).tolist() == [[0, 0], [1, 1]]
    assert has(made.notices, Code.NOT_FINITE)


def test_a_reconstruction_says_that_it_shows_the_prior():
    reconstructed = Provenance("photo.png", model="rootpoly-srgb")
    assert has(index(cube(provenance=reconstructed), "VARI").notices, Code.MOSTLY_PRIOR)
    finer = Provenance("x", model="coarsr", extra={"super_resolution": {"by": "coarsr"}})
    assert not has(index(cube(provenance=finer), "VARI").notices, Code.MOSTLY_PRIOR)


class Counted:
    """An array that remembers the bands that were read of it."""

    def __init__(self, values):
        self.values, self.shape, self.read = values, values.shape, []

    def __getitem__(self, key):
        self.read.append(key[0])
        return self.values[key]


def test_a_result_beyond_float32_is_no_value_and_counted():
    made = index(cube(), "exp(b650 * 200)").data[0]
    large = cube().data[25].astype(float) * 200 > np.log(np.finfo(np.float32).max)
    assert 0 < large.sum() < large.size
    np.testing.assert_array_equal(np.isnan(made), large)
    assert not np.isinf(made).any()


def test_a_band_of_endless_digits_is_refused_in_words():
    with pytest.raises(InputError, match=r"^A wavelength in the formula lies outside leaf"):
        index(cube(), "b" + "6" * 400)


def test_a_lazy_cube_is_read_in_the_bands_that_are_needed_alone():
    counted = Counted(cube().data)
    made = index(Cube(LazyArray(counted), VISIBLE), "b650 / b550")
    np.testing.assert_array_equal(made.data, index(cube(), "b650 / b550").data)
    assert set(counted.read) == {15, 25}


def test_it_can_be_cancelled():
    import threading

    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        index(cube(), "b650", cancel=cancel)


def test_place_and_position_on_the_ground_are_kept():
    one = cube(metadata={"map info": "UTM", "fwhm": [10.0] * 31, "default bands": [1, 2, 3]})
    made = index(one, "b650")
    assert made.metadata == {"map info": "UTM", "band names": ["b650"]}


def test_names_that_differ_in_case_alone_are_two_indices():
    """BaI, the bare soil index, had been made as BAI, that of burned areas."""
    one = cube(np.arange(400.0, 1701.0, 20.0), units="reflectance")
    made = index(one, "BaI")
    assert made.name == "leaf · BaI"
    red, near, far = mean(one, 620, 690), mean(one, 760, 900), mean(one, 1550, 1750)
    np.testing.assert_allclose(made.data[0], red + far - near, rtol=1e-5)
    assert index(one, "BAI").name == "leaf · BAI"
    with pytest.raises(InputError, match=r"'bai' may be BAI .* and BaI"):
        index(one, "bai")
    known = catalogue.catalogue()
    assert all(known.find(name).name == name for name in known.indices)
