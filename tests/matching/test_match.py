"""The best entries for a curve, and what the colours of a photograph can tell apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.matching import entries_on, match
from napari_hsr.notices import Code, has
from napari_hsr.provenance import Provenance
from napari_hsr.spectra import Curve, pixel
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.trust.linear_camera import CIE, linear_camera
from napari_hsr.trust.metamers import metamers

NM = np.arange(400.0, 701.0, 10.0)
GREY = np.full(31, 0.4)
SLOPE = np.linspace(0.1, 0.7, 31)
LEAF = 0.1 + 0.4 * np.exp(-(((NM - 550) / 40) ** 2))


def library(*rows, nm=NM, name="things") -> SpectralLibrary:
    return SpectralLibrary(tuple("abcdefgh"[: len(rows)]), nm, np.stack(rows), name=name)


def cube(values, model=None, card=None, nm=NM) -> Cube:
    data = np.asarray(values, np.float32)[:, None, None]
    made = Provenance(model=model)
    return Cube(data, Wavelengths(nm), name="scene", provenance=made, metadata=card or {})


def curve(values=LEAF, nm=NM) -> Curve:
    return Curve("leaf", np.asarray(values, dtype=float), wavelengths_nm=nm)


@pytest.mark.parametrize("by", ["angle", "sid", "correlation"])
def test_the_best_come_first_whatever_their_brightness(by):
    found = match(curve(), library(GREY, 0.3 * LEAF, SLOPE, LEAF + 0.02), by=by, most=2)
    assert [one.name for one in found.best] == ["b", "d"]
    assert [one.number for one in found.best] == [1, 3]
    assert found.best[0].angle == pytest.approx(0, abs=1e-5)
    assert found.best[0].sid == pytest.approx(0, abs=1e-12)
    assert found.best[0].correlation == pytest.approx(1)
    assert (found.entries, found.bands, found.by) == (4, 31, by)
    assert found.indistinguishable is None
    assert found.notices == ()


def test_a_library_is_brought_to_the_bands_of_the_curve():
    nm = np.arange(350.0, 900.0, 1.0)
    fine = library(np.interp(nm, NM, LEAF), np.interp(nm, NM, SLOPE), nm=nm)
    found = match(curve(), fine)
    assert found.best[0].name == "a"
    assert found.best[0].angle < 1
    part = library(LEAF[10:], SLOPE[10:], nm=NM[10:])  # from 500 nm on; ends hold for 10 nm
    assert match(curve(), part).bands == 22
    coarse = entries_on(library(LEAF[::2], nm=NM[::2]), NM, 31).values[0]
    np.testing.assert_allclose(coarse, np.interp(NM, NM[::2], LEAF[::2]))


def test_curves_are_entries_too_and_missing_values_are_no_hindrance():
    holes = LEAF.copy()
    holes[4:9] = np.nan
    others = [curve(SLOPE), replace(curve(LEAF * 0.5), name="pin 2")]
    found = match(curve(holes), others)
    assert (found.best[0].name, found.bands) == ("pin 2", 26)
    with_hole = library(np.where(np.arange(31) == 3, np.nan, LEAF), SLOPE)
    assert match(curve(), with_hole).best[0].name == "a"


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (lambda: match(curve(), library(LEAF), by="likeness"), "not by 'likeness'"),
        (lambda: match(curve(), library(LEAF, nm=NM + 800)), "fewer than 3 bands are shared"),
        (
            lambda: match(curve(nm=None), library(LEAF[:9], nm=NM[:9])),
            "no wavelengths and 31 bands",
        ),
        (lambda: match(curve(np.where(NM > 415, np.nan, 1)), library(LEAF)), "share 2 bands"),
        (lambda: match(curve(np.zeros(31)), library(LEAF)), "one is all zero"),
        (lambda: match(curve(), []), "no spectrum to compare"),
        (lambda: match(curve(), library(LEAF), most=0), "At least one entry"),
    ],
)
def test_what_cannot_be_matched_is_refused(work, sentence):
    with pytest.raises(InputError, match=sentence):
        work()


# --- reconstructed and measured cubes ----------------------------------------------------------


@pytest.fixture(scope="module")
def unseen() -> np.ndarray:
    """A spectrum of the colour of the leaf, and quite another shape."""
    eye = linear_camera("linear-srgb", NM, CIE)
    other = metamers(np.stack([LEAF, SLOPE], axis=1), eye, np.random.default_rng(4))[:, 0]
    assert np.abs(other - LEAF).max() > 0.02
    np.testing.assert_allclose(other @ eye.matrix, LEAF @ eye.matrix, atol=1e-9)
    return other


def test_a_reconstruction_names_what_its_three_numbers_cannot_tell_apart(unseen):
    things = library(SLOPE, unseen, LEAF)
    made = cube(LEAF, model="mstpp")
    found = match(pixel(made, 0, 0), things, cube=made)
    assert found.best[0].name == "c"
    assert found.indistinguishable == ("b",)
    assert {one.name: one.indistinguishable for one in found.best} == {
        "a": False,
        "b": True,
        "c": True,
    }
    assert has(found.notices, Code.MOSTLY_PRIOR)
    assert has(found.notices, Code.INDISTINGUISHABLE)
    # with enough light even metamers of another hue part; with little, all do not
    dim = match(pixel(made, 0, 0), things, cube=made, electrons=1)
    assert set(dim.indistinguishable) == {"a", "b"}


def test_a_measured_cube_says_nothing_of_that(unseen):
    measured = cube(LEAF)
    found = match(pixel(measured, 0, 0), library(SLOPE, unseen, LEAF), cube=measured)
    assert (found.indistinguishable, found.notices) == (None, ())
    finer = measured.provenance.__class__(
        model="coarsr-x2", extra={"super_resolution": {"by": "coarsr-x2"}}
    )
    assert match(curve(), library(LEAF), cube=measured.replace(provenance=finer)).notices == ()


def test_the_camera_decides_what_is_seen(unseen):
    made = cube(LEAF, "rootpoly", {"card": {"input_encoding": "camera:nikon-5100-npl"}})
    found = match(pixel(made, 0, 0), library(unseen, LEAF), cube=made, electrons=1e12)
    assert found.indistinguishable == ()  # a metamer for the eye is none for this camera
    assert found.to_dict()["indistinguishable"] == []
    unknown = cube(LEAF, "rootpoly", {"card": {"input_encoding": "camera:homemade"}})
    assert match(pixel(unknown, 0, 0), library(unseen, LEAF), cube=unknown).indistinguishable


@pytest.mark.parametrize("by", ["angle", "sid", "correlation"])
def test_bands_that_the_cube_marks_as_bad_are_left_out(by):
    """As of classification: what stands in a band of water vapour had decided the match."""
    values, usable = LEAF.copy(), np.ones(31, int)
    values[20:23], usable[20:23] = 7.0, 0
    marked = cube(values, card={"bbl": usable.tolist()})
    found = match(pixel(marked, 0, 0), library(GREY, LEAF), by=by, cube=marked)
    assert (found.best[0].name, found.bands) == ("b", 28)
    assert found.best[0].angle == pytest.approx(0, abs=1e-4)
