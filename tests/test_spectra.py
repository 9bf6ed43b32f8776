"""Spectra of pixels and regions against plain NumPy, and the tables they are written to."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from napari_hsr import spectra
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import FileError, InputError
from napari_hsr.spectra import sampling

NM = [400.0, 450.0, 500.0, 600.0]


class OnDisk:
    """A lazy array that records what is read and is never loaded whole."""

    def __init__(self, values: np.ndarray):
        self._values = values
        self.shape, self.dtype = values.shape, values.dtype
        self.reads: list[tuple[int, ...]] = []

    def __getitem__(self, key) -> np.ndarray:
        found = np.array(self._values[key])
        self.reads.append(found.shape)
        return found

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("the whole cube was loaded")


@pytest.fixture
def cube() -> Cube:
    values = np.random.default_rng(5).random((4, 12, 15), dtype=np.float32)
    return Cube(values, Wavelengths(NM), units="reflectance", name="scene")


def test_a_pixel(cube):
    curve = spectra.pixel(cube, 3, 14)
    np.testing.assert_array_equal(curve.mean, cube.data[:, 3, 14].astype(float))
    assert curve.std is None
    assert (curve.count, curve.missing, len(curve)) == (1, 0, 4)
    assert (curve.units, curve.cube, curve.position) == ("reflectance", "scene", (3.0, 14.0))
    np.testing.assert_array_equal(curve.wavelengths_nm, NM)
    assert curve.name == "(3, 14)"
    assert spectra.pixel(cube, 3, 14, name="leaf").name == "leaf"
    cube.data[1, 3, 14] = np.nan
    curve = spectra.pixel(cube, 3, 14)
    assert np.isnan(curve.mean[1])
    assert curve.missing == 1


@pytest.mark.parametrize("at", [(-1, 0), (0, -1), (12, 0), (0, 15)])
def test_a_pixel_outside_is_refused(cube, at):
    with pytest.raises(InputError, match=r"outside scene, which has 12 x 15 pixels"):
        spectra.pixel(cube, *at)


def test_a_region(cube):
    mask = np.random.default_rng(1).random((12, 15)) < 0.3
    curve = spectra.region(cube, mask, name="roof")
    inside = cube.data[:, mask].astype(float)
    np.testing.assert_allclose(curve.mean, inside.mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(curve.std, inside.std(axis=1), rtol=1e-12)
    assert curve.count == mask.sum()
    assert curve.name == "roof"
    rows, columns = np.nonzero(mask)
    assert curve.position == (rows.mean(), columns.mean())


def test_a_region_of_one_pixel_is_the_pixel(cube):
    mask = np.zeros((12, 15), dtype=bool)
    mask[11, 14] = True
    curve = spectra.region(cube, mask)
    np.testing.assert_array_equal(curve.mean, spectra.pixel(cube, 11, 14).mean)
    np.testing.assert_array_equal(curve.std, 0)


def test_missing_values_of_a_region_are_left_out_and_counted(cube):
    mask = np.zeros((12, 15), dtype=bool)
    mask[2:5, 3:7] = True
    cube.data[1, 2, 3] = np.nan
    cube.data[1, 3, 4] = np.inf
    cube.data[2, 2:5, 3:7] = np.nan
    curve = spectra.region(cube, mask)
    usable = [plane[mask][np.isfinite(plane[mask])].astype(float) for plane in cube.data]
    for band in (0, 1, 3):
        assert curve.mean[band] == pytest.approx(usable[band].mean(), rel=1e-14)
        assert curve.std[band] == pytest.approx(usable[band].std(), rel=1e-12)
    assert np.isnan(curve.mean[2])
    assert np.isnan(curve.std[2])
    assert curve.missing == 14
    assert curve.count == 12


def test_regions_that_do_not_fit_are_refused(cube):
    with pytest.raises(InputError, match="no pixel"):
        spectra.region(cube, np.zeros((12, 15), dtype=bool))
    with pytest.raises(InputError, match=r"mask has shape \(15, 12\), but scene has 12 x 15"):
        spectra.region(cube, np.ones((15, 12), dtype=bool))
    with pytest.raises(InputError, match="label image has shape"):
        spectra.labels(cube, np.ones((4, 12, 15), dtype=int))
    with pytest.raises(InputError, match="holds integers, not float64"):
        spectra.labels(cube, np.ones((12, 15)))


@pytest.mark.parametrize("values", [[0, 1, 2, 3], [0, 7, 300], [0, 5, 10**9], [-4, 0, 9], [3]])
@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_all_labels_at_once_equal_each_alone(cube, values, dtype):
    image = np.random.default_rng(2).choice(values, (12, 15)).astype(dtype)
    cube.data[0, :6] = np.nan
    cube.data[1, 7, 8] = np.inf
    cube.data[3][image == values[-1]] = np.nan
    curves = spectra.labels(cube, image, names={values[-1]: "last"})
    wanted = sorted(set(values) - {0})
    assert len(curves) == len(wanted)
    for label, curve in zip(wanted, curves, strict=True):
        alone = spectra.region(cube, image == label)
        np.testing.assert_allclose(curve.mean, alone.mean, rtol=1e-13)
        np.testing.assert_allclose(curve.std, alone.std, rtol=1e-11)
        assert (curve.count, curve.missing) == (alone.count, alone.missing)
        assert curve.position == pytest.approx(alone.position)
        assert curve.name == ("last" if label == values[-1] else f"label {label}")


def test_labels_of_large_values_keep_small_deviations(cube):
    flat = cube.replace(data=60000 + (cube.data > 0.5).astype(np.float32))
    (curve,) = spectra.labels(flat, np.ones((12, 15), dtype=np.uint8))
    expected = (cube.data > 0.5).reshape(4, -1).astype(float).std(axis=1)
    np.testing.assert_allclose(curve.std, expected, rtol=1e-9)


def test_an_empty_label_image_has_no_curves(cube):
    assert spectra.labels(cube, np.zeros((12, 15), dtype=int)) == []


def test_a_lazy_cube_is_read_only_where_needed(cube):
    lazy = OnDisk(cube.data)
    there = cube.replace(data=lazy)
    mask = np.zeros((12, 15), dtype=bool)
    mask[3:6, 10:12] = True
    np.testing.assert_array_equal(spectra.region(there, mask).mean, spectra.region(cube, mask).mean)
    assert lazy.reads == [(3, 2)] * 4
    lazy.reads.clear()
    spectra.labels(there, mask.astype(int) * 3)
    assert lazy.reads == [(3, 2)] * 4
    lazy.reads.clear()
    spectra.pixel(there, 0, 0)
    assert lazy.reads == [(4,)]


def table(text: str, separator: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter=separator))


def test_csv_of_one_cube(cube, tmp_path):
    mask = np.zeros((12, 15), dtype=bool)
    mask[:3] = True
    curves = [spectra.pixel(cube, 0, 0), spectra.region(cube, mask, name="sky, upper")]
    path = spectra.write_csv(curves, tmp_path / "spectra.csv")
    rows = table(path.read_text(encoding="utf-8"))
    assert list(rows[0]) == [
        "wavelength_nm",
        "(0, 0) [reflectance]",
        "sky, upper [reflectance]",
        "sky, upper std [reflectance]",
        "sky, upper n",
    ]
    assert [float(row["wavelength_nm"]) for row in rows] == NM
    values = np.array([row["(0, 0) [reflectance]"] for row in rows], dtype=np.float32)
    np.testing.assert_array_equal(values, cube.data[:, 0, 0])  # not a bit is lost
    stds = [float(row["sky, upper std [reflectance]"]) for row in rows]
    np.testing.assert_allclose(stds, curves[1].std, rtol=1e-8)
    assert {row["sky, upper n"] for row in rows} == {"45"}


def test_pandas_reads_the_csv_as_numbers(cube, tmp_path):
    pandas = pytest.importorskip("pandas")
    cube.data[1, 0, 0] = np.nan
    path = spectra.write_csv([spectra.pixel(cube, 0, 0)], tmp_path / "one.csv")
    frame = pandas.read_csv(path, index_col="wavelength_nm")
    assert all(kind.kind == "f" for kind in frame.dtypes)
    assert frame.index.tolist() == NM
    assert frame.iloc[:, 0].isna().tolist() == [False, True, False, False]


def test_grids_are_joined_and_gaps_stay_empty(cube):
    other = Cube(
        np.arange(3 * 4, dtype=np.float32).reshape(3, 2, 2), Wavelengths([450, 475, 500]), name="sr"
    )
    text = spectra.to_text([spectra.pixel(cube, 1, 1), spectra.pixel(other, 1, 1)])
    rows = table(text, "\t")
    assert [row["wavelength_nm"] for row in rows] == ["400", "450", "475", "500", "600"]
    assert [row["sr: (1, 1)"] for row in rows] == ["", "3", "7", "11", ""]
    assert [bool(row["scene: (1, 1) [reflectance]"]) for row in rows] == [
        True,
        True,
        False,
        True,
        True,
    ]


def test_curves_without_wavelengths_go_by_index(cube):
    bare = Cube(np.ones((2, 3, 3), np.float32), name="bare")
    assert spectra.to_text([spectra.pixel(bare, 0, 0)], ",") == 'band_index,"(0, 0)"\n0,1\n1,1\n'
    rows = table(spectra.to_text([spectra.pixel(bare, 0, 0), spectra.pixel(cube, 0, 0)], ","))
    assert len(rows) == 6
    assert [row["band_index"] for row in rows] == ["", "", "", "", "0", "1"]
    assert [row["wavelength_nm"] for row in rows[4:]] == ["", ""]
    assert [row["bare: (0, 0)"] for row in rows] == ["", "", "", "", "1", "1"]


def test_names_that_repeat_get_columns_of_their_own(cube):
    curves = [spectra.pixel(cube, 0, i, name=n) for i, n in enumerate(["a", "a (2)", "a", "a"])]
    header = spectra.to_text(curves, ",").splitlines()[0].split(",")
    assert len(set(header)) == 5
    assert header[1:3] == ["a [reflectance]", "a (2) [reflectance]"]


def test_nothing_to_write(tmp_path):
    with pytest.raises(InputError, match="no spectrum"):
        spectra.write_csv([], tmp_path / "none.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written(cube, tmp_path):
    with pytest.raises(FileError):
        spectra.write_csv([spectra.pixel(cube, 0, 0)], tmp_path / "no such folder" / "x.csv")


def test_ranges_stand_beside_their_curve():
    first = spectra.Curve(
        "a", np.array([1.0, 2]), wavelengths_nm=np.array([400, 410]), units="reflectance",
        ranges={"feasible": (np.array([0, 1.5]), np.array([np.nan, 3]))},
    )  # fmt: skip
    second = spectra.Curve("b", np.array([5.0]), wavelengths_nm=np.array([410]))
    lines = spectra.to_text([first, second], ",").splitlines()
    assert lines == [
        "wavelength_nm,a [reflectance],a feasible lower [reflectance],a feasible upper [reflectance],b",
        "400,1,0,,",
        "410,2,1.5,3,5",
    ]


def test_where_a_cube_lies_is_found_once_for_all_labels(monkeypatch):
    """For each of 90,000 labels it took seconds."""
    cube = Cube(np.ones((3, 4, 5), np.float32), [500, 550, 600])
    asked = []
    monkeypatch.setattr(sampling, "ground_of", lambda of: asked.append(of))
    assert len(spectra.labels(cube, np.arange(20).reshape(4, 5))) == 19
    assert len(asked) == 1
