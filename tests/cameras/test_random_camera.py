"""The cameras to draw from, and whole cubes photographed."""

from __future__ import annotations

import os

import numpy as np
import pytest

from napari_hsr.cameras import get_camera, matrix
from napari_hsr.cameras.random_camera import check, draw
from napari_hsr.cameras.response import mixture
from napari_hsr.cameras.sensitivities import camera_pool
from napari_hsr.cameras.settings import CaptureSettings
from napari_hsr.cube import Cube
from napari_hsr.errors import FileError, InputError

NIKON = "Nikon 5100 (NPL)"


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# ---- the pool --------------------------------------------------------------------------------


def test_a_star_stands_for_all_cameras_of_a_table(table, grid):
    names = [camera.name for camera in camera_pool((f"{table}:*", NIKON))]
    assert names == ["Acme_One", "Acme_Two", "Acme_Three", NIKON]
    settings = CaptureSettings(cameras=(f"{table}:*",), leave_out=("acme-two",))
    drawn = [draw(settings, grid, rng(seed)).camera_name for seed in range(60)]
    assert set(drawn) == {"Acme_One", "Acme_Three"}
    assert 15 < drawn.count("Acme_One") < 45


def test_a_changed_table_is_read_again(table):
    (before,) = camera_pool((f"{table}:Acme_One",))
    assert camera_pool((f"{table}:Acme_One",))[0] is before
    table.write_text("camera,wavelength,R,G,B\nAcme_One,400,1,2,3\nAcme_One,700,1,2,3\n")
    os.utime(table, ns=(1, 1))
    assert camera_pool((f"{table}:Acme_One",))[0].sensitivities.tolist() == [[1, 2, 3]] * 2


def test_names_that_are_not_there(table, tmp_path):
    with pytest.raises(InputError, match=r"'Acme_Tow' is to be left out.*acme-two"):
        camera_pool((f"{table}:*",), ("Acme_Tow",))
    with pytest.raises(FileError, match="no such file"):
        camera_pool((f"{tmp_path / 'none.csv'}:*",))


def test_mixtures_lie_between_two_cameras(table, grid):
    one, two = get_camera(f"{table}:Acme_One"), get_camera(f"{table}:Acme_Two")
    mixed = mixture(one, two, 0.25, tuple(grid))
    a, b = (matrix(camera, grid, None, None) for camera in (one, two))
    np.testing.assert_allclose(
        mixed.sensitivities, 0.25 * a / a.sum() + 0.75 * b / b.sum(), rtol=1e-12
    )
    settings = CaptureSettings(cameras=(f"{table}:*",), mix_cameras=True, normalise=None)
    names = [draw(settings, grid, rng(seed)).camera_name for seed in range(200)]
    share = sum(" with " in name for name in names) / len(names)
    assert share == pytest.approx(1 / 3, abs=0.1)  # half of them, and two of three are others
    observers = CaptureSettings(cameras=("cie-1931", "cie-1964"), mix_cameras=True)
    assert {draw(observers, grid, rng(s)).camera_name for s in range(20)} == {
        "cie-1931",
        "cie-1964",
    }


def test_check_tries_every_camera_and_light(table, grid):
    check(CaptureSettings(cameras=(f"{table}:*",), illuminants=("A", "blackbody")), grid)
    table.write_text("camera,nm,R,G,B\nflat,300,1,1,1\nflat,900,1,1,1\n")
    settings = CaptureSettings(cameras=(f"{table}:*", "Sigma SDMerill (NPL)"))
    check(settings, grid)
    with pytest.raises(InputError, match=r"Sigma SDMerill.*sees nothing"):
        check(settings, np.arange(690.0, 780.0, 10))
    with pytest.raises(InputError, match="moonlight"):
        check(CaptureSettings(illuminants=("D65", "moonlight")), grid)


# ---- whole cubes -----------------------------------------------------------------------------


def photograph(cube, settings, seed=0):
    """A whole cube by one drawn camera."""
    one = rng(seed)
    made = draw(settings, cube.wavelengths.nm, one, cube.data)
    return made.photograph(cube, one, name="taken", metadata={"seed": seed})


def test_a_photograph_is_what_a_capture_takes(patch, grid):
    settings = CaptureSettings(
        cameras=(NIKON,),
        illuminants=("A", "D50"),
        white_balance=True,
        colour_matrix=True,
        auto_exposure=(0.1, 0.2),
        photoelectrons=900,
        clip=True,
        encoding="srgb",
        bits=8,
        jpeg=(50, 90),
    )
    cube = Cube(patch, grid, name="scene")
    picture = photograph(cube, settings, seed=8)
    one = rng(8)
    made = draw(settings, grid, one, patch)
    expected = made.take(patch, one)
    assert picture.data.dtype == np.uint8
    np.testing.assert_allclose(picture.data / 255.0, expected, atol=1e-6)
    assert picture.encoding == "srgb"
    assert picture.provenance.steps == (made.words(),)
    assert picture.metadata == {"seed": 8}
    np.testing.assert_array_equal(picture.data, photograph(cube, settings, seed=8).data)


@pytest.mark.parametrize(("bits", "dtype"), [(None, np.float32), (8, np.uint8), (16, np.uint16)])
def test_files_of_every_depth(patch, grid, bits, dtype):
    settings = CaptureSettings(cameras=(NIKON,), bits=bits)
    picture = photograph(Cube(patch, grid), settings)
    assert picture.data.dtype == dtype
    assert picture.notices == ()


def test_what_was_lost_is_counted(patch, grid):
    patch[:, :2, :5] = 1.2
    patch[7, 10, 10] = np.nan
    settings = CaptureSettings(cameras=(NIKON,), clip=True, photoelectrons=1e9)
    picture = photograph(Cube(patch, grid), settings)
    assert "10 of 480 pixels were above 1 (over-exposed) and are clipped." in picture.notices
    assert "1 of 480 pixels were not finite and are NaN here." in picture.notices
    assert np.isnan(picture.data[10, 10]).all()
    filed = photograph(Cube(patch, grid), settings.model_copy(update={"bits": 8}))
    assert "1 of 480 pixels were not finite and are 0 here." in filed.notices
    assert (filed.data[10, 10] == 0).all()
    dark = photograph(
        Cube(np.zeros_like(patch), grid), settings.model_copy(update={"read_noise": 0.1})
    )
    (notice,) = dark.notices
    assert "below 0" in notice
