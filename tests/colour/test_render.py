"""True and false colour, against definitions and colour-science."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import colour as ours
from napari_hsr.colour.matrix import bradford
from napari_hsr.colour.observers import colour_science, illuminant_values, observer_values
from napari_hsr.colour.render import is_radiance
from napari_hsr.colour.transfer import LINEAR_SRGB_TO_XYZ, WHITE_D65
from napari_hsr.cube import Cube
from napari_hsr.errors import InputError

GRID = np.arange(400.0, 701.0, 10.0)


def lab_of_linear_srgb(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* with the white of sRGB, written out from its definition."""
    t = np.asarray(rgb, dtype=np.float64) @ LINEAR_SRGB_TO_XYZ.T / WHITE_D65
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1
    )


def flat(nm: np.ndarray, value: float = 1.0, **kwargs) -> Cube:
    return Cube(np.full((len(nm), 4, 5), value, np.float32), nm, **kwargs)


GRIDS = {
    "31 bands": GRID,
    "5 nm": np.arange(380.0, 781.0, 5.0),
    "irregular": np.array([402, 409, 420, 431, 437, 450, 466, 480, 497, 511, 525, 540, 555, 571, 588, 600, 619, 633, 650, 677, 702.0]),
    "five wide bands": np.array([450.0, 520.0, 560.0, 650.0, 840.0]),
    "into the infrared": np.arange(350.0, 1700.0, 7.0),
    "a gap at the end": np.r_[np.arange(400.0, 681.0, 10.0), np.arange(850.0, 1000.0, 10.0)],
}  # fmt: skip


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("illuminant", ["D65", "A", "E", "D50", "FL2"])
def test_the_perfect_reflector_is_white_and_neutral(grid, illuminant):
    matrix = ours.rendering_matrix(GRIDS[grid], illuminant)
    np.testing.assert_allclose(matrix.sum(axis=0), 1.0, atol=1e-10)
    linear = ours.render(flat(GRIDS[grid]), illuminant, encoded=False, clip=False)
    lab = lab_of_linear_srgb(linear)
    assert np.abs(lab[..., 0] - 100).max() < 1e-3
    assert np.abs(lab[..., 1:]).max() < 2e-3


@pytest.mark.parametrize("observer", ["cie-1931", "cie-1964"])
def test_a_grey_of_18_percent_has_luminance_018(observer):
    linear = ours.render(flat(GRID, 0.18), observer=observer, encoded=False)
    y = linear.astype(float) @ LINEAR_SRGB_TO_XYZ[1]
    np.testing.assert_allclose(y, 0.18, atol=1e-6)


def test_the_matrix_is_the_sum_over_bands_of_its_definition():
    spectrum = np.random.default_rng(4).random(31)
    cmfs = observer_values("cie-1931", GRID)
    light = illuminant_values("A", GRID)
    k = 1 / (light * cmfs[:, 1]).sum()
    xyz = np.array([k * (spectrum * light * cmfs[:, i]).sum() for i in range(3)])
    white = np.array([k * (light * cmfs[:, i]).sum() for i in range(3)])
    expected = np.linalg.inv(LINEAR_SRGB_TO_XYZ) @ bradford(white) @ xyz
    np.testing.assert_allclose(
        ours.rendering_matrix(GRID, "A").T @ spectrum, expected, rtol=1e-12, atol=1e-12
    )


def test_bradford_agrees_with_colour_science():
    white = np.array([1.0985, 1.0, 0.3558])
    reference = colour_science().adaptation.matrix_chromatic_adaptation_VonKries(
        white, WHITE_D65, "Bradford"
    )
    np.testing.assert_allclose(bradford(white), reference, atol=1e-10)


