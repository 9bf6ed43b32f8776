"""Spectra on another grid, against what bands of a known width measure."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import napari_hsr
from napari_hsr import Cube
from napari_hsr.band_gaps import Bridged
from napari_hsr.conversion import common_grid, to_wavelengths, wavelengths
from napari_hsr.conversion.wavelengths import interpolation, resampling
from napari_hsr.errors import InputError
from napari_hsr.io.lazy import LazyArray
from napari_hsr.notices import Code, has

FINE = np.arange(400.0, 701.0, 2.0)
COARSE = np.arange(450.0, 651.0, 20.0)


def peak(nm, centre=550.0, width=30.0):
    """A Gaussian line of this full width at half maximum."""
    return np.exp(-4 * np.log(2) * ((nm - centre) / width) ** 2)


def cube_of(spectrum, nm=FINE, **changes) -> Cube:
    data = np.asarray(spectrum, np.float32)[:, None, None] * np.linspace(0.5, 1, 6).reshape(2, 3)
    return Cube(data.astype(np.float32), nm, **changes)


@pytest.mark.parametrize("own", [0.0, 8.0])
def test_a_gaussian_line_seen_by_gaussian_bands_is_a_wider_gaussian_line(own):
    """Widths add as squares: what the finer bands have seen already is not seen twice."""
    seen = np.hypot(30, own)
    spectrum = peak(FINE, width=seen) * 30 / seen
    cube = cube_of(spectrum, metadata={"fwhm": [own] * FINE.size} if own else {})
    found = to_wavelengths(cube, COARSE, fwhm=25.0)
    wide = np.hypot(30, 25)
    expected = peak(COARSE, width=wide) * 30 / wide
    # sums over bands 2 nm apart instead of integrals, and weights below 1e-4 left out
    np.testing.assert_allclose(np.asarray(found.data)[:, 1, 2], expected, atol=2e-4)
    assert found.metadata["fwhm"] == [25.0] * COARSE.size
    assert has(found.notices, Code.RESAMPLED)


@pytest.mark.parametrize("fwhm", [None, 1.0, 25.0])
def test_what_is_flat_stays_flat(fwhm):
    for nm in (COARSE, np.array([401.0, 402.5, 690.0]), FINE):
        found = to_wavelengths(cube_of(np.ones(FINE.size)), nm, fwhm)
        np.testing.assert_allclose(np.asarray(found.data)[:, 1, 2], 1, rtol=1e-6)


def test_between_bands_it_is_interpolated():
    slope = cube_of(FINE / 1000, metadata={"fwhm": [5.0] * FINE.size})
    found = to_wavelengths(slope, [401.0, 455.5, 600.25], fwhm=5.0)
    np.testing.assert_allclose(np.asarray(found.data)[:, 1, 2], [0.401, 0.4555, 0.60025], rtol=1e-6)


def test_the_same_bands_as_in_training():
    from napari_hsr.training.data.scan import grid_of

    cube = cube_of(peak(FINE))
    _, weights, _ = grid_of(cube, tuple(COARSE))
    found = to_wavelengths(cube, COARSE)
    np.testing.assert_allclose(
        np.asarray(found.data), np.tensordot(weights, cube.data, 1), rtol=1e-6, atol=1e-7
    )


def test_bad_bands_have_no_part():
    spectrum = peak(FINE)
    spectrum[[40, 41, 90]] = np.nan
    bbl = np.isfinite(spectrum).astype(int).tolist()
    found = to_wavelengths(cube_of(spectrum, metadata={"bbl": bbl}), COARSE, 25.0)
    values = np.asarray(found.data)[:, 1, 2]
    wide = np.hypot(30, 25)
    np.testing.assert_allclose(values, peak(COARSE, width=wide) * 30 / wide, atol=0.02)
    assert "bbl" not in found.metadata


def test_a_hole_stays_a_hole_and_does_not_spread():
    cube = cube_of(peak(FINE))
    cube.data[20, 0, 1] = np.nan  # 440 nm: seen by no band from 470 nm on
    found = np.asarray(to_wavelengths(cube, COARSE, 20.0).data)
    assert np.isnan(found[0, 0, 1])
    assert np.isfinite(found[2:]).all()
    assert np.isfinite(found[:, 1]).all()


def test_a_cube_on_disk_is_computed_as_it_is_read(tmp_path):
    cube = cube_of(peak(FINE))
    stored = np.memmap(tmp_path / "bip", np.float32, "w+", shape=(2, 3, FINE.size))
    stored[:] = cube.data.transpose(1, 2, 0)
    lazy = cube.replace(data=LazyArray(stored, (2, 0, 1)))
    found, whole = to_wavelengths(lazy, COARSE), np.asarray(to_wavelengths(cube, COARSE).data)
    assert isinstance(found.data, LazyArray)
    for key in ((3, 1, 2), (slice(2, 8, 2), 0, slice(None)), (slice(None), slice(None), 1), ...):
        np.testing.assert_allclose(found.data[key], whole[key], rtol=1e-6)


def test_wavelengths_that_are_not_there():
    with pytest.raises(InputError, match="398"):
        to_wavelengths(cube_of(peak(FINE)), [398.0, 500.0, 600.0])
    with pytest.raises(InputError, match="not known"):
        to_wavelengths(Cube(np.ones((3, 2, 2), np.float32), None), COARSE)
    with pytest.raises(InputError, match="positive"):
        to_wavelengths(cube_of(peak(FINE)), COARSE, fwhm=-1)
    with pytest.raises(InputError, match="2 widths"):
        to_wavelengths(cube_of(peak(FINE)), COARSE, fwhm=[5.0, 5.0])


def test_two_cubes_on_one_grid():
    fine = cube_of(peak(FINE), name="fine")
    wide = np.arange(440.0, 761.0, 20.0)
    coarse = cube_of(np.ones(wide.size), wide, name="coarse")
    for first, second in (common_grid(fine, coarse), common_grid(coarse, fine)[::-1]):
        assert list(first.wavelengths) == list(second.wavelengths) == list(wide[wide <= 700])
    same, other = common_grid(fine, fine)
    assert same is fine
    assert other is fine
    with pytest.raises(InputError, match="common"):
        common_grid(fine, cube_of(np.ones(3), [900.0, 910.0, 920.0]))


def test_evaluate_resamples_when_asked():
    fine = cube_of(peak(FINE, width=60))
    shifted = COARSE + 0.9
    coarse = to_wavelengths(fine, shifted)
    with pytest.raises(InputError, match="different wavelength grids"):
        napari_hsr.evaluate(coarse, fine)
    found = napari_hsr.evaluate(coarse, fine, resample=True)
    assert found.values["rmse"] == pytest.approx(0, abs=1e-7)
    assert has(found.notes, Code.RESAMPLED)


@pytest.mark.parametrize("size", [1, 2, 31])
def test_interpolation_is_that_of_numpy_to_the_last_bit(size):
    rng = np.random.default_rng(0)
    source = np.sort(rng.uniform(400, 700, size))
    target = np.sort(np.r_[rng.uniform(390, 710, 50), source, source[-1] + 1e-9])
    expected = np.stack([np.interp(target, source, unit) for unit in np.eye(size)], axis=1)
    np.testing.assert_array_equal(interpolation(source, target), expected)


def test_memory_follows_from_the_matrix_not_from_a_square_of_the_bands():
    """20,000 bands took 3.2 GB to become 31."""
    fine, coarse = np.linspace(300, 2500, 3000), np.arange(400.0, 701.0, 10.0)
    tracemalloc.start()
    interpolation(fine, coarse)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 3 * 8 * fine.size * coarse.size
    with pytest.raises(InputError, match=r"take fewer bands\. If that is meant"):
        interpolation(np.linspace(300, 2500, 20_000), np.linspace(300, 2500, 10_000))


def test_the_coarser_grid_keeps_what_belongs_to_its_bands():
    """Bad bands became good, and a list of widths of another length ended in a fault."""
    fine = cube_of(peak(FINE))
    coarse = cube_of(np.ones(4), np.array([350.0, 400, 450, 500])).replace(
        metadata={"bbl": [1, 1, 0, 1], "fwhm": [9.0, 9], "map info": ["Arbitrary", "1"]}
    )
    _, kept = common_grid(fine, coarse)
    assert kept.good_bands.tolist() == [True, False, True]
    assert kept.metadata["map info"] == ["Arbitrary", "1"]


def water(nm):
    """As of leaves: deep bands where the air lets no light through."""
    return 0.5 - 0.35 * peak(nm, 1450, 120) - 0.35 * peak(nm, 1930, 120)


@pytest.mark.parametrize("fwhm", [None, 25.0])
@pytest.mark.parametrize("absent", [False, True])
def test_bands_in_a_block_of_bad_ones_are_bad_and_told(fwhm, absent):
    nm = np.arange(400.0, 2401.0, 10.0)
    air = ((nm > 1350) & (nm < 1480)) | ((nm > 1800) & (nm < 1980))
    spectrum = np.where(air, 0.0, water(nm))
    cube = cube_of(spectrum, nm, metadata={"bbl": (~air).astype(int).tolist()})
    if absent:
        cube = cube_of(spectrum[~air], nm[~air])
    new = np.arange(400.0, 2401.0, 20.0)
    found = to_wavelengths(cube, new, fwhm=fwhm)
    bad = new[~found.good_bands]
    # those at the rim lie beside a good band, whose values they have
    assert {1400, 1420, 1440, 1460, 1840, 1880, 1940} <= set(bad)
    assert all(1350 < one < 1480 or 1800 < one < 1980 for one in bad)
    assert has(found.notices, Code.BANDS_NOT_MEASURED)
    report = napari_hsr.evaluate(cube_of(water(new), new), cube, resample=True)
    assert report["sam"] < 1.0  # 5 degrees with lines over the gaps


def test_a_single_bad_band_is_closed_where_others_outweigh_it():
    nm = np.arange(400.0, 701.0, 5.0)
    listed = [int(one != 552.0 and i != 30) for i, one in enumerate(nm)]
    cube = cube_of(peak(nm), nm, metadata={"bbl": listed})
    found = to_wavelengths(cube, np.arange(400.0, 701.0, 20.0))
    assert found.good_bands.all()
    assert not has(found.notices, Code.BANDS_NOT_MEASURED)
    sparse = np.array([475, 560, 668, 717, 842.0])
    assert to_wavelengths(cube_of(peak(sparse), sparse), [500.0, 600.0, 780.0]).good_bands.all()


def test_an_uneven_grid_is_not_shifted_to_where_its_bands_are_dense():
    """1 nm up to 700 nm and 5 nm from there on, as of two detectors: a line stays a line."""
    old = np.r_[np.arange(400.0, 700.0), np.arange(700.0, 1001.0, 5.0)]
    new = np.arange(420.0, 981.0, 10.0)
    cube = Cube(np.broadcast_to(old[:, None, None], (old.size, 1, 2)), old)
    found = np.asarray(to_wavelengths(cube, new).data)[:, 0, 0]
    assert np.abs(found - new)[1:-1].max() < 0.5  # nm; it was 2.3


GAPPED = np.concatenate([np.arange(400.0, 651.0, 2.5), np.arange(850.0, 951.0, 2.5)])


@pytest.mark.parametrize("fwhm", [None, 10.0, 25.0])
@pytest.mark.parametrize("marked", [False, True])
def test_bands_beside_a_gap_are_not_shifted_and_those_in_it_are_bad(fwhm, marked):
    """Where bad bands were deleted, or are marked, the values of a slope are those of the centres."""
    nm = np.arange(400.0, 951.0, 2.5) if marked else GAPPED
    values = np.broadcast_to(nm[:, None, None] / 1000, (nm.size, 1, 1)).copy()
    known = np.isin(nm, GAPPED)
    values[~known] = np.nan
    metadata = {"bbl": known.astype(int).tolist()} if marked else {}
    cube = Cube(values, nm, name="field", metadata=metadata)
    new = np.arange(450.0, 911.0, 10.0)
    made = to_wavelengths(cube, new, fwhm)
    inside = (new > 650) & (new < 850)
    assert not made.good_bands[(new > 660) & (new < 840)].any()
    assert made.good_bands[(new < 645) | (new > 855)].all()
    np.testing.assert_allclose(made.data[~inside, 0, 0], new[~inside] / 1000, atol=2e-5)
    assert np.isfinite(made.data).all()


def test_wide_steps_beside_dense_ones_are_no_gaps():
    """One rule says what a gap is: steps of 25 nm had been gaps beside a hundred of 2 nm."""
    nm = np.concatenate([np.arange(400.0, 700.0, 2), np.arange(700.0, 1001.0, 25)])
    found = to_wavelengths(cube_of(peak(nm), nm), np.arange(710.0, 991.0, 20.0))
    assert found.good_bands.all()
    assert not has(found.notices, Code.BANDS_NOT_MEASURED)


def test_weights_of_grids_without_gaps_stay_as_they_were_to_the_last_digit():
    uneven = np.concatenate([np.arange(400.0, 500.0, 2), np.arange(500.0, 701.0, 5)])
    for source in (np.arange(400.0, 701.0, 3.3), uneven, np.array([443.0, 490, 560, 665, 705])):
        for target in (np.arange(450.0, 641.0, 10.0), np.array([500.0, 540, 650])):
            want = wavelengths._triangles(source, target).astype(np.float32)
            np.testing.assert_array_equal(resampling(source, target), want)
            assert Bridged.of(source).nm.size == source.size


@pytest.mark.parametrize(
    ("own", "asked", "stated"), [(10.0, 2.0, 10.0), (None, 2.0, 2.0), (10.0, 25.0, 25.0)]
)
def test_bands_do_not_become_narrower_than_they_were(own, asked, stated):
    cube = cube_of(peak(FINE), metadata={"fwhm": [own] * FINE.size} if own else {})
    found = to_wavelengths(cube, COARSE, fwhm=asked)
    assert found.metadata["fwhm"] == pytest.approx([stated] * COARSE.size)
    assert has(found.notices, Code.BANDS_STAY_WIDE) == (stated != asked)
