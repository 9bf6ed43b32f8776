"""Processed curves against plain formulas and SciPy, and tables read back."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from napari_hsr import spectra
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import FileError, InputError
from napari_hsr.spectra import Curve, Processing, sampling

NM = np.arange(400.0, 701.0, 10.0)
UNEVEN = np.cumsum(np.concatenate([[400.0], np.tile([7.0, 12.0, 9.0], 10)]))


def curve(values=None, nm=NM, units="reflectance", name="leaf", **more) -> Curve:
    if values is None:
        values = 0.2 + 0.1 * np.sin(NM / 50)
    return Curve(name, np.asarray(values, dtype=float), wavelengths_nm=nm, units=units, **more)


# --- normalising -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "divisor"),
    [
        ("max", lambda v: v.max()),
        ("area", lambda v: ((v[1:] + v[:-1]) / 2 * 10).sum()),
        ("vector", lambda v: np.linalg.norm(v)),
    ],
)
def test_a_curve_is_divided_by_one_number_with_all_that_belongs_to_it(by, divisor):
    own = curve(std=np.full(31, 0.1), count=5, quantiles={0.5: np.full(31, 0.2)})
    own = replace(own, ranges={"90%": (own.mean - 0.1, own.mean + 0.1)})
    made = spectra.normalise(own, by)
    expected = divisor(own.mean)
    np.testing.assert_allclose(made.mean, own.mean / expected, rtol=1e-13)
    np.testing.assert_allclose(made.std, 0.1 / expected, rtol=1e-13)
    np.testing.assert_allclose(made.quantiles[0.5], 0.2 / expected, rtol=1e-13)
    np.testing.assert_allclose(made.ranges["90%"][1], (own.mean + 0.1) / expected, rtol=1e-13)
    assert (made.units, made.count, made.name) == (f"relative ({by})", 5, "leaf")


def test_normalised_at_a_wavelength_between_bands():
    made = spectra.normalise(curve(NM / 1000), "wavelength", nm=555.0)
    np.testing.assert_allclose(made.mean, NM / 555, rtol=1e-13)
    assert made.units == "relative (555 nm)"


def test_normalised_by_a_white_reference():
    white = curve(np.linspace(0.5, 1, 31), name="white")
    made = spectra.normalise(curve(), "white", white=white)
    np.testing.assert_allclose(made.mean, curve().mean / white.mean, rtol=1e-13)
    assert made.units == "relative (white)"


def test_missing_values_are_left_out_and_stay_missing():
    values = curve().mean.copy()
    values[3] = np.nan
    for by in ("max", "area", "vector"):
        made = spectra.normalise(curve(values), by)
        assert np.flatnonzero(~np.isfinite(made.mean)).tolist() == [3]
    line = np.where(np.arange(31) == 10, np.nan, NM)
    assert spectra.normalise(curve(line), "wavelength", nm=500).mean[20] == pytest.approx(600 / 500)


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (lambda: spectra.normalise(curve(NM - 500), "wavelength", nm=500), "zero at 500 nm"),
        (lambda: spectra.normalise(curve(np.zeros(31))), "zero in all bands"),
        (lambda: spectra.normalise(curve(np.full(31, np.nan))), "no value in any band"),
        (lambda: spectra.normalise(curve(), "wavelength", nm=800), "not to 800"),
        (lambda: spectra.normalise(curve(), "wavelength"), "wavelength in nm is needed"),
        (lambda: spectra.normalise(curve(), "white"), "white reference is needed"),
        (lambda: spectra.normalise(curve(), "mean"), "not by 'mean'"),
        (lambda: Processing("ratio")(curve()), "Another curve is needed"),
        (lambda: Processing("sharper")(curve()), "not by 'sharper'"),
        (lambda: spectra.smooth(curve(), 33), "longer than the spectrum: leaf has 31 values"),
        (lambda: spectra.smooth(curve(), 4), "odd number"),
        (lambda: spectra.derivative(curve(), 3, degree=2), "at least 3"),
        (lambda: spectra.derivative(curve(), 1, 5, 5), "below the window"),
        (lambda: spectra.remove_continuum(curve(-NM)), "no continuum"),
        (lambda: spectra.ratio(curve(), curve(np.zeros(31), name="dark")), "dark is zero"),
        (lambda: spectra.ratio(curve(), curve(nm=NM + 5)), "different wavelengths"),
        (lambda: spectra.difference(curve(), curve(nm=None)), "different wavelengths"),
        (lambda: spectra.difference(curve(), curve(units="radiance")), "means nothing"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(work, sentence):
    with pytest.raises(InputError, match=sentence):
        work()


# --- windows -----------------------------------------------------------------------------------


def test_derivatives_and_smoothing_are_those_of_savitzky_and_golay():
    from scipy.signal import savgol_filter

    values = np.random.default_rng(0).random(31)
    made = spectra.derivative(curve(values, std=values), 1, 7, 2)
    np.testing.assert_allclose(
        made.mean, savgol_filter(values, 7, 2, deriv=1, delta=10), rtol=1e-12
    )
    assert (made.units, made.std) == ("reflectance / nm", None)
    np.testing.assert_allclose(
        spectra.smooth(curve(values), 5, 3).mean, savgol_filter(values, 5, 3), rtol=1e-12
    )


@pytest.mark.parametrize("nm", [NM, UNEVEN], ids=["even", "uneven"])
def test_polynomials_have_their_exact_derivatives_on_any_grid(nm):
    x = (nm - 550) / 100
    own = curve(1 + 2 * x + 3 * x**2, nm)
    np.testing.assert_allclose(
        spectra.derivative(own, 1, 7, 2).mean, (2 + 6 * x) / 100, rtol=1e-9, atol=1e-12
    )
    second = spectra.derivative(own, 2, 7, 2)
    np.testing.assert_allclose(second.mean, 6 / 100**2, rtol=1e-8)
    assert second.units == "reflectance / nm²"
    np.testing.assert_allclose(spectra.smooth(own, 7, 2).mean, own.mean, rtol=1e-9)


def test_missing_values_split_a_curve():
    values = NM / 1000
    values[9] = np.nan  # nine values before, twenty-one after
    values[14] = np.nan  # four between
    made = spectra.derivative(curve(values), 1, 5, 1).mean
    assert np.flatnonzero(~np.isfinite(made)).tolist() == [9, 10, 11, 12, 13, 14]
    np.testing.assert_allclose(made[np.isfinite(made)], 1e-3, rtol=1e-9)


def test_without_wavelengths_a_derivative_is_by_band():
    made = spectra.derivative(curve(np.arange(31.0), None), 1, 3, 1)
    np.testing.assert_allclose(made.mean, 1)
    assert made.units == "reflectance / band"


def test_a_continuum_is_the_upper_convex_hull():
    values = np.full(31, 0.5)
    values[10:21] -= 0.2 * (1 - np.abs(np.arange(-5, 6)) / 5)  # a feature 0.2 deep
    values += 0.001 * np.arange(31)
    made = spectra.remove_continuum(curve(values)).mean
    line = 0.5 + 0.001 * np.arange(31)
    np.testing.assert_allclose(made, values / line, rtol=1e-12)
    assert made.max() == pytest.approx(1)
    values[0] = np.nan
    assert np.isnan(spectra.remove_continuum(curve(values)).mean[0])


def test_difference_and_ratio_carry_deviations():
    one = curve(np.full(31, 0.6), std=np.full(31, 0.03))
    two = curve(np.full(31, 0.3), std=np.full(31, 0.04), name="soil")
    made = spectra.difference(one, two)
    np.testing.assert_allclose(made.mean, 0.3)
    np.testing.assert_allclose(made.std, 0.05)
    made = spectra.ratio(one, two)
    np.testing.assert_allclose(made.mean, 2)
    np.testing.assert_allclose(made.std, np.hypot(0.03 / 0.3, 2 * 0.04 / 0.3))
    assert made.units == "relative"
    assert spectra.ratio(one, curve(units="counts")).units == "reflectance / (counts)"
    zero = two.mean.copy()
    zero[4] = 0
    assert np.isnan(spectra.ratio(one, curve(zero)).mean[4])


def test_every_processing_has_a_name_and_works():
    other = curve(np.full(31, 0.5), name="white")
    for name in spectra.PROCESSINGS:
        made = Processing(name, nm=550, other=other)(curve())
        assert len(made) == 31
        assert np.isfinite(made.mean).all()
        assert (made is curve) == (made.mean is curve)


# --- tables ------------------------------------------------------------------------------------


@pytest.fixture
def cube() -> Cube:
    values = np.random.default_rng(5).random((4, 12, 15), dtype=np.float32)
    values[1, 2, 3] = np.nan
    info = ["UTM", 1.0, 1.0, 500000.0, 4000000.0, 2.0, 2.0, 33, "North", "WGS-84", "units=Meters"]
    return Cube(
        values, Wavelengths([400.0, 450.0, 500.0, 600.0]), "reflectance", "field",
        metadata={"map info": info},
    )  # fmt: skip


def test_quantiles_of_many_labels_are_those_of_each_alone():
    rng = np.random.default_rng(4)
    values = rng.random((2, 20, 30))
    values[:, rng.random((20, 30)) < 0.2] = np.nan
    values[0, 3, 3] = np.inf
    image = rng.integers(0, 150, (20, 30))
    values[1, image == 7] = np.nan
    cube = Cube(values)
    found = spectra.labels(cube, image, quantiles=(0, 0.1, 0.5, 0.9, 1))
    assert len(found) > 100
    data = np.where(np.isfinite(cube.data), cube.data, np.nan).astype(float)
    for one in found:
        inside = data[:, image == int(one.name.split()[1])]
        for share, values in one.quantiles.items():
            for band, value in enumerate(values):
                known = inside[band][~np.isnan(inside[band])]
                expected = np.quantile(known, share) if known.size else np.nan
                np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_an_image_of_values_is_no_label_image(monkeypatch):
    monkeypatch.setattr(sampling, "MOST_LABELS", 20)
    with pytest.raises(InputError, match="holds 24 labels, and at most 20"):
        spectra.labels(Cube(np.ones((2, 5, 5))), np.arange(25).reshape(5, 5))


def test_quantiles_of_regions_are_those_of_their_finite_values(cube):
    image = np.zeros((12, 15), int)
    image[1:5, 2:6], image[7, 7:9] = 3, 8
    both = spectra.labels(cube, image, quantiles=(0.25, 0.5))
    alone = spectra.region(cube, image == 3, quantiles=(0.25, 0.5))
    expected = np.nanquantile(cube.data[:, image == 3].astype(float), (0.25, 0.5), axis=1)
    for found in (both[0], alone):
        np.testing.assert_allclose([found.quantiles[0.25], found.quantiles[0.5]], expected)
    np.testing.assert_allclose(both[1].quantiles[0.5], cube.data[:, 7, 7:9].astype(float).mean(1))
    assert spectra.region(cube, image == 3).quantiles == {}
    with pytest.raises(InputError, match=r"shares in 0\.\.1, not 50"):
        spectra.region(cube, image == 3, quantiles=(50,))


def test_coordinates_are_those_of_the_pixel_on_the_ground(cube):
    assert spectra.pixel(cube, 0, 0).coordinates == (500001.0, 3999999.0)
    assert spectra.pixel(cube, 3, 14).coordinates == (500029.0, 3999993.0)
    point = {"pixel_scale": [10.0, 10.0, 0], "tiepoints": [0, 0, 0, 7.0, 9.0, 0],
             "keys": [1, 1, 0, 2, 1024, 0, 1, 2, 1025, 0, 1, 2]}  # fmt: skip
    centred = cube.replace(metadata={"geotiff": point})
    assert spectra.pixel(centred, 1, 2).coordinates == (27.0, -1.0)
    assert spectra.pixel(cube.replace(metadata={}), 0, 0).coordinates is None


def test_tables_hold_all_that_is_known(cube, tmp_path):
    mask = np.zeros((12, 15), bool)
    mask[1:5, 2:6] = True
    curves = [
        spectra.pixel(cube, 2, 3, "pin 1"),
        spectra.region(cube, mask, "field", quantiles=spectra.QUANTILES),
        Curve("by index", np.arange(5.0)),
    ]
    text = spectra.write_table(curves, tmp_path / "t.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 4 + 4 + 5
    first, missing, field = rows[0], rows[1], rows[5]
    assert (first["row"], first["column"], first["x"]) == ("2", "3", "500007")
    assert [rows[at]["xy_unit"] for at in (0, 4, 8)] == ["m", "m", ""]
    assert (missing["mean"], missing["wavelength_nm"]) == ("", "450")
    assert (field["n"], field["units"]) == ("16", "reflectance")
    assert float(field["q05"]) == pytest.approx(curves[1].quantiles[0.05][1], rel=1e-8)

    found = json.loads(spectra.write_table(curves, tmp_path / "t.json").read_text())["spectra"]
    assert found[0]["mean"][1] is None
    assert found[1]["quantiles"]["q50"] == list(curves[1].quantiles[0.5])
    assert found[2]["wavelengths_nm"] is None
    assert [one["xy_unit"] for one in found] == ["m", "m", None]

    with np.load(spectra.write_table(curves, tmp_path / "t.npz")) as arrays:
        assert arrays["name"].tolist() == ["pin 1", "field", "by index"]
        np.testing.assert_array_equal(arrays["sd"][1, :4], curves[1].std)
        assert np.isnan(arrays["wavelengths_nm"][2]).all()
        np.testing.assert_array_equal(arrays["x"][:1], [500007])
        assert arrays["xy_unit"].tolist() == ["m", "m", ""]
    with pytest.raises(FileError, match=r"written as \.csv"):
        spectra.write_table(curves, tmp_path / "t.xlsx")
    with pytest.raises(InputError, match="no spectrum"):
        spectra.write_table([], tmp_path / "t.csv")


def test_ranges_stand_in_each_kind_of_table(tmp_path):
    ends = np.array([0.1, 0.2]), np.array([0.3, np.nan])
    sure = Curve("a", np.array([0.2, 0.25]), wavelengths_nm=np.array([500.0, 600]))
    curves = [sure, replace(sure, name="b", ranges={"90%": ends})]
    head, *rows = csv.reader(
        spectra.write_table(curves, tmp_path / "t.csv").read_text().splitlines()
    )
    assert [row[head.index("90% lower")] for row in rows] == ["", "", "0.1", "0.2"]
    assert [row[head.index("90% upper")] for row in rows] == ["", "", "0.3", ""]
    with np.load(spectra.write_table(curves, tmp_path / "t.npz")) as arrays:
        np.testing.assert_array_equal(arrays["90% lower"], [[np.nan, np.nan], ends[0]])
        np.testing.assert_array_equal(arrays["90% upper"], [[np.nan, np.nan], ends[1]])


def test_dividing_by_a_negative_value_turns_ranges_and_quantiles_over():
    mean = np.linspace(-1.0, 2.0, len(NM))
    one = replace(
        curve(mean),
        quantiles={0.05: mean - 0.2, 0.25: mean - 0.1, 0.95: mean + 0.3},
        ranges={"90%": (mean - 0.5, mean + 0.4)},
    )
    made = spectra.normalise(one, "wavelength", nm=float(NM[0]))
    low, high = made.ranges["90%"]
    np.testing.assert_allclose(low, -(mean + 0.4))
    np.testing.assert_allclose(high, -(mean - 0.5))
    np.testing.assert_allclose(made.quantiles[0.05], -(mean + 0.3))
    np.testing.assert_allclose(made.quantiles[0.75], -(mean - 0.1))
    assert sorted(made.quantiles) == [0.05, 0.75, 0.95]