@pytest.mark.parametrize("grid", ["31 bands", "5 nm", "irregular", "a gap at the end"])
def test_colour_checker_agrees_with_integration_at_1_nm(grid):
    """Against colour-science's own tristimulus integration of the same measured patches."""
    colour = colour_science()
    nm = GRIDS[grid]
    matrix = ours.rendering_matrix(nm)
    shape = colour.SpectralShape(380, 730, 1)
    cmfs = colour.MSDS_CMFS["CIE 1931 2 Degree Standard Observer"].copy().align(shape)
    light = colour.SDS_ILLUMINANTS["D65"].copy().align(shape)
    worst = 0.0
    for patch in colour.SDS_COLOURCHECKERS["BabelColor Average"].values():
        fine = patch.copy().align(shape)
        xyz = colour.sd_to_XYZ(fine, cmfs, light, method="Integration") / 100
        reference = lab_of_linear_srgb(np.linalg.inv(LINEAR_SRGB_TO_XYZ) @ xyz)
        spectrum = np.interp(nm, fine.wavelengths, fine.values)
        mine = lab_of_linear_srgb(matrix.T @ spectrum)
        worst = max(worst, float(np.linalg.norm(mine - reference)))
    # What 400-700 nm and wide steps cost, in CIE 1976 colour difference.
    assert (
        worst
        < {
            "31 bands": 0.2,
            "5 nm": 0.05,
            "irregular": 1.5,
            "a gap at the end": 1.0,  # 3.4, when its last band counted for half of the gap
        }[grid]
    )


def test_rows_do_not_matter_and_lazy_data_are_read_in_pieces():
    class Lazy:
        """Counts what is read; the smallest array that a cube may hold."""

        def __init__(self, data):
            self.data, self.shape, self.dtype, self.read = data, data.shape, data.dtype, []

        def __getitem__(self, key):
            piece = self.data[key]
            self.read.append(piece.size)
            return piece

    nm = np.arange(300.0, 1100.0, 10.0)
    data = np.random.default_rng(5).random((nm.size, 40, 30), dtype=np.float32)
    whole = ours.render(Cube(data, nm))
    lazy = Lazy(data)
    cube = Cube(lazy, nm, units="reflectance", _value_range=(0.0, 1.0))
    pieces = ours.render(cube, rows=7)
    np.testing.assert_allclose(pieces, whole, atol=1e-6)
    assert len(lazy.read) == 6
    assert max(lazy.read) <= 49 * 7 * 30  # only the bands that weigh anything


def test_missing_pixels_are_black_in_a_picture_and_nan_in_linear_light():
    cube = flat(GRID, 0.5)
    cube.data[3, 1, 2] = np.nan
    cube.data[4, 0, 0] = np.inf
    picture = ours.render(cube)
    assert (picture[1, 2] == 0).all()
    assert (picture[0, 0] == 0).all()
    linear = ours.render(cube, encoded=False)
    assert np.isnan(linear[1, 2]).all()
    assert np.isnan(linear[0, 0]).all()
    assert np.isfinite(linear[2:]).all()


def test_encoded_is_the_srgb_curve_on_clipped_linear_light():
    data = np.random.default_rng(6).uniform(-0.1, 1.3, (31, 8, 9)).astype(np.float32)
    cube = Cube(data, GRID)
    linear = ours.render(cube, encoded=False, clip=False)
    np.testing.assert_allclose(
        ours.render(cube), ours.srgb_encode(np.clip(linear, 0, 1)), atol=1e-6
    )


