"""The result of a comparison: figures, what was left out, notes, and its written forms."""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import pickle
import threading
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

import napari_hsr
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import Cancelled, FileError
from napari_hsr.metrics import PROTOCOLS, average, evaluate, row_blocks

from . import scalars
from .pairs import pair


@pytest.fixture
def cubes() -> tuple[Cube, Cube]:
    prediction, truth = pair((4, 20, 21))
    nm = Wavelengths([400, 500, 600, 700])
    return (
        Cube(prediction, nm, units="reflectance", name="guess"),
        Cube(truth, nm, units="reflectance", name="measured"),
    )


def test_figures_are_those_of_the_plain_functions(cubes):
    p, t = (cube.data for cube in cubes)
    result = evaluate(*cubes)
    expected = {
        "mrae": scalars.mrae(p, t),
        "rmse": scalars.rmse(p, t),
        "psnr": scalars.psnr(p, t),
        "psnr_band": scalars.psnr(p, t, average="band"),
        "sam": scalars.sam(p, t),
        "ssim": scalars.ssim(p, t),
        "ergas": scalars.ergas(p, t),
        "cc": scalars.cc(p, t),
    }
    assert result.values == pytest.approx(expected, rel=1e-12)
    assert list(result.values) == list(expected)
    each = [scalars.rmse(p[i : i + 1], t[i : i + 1]) for i in range(len(t))]
    np.testing.assert_allclose(result.per_band["rmse"], each)
    each = [scalars.psnr(p[i : i + 1], t[i : i + 1]) for i in range(len(t))]
    np.testing.assert_allclose(result.per_band["psnr"], each)
    floor = 1e-3 * t.max()
    each = [
        scalars.mrae(p[i : i + 1], t[i : i + 1], floor=floor / t[i].max()) for i in range(len(t))
    ]
    np.testing.assert_allclose(result.per_band["mrae"], each)
    assert result.wavelengths == (400, 500, 600, 700)
    assert result.units["psnr"] == result.units["psnr_band"] == "dB"
    assert result.units["sam"] == "°"
    assert result.units["rmse"] == "reflectance"
    assert result.units["mrae"] == ""
    assert result.notes == ()
    assert napari_hsr.evaluate is evaluate


def test_figures_by_key_and_by_attribute(cubes):
    result = evaluate(*cubes, protocol="mstpp")
    assert result["psnr"] == result.psnr == result.values["psnr"]
    with pytest.raises(KeyError):
        result["sam"]
    with pytest.raises(AttributeError, match="'mstpp' does not define sam; it defines mrae, rmse"):
        _ = result.sam
    with pytest.raises(AttributeError, match="no attribute 'snr'"):
        _ = result.snr
    with pytest.raises(FrozenInstanceError):
        result.protocol = "default"
    for twin in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert twin.values == result.values


def test_missing_values_are_counted_and_left_out(cubes):
    prediction, truth = cubes
    prediction.data[1, 3, 4] = np.nan
    truth.data[2, 3, 4] = np.inf
    truth.data[0, 10, 10] = -np.inf
    truth.data[:, 0, :5] = 0
    result = evaluate(prediction, truth)
    samples, pixels = 4 * 20 * 21, 20 * 21
    assert result.excluded["nonfinite"] == 3
    assert result.excluded["nonfinite_share"] == 3 / samples
    assert result.excluded["sam_nonfinite"] == 2
    assert result.excluded["sam_black"] == 5
    assert result.excluded["sam_black_share"] == 5 / pixels
    assert result.excluded["mrae_below_floor"] == 20
    assert result.excluded["mrae_below_floor_share"] == 20 / (samples - 3)
    # Windows of 11 that touch row 3, column 4: rows 5..8 and columns 5..9 of the centres.
    assert result.excluded["ssim_windows"] == 2 * 4 * 5 + 10 * 11
    assert all(math.isfinite(value) for value in result.values.values())
    text = result.table()
    assert "3 samples (0.18%) left out of every metric" in text
    assert "5 pixels (1.19%) left out of SAM: black" in text
    assert "20 samples (1.19%) left out of MRAE" in text


def test_a_band_without_any_value_is_left_out(cubes):
    prediction, truth = cubes
    rest = [0, 2, 3]
    expected = evaluate(prediction.data[rest].copy(), truth.data[rest].copy())
    truth.data[1] = np.nan
    result = evaluate(prediction, truth)
    assert result.values == pytest.approx(expected.values, rel=1e-12)
    assert all(math.isnan(result.per_band[key][1]) for key in ("rmse", "psnr", "mrae", "ssim"))
    assert "1 of 4 bands hold no finite value and are left out." in result.notes


def test_nothing_finite_is_said_not_raised(cubes):
    prediction, truth = cubes
    truth.data[:] = np.nan
    result = evaluate(prediction, truth)
    assert all(math.isnan(value) for value in result.values.values())
    assert any("No figure is defined" in note for note in result.notes)
    json.dumps(result.to_dict(), allow_nan=False)


def test_a_small_image_has_no_ssim_and_says_so():
    result = evaluate(*pair((3, 10, 40)))
    assert math.isnan(result.ssim)
    assert any("smaller than its 11 x 11 window" in note for note in result.notes)
    assert math.isfinite(result.psnr)


def test_black_and_constant_cubes_are_explained():
    truth = np.zeros((3, 12, 12), np.float32)
    result = evaluate(truth + 0.5, truth)
    assert all(math.isnan(result[key]) for key in ("mrae", "sam", "ergas", "cc"))
    assert result.psnr == pytest.approx(10 * math.log10(4))
    said = " ".join(result.notes)
    assert "MRAE is not defined" in said
    assert "3 of 3 bands are constant and are left out of CC" in said
    assert "3 of 3 bands have a mean of 0 and are left out of ERGAS" in said
    black = evaluate(truth, truth + 0.5)
    assert black.sam == 90
    assert "Pixels with a black spectrum that count 90° in SAM: 144." in black.notes


