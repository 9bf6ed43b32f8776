"""Linear unmixing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from scipy.optimize import nnls

from napari_hsr.analysis import block_reading, from_pixels, unmix, unmixing
from napari_hsr.analysis.unmixing import solve
from napari_hsr.cube import Cube
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.io.lazy import LazyArray
from napari_hsr.notices import Code, Notice, has
from napari_hsr.provenance import Provenance
from napari_hsr.spectral_library import SpectralLibrary

NM = np.arange(400.0, 701.0, 20.0)
RNG = np.random.default_rng(4)
SPECTRA = RNG.uniform(0.05, 0.9, (3, NM.size))
LIBRARY = SpectralLibrary(("leaf", "soil", "wall"), NM, SPECTRA, "reflectance")
SHARES = RNG.dirichlet(np.full(3, 0.5), 30).T.reshape(3, 6, 5)


def mixed(noise=0.0, **changes):
    values = np.tensordot(SPECTRA.T, SHARES, 1)
    values = values + np.random.default_rng(5).normal(0, noise, values.shape)
    return Cube(values, NM, units="reflectance", name="field", **changes)


def test_exact_mixtures_come_apart():
    made = unmix(mixed(), LIBRARY)
    np.testing.assert_allclose(made.abundances.data, SHARES, atol=3e-6)
    assert float(made.residual.data.max()) < 1e-6
    assert (made.abundances.units, made.residual.units) == ("share", "reflectance")
    assert made.abundances.metadata["band names"] == ["leaf", "soil", "wall"]
    assert "leaf, soil, wall" in made.abundances.provenance.steps[-1]


@pytest.mark.parametrize("count", [2, 4, 9, 20])  # of 20, hardly two pixels share a set
def test_the_minimum_is_that_of_an_independent_solver(count):
    rng = np.random.default_rng(count)
    spectra = rng.uniform(0, 1, (count, 24))
    pixels = spectra.T @ rng.dirichlet(np.full(count, 0.4), 60).T + rng.normal(0, 0.1, (24, 60))
    heavy = 1e5  # the sum as a row that outweighs the others
    for sum_to_one, rows, more in [(True, [heavy * np.ones(count)], [heavy]), (False, [], [])]:
        found = solve(spectra, pixels, sum_to_one)
        expected = [nnls(np.vstack([spectra.T, *rows]), np.r_[x, more])[0] for x in pixels.T]
        np.testing.assert_allclose(found.T, expected, atol=1e-8)
        assert found.min() >= 0
    assert (solve(spectra, pixels, True) == 0).any()  # some lie on the boundary


def test_maps_of_endmembers_of_one_name_are_told_apart():
    made = unmix(mixed(), LIBRARY.replace(names=("leaf", "soil", "leaf")))
    assert made.abundances.metadata["band names"] == ["leaf", "soil", "leaf (2)"]
    assert made.endmembers.names == ("leaf", "soil", "leaf (2)")


def test_the_residual_is_what_is_left():
    cube = mixed(0.05)
    made = unmix(cube, LIBRARY)
    fitted = np.tensordot(SPECTRA.T, made.abundances.data.astype(float), 1)
    left = np.sqrt(((cube.data - fitted) ** 2).mean(axis=0))
    np.testing.assert_allclose(made.residual.data[0], left, atol=1e-6)
    np.testing.assert_allclose(made.abundances.data.sum(axis=0), 1, atol=1e-6)


def test_any_sum_follows_the_brightness():
    half = mixed().replace(data=mixed().data / 2)
    made = unmix(half, LIBRARY, sum_to_one=False)
    np.testing.assert_allclose(made.abundances.data, SHARES / 2, atol=3e-6)


def test_holes_stay_holes_and_a_lazy_cube_gives_the_same(monkeypatch):
    cube = mixed(0.02)
    whole = unmix(cube, LIBRARY).abundances.data
    cube.data[3, 1, 2] = np.nan
    monkeypatch.setattr(block_reading, "FROM_FILE", 100)
    seen = []
    made = unmix(cube.replace(data=LazyArray(cube.data)), LIBRARY, progress=seen.append)
    assert len(seen) == 6
    for data in (*made.abundances.data, made.residual.data[0]):
        assert np.argwhere(np.isnan(data)).tolist() == [[1, 2]]
    usable = np.isfinite(made.abundances.data)
    np.testing.assert_array_equal(made.abundances.data[usable], whole[usable])
    assert has(made.notices, Code.NOT_FINITE)


def test_what_takes_long_tells_how_long_and_can_be_cancelled_in_between(monkeypatch):
    cube, cancel = mixed(0.02), threading.Event()
    whole = unmix(cube, LIBRARY)
    monkeypatch.setattr(unmixing, "_TOGETHER", 7 * 9)
    seen = []
    made = unmix(cube, LIBRARY, progress=seen.append)
    np.testing.assert_array_equal(made.abundances.data, whole.abundances.data)
    assert [round(30 * event.share) for event in seen] == [7, 14, 21, 28, 30]
    assert all(event.seconds_left > 0 for event in seen[:-1])
    assert seen[-1].seconds_left == 0
    events = unmixing.unmix_events(cube, LIBRARY, cancel=cancel)
    next(events)
    cancel.set()
    with pytest.raises(Cancelled):
        next(events)


def test_a_library_is_brought_to_the_bands():
    fine = np.arange(390.0, 711.0, 1.0)
    smooth = [np.interp(fine, NM, row) for row in SPECTRA]
    made = unmix(mixed(), LIBRARY.replace(wavelengths_nm=fine, values=np.array(smooth)))
    assert np.abs(made.abundances.data - SHARES).max() < 0.2
    with pytest.raises(InputError, match="needed"):
        unmix(mixed(), LIBRARY.replace(wavelengths_nm=NM + 300))


def test_pixels_of_the_cube_are_endmembers_also_without_wavelengths():
    values = mixed().data.copy()
    values[:, 0, :3] = SPECTRA.T
    cube = Cube(values)
    chosen = from_pixels(cube, {"a": (0, 0), "b": (0, 1), "c": (0, 2)})
    np.testing.assert_allclose(unmix(cube, chosen).abundances.data[:, 1:], SHARES[:, 1:], atol=1e-5)
    with pytest.raises(InputError, match="not known"):
        unmix(cube, LIBRARY.replace(wavelengths_nm=NM + 1))


def test_endmembers_that_do_not_determine_shares_are_refused_or_told():
    def with_fourth(spectrum):
        return LIBRARY.replace(names=(*LIBRARY.names, "x"), values=np.vstack([SPECTRA, spectrum]))

    with pytest.raises(InputError, match="two"):
        unmix(mixed(), LIBRARY.replace(names=("leaf",), values=SPECTRA[:1]))
    with pytest.raises(InputError, match="mixture"):
        unmix(mixed(), with_fourth(0.5 * SPECTRA[0] + 0.5 * SPECTRA[1]))
    near = SPECTRA[0] + 1e-4 * np.random.default_rng(0).normal(size=NM.size)
    made = unmix(mixed(), with_fourth(near))
    assert has(made.notices, Code.ENDMEMBERS_ALIKE)
    assert "leaf and x" in next(n for n in made.notices if n.code == Code.ENDMEMBERS_ALIKE)
    with pytest.raises(InputError, match="at most 3"):
        unmix(
            Cube(mixed().data[:2], NM[:2]),
            with_fourth(near).replace(
                wavelengths_nm=NM[:2], values=np.random.default_rng(0).random((4, 2))
            ),
        )


def test_a_reconstruction_says_that_it_shows_the_prior():
    made = unmix(mixed(provenance=Provenance("p.png", model="m")), LIBRARY)
    assert [n.code for n in made.notices] == [Code.MOSTLY_PRIOR]


def test_a_marker_that_the_file_does_not_state_is_told():
    cube = mixed()
    cube.data[0, 2, 2] = np.finfo(np.float32).min  # GDAL's
    with pytest.raises(InputError, match=r"field reach .*no_data"):
        unmix(cube, LIBRARY)


@pytest.mark.parametrize("factor", [2.0**-600, 2.0**400])
def test_squares_of_tiny_and_of_large_numbers_are_no_matter(factor):
    pixels = RNG.uniform(0, 1, (NM.size, 7))
    for fixed in (True, False):
        made = solve(SPECTRA * factor, pixels * factor, fixed)
        np.testing.assert_array_equal(made, solve(SPECTRA, pixels, fixed))


@pytest.mark.parametrize(
    ("factor", "said"), [(1.0, False), (0.1, False), (100.0, True), (1e-4, True)]
)
def test_pixels_on_another_scale_than_the_endmembers_are_told(factor, said):
    cube = mixed()
    made = unmix(cube.replace(data=cube.data * factor, units=None), LIBRARY)
    assert has(made.abundances.notices, Code.SCALES_DIFFER) is said


def test_what_the_library_tells_is_told():
    doubt = Notice.warning(Code.VALUES_SCALE_GUESSED, "Values go up to 6000.")
    made = unmix(mixed(), LIBRARY.replace(notices=(doubt,)))
    assert doubt in made.abundances.notices


@pytest.mark.parametrize(("units", "own"), [("%", "reflectance"), ("reflectance", "percent")])
@pytest.mark.parametrize("grid", [NM, np.arange(400.0, 701.0, 10.0)])
def test_percent_and_fractions_come_to_one_scale_and_it_is_told(units, own, grid):
    values = np.stack([np.interp(grid, NM, row) for row in SPECTRA])
    expected = unmix(mixed(), LIBRARY.replace(wavelengths_nm=grid, values=values))
    cube = mixed().replace(units=own)
    if own == "percent":
        cube = cube.replace(data=cube.data * 100)
    else:
        values = values * 100
    library = SpectralLibrary(LIBRARY.names, grid, values, units, "field notes")
    made = unmix(cube, library)
    np.testing.assert_allclose(made.abundances.data, expected.abundances.data, atol=1e-4)
    (told,) = [notice for notice in made.notices if notice.code == Code.VALUES_RESCALED]
    factor = 100 if own == "percent" else 0.01
    assert f"field notes were in {units} and multiplied by {factor:g}, as {own} takes" in told
    assert not has(made.notices, Code.SCALES_DIFFER)
    assert made.endmembers.units == own


@pytest.mark.parametrize("at", [(1, 1), (127, 126)])
def test_a_cube_that_is_known_in_a_few_pixels_alone_is_unmixed(at):
    values = np.full((NM.size, 130, 130), np.nan, np.float32)
    values[:, at[0], at[1] : at[1] + 2] = mixed().data[:, 0, :2]
    made = unmix(Cube(values, NM, units="reflectance", name="shore"), LIBRARY)
    found = made.abundances.data[:, at[0], at[1] : at[1] + 2]
    np.testing.assert_allclose(found, SHARES[:, 0, :2], atol=3e-6)
    assert not has(made.notices, Code.BANDS_LEFT_OUT)
