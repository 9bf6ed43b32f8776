"""Anchors at pixels and in regions of a cube."""

import numpy as np
import pytest

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.notices import Code
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.trust.anchored import anchored

NM = np.arange(400.0, 701.0, 10.0)


@pytest.fixture
def cube(truth):
    tinted = truth[:, :12] * np.linspace(0.6, 1.5, 31)[:, None]
    return Cube(tinted.reshape(31, 3, 4).astype(np.float32), Wavelengths(NM), name="c")


@pytest.fixture
def library(truth):
    return SpectralLibrary(tuple("abcd"), NM, truth[:, :4].T)


def test_a_mask_counts_as_its_mean_and_a_spectrum_may_have_several_places(cube, library):
    mask = np.zeros((3, 4), bool)
    mask[0, 1] = True
    by_pixels = anchored(cube, library, {"a": (0, 0), "b": (0, 1), "c": (0, 2)}, radius=0)
    pairs = [("a", (0, 0)), ("b", mask), ("c", (0, 2))]
    fit, made = anchored(cube, library, pairs, radius=0)
    np.testing.assert_allclose(made.data, by_pixels[1].data, rtol=1e-5)
    assert fit.helps
    assert made.provenance.extra["anchors"]["places"]["b"] == [0.0, 1.0]
    _, twice = anchored(cube, library, [*pairs, ("b", (0, 1))], radius=0)
    assert {"a", "b (2)", "c", "b (4)"} == set(twice.provenance.extra["anchors"]["places"])


def test_a_mask_of_no_pixel_and_no_place_at_all_are_refused(cube, library):
    with pytest.raises(InputError, match="covers no pixel"):
        anchored(cube, library, [("a", np.zeros((3, 4), bool)), ("b", (0, 1))])
    with pytest.raises(InputError, match="has a place"):
        anchored(cube, library, [])


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ((0, 4), r"anchor b at \(0, 4\) lies outside c, which has 3 x 4 pixels"),
        ((-1, 0), "lies outside"),
        ((0.5, 1), "whole numbers"),
        ((2, 2), "anchor b lies where c has no values"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_an_anchor_outside_or_on_nothing_is_named(cube, library, place, why):
    cube.data[:, 2, 2] = np.nan
    with pytest.raises(InputError, match=why):
        anchored(cube, library, [("a", (0, 0)), ("b", place)], radius=0)


def test_anchors_that_contradict_each_other_are_named(cube, library):
    with pytest.raises(InputError, match="anchors a and c contradict each other"):
        anchored(cube, library, [("a", (0, 0)), ("b", (0, 1)), ("c", (0, 0))], radius=0)


PLACES = {"a": (0, 0), "b": (0, 1), "c": (0, 2)}


@pytest.mark.parametrize(
    ("of_cube", "of_spectra", "why"),
    [
        (
            "reflectance",
            "W m-2 sr-1 nm-1",
            r"are radiance \(W m-2 sr-1 nm-1\).* c holds reflectance",
        ),
        ("reflectance", "uW/(cm^2*sr*nm)", "white reference"),
        ("reflectance", "counts", "library are counts, and c holds reflectance"),
        ("DN", "reflectance", r"c holds counts \(DN\).*Convert the cube"),
        ("reflectance", "W m-2 nm-1", "irradiance"),
        ("reflectance", "absorbance", "absorbance"),
        ("reflectance", "relative (max)", "normalised"),
    ],
)
def test_another_quantity_is_refused_by_its_unit(cube, library, of_cube, of_spectra, why):
    with pytest.raises(InputError, match=why):
        anchored(cube.replace(units=of_cube), library.replace(units=of_spectra), PLACES, radius=0)


@pytest.mark.parametrize(
    ("of_cube", "of_spectra", "factor"),
    [("reflectance", "%", 100.0), ("percent", "reflectance", 0.01), ("reflectance", "albedo", 1.0)],
)
def test_percent_and_fractions_meet_on_the_scale_of_the_cube(
    cube, library, of_cube, of_spectra, factor
):
    plain = anchored(cube, library, PLACES, radius=0)[1]
    full = 100.0 if of_cube == "percent" else 1.0
    scaled = cube.replace(data=cube.data * np.float32(full), units=of_cube)
    spectra = library.replace(values=library.values * full * factor, units=of_spectra)
    made = anchored(scaled, spectra, PLACES, radius=0)[1]
    np.testing.assert_allclose(made.data, full * plain.data, rtol=1e-4)
    told = f"multiplied by {1 / factor:g}" in made.provenance.steps[-1]
    assert told == (factor != 1)


@pytest.mark.parametrize("units", [None, "reflectance"])
def test_spectra_that_may_hold_the_light_are_asked_about(cube, library, units):
    """By values a light in the spectra is the inverse of one in the photograph."""
    lit = library.replace(values=library.values * np.linspace(0.2, 1.6, 31), units=units)
    fit, made = anchored(cube.replace(units="reflectance"), lit, PLACES, radius=0)
    assert fit.helps
    codes = [notice.code for notice in made.notices]
    assert codes == ([Code.UNITS_DIFFER] if units is None else [])


def test_wavelengths_in_micrometres_are_recognised(cube, library):
    with pytest.raises(InputError, match="in µm"):
        anchored(cube, library.replace(wavelengths_nm=NM / 1000), PLACES)


@pytest.mark.parametrize("stands_there", [7.0, np.nan])
def test_bands_marked_as_bad_count_for_nothing_and_stay_as_they_are(cube, library, stands_there):
    usable = np.ones(cube.bands, int)
    usable[[4, 9]] = 0
    without = np.flatnonzero(usable)
    few = cube.replace(data=cube.data[without], wavelengths=Wavelengths(NM[without]))
    plain = anchored(few, library, PLACES, radius=0)[1]
    data = np.array(cube.data)
    data[[4, 9]] = stands_there
    marked = cube.replace(data=data, metadata={"bbl": usable.tolist()})
    fit, made = anchored(marked, library, PLACES, radius=0)
    assert fit.helps
    np.testing.assert_array_equal(made.data[[4, 9]], data[[4, 9]])
    np.testing.assert_allclose(made.data[without], plain.data, rtol=1e-5)
