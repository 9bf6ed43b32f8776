"""Classes by spectral angle, held against the `spectral` package."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from spectral import spectral_angles

from napari_hsr.analysis import unmix
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.io.lazy import LazyArray
from napari_hsr.matching import Classification, classify, classify_events, match
from napari_hsr.notices import Code, has
from napari_hsr.progress import Progress
from napari_hsr.provenance import Provenance
from napari_hsr.spectra import pixel
from napari_hsr.spectral_library import SpectralLibrary

NM = np.arange(400.0, 701.0, 10.0)
RNG = np.random.default_rng(1)
VALUES = RNG.random((31, 40, 30), dtype=np.float32) + 0.05
MEMBERS = RNG.random((6, 31)) + 0.05


def cube(values=VALUES, **more) -> Cube:
    return Cube(values, Wavelengths(NM), "reflectance", "scene", **more)


def library(values=MEMBERS) -> SpectralLibrary:
    return SpectralLibrary(tuple(f"class {n}" for n in range(len(values))), NM, values)


def expected(values=VALUES, members=MEMBERS, threshold=np.inf):
    angles = np.degrees(spectral_angles(np.moveaxis(values, 0, -1).astype(float), members))
    least = angles.min(axis=2)
    return np.where(least <= threshold, angles.argmin(axis=2) + 1, 0), least


@pytest.mark.parametrize("threshold", [None, 30.0])
def test_classes_and_angles_are_those_of_the_spectral_package(threshold):
    found = classify(cube(), library(), threshold=threshold)
    labels, angles = expected(threshold=threshold or np.inf)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_allclose(found.angles, angles, rtol=1e-6)
    rows = found.rows()
    assert [one["label"] for one in rows] == [1, 2, 3, 4, 5, 6, 0]
    assert sum(one["pixels"] for one in rows) == 1200
    assert rows[-1]["name"] == "unclassified"
    assert (rows[-1]["pixels"] > 0) == (threshold is not None)
    assert rows[0]["mean_angle"] == pytest.approx(angles[labels == 1].mean(), rel=1e-6)
    assert (rows[0]["area"], rows[0]["area_unit"]) == (rows[0]["pixels"], "pixels")
    assert found.to_dict()["classes"] == rows


def test_a_lazy_cube_is_read_in_blocks_and_can_be_stopped(monkeypatch):
    from napari_hsr.io import stored_numbers

    monkeypatch.setattr(stored_numbers, "_BLOCK_VALUES", 31 * 30 * 7)
    stored = np.ascontiguousarray(VALUES.transpose(1, 2, 0))
    lazy = cube(LazyArray(stored, axes=(2, 0, 1)))
    cancel = threading.Event()
    events = list(classify_events(lazy, library(), threshold=None, cancel=cancel))
    assert sum(isinstance(event, Progress) for event in events) == 6
    assert (events[-2].done, events[-2].total) == (40, 40)
    np.testing.assert_array_equal(events[-1].labels, expected()[0])
    cancel.set()
    with pytest.raises(Cancelled):
        next(classify_events(lazy, library(), cancel=cancel))


def test_black_and_mostly_missing_pixels_have_no_class_and_others_use_what_they_have():
    values = VALUES.copy()
    values[:, 0, 0] = 0
    values[:20, 0, 1] = np.nan
    values[:5, 0, 2] = np.nan
    found = classify(cube(values), library(), threshold=None)
    assert found.labels[0, :2].tolist() == [0, 0]
    assert np.isnan(found.angles[0, :2]).all()
    known = np.degrees(spectral_angles(values[5:, :1, 2:3].T.astype(float), MEMBERS[:, 5:]))
    assert found.labels[0, 2] == known.argmin() + 1
    assert found.angles[0, 2] == pytest.approx(known.min(), rel=1e-6)
    np.testing.assert_array_equal(found.labels[1:], expected()[0][1:])


def test_bad_bands_have_no_part_and_pixels_can_be_classes():
    good = np.r_[0:10, 14:31]
    values = VALUES.copy()
    values[10:14] = 50
    marked = cube(values, metadata={"bbl": [int(b in good) for b in range(31)]})
    found = classify(marked, library(), threshold=None)
    np.testing.assert_array_equal(found.labels, expected(VALUES[good], MEMBERS[:, good])[0])
    pins = [pixel(cube(), 3, 4, "pin 1"), pixel(cube(), 9, 9, "pin 2")]
    found = classify(cube(), pins)
    assert (found.labels[3, 4], found.labels[9, 9], found.names) == (1, 2, ("pin 1", "pin 2"))


def test_areas_are_in_square_metres_where_the_ground_is_known():
    info = ["UTM", 1, 1, 5e5, 4e6, 2.0, 3.0, 33, "North", "WGS-84", "units=Meters"]
    found = classify(cube(metadata={"map info": info}), library(), threshold=None)
    row = found.rows()[0]
    assert (row["area"], row["area_unit"]) == (6 * row["pixels"], "m²")


@pytest.mark.parametrize(
    ("size", "unit"),
    [
        ((2.0, 3.0), ["units=Feet"]),
        ((2.0, 3.0), ["units=Kilometers"]),
        ((0.0, 3.0), []),
        ((float("nan"), 3.0), []),
    ],
)
def test_areas_are_in_pixels_where_a_pixel_has_no_size_in_metres(size, unit):
    info = ["UTM", 1, 1, 5e5, 4e6, *size, 33, "North", "WGS-84", *unit]
    found = classify(cube(metadata={"map info": info}), library(), threshold=None)
    row = found.rows()[0]
    assert (row["area"], row["area_unit"]) == (row["pixels"], "pixels")


def test_a_reconstruction_is_told_once_and_a_measured_cube_not():
    made = cube(provenance=Provenance(model="mstpp"))
    assert [n.code for n in classify(made, library()).notices] == [Code.MOSTLY_PRIOR]
    assert not has(classify(cube(), library()).notices, Code.MOSTLY_PRIOR)


@pytest.mark.parametrize(
    ("options", "entries", "sentence"),
    [
        ({"threshold": 0}, MEMBERS, "angle above 0"),
        ({}, np.vstack([MEMBERS[:1], np.zeros((1, 31))]), "class 1 is zero in all bands"),
        ({}, np.where(np.arange(31) < 29, np.nan, MEMBERS), "enough values|share 2 bands"),
    ],
)
def test_what_cannot_be_classified_is_refused(options, entries, sentence):
    with pytest.raises(InputError, match=sentence):
        classify(cube(), library(entries), **options)


def test_many_classes_fit_into_their_labels():
    found = classify(cube(VALUES[:, :4, :5]), library(RNG.random((300, 31))), threshold=None)
    assert isinstance(found, Classification)
    assert found.labels.dtype == np.uint16


@pytest.mark.parametrize(
    ("units", "told"), [("absorbance", 1), ("reflectance", 0), ("%", 0), (None, 0)]
)
def test_another_quantity_is_told(units, told):
    field = cube(MEMBERS.T[:, :, None].astype(np.float32))
    library = SpectralLibrary(tuple("abcdef"), NM, MEMBERS, units, "things")
    found = [
        classify(field, library).notices,
        match(pixel(field, 0, 0), library, cube=field).notices,
        unmix(field, library).notices,
    ]
    for notices in found:
        assert sum(notice.code is Code.UNITS_DIFFER for notice in notices) == told
