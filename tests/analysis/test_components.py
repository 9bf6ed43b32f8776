"""Principal components and minimum noise fractions."""

from __future__ import annotations

import csv
import sys
import threading

import numpy as np
import pytest
import spectral

from napari_hsr.analysis import block_reading, components
from napari_hsr.cube import Cube
from napari_hsr.errors import Cancelled, Hint, InputError
from napari_hsr.io.lazy import LazyArray
from napari_hsr.notices import Code, has
from napari_hsr.provenance import Provenance

NM = np.arange(400.0, 500.0, 10.0)
#: The module has the name of the function that the package gives.
components_module = sys.modules[components.__module__]


@pytest.fixture(scope="module")
def scene():
    """Three materials in smooth mixtures, with noise that differs between bands."""
    rng = np.random.default_rng(2)
    spectra = rng.uniform(0, 1, (3, NM.size))
    rows, columns = np.mgrid[0:24, 0:20] / 20
    shares = np.stack([np.sin(3 * rows) ** 2, np.cos(2 * columns) ** 2, rows * columns])
    noise = rng.normal(0, 1, (NM.size, 24, 20)) * np.linspace(0.01, 0.2, NM.size)[:, None, None]
    values = np.tensordot(spectra.T, shares, 1) + noise + 5
    return Cube(values.astype(np.float32), NM, units="reflectance", name="scene")


def pixels_last(cube):
    return np.moveaxis(cube.data.astype(np.float64), 0, -1)


def test_pca_is_that_of_an_independent_library(scene):
    made = components(scene, "pca", 4)
    known = spectral.principal_components(pixels_last(scene))
    np.testing.assert_allclose(made.eigenvalues, known.eigenvalues, rtol=1e-9)
    expected = np.moveaxis(known.transform(pixels_last(scene))[..., :4], -1, 0)
    signs = np.sign((made.loadings * known.eigenvectors[:, :4].T).sum(axis=1))
    np.testing.assert_allclose(made.cube.data, expected * signs[:, None, None], atol=2e-6)
    assert made.share[:4].sum() < made.share.sum() == pytest.approx(1)
    assert (made.cube.units, made.names[0]) == ("reflectance", "PC 1")


def test_mnf_is_that_of_an_independent_library(scene):
    made = components(scene, "mnf", 3)
    values = pixels_last(scene)
    known = spectral.mnf(spectral.calc_stats(values), spectral.noise_from_diffs(values, "right"))
    np.testing.assert_allclose(made.eigenvalues, known.napc.eigenvalues, rtol=1e-8)
    expected = np.moveaxis(known.reduce(values, num=3), -1, 0)
    ours = made.cube.data.reshape(3, -1)
    for one, other in zip(ours, expected.reshape(3, -1), strict=True):
        assert abs(np.corrcoef(one, other)[0, 1]) == pytest.approx(1, abs=1e-6)
    differences = np.diff(made.cube.data.astype(float), axis=2)
    assert differences.var(axis=(1, 2), ddof=1) / 2 == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("method", ["pca", "mnf"])
def test_all_components_together_are_the_spectra(scene, method):
    made = components(scene, method, NM.size)
    again = (
        np.tensordot(made.loadings.T, made.cube.data.astype(float), 1) + made.mean[:, None, None]
    )
    np.testing.assert_allclose(again, scene.data, atol=1e-4)
    assert (np.abs(made.loadings).max(axis=1) == made.loadings.max(axis=1)).all()


def test_parts_and_a_lazy_cube_give_the_same(scene, monkeypatch):
    whole = components(scene, "mnf", 3)
    monkeypatch.setattr(block_reading, "FROM_FILE", 700)
    seen = []
    lazy = scene.replace(data=LazyArray(scene.data))
    made = components(lazy, "mnf", 3, progress=seen.append)
    np.testing.assert_allclose(made.cube.data, whole.cube.data, atol=1e-3)
    assert len(seen) > 10
    assert [e.done for e in seen] == sorted(e.done for e in seen)


