"""Bands that a file marks as bad count nowhere unless asked for."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import Cube, evaluate, read, write
from napari_hsr.cameras import simulate
from napari_hsr.colour import false_colour, render
from napari_hsr.errors import InputError
from napari_hsr.io import lazy
from napari_hsr.io.bands import without_bad_bands
from napari_hsr.metrics.compare import compare_events
from napari_hsr.notices import Code, has
from napari_hsr.training.data.image_source import Scene
from napari_hsr.training.data.scan import load
from napari_hsr.viewer.display_limits import contrast_limits
from napari_hsr.viewer.rendering import false_colour_bands

NM = np.arange(400, 701, 10)
BAD = [5, 14, 15, 25]
GOOD = [band for band in range(31) if band not in BAD]
RNG = np.random.default_rng(8)


@pytest.fixture(params=["memory", "disk"])
def cube(request, tmp_path, monkeypatch):
    """Flat spectra of 0.1 to 0.9, nonsense in four bands that are marked, and NaN in one of them."""
    data = np.broadcast_to(RNG.uniform(0.1, 0.9, (24, 20)), (31, 24, 20)).astype("f4")
    data[BAD] = 5000.0
    data[14] = np.nan
    marks = [int(band in GOOD) for band in range(31)]
    cube = Cube(data, NM, "reflectance", "scan", metadata={"bbl": marks, "fwhm": NM.tolist()})
    if request.param == "memory":
        return cube
    monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 1)
    write(cube, tmp_path / "scan.h5")
    return read(tmp_path / "scan.h5")


def test_without_them(cube):
    kept = without_bad_bands(cube)
    assert list(kept.wavelengths) == list(NM[GOOD])
    assert kept.metadata["fwhm"] == NM[GOOD].tolist()
    np.testing.assert_array_equal(kept.data, np.asarray(cube.data)[GOOD])
    np.testing.assert_array_equal(kept.data[3:9, 2:5], np.asarray(cube.data)[GOOD][3:9, 2:5])
    assert has(kept.notices, Code.BAD_BANDS_LEFT_OUT)
    assert without_bad_bands(kept) is kept


def test_display(cube):
    assert cube.value_range[1] < 1
    assert contrast_limits(cube)[1] < 1
    shown = render(cube)
    plain = render(Cube(np.broadcast_to(np.asarray(cube.data)[0], (31, 24, 20)).copy(), NM))
    np.testing.assert_allclose(shown, plain, atol=2e-3)
    assert not set(false_colour_bands(cube)) & set(BAD)
    assert (
        np.ptp(false_colour(cube, (650, 550, 450)), axis=(0, 1)).min() > 0.9
    )  # 450, 550, 650 are bad


def test_a_simulated_photograph(cube):
    photograph = simulate(cube, "cie-1931")
    assert np.isfinite(photograph.data).all()
    assert photograph.data.max() < 1


def test_metrics(cube):
    truth = np.broadcast_to(np.asarray(cube.data)[0], (31, 24, 20)).copy()
    truth = Cube(truth, NM, "reflectance", "truth")
    for pair in ((cube, truth), (truth, cube), (cube, truth.data)):
        found = evaluate(*pair)
        assert found.values["rmse"] == 0
        assert len(found.wavelengths) == 27
        assert has(found.notes, Code.BAD_BANDS_LEFT_OUT)
    asked = evaluate(cube, truth, bad_bands=True)
    assert asked.values["rmse"] > 1000
    assert not has(asked.notes, Code.BAD_BANDS_LEFT_OUT)
    compared = list(compare_events(cube, truth))[-1]
    assert compared.evaluation.values["rmse"] == 0
    assert all(np.nanmax(m.data) < 0.1 for m in compared.maps.values())


def test_a_truth_of_fewer_bands(cube):
    some = [0, 3, 5, 9]
    truth = Cube(np.asarray(cube.data)[[0] * 4], NM[some], "reflectance")
    with pytest.raises(InputError, match="different wavelength grids"):
        evaluate(cube, truth)  # 450 nm is bad, and nothing to compare with is left there
    assert evaluate(cube, truth, bad_bands=True).values["rmse"] > 1000


def test_training(cube, tmp_path):
    write(cube.replace(data=np.asarray(cube.data)), tmp_path / "scan.mat")
    (loaded, _) = load(Scene("scan", tmp_path / "scan.mat", None))
    assert list(loaded.wavelengths) == list(NM[GOOD])


def test_marks_that_are_none():
    data = np.ones((3, 2, 2), "f4")
    for marks in (None, [1, 0], "0 1 1", [0, 0, 0]):
        assert Cube(data, metadata={"bbl": marks}).good_bands.all()
    assert Cube(data, metadata={"bbl": [1, 0.0, 0]}).good_bands.tolist() == [True, False, False]