def test_radiance_drops_the_light_and_takes_its_white():
    light = illuminant_values("A", GRID)
    reflectance = np.random.default_rng(7).random((31, 6, 7)).astype(np.float32)
    radiance = Cube(
        reflectance * 0.013 * light[:, None, None].astype(np.float32),
        GRID,
        units="W m-2 sr-1 nm-1",
    )
    expected = ours.render(Cube(reflectance, GRID), "A", encoded=False, clip=False)
    got = ours.render(radiance, white=0.013 * light, encoded=False, clip=False)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    # Without a white, a percentile of luminance is it; the note says so.
    plan = ours.rendering(radiance)
    assert "radiance" in plan.note
    assert "percentile" in plan.note
    y = ours.render(radiance, encoded=False, clip=False).astype(float) @ LINEAR_SRGB_TO_XYZ[1]
    assert np.percentile(y, 99.5) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("units", "radiance"),
    [
        ("W m-2 sr-1 nm-1", True), ("W·m⁻²·sr⁻¹·nm⁻¹", True), ("W*m-2*sr-1", True), ("Wm-2sr-1um-1", True),
        ("nW/cm2/sr/nm", True), ("µW/cm²", True), ("μW/cm²", True), ("relative radiance", True),
        ("reflectance", False), ("%", False), ("raw counts", False), (None, False),
    ],
)  # fmt: skip
def test_watts_are_radiance_however_they_are_written(units, radiance):
    """Radiance had been lit by D65 once more where watts were followed by a dot or began with n or μ."""
    assert is_radiance(flat(GRID, units=units)) == radiance


def test_scaled_integers_are_not_taken_for_reflectance():
    data = np.random.default_rng(8).random((31, 6, 7)).astype(np.float32)
    plain, scaled = Cube(data, GRID), Cube(data * 10000, GRID)
    assert "perfect reflector" in ours.rendering(plain).note
    assert "percentile" in ours.rendering(scaled).note
    np.testing.assert_allclose(ours.render(scaled, white=10000.0), ours.render(plain), atol=1e-5)


@pytest.mark.parametrize(
    ("nm", "words"),
    [
        (None, "wavelengths of this cube are not known"),
        ([450.0, 550.0], "three bands or more"),
        (np.arange(900.0, 1700.0, 100.0), "has none"),
        (np.arange(600.0, 701.0, 10.0), "from the blue"),
    ],
)
def test_what_cannot_be_rendered_is_said(nm, words):
    bands = 31 if nm is None else len(nm)
    cube = Cube(np.ones((bands, 2, 2), np.float32), nm)
    with pytest.raises(InputError, match=words):
        ours.render(cube)


def test_unknown_names_list_known_ones():
    with pytest.raises(InputError, match="D65"):
        ours.render(flat(GRID), illuminant="moonlight")
    with pytest.raises(InputError, match="cie-1931"):
        ours.render(flat(GRID), observer="my uncle")
    assert ours.illuminant_name("d65") == "D65"
    assert ours.illuminant_name("F11") == "FL11"
    assert ours.illuminant_name("fl3.15") == "FL3.15"


def test_bad_whites_are_refused():
    for white in (0.0, -1.0, np.nan):
        with pytest.raises(InputError, match="positive"):
            ours.render(flat(GRID), white=white)
    with pytest.raises(InputError, match="31 bands"):
        ours.render(flat(GRID), white=np.ones(30))


def test_false_colour_takes_the_nearest_bands_and_stretches_each():
    data = np.random.default_rng(9).random((31, 20, 30)).astype(np.float32)
    data[30] *= 100
    picture = ours.false_colour(Cube(data, GRID), (700, 553, 446), (0, 100))
    assert picture.shape == (20, 30, 3)
    assert picture.dtype == np.float32
    for channel, band in enumerate((30, 15, 5)):
        plane = data[band].astype(float)
        expected = (plane - plane.min()) / np.ptp(plane)
        np.testing.assert_allclose(picture[..., channel], expected, atol=1e-6)


def test_false_colour_of_missing_and_constant_values():
    data = np.random.default_rng(10).random((31, 5, 5)).astype(np.float32)
    data[15] = 0.3
    data[0, 2, 2] = np.nan
    picture = ours.false_colour(Cube(data, GRID), (400, 550, 700))
    assert (picture[2, 2] == 0).all()
    assert (picture[..., 1] == 0).all()


@pytest.mark.parametrize(
    ("nm", "percentiles", "words"),
    [
        ((850, 550, 450), (1, 99), "850 nm"),
        ((650, 550), (1, 99), "three wavelengths"),
        ((650, 550, 450), (99, 1), "Percentiles"),
        ((650, float("nan"), 450), (1, 99), "nan nm"),
    ],
)
def test_false_colour_refuses(nm, percentiles, words):
    with pytest.raises(InputError, match=words):
        ours.false_colour(flat(GRID), nm, percentiles)


