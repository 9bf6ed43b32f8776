"""``napari-hsr trust`` and ``napari-hsr anchors``."""

import csv

import numpy as np
import pytest

from napari_hsr import read, reconstruct
from napari_hsr.inference import reconstruct_events
from napari_hsr.io import write
from napari_hsr.spectral_library import SpectralLibrary

from .conftest import strict


def test_a_pixel_with_its_ranges_in_words_in_json_and_in_a_table(hsr, photograph, tmp_path):
    source, out = photograph(), tmp_path / "spectra.csv"
    options = ("--model", "rootpoly-srgb", "--camera", "cie-1931")
    status, said, _ = hsr("trust", source, "--at", "2,3", "0,0", *options, "-o", out, "--json")
    told = strict(said)
    assert status == 0
    first = told["pixels"][0]
    cube = reconstruct(source, "rootpoly-srgb")
    np.testing.assert_allclose(first["spectrum"], cube.data[:, 2, 3], rtol=1e-6)
    assert first["position"] == [2, 3]
    lower, upper = (np.array(first["ranges"]["90%"][end]) for end in ("lower", "upper"))
    assert (upper - first["spectrum"]).mean() == pytest.approx(first["interval_half_width_mean"])
    assert (lower >= 0).all()
    assert 0 < first["measured_share"] < 1
    feasible = first["ranges"]["feasible"]
    outside = [
        b
        for b, (low, value, high) in enumerate(
            zip(feasible["lower"], first["spectrum"], feasible["upper"], strict=True)
        )
        if not low - 1e-6 <= value <= high + 1e-6
    ]
    assert first["outside_feasible_bands"] == outside
    table = list(csv.reader(out.read_text().splitlines()))
    assert len(table) == 32
    assert len(table[0]) == 1 + 2 * 5  # two curves with two ranges each
    status, said, _ = hsr("trust", source, "--at", "2,3", *options)
    assert status == 0
    assert said.startswith("(2, 3): ")
    assert "99.9% of the second differences" in said


def test_what_is_not_known_is_said_and_what_is_wrong_is_refused(hsr, photograph):
    source = photograph()
    status, said, warned = hsr("trust", source, "--at", "1,1", "--model", "rootpoly-srgb")
    assert status == 0
    assert "--camera" in warned
    assert "measured" not in said
    status, _, warned = hsr("trust", source, "--at", "60,1", "--model", "rootpoly-srgb")
    assert (status, "lies outside" in warned) == (1, True)
    status, *_ = hsr("trust", source, "--at", "1", "--model", "rootpoly-srgb")
    assert status == 2


def test_the_mean_of_a_region_has_an_interval_of_its_own(hsr, photograph, tmp_path):
    source, out, labels = photograph(), tmp_path / "means.csv", tmp_path / "labels.npy"
    cube = reconstruct(source, "rootpoly-srgb")
    image = np.zeros(cube.shape[1:], np.uint8)
    image[1:3, :4], image[4] = 2, 7
    np.save(labels, image)
    asked = ("trust", source, "--regions", labels, "--model", "rootpoly-srgb")
    status, said, _ = hsr(*asked, "-o", out, "--json")
    assert status == 0
    told = strict(said)
    assert told["pixels"] == []
    assert [(one["name"], one["pixels"]) for one in told["regions"]] == [
        ("label 2", 8),
        ("label 7", cube.shape[2]),
    ]
    *_, result = reconstruct_events(source, "rootpoly-srgb", intervals=True)
    for one, label in zip(told["regions"], (2, 7), strict=True):
        mean = np.asarray(cube.data)[:, image == label].mean(axis=1)
        np.testing.assert_allclose(one["spectrum"], mean, rtol=1e-5)
        upper = np.array(one["ranges"]["90%"]["upper"])
        expected = result.trust.intervals.region(image == label)
        np.testing.assert_allclose(upper - mean, expected, rtol=1e-3)
    assert sum("90" in name for name in next(csv.reader(out.read_text().splitlines()))) == 4
    status, said, _ = hsr(*asked)
    assert said.startswith("label 2, mean of 8 pixels: ± ")
    np.save(labels, image[1:])
    status, _, warned = hsr(*asked)
    assert (status, "labels.npy has" in warned) == (1, True)
    assert hsr("trust", source)[0] == 2


@pytest.fixture
def measured(cube_file, tmp_path):
    """A cube under another light than thought, and spectra measured at four of its pixels."""
    path = cube_file("cube.h5")
    cube = read(path)
    places = {"leaf": (0, 0), "soil": (2, 3), "wall": (5, 4), "sand": (4, 1)}
    gain = np.linspace(0.7, 1.4, 31)
    values = np.stack([np.asarray(cube.data)[:, r, c] * gain for r, c in places.values()])
    library = SpectralLibrary(tuple(places), cube.wavelengths.nm, values, "reflectance")
    return path, write(library, tmp_path / "field.csv"), places, gain


