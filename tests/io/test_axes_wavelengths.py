"""Which axis holds the bands, and what becomes of the wavelengths of a file."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr.io.band_axis import band_axis, band_axis_of_pages
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code


@pytest.mark.parametrize(
    ("shape", "count", "convention", "axis", "told"),
    [
        # the wavelengths decide
        ((40, 50, 60), 40, 0, 0, False),
        ((40, 50, 60), 60, 0, 2, True),
        ((40, 50, 31), 50, 2, 1, True),
        ((40, 40, 60), 40, 0, 0, True),
        ((60, 40, 40), 40, 0, 2, True),
        # then the one axis of 31
        ((31, 512, 512), None, 0, 0, False),
        ((512, 512, 31), None, 0, 2, True),
        ((512, 512, 31), None, 2, 2, False),
        ((512, 31, 512), 7, 2, 1, True),
        ((31, 9, 5), None, 0, 0, False),
        # then the one that is by far the shortest, always said
        ((200, 300, 60), None, 0, 2, True),
        ((60, 200, 300), None, 0, 0, True),
        # then the one beside two equal ones
        ((31, 31, 5), None, 2, 2, True),
        ((145, 145, 200), None, 0, 2, True),
        ((64, 64, 128), None, 0, 2, True),
        ((200, 64, 20), None, 0, 2, True),
        # unless the picture would be too small to tell, then the convention
        ((31, 31, 5), None, 0, 2, True),
        ((200, 63, 20), None, 0, 0, True),
        ((16, 62, 8), None, 1, 1, True),
        ((200, 300, 90), None, 0, 0, True),
        ((200, 300, 90), None, 2, 2, True),
        ((31, 31, 31), None, 2, 2, True),
        ((31, 31, 31), 31, 2, 2, True),
    ],
)
def test_band_axis(shape, count, convention, axis, told):
    found, notice = band_axis(shape, count, convention)
    assert found == axis
    assert (notice is not None) == told
    if told:
        assert ("first", "second", "third")[axis] in notice


@pytest.mark.parametrize(
    ("shape", "count", "axis", "told"),
    [
        ((16, 31, 64), None, 0, True),
        ((40, 8, 30), None, 0, True),
        ((51, 60, 204), None, 0, True),
        ((200, 300, 60), None, 2, True),
        ((145, 145, 200), None, 2, True),
        ((200, 145, 145), None, 0, False),
        ((31, 31, 64), None, 0, False),
        ((200, 60, 300), None, 0, True),
        ((60, 200, 300), None, 0, False),
        ((16, 24, 31), None, 2, True),
        ((31, 24, 31), None, 0, False),
        ((200, 300, 60), 200, 0, False),
        ((40, 30, 60), 60, 2, True),
        ((60, 30, 60), 60, 0, False),
        ((40, 60, 50), 60, 0, False),
        ((200, 300, 31), 7, 0, False),
    ],
)
def test_band_axis_of_pages(shape, count, axis, told):
    found, notice = band_axis_of_pages(shape, count)
    assert found == axis
    assert (notice is not None) == told
    assert not notice or ("first", "second", "third")[axis] in notice


def test_31_bands_without_wavelengths_are_assumed_aloud():
    found = wl.resolve(None, 31)
    assert list(found.wavelengths) == list(range(400, 701, 10))
    assert found.wavelengths.assumed
    (notice,) = found.notices
    assert "assumption" in notice
    assert "Set wavelengths…" in notice


@pytest.mark.parametrize("bands", [1, 3, 30, 32, 200])
def test_other_counts_go_by_index(bands):
    found = wl.resolve(None, bands)
    assert found.wavelengths is None
    (notice,) = found.notices
    assert "by index" in notice
    assert "Set wavelengths…" in notice


def test_ascending_values_pass_unchanged():
    nm = [400.1234567890123, 500, 600]
    found = wl.resolve(nm, 3, "nm")
    assert list(found.wavelengths) == nm
    assert found.notices == ()
    assert found.order is None


def test_descending_values_turn_the_bands():
    found = wl.resolve([600, 500, 400], 3, "nm")
    assert list(found.wavelengths) == [400, 500, 600]
    assert found.order == (2, 1, 0)
    assert "descend" in found.notices[0]


@pytest.mark.parametrize(
    ("values", "nm", "order"),
    [
        ([400, 600, 500], [400, 500, 600], (0, 2, 1)),
        ([400, 400, 500], [400, 400.001, 500], (0, 1, 2)),
        ([500, 400, 400], [400, 400.001, 500], (1, 2, 0)),
    ],
)
def test_bands_are_sorted_and_equal_ones_stay_apart(values, nm, order):
    found = wl.resolve(values, 3, "nm")
    assert list(found.wavelengths) == pytest.approx(nm, abs=1e-9)
    assert found.order == order
    told = {Code.WAVELENGTHS_REORDERED} if order != (0, 1, 2) else set()
    told |= {Code.WAVELENGTHS_REPEATED} if len(set(values)) < 3 else set()
    assert {notice.code for notice in found.notices} == told


@pytest.mark.parametrize(
    ("values", "bands", "word"),
    [
        ([400, 400, 400], 3, "the same"),
        ([400, 500], 3, "2 values for 3 bands"),
        ([400], 3, "1 value for 3 bands"),
        ([400, np.nan, 500], 3, "finite"),
        ([-1, 400, 500], 3, "positive"),
        (["a", "b", "c"], 3, "not numbers"),
    ],
)
def test_values_that_cannot_be_used(values, bands, word):
    found = wl.resolve(values, bands, "nm")
    assert found.wavelengths is None
    assert found.order is None
    (notice,) = found.notices
    assert any(w in notice for w in word.split("|"))
    assert "Set wavelengths…" in notice
    assert len(found.metadata["wavelengths_in_file"]) == len(values)


def test_31_duplicated_values_are_not_replaced_by_the_assumption():
    assert wl.resolve([500.0] * 31, 31, "nm").wavelengths is None


@pytest.mark.parametrize("unit", [None, "", "unknown"])
def test_numbers_of_no_size_that_light_has_are_not_taken_for_nm(unit):
    found = wl.resolve([40.0, 55.0, 70.0], 3, unit, unit_is_custom=True)
    assert found.wavelengths is None
    assert found.metadata["wavelengths_in_file"] == [40, 55, 70]
    (notice,) = found.notices
    assert notice.code is Code.WAVELENGTHS_UNUSABLE
    assert "no unit, and none was taken from their size (40–70)" in notice
    assert "Set wavelengths" in notice
    assert list(wl.resolve([40.0, 55.0, 70.0], 3, "nm").wavelengths) == [40, 55, 70]
    assert list(wl.resolve([40.0, 55.0, 120.0], 3, unit).wavelengths) == [40, 55, 120]


@pytest.mark.parametrize(
    ("values", "unit", "nm"),
    [
        ([0.4, 0.55, 2.5], "Micrometers", [400, 550, 2500]),
        ([0.4, 0.55, 2.5], "[ µm ]", [400, 550, 2500]),
        ([0.4, 0.55, 2.5], None, [400, 550, 2500]),
        ([4000, 5500, 7000], None, [400, 550, 700]),
        ([4000, 5500, 7000], "nm", [4000, 5500, 7000]),
        ([400, 1000, 2500], "", [400, 1000, 2500]),
        ([25000, 20000, 10000], "Wavenumber", [400, 500, 1000]),
    ],
)
def test_units(values, unit, nm):
    found, _, notices = wl.to_nm(np.array(values, float), unit)
    np.testing.assert_array_equal(found, nm)
    assert bool(notices) == (not unit)


@pytest.mark.parametrize(
    ("texts", "values", "unit"),
    [
        (["400", "410.5"], [400, 410.5], None),
        (["400 nm", " 410nm "], [400, 410], "nm"),
        (["0.4 µm", "4.1e-1"], [0.4, 0.41], "µm"),
        (["25000 cm-1"], [25000], "cm-1"),
        (["[400 410, 420; 430] "], [400, 410, 420, 430], None),
        (["400, 410 nm"], [400, 410], "nm"),
    ],
)
def test_texts(texts, values, unit):
    numbers, said = wl.from_texts(texts)
    assert numbers.tolist() == values
    assert said == unit


@pytest.mark.parametrize("texts", [["blue", "red"], ["400 nm", "0.5 µm"], [""], [], [4.0, "5"]])
def test_texts_that_are_unclear(texts):
    assert wl.from_texts(texts) is None


def test_a_unit_in_the_texts():
    assert list(wl.resolve(["0.4 µm", "0.5 µm"], 2).wavelengths) == [400, 500]


def test_a_unit_that_is_none():
    found = wl.resolve([1.0, 2.0], 2, "furlongs")
    assert found.wavelengths is None
    assert "furlongs" in found.notices[0]


def test_without_a_place_for_the_unit_nm_needs_no_notice():
    assert wl.resolve([400, 500], 2, None, unit_is_custom=True).notices == ()
    assert "µm" in wl.resolve([0.4, 0.5], 2, None, unit_is_custom=True).notices[0]


@pytest.mark.parametrize("numbers", [[1e308, 1.1e308], [5e-324, 1e-320], [1e10, 2e10]])
def test_what_is_no_light_is_no_wavelength(numbers):
    """Differences and squares of such numbers ended commands in faults."""
    found = wl.resolve(numbers, 2, "nm")
    assert found.wavelengths is None
    assert "no light" in found.notices[0]
    assert found.metadata["wavelengths_in_file"] == numbers