@pytest.mark.parametrize("camera", ["cie-1931", "nikon-5100-npl"])
def test_bands_marked_as_bad_have_no_part_in_colour(camera):
    from napari_hsr.cameras import simulate

    rng = np.random.default_rng(5)
    spectra = rng.uniform(0, 1, (31, 4, 5)).astype(np.float32)
    spoiled = spectra.copy()
    bad = [0, 1, 17]
    spoiled[bad] = np.nan
    good = np.setdiff1d(np.arange(31), bad)
    bbl = np.isin(np.arange(31), good).astype(int).tolist()
    found = simulate(Cube(spoiled, GRID, metadata={"bbl": bbl}), camera)
    without = simulate(Cube(spectra[good], GRID[good]), camera)
    np.testing.assert_allclose(found.data, without.data, atol=1e-6)
    assert np.isfinite(found.data).all()


@pytest.mark.parametrize("dtype", ["f4", "u2"])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)])
def test_a_cube_on_disk_has_the_same_colours_and_range_in_any_interleave(
    tmp_path, monkeypatch, order, dtype
):
    from napari_hsr import cube as cube_module
    from napari_hsr.io.lazy import LazyArray

    monkeypatch.setattr(cube_module, "EXACT_RANGE_BYTES", 1000)
    data = np.random.default_rng(9).integers(0, 2, (31, 300, 7)).astype(dtype)
    np.ascontiguousarray(data.transpose(order)).tofile(tmp_path / "raw")
    shape = tuple(data.shape[axis] for axis in order)
    mapped = np.memmap(tmp_path / "raw", dtype, "r", shape=shape)
    axes = np.argsort(order).tolist()
    whole = ours.render(Cube(data, GRID))
    stored = [LazyArray(mapped, axes)] + ([mapped.transpose(axes)] if dtype == "f4" else [])
    for source in stored:
        cube = Cube(source, GRID)
        # the order of a sum of 31 float32
        np.testing.assert_allclose(ours.render(cube, rows=17), whole, atol=2e-6)
        assert cube.value_range == (0.0, 1.0)


def test_a_file_that_keeps_the_bands_of_a_pixel_together_is_passed_through_once(
    tmp_path, monkeypatch
):
    from napari_hsr import cube as cube_module
    from napari_hsr.io.lazy import LazyArray

    monkeypatch.setattr(cube_module, "EXACT_RANGE_BYTES", 1000)
    asked = []

    class Bip:
        shape, dtype, by_rows = (60, 7, 31), np.dtype("u2"), True

        def __getitem__(self, key):
            asked.append(range(60)[key[0]])
            return np.ones(self.shape, "u2")[key]

    cube = Cube(LazyArray(Bip(), (2, 0, 1)), GRID)
    assert cube.value_range == (1.0, 1.0)
    ours.render(cube, rows=20)
    rows = [row for part in asked for row in part]
    assert len(rows) == 2 * 60  # once for the range, once for the picture


def test_a_large_map_by_bands_is_given_back_band_by_band(tmp_path, monkeypatch):
    import importlib

    module = importlib.import_module("napari_hsr.colour.render")
    nm, shape = np.arange(400.0, 701.0, 10), (31, 12, 9)
    np.random.default_rng(4).random(shape, dtype=np.float32).tofile(tmp_path / "raw")
    mapped = np.memmap(tmp_path / "raw", np.float32, "r", shape=shape)
    expected = ours.render(Cube(np.array(mapped), nm, units="reflectance"))
    given_back = []
    monkeypatch.setattr(module, "release_pages", given_back.append)
    monkeypatch.setattr(module, "_LARGE_MAP", 1024)
    found = ours.render(Cube(mapped, nm, units="reflectance"), rows=5)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len(given_back) == 3 * 31