def test_scales_that_differ_are_told_and_nothing_is_rescaled(cubes):
    prediction, truth = cubes
    large = truth.replace(data=truth.data * 65535)
    result = evaluate(prediction, large)
    assert any("The scales differ" in note for note in result.notes)
    assert any("take 1 as full scale" in note for note in result.notes)
    assert result.rmse > 1e4
    assert not any("scale" in note for note in evaluate(prediction, truth).notes)
    fitting = replace(PROTOCOLS["default"], name="16-bit", peak=65535)
    same = evaluate(prediction.replace(data=prediction.data * 65535), large, fitting)
    assert same.psnr == pytest.approx(evaluate(prediction, truth).psnr, rel=1e-6)
    assert same.ssim == pytest.approx(evaluate(prediction, truth).ssim, rel=1e-6)
    assert same.notes == ()


def test_units_that_differ_are_told(cubes):
    prediction, truth = cubes
    result = evaluate(prediction.replace(units="radiance"), truth)
    assert any("The units differ" in note for note in result.notes)


def test_json_holds_everything_and_spells_out_infinity(cubes, tmp_path):
    _, truth = cubes
    result = evaluate(truth, truth)
    assert result.psnr == math.inf
    found = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert found["values"]["psnr"] == "inf"
    assert float(found["values"]["psnr"]) == math.inf
    assert found["values"]["rmse"] == 0
    assert found["protocol"] == "default"
    assert found["protocol_text"] == PROTOCOLS["default"].description
    assert found["wavelengths_nm"] == [400, 500, 600, 700]
    assert found["prediction"] == found["truth"] == "measured"
    result.write_json(tmp_path / "result.json")
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == found


def test_csv_has_one_figure_a_row(cubes, tmp_path):
    result = evaluate(*cubes)
    result.write_csv(tmp_path / "result.csv")
    text = (tmp_path / "result.csv").read_text(encoding="utf-8")
    assert text == result.to_csv()
    rows = list(csv.DictReader(io.StringIO(text)))
    whole = {row["metric"]: float(row["value"]) for row in rows if not row["band_index"]}
    assert whole == result.values
    rmse = [row for row in rows if row["metric"] == "rmse" and row["band_index"]]
    assert [float(row["value"]) for row in rmse] == result.per_band["rmse"]
    assert [row["wavelength_nm"] for row in rmse] == ["400", "500", "600", "700"]
    assert {row["unit"] for row in rmse} == {"reflectance"}
    assert {row["protocol"] for row in rows} == {"default"}


def test_a_file_that_cannot_be_written_is_an_error_for_the_user(cubes, tmp_path):
    with pytest.raises(FileError):
        evaluate(*cubes).write_csv(tmp_path / "no such folder" / "result.csv")


def test_the_table_names_the_protocol(cubes):
    text = evaluate(*cubes, protocol="cave-val").table()
    assert text.startswith("guess against measured, protocol cave-val")
    assert f"cave-val: {PROTOCOLS['cave-val'].description}" in " ".join(text.split())
    assert max(len(line) for line in text.splitlines()) < 100
    assert "SSIM" not in text.split("cave-val:")[0]


def test_progress_and_cancel(cubes, monkeypatch):
    monkeypatch.setattr(row_blocks, "BLOCK_BYTES", 5 * 4 * 21 * 8)
    steps: list[tuple[int, int]] = []
    evaluate(*cubes, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(i, 8) for i in range(1, 9)]
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        evaluate(*cubes, cancel=cancel, progress=lambda done, _: done == 3 and cancel.set())
    with pytest.raises(Cancelled):
        evaluate(*cubes, cancel=cancel)


def test_the_inputs_stay_as_they_are(cubes):
    prediction, truth = cubes
    truth.data[0, 0, 0] = np.nan
    before = prediction.data.copy(), truth.data.copy()
    for protocol in ("default", "cave-val", "mstpp", "dualsr"):
        evaluate(prediction, truth, protocol)
    np.testing.assert_array_equal(prediction.data, before[0])
    np.testing.assert_array_equal(truth.data, before[1])


def test_means_over_scenes(cubes):
    prediction, truth = cubes
    results = [evaluate(prediction, truth), evaluate(truth.data * 0.9, truth.data)]
    means = average(results)
    assert means["psnr"] == pytest.approx((results[0].psnr + results[1].psnr) / 2)
    with pytest.raises(ValueError, match="One protocol"):
        average([results[0], evaluate(prediction, truth, "mstpp")])
    with pytest.raises(ValueError, match="One protocol"):
        average([])


def test_a_cube_of_nothing_but_nan_is_not_called_black():
    truth = np.random.default_rng(0).random((5, 12, 12))
    result = evaluate(np.full_like(truth, np.nan), truth)
    assert result.excluded["nonfinite_share"] == 1
    assert result.excluded["sam_black"] == 0
    assert result.excluded["sam_nonfinite"] == 144
    assert np.isnan(result["sam"])


def test_one_band_has_no_spectral_angle():
    truth = 0.1 + np.random.default_rng(0).random((1, 12, 12))
    result = evaluate(truth * 2, truth)
    assert np.isnan(result["sam"])
    assert any("SAM is not defined" in note for note in result.notes)
    assert result["mrae"] == pytest.approx(1)
