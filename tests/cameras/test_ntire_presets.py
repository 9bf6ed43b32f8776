"""The challenges' pipelines against their description, in numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_hsr.cameras import matrix
from napari_hsr.cameras.random_camera import check, draw
from napari_hsr.cameras.settings import CaptureSettings
from napari_hsr.colour.observers import colour_science
from napari_hsr.cube import Cube
from napari_hsr.errors import InputError

NIKON = "Nikon 5100 (NPL)"
PRESETS = ("ntire2020-clean", "ntire2020-real-world", "ntire2022")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def flat(value: float, side: int = 200) -> np.ndarray:
    return np.full((31, side, side), value, dtype=np.float32)


def preset(name, grid, thumbnail=None, **settings):
    return draw(CaptureSettings(preset=name, **settings), grid, rng(), thumbnail)


@pytest.fixture
def efficiencies(tmp_path):
    """Quantum efficiencies of 0.4, 0.5 and 0.2 in every band."""
    path = tmp_path / "sensor.csv"
    path.write_text("wavelength,R,G,B\n380,0.4,0.5,0.2\n780,0.4,0.5,0.2\n")
    return str(path)


def test_clean_2020_is_cie_1964_cut_off_to_eight_bits(grid, patch):
    made = preset("ntire2020-clean", grid)
    science = colour_science().MSDS_CMFS["CIE 1964 10 Degree Standard Observer"]
    curves = np.array([science[nm] for nm in grid])
    curves = curves * (255 / curves.sum(axis=0))
    expected = np.einsum("bhw,bc->hwc", 1.2 * patch.astype(float), curves).clip(0, 255)
    got = made.take(1.2 * patch, rng()) * 255
    safe = np.abs(expected - np.rint(expected)) > 1e-3  # float32 may fall to either side of a whole
    np.testing.assert_allclose(got[safe], np.floor(expected[safe]), atol=1e-3)
    assert safe.mean() > 0.98
    assert made.gain == 1
    assert made.encoding == "camera:cie-1964"
    assert "NTIRE 2020" in made.words()
    np.testing.assert_array_equal(made.take(patch, rng(1)), made.take(patch, rng(2)))


def test_real_world_2020_exposes_green_to_its_photoelectrons(grid):
    made = preset("ntire2020-real-world", grid, flat(0.25, 3))
    assert made.electrons * 0.25 == pytest.approx(5000)
    assert made.read_noise * made.electrons == pytest.approx(100)
    assert made.quality == 80
    assert made.bits == 8
    assert made.gain == 1
    raw = replace(made, bits=None, quality=None).take(flat(0.25), rng(3)).astype(float)
    for rows, columns, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):  # RGGB
        measured = raw[rows::2, columns::2, channel] * made.electrons
        assert measured.mean() == pytest.approx(5000, rel=2e-3)
        assert measured.var() == pytest.approx(5000 + 100**2, rel=0.06)
    assert preset("ntire2020-real-world", grid, flat(0.25, 3), photoelectrons=800).electrons == (
        pytest.approx(3200)
    )
    with pytest.raises(InputError, match="thumbnail"):
        preset("ntire2020-real-world", grid)


def test_2022_exposes_to_a_mean_of_18_percent(grid, patch, efficiencies):
    for settings in ({}, {"sensitivities": efficiencies}):
        made = preset("ntire2022", grid, patch, **settings)
        assert made.quality == 65
        ideal = replace(made, bits=None, quality=None, electrons=None, clip=False)
        assert ideal.take(patch, rng()).mean() == pytest.approx(0.18, rel=1e-5)
        # Cut off to whole numbers, half a level darker on average; JPEG keeps the mean.
        assert made.take(patch, rng()).mean() == pytest.approx(0.18 - 0.5 / 255, abs=2e-3)


def test_2022_noise_comes_before_exposure(grid, efficiencies):
    made = preset("ntire2022", grid, flat(0.3, 2), sensitivities=efficiencies)
    raw = replace(made, bits=None, quality=None).take(flat(0.3), rng(1)).astype(float)
    before = 31 * 0.3 * np.array([0.4, 0.5, 0.2]) * [2.2933984, 1.0, 1.62308182]
    factor = 0.18 / before.mean()
    np.testing.assert_allclose(raw.mean(axis=(0, 1)), before * factor, rtol=2e-3)
    np.testing.assert_allclose(raw.var(axis=(0, 1)), before / 750 * factor**2, rtol=0.04)
    fewer = preset("ntire2022", grid, flat(0.3, 2), sensitivities=efficiencies, photoelectrons=75)
    assert fewer.electrons == pytest.approx(made.electrons / 10)
    # The brightest channel of a white is the gain.
    assert made.gain * 0.3 == pytest.approx(before.max() * factor)


def test_a_stand_in_is_said(grid, patch, efficiencies):
    for name in ("ntire2020-real-world", "ntire2022"):
        made = preset(name, grid, patch)
        assert made.camera_name == NIKON
        assert made.encoding == "camera:nikon-5100-npl"
        assert "stands in" in made.words()
        picture = made.photograph(Cube(patch, grid), rng(1), name="taken", metadata={})
        assert any("stands in" in notice for notice in picture.notices)
        assert picture.data.dtype == np.uint8
        own = preset(name, grid, patch, sensitivities=efficiencies)
        assert "stands in" not in own.words()
        assert own.encoding == "camera:sensor"
    white = matrix(NIKON, grid, None, "white")
    np.testing.assert_allclose(preset("ntire2022", grid, patch).matrix, white, rtol=1e-9)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_stand_alone(grid, patch, name):
    with pytest.raises(InputError, match=f"{name} is a whole pipeline.*bits"):
        preset(name, grid, patch, bits=16)
    check(CaptureSettings(preset=name), grid)
    with pytest.raises(InputError, match="sees nothing"):
        check(CaptureSettings(preset=name), np.arange(900.0, 1000, 10))
    made = preset(name, grid, patch)
    np.testing.assert_array_equal(made.take(patch, rng(1)), made.take(patch, rng(1)))


def test_the_clean_track_has_no_photoelectrons(grid):
    with pytest.raises(InputError, match="no noise"):
        preset("ntire2020-clean", grid, photoelectrons=500)