def test_holes_stay_holes_and_bad_or_empty_bands_are_left_out(scene):
    values = scene.data.copy()
    values[4, 2, 3] = np.nan
    values[7] = np.nan
    holed = scene.replace(data=values, metadata={"bbl": [0, *[1] * 9]})
    made = components(holed, "pca", 2)
    assert np.argwhere(np.isnan(made.cube.data[1])).tolist() == [[2, 3]]
    assert made.bands.tolist() == [1, 2, 3, 4, 5, 6, 8, 9]
    assert has(made.notices, Code.BANDS_LEFT_OUT)
    assert has(made.notices, Code.NOT_FINITE)


def test_noise_of_few_numbers_and_the_prior_are_told(scene):
    few = np.tensordot(np.random.default_rng(0).normal(size=(10, 3)), scene.data[:3], 1)
    made = components(
        Cube(few.astype(np.float32), NM, provenance=Provenance("p.png", model="m")), "mnf", 3
    )
    assert has(made.notices, Code.MOSTLY_PRIOR)
    exact = scene.replace(data=np.concatenate([scene.data[:5]] * 2))
    assert has(components(exact, "mnf", 3).notices, Code.NOISE_SINGULAR)


@pytest.mark.parametrize(
    ("method", "n", "data"),
    [
        ("ica", 2, None),
        ("pca", 0, None),
        ("pca", 11, None),
        ("pca", 2, np.ones((10, 4, 4))),
        ("pca", 2, np.full((10, 4, 4), np.nan)),
        ("mnf", 2, np.random.default_rng(0).random((10, 4, 1))),
    ],
)
def test_what_has_no_components_is_refused(scene, method, n, data):
    with pytest.raises(InputError):
        components(scene if data is None else Cube(data, NM), method, n)


def test_it_can_be_cancelled(scene):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        components(scene, cancel=cancel)


def test_a_cancel_is_answered_while_the_matrices_are_solved(scene, monkeypatch):
    began, never = threading.Event(), threading.Event()
    cancel = threading.Event()

    def solved(*_matrices):
        began.set()
        never.wait()  # as a library that does not look up

    monkeypatch.setattr(components_module, "_solved", solved)
    threading.Thread(target=lambda: (began.wait(), cancel.set())).start()
    told: list = []
    with pytest.raises(Cancelled):
        components(scene, progress=told.append, cancel=cancel)
    never.set()
    assert told[-1].message == "Solving for 10 bands"


def test_the_table_has_loadings_and_eigenvalues(scene, tmp_path):
    made = components(scene, "pca", 2)
    made.write_csv(tmp_path / "loadings.csv")
    rows = list(csv.reader((tmp_path / "loadings.csv").read_text().splitlines()))
    assert rows[0] == ["band", "wavelength_nm", "mean", "PC 1", "PC 2"]
    assert float(rows[3][4]) == made.loadings[1, 2]
    assert float(rows[11][3]) == made.eigenvalues[0]
    assert float(rows[12][4]) == made.share[1]


@pytest.mark.parametrize("method", ["pca", "mnf"])
def test_bands_whose_matrices_take_gigabytes_are_asked_about(method):
    many = Cube(np.random.default_rng(0).random((9000, 2, 2), np.float32))
    with pytest.raises(
        InputError, match=r"of 9000 bands takes .* GB of memory: take fewer bands\. If"
    ) as told:
        components(many, method)
    assert told.value.hint is Hint.ALLOW_MUCH_MEMORY


def test_a_marker_that_the_file_does_not_state_is_told(scene):
    data = scene.data.copy()
    data[2, 3, 4] = np.finfo(np.float32).min  # GDAL's
    with pytest.raises(InputError, match=r"reach 3.40282347e\+38, .*no_data"):
        components(scene.replace(data=data))