def test_anchors_correct_the_whole_cube(hsr, measured, tmp_path):
    path, spectra, places, gain = measured
    out = tmp_path / "better.h5"
    at = [f"{name}={r},{c}" for name, (r, c) in places.items()]
    status, said, _ = hsr("anchors", path, spectra, "--at", *at, "--radius", 0, "-o", out, "--json")
    told = strict(said)
    assert status == 0
    assert told["helps"]
    before, after = (np.asarray(read(p).data, float) for p in (path, out))
    truth = before * gain[:, None, None]
    assert np.abs(after - truth).mean() < 0.3 * np.abs(before - truth).mean()
    record = read(out).provenance
    assert record.extra["anchors"]["places"]["soil"] == [2, 3]
    assert np.mean(told["after_left_out"]) == pytest.approx(
        record.extra["anchors"]["difference_after_left_out"]
    )
    assert any("measured at 4 places" in step for step in record.steps)


def test_a_spectrum_may_have_two_places(hsr, measured, tmp_path):
    path, spectra, places, _ = measured
    at = [f"{name}={r},{c}" for name, (r, c) in places.items()]
    out = ("--radius", 0, "-o", tmp_path / "better.h5", "--json")
    told = strict(hsr("anchors", path, spectra, "--at", *at, at[0], *out)[1])
    assert told["anchors"] == [*places, "leaf"]
    assert len(told["before"]) == 5


def test_anchors_that_do_not_help_write_nothing(hsr, measured, tmp_path):
    path, _, places, _ = measured
    cube = read(path)
    values = np.stack([np.asarray(cube.data)[:, r, c] for r, c in places.values()])
    same = write(SpectralLibrary(tuple(places), cube.wavelengths.nm, values), tmp_path / "same.csv")
    at = [f"{name}={r},{c}" for name, (r, c) in places.items()]
    out = tmp_path / "not.h5"
    status, said, _ = hsr("anchors", path, same, "--at", *at, "--radius", 0, "-o", out)
    assert status == 1
    assert "refused" in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("at", "why"), [("leaf=9,9", "lies outside"), ("fern=0,0", "no spectrum called 'fern'")]
)
def test_wrong_places_and_names_are_refused(hsr, measured, tmp_path, at, why):
    path, spectra, *_ = measured
    status, _, warned = hsr(
        "anchors", path, spectra, "--at", at, "soil=2,3", "-o", tmp_path / "x.h5"
    )
    assert status == 1
    assert why in warned


def test_intervals_are_held_against_the_truth(hsr, cube_file, tmp_path):
    truth = cube_file("truth.h5")
    data = np.asarray(read(truth).data)
    files = {}
    for name, add in (("lower", -0.05), ("cube", 0.02), ("upper", 0.09)):
        cube = read(truth)
        shifted = data + np.float32(add)
        shifted[:3] += 1  # three bands are far off
        files[name] = write(cube.replace(data=shifted), tmp_path / f"{name}.h5")
    ends = ("--lower", files["lower"], "--upper", files["upper"])
    status, said, _ = hsr("evaluate", files["cube"], truth, *ends, "--json")
    assert status == 0
    found = strict(said)["intervals"]
    assert found["coverage"] == pytest.approx(28 / 31)
    assert found["half_width"] == pytest.approx(0.07, abs=1e-5)
    _, said, _ = hsr("evaluate", files["cube"], truth, *ends, "--camera", "cie-1931", "--json")
    curves = strict(said)
    assert curves["risk_coverage"]["share"][-1] == 1
    error = np.abs(np.asarray(read(files["cube"]).data) - data).mean()
    assert curves["risk_coverage"]["error"][-1] == pytest.approx(error, rel=1e-5)
    assert np.mean(curves["error_by_share"]["error"]) == pytest.approx(error, rel=1e-5)
    assert (np.diff(curves["error_by_share"]["share"]) > 0).all()
    _, said, _ = hsr("evaluate", files["cube"], truth, *ends)
    assert "90.3% of the truth lies in the intervals" in said
    status, _, warned = hsr("evaluate", files["cube"], truth, "--lower", files["lower"])
    assert (status, "go together" in warned) == (2, True)


def test_a_table_is_replaced_as_any_result_is(hsr, photograph, tmp_path):
    out = tmp_path / "spectra.csv"
    given = ("trust", photograph(), "--at", "2,3", "--model", "rootpoly-srgb", "-o", out)
    hsr(*given)
    assert "--overwrite allows it" in hsr(*given)[2]
    status, _, err = hsr(*given, "--overwrite")
    assert status == 0
    assert "exists already" not in err
