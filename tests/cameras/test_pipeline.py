"""A photograph step by step, each step alone against a formula of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_hsr import colour
from napari_hsr.cameras import get_camera, matrix
from napari_hsr.cameras.random_camera import draw
from napari_hsr.cameras.settings import CaptureSettings
from napari_hsr.colour.observers import colour_science, illuminant_values
from napari_hsr.cube import Cube
from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from napari_hsr.cameras.pipeline import Capture

NIKON = "Nikon 5100 (NPL)"
SIGMA = "Sigma SDMerill (NPL)"
PHOTO = dict(
    normalise=None,
    illuminants=("D65", "A", "blackbody", "FL11"),
    white_balance=True,
    colour_matrix=True,
    auto_exposure=(0.1, 0.3),
    exposure=(0.7, 1.4),
    photoelectrons=(500, 10_000),
    read_noise=(0.0, 0.01),
    clip=True,
    encoding="srgb",
    bits=8,
    jpeg=(60, 98),
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def capture(grid, seed=0, thumbnail=None, **settings) -> Capture:
    settings = {"cameras": (NIKON,), **settings}
    return draw(CaptureSettings(**settings), grid, rng(seed), thumbnail)


def flat(value: float, side: int = 200) -> np.ndarray:
    return np.full((31, side, side), value, dtype=np.float32)


# ---- linear light ----------------------------------------------------------------------------


def test_a_camera_alone_is_its_matrix(grid, patch):
    plain = capture(grid)
    expected = np.einsum("bhw,bc->hwc", patch.astype(float), matrix(NIKON, grid))
    np.testing.assert_allclose(plain.take(patch, rng()), expected, rtol=1e-5)
    assert plain.take(patch, rng()).dtype == np.float32
    assert plain.gain == 1
    assert plain.encoding == "camera:nikon-5100-npl"
    np.testing.assert_allclose(plain.matrix, matrix(NIKON, grid), rtol=1e-12)


@pytest.mark.parametrize("observer", ["cie-1931", "cie-1964"])
@pytest.mark.parametrize("light", ["D65", "A"])
def test_an_observer_sees_what_is_rendered(grid, patch, observer, light):
    seen = capture(grid, cameras=(observer,), illuminants=(light,))
    assert seen.encoding == "linear-srgb"
    expected = colour.render(Cube(patch, grid), light, observer, encoded=False, clip=False)
    np.testing.assert_allclose(seen.take(patch, rng()), expected, atol=2e-6)


def test_without_a_light_an_observer_takes_daylight(grid, patch):
    at_noon = capture(grid, cameras=("cie-1931",), illuminants=("D65",))
    np.testing.assert_allclose(
        capture(grid, cameras=("cie-1931",)).matrix, at_noon.matrix, rtol=1e-12
    )


@pytest.mark.parametrize("normalise", ["sum", "white", None])
def test_lights_as_in_the_matrix_of_the_camera(grid, normalise):
    lit = capture(grid, illuminants=("A",), normalise=normalise)
    np.testing.assert_allclose(lit.matrix, matrix(NIKON, grid, "A", normalise), rtol=1e-9)


def test_black_bodies_follow_planck(grid):
    drawn = {capture(grid, seed, illuminants=("blackbody",), normalise=None) for seed in range(40)}
    curves = get_camera(NIKON).sensitivities[np.searchsorted(np.arange(380.0, 781, 5), grid)]
    sees = curves[:, 1] > 0
    at_560 = np.flatnonzero(grid[sees] == 560)[0]
    temperatures = []
    for one in drawn:
        kelvin = float(one.light.removeprefix("a black body of ").rstrip(" K").replace(",", ""))
        temperatures.append(kelvin)
        power = one.matrix[sees, 1] / curves[sees, 1]
        planck = colour_science().sd_blackbody(kelvin, colour_science().SpectralShape(400, 700, 10))
        reference = (planck.values / planck[560.0])[sees]
        np.testing.assert_allclose(power / power[at_560], reference, rtol=2e-3)
    assert min(temperatures) >= 2500
    assert max(temperatures) <= 8000
    assert max(temperatures) > 2 * min(temperatures)


def test_white_balance_makes_a_white_neutral(grid):
    for light in ("A", "D65", "FL11"):
        for normalise in ("sum", None):
            balanced = capture(grid, illuminants=(light,), white_balance=True, normalise=normalise)
            np.testing.assert_allclose(balanced.take(flat(1, 2), rng()), 1.0, rtol=1e-6)
            np.testing.assert_allclose(balanced.response.sensor.sum(axis=0).max(), 1.0, rtol=1e-12)
            assert balanced.response.balance.min() == 1
    lit = get_camera(NIKON).sensitivities[np.searchsorted(np.arange(380.0, 781, 5), grid)]
    lit = lit * illuminant_values("FL11", grid)[:, None]
    np.testing.assert_allclose(balanced.matrix, lit / lit.sum(axis=0), rtol=1e-9)


def test_the_error_of_the_white_balance_has_the_spread_asked_for(grid):
    gains = np.log(
        [
            capture(grid, seed, white_balance=True, white_balance_error=0.1).matrix.sum(axis=0)
            for seed in range(1500)
        ]
    )
    np.testing.assert_allclose(gains[:, 1], 0, atol=1e-9)
    for channel in (0, 2):
        assert gains[:, channel].std() == pytest.approx(0.1, rel=0.08)
        assert abs(gains[:, channel].mean()) < 0.01
    assert abs(np.corrcoef(gains[:, 0], gains[:, 2])[0, 1]) < 0.1


@pytest.mark.parametrize("light", ["D65", "A", "FL2"])
def test_the_colour_matrix_is_of_least_squares_and_keeps_white(grid, light):
    made = capture(grid, illuminants=(light,), white_balance=True, colour_matrix=True)
    assert made.encoding == "linear-srgb"
    np.testing.assert_allclose(made.matrix.sum(axis=0), 1.0, rtol=1e-9)
    # The constraint put in by hand: the third row is what the others leave of 1.
    science = colour_science()
    cie = science.quality.cfi2017.load_TCS_CIE2017(science.SpectralShape(380, 780, 5))
    rows = [np.interp(grid, np.arange(380, 781, 5), row) for row in cie.values.T]
    for sd in science.SDS_COLOURCHECKERS["ColorChecker N Ohta"].values():
        rows.append(np.interp(grid, sd.wavelengths, sd.values))
    rows = np.array(rows)
    seen = rows @ (made.response.sensor * made.response.balance)
    wanted = rows @ colour.rendering_matrix(grid, light)
    differences = np.stack([seen[:, 0] - seen[:, 2], seen[:, 1] - seen[:, 2]], axis=1)
    free = np.linalg.lstsq(differences, wanted - seen[:, 2:], rcond=None)[0]
    expected = np.vstack([free, 1 - free.sum(axis=0)])
    np.testing.assert_allclose(made.response.correction, expected, atol=1e-8)
    # And it does its work: far nearer to the colours than the camera's own channels.
    assert np.abs(seen @ expected - wanted).mean() < 0.5 * np.abs(seen - wanted).mean()


# ---- exposure --------------------------------------------------------------------------------


def test_exposure_is_a_factor_and_the_gain(grid, patch):
    brighter = capture(grid, exposure=2.5)
    assert brighter.gain == pytest.approx(2.5)
    np.testing.assert_allclose(
        brighter.take(patch, rng()), 2.5 * capture(grid).take(patch, rng()), rtol=1e-5
    )


def test_exposure_is_drawn_evenly_in_its_logarithm(grid):
    gains = np.log([capture(grid, seed, exposure=(0.25, 4.0)).gain for seed in range(800)])
    assert gains.min() >= np.log(0.25)
    assert gains.max() <= np.log(4)
    assert abs(np.median(gains)) < 0.15
    assert gains.std() == pytest.approx(2 * np.log(4) / np.sqrt(12), rel=0.06)


def test_auto_exposure_brings_the_mean_to_its_target(grid, patch):
    exposed = capture(
        grid,
        thumbnail=patch,
        auto_exposure=0.18,
        illuminants=("A",),
        white_balance=True,
        colour_matrix=True,
    )
    assert exposed.take(patch, rng()).mean() == pytest.approx(0.18, rel=1e-5)
    twice = capture(grid, thumbnail=patch, auto_exposure=0.18, exposure=2)
    assert twice.take(patch, rng()).mean() == pytest.approx(0.36, rel=1e-5)
    with pytest.raises(InputError, match="thumbnail"):
        capture(grid, auto_exposure=0.18)
    with pytest.raises(InputError, match="black"):
        capture(grid, thumbnail=flat(0, 2), auto_exposure=0.18)
    with pytest.raises(InputError, match="30 bands; 31"):
        capture(grid, thumbnail=patch[1:], auto_exposure=0.18)


# ---- noise -----------------------------------------------------------------------------------


def test_shot_noise_is_poisson(grid):
    value, electrons = 0.3, 800
    noisy = capture(grid, photoelectrons=electrons).take(flat(value), rng(1)).astype(float)
    counts = noisy * electrons
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-3)  # whole photoelectrons
    assert noisy.mean() == pytest.approx(value, rel=0.002)
    assert noisy.var() == pytest.approx(value / electrons, rel=0.02)
    skewness = ((counts - counts.mean()) ** 3).mean() / counts.std() ** 3
    assert skewness == pytest.approx((value * electrons) ** -0.5, rel=0.3)


def test_twice_the_light_has_half_the_relative_variance(grid):
    dim, bright = (
        capture(grid, photoelectrons=500, exposure=gain).take(flat(0.2), rng()).astype(float)
        for gain in (1, 2)
    )
    ratio = (dim.var() / dim.mean() ** 2) / (bright.var() / bright.mean() ** 2)
    assert ratio == pytest.approx(2, rel=0.05)


def test_read_noise_is_normal_and_adds_to_shot_noise(grid):
    noisy = capture(grid, read_noise=0.02).take(flat(0.3), rng(1)).astype(float)
    assert noisy.mean() == pytest.approx(0.3, rel=0.002)
    assert noisy.std() == pytest.approx(0.02, rel=0.01)
    kurtosis = ((noisy - noisy.mean()) ** 4).mean() / noisy.var() ** 2
    assert kurtosis == pytest.approx(3, abs=0.1)
    both = capture(grid, read_noise=0.02, photoelectrons=800).take(flat(0.3), rng(1)).astype(float)
    assert both.var() == pytest.approx(0.02**2 + 0.3 / 800, rel=0.02)


def test_white_balance_and_colour_matrix_amplify_the_noise_of_the_sensor(grid):
    made = capture(
        grid,
        illuminants=("A",),
        white_balance=True,
        colour_matrix=True,
        photoelectrons=2000,
        normalise=None,
    )
    noisy = made.take(flat(0.4), rng(2)).astype(float).reshape(-1, 3)
    recorded = 0.4 * made.response.sensor.sum(axis=0)
    developed = np.diag(made.response.balance) @ made.response.correction
    expected = developed.T @ np.diag(recorded / 2000) @ developed
    np.testing.assert_allclose(noisy.mean(axis=0), 0.4, rtol=3e-3)
    np.testing.assert_allclose(np.cov(noisy.T), expected, rtol=0.04)


def test_cubes_below_zero_have_no_light_to_count(grid):
    assert (capture(grid, photoelectrons=100).take(flat(-0.1, 4), rng()) == 0).all()
    np.testing.assert_allclose(capture(grid).take(flat(-0.1, 4), rng()), -0.1, rtol=1e-5)


# ---- the file --------------------------------------------------------------------------------


def test_clipping_is_to_zero_and_one_and_leaves_white_white(grid):
    clipped = capture(
        grid, illuminants=("A",), white_balance=True, colour_matrix=True, clip=True, exposure=3
    )
    np.testing.assert_allclose(clipped.take(flat(0.9, 3), rng()), 1.0, atol=1e-6)
    assert clipped.take(flat(0.1, 3), rng()) == pytest.approx(0.3, rel=1e-5)
    open_ = capture(grid, exposure=3)
    assert open_.take(flat(0.9, 3), rng()) == pytest.approx(2.7, rel=1e-5)


@pytest.mark.parametrize(("bits", "top"), [(8, 255), (16, 65535)])
@pytest.mark.parametrize("encoding", ["linear", "srgb"])
def test_files_hold_rounded_numbers(grid, patch, bits, top, encoding):
    filed = capture(grid, bits=bits, encoding=encoding, exposure=1.6).take(patch, rng())
    linear = np.einsum("bhw,bc->hwc", patch.astype(float), 1.6 * matrix(NIKON, grid)).clip(0, 1)
    values = colour.srgb_encode(linear) if encoding == "srgb" else linear
    np.testing.assert_allclose(filed * top, np.rint(filed * top), atol=top * 1e-6)
    assert np.abs(filed - values).max() <= 0.5 / top + 1e-6


def test_jpeg_is_really_applied(grid, patch):
    fine = np.repeat(np.repeat(patch, 2, axis=1), 2, axis=2)
    settings = dict(bits=8, encoding="srgb", clip=True)
    without = capture(grid, **settings).take(fine, rng())
    errors = []
    for quality in (95, 75, 40):
        made = capture(grid, **settings, jpeg=quality)
        assert made.quality == quality
        picture = made.take(fine, rng())
        np.testing.assert_allclose(picture * 255, np.rint(picture * 255), atol=1e-3)
        errors.append(float(np.abs(picture - without).mean()))
    assert 0 < errors[0] < errors[1] < errors[2] < 0.15
    # A second coder agrees on what a file of this quality keeps.
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    levels = np.rint(without * 255).astype(np.uint8)
    Image.fromarray(levels).save(file, "JPEG", quality=75, subsampling=2)
    other = np.asarray(Image.open(file)).astype(float)
    mine = capture(grid, **settings, jpeg=75).take(fine, rng()) * 255
    assert np.abs(mine - other).mean() < 1.0
    assert np.abs(mine - other).mean() < 0.3 * np.abs(mine - levels).mean()


def test_some_photographs_are_jpeg_files_of_a_drawn_quality(grid):
    drawn = [
        capture(grid, seed, jpeg=(70, 90), jpeg_probability=0.3, bits=16).quality
        for seed in range(600)
    ]
    share = sum(quality is not None for quality in drawn) / len(drawn)
    assert share == pytest.approx(0.3, abs=0.06)
    assert {quality for quality in drawn if quality} == set(range(70, 91))
    assert capture(grid, jpeg=80, bits=16).file_bits == 8


# ---- all of it -------------------------------------------------------------------------------


def test_the_gain_says_what_the_photograph_shows(grid, patch):
    settings = PHOTO | dict(photoelectrons=1e6, read_noise=0.0, jpeg=None, auto_exposure=0.2)
    for seed in range(6):
        made = capture(grid, seed, patch, **settings)
        shown = colour.convert(made.take(patch, rng(seed)), made.encoding, "linear-srgb")
        scene = np.einsum("bhw,bc->hwc", patch * made.gain, made.matrix)
        fits = ((scene > 0.01) & (scene < 0.98)).all(axis=-1)
        assert fits.mean() > 0.6
        assert np.abs(shown - scene)[fits].max() < 0.03
        assert abs((shown - scene)[fits].mean()) < 5e-4
        grey = colour.convert(made.take(flat(0.5, 8) / made.gain, rng()), "srgb", "linear-srgb")
        np.testing.assert_allclose(grey, 0.5, atol=0.02)


def test_a_colour_corrected_camera_shows_about_what_people_see(grid, patch):
    for light in ("D65", "A"):
        made = capture(
            grid, illuminants=(light,), white_balance=True, colour_matrix=True, normalise=None
        )
        seen = colour.render(Cube(patch, grid), light, encoded=False, clip=False)
        assert np.abs(made.take(patch, rng()) - seen).mean() < 0.02


def test_the_same_seed_gives_the_same_picture(grid, patch):
    settings = PHOTO | dict(cameras=(NIKON, SIGMA), mix_cameras=True, white_balance_error=0.05)

    def photograph(seed):
        one = rng(seed)
        return draw(CaptureSettings(**settings), grid, one, patch).take(patch, one)

    first = photograph(4)
    np.testing.assert_array_equal(first, photograph(4))
    assert np.abs(first - photograph(5)).max() > 0.02
    once = capture(grid, 4, patch, **settings)
    assert np.abs(once.take(patch, rng(1)) - once.take(patch, rng(2))).max() > 0


def test_a_capture_tells_every_step(grid, patch):
    words = capture(grid, 3, patch, **PHOTO, white_balance_error=0.05).words()
    for part in (
        "Nikon 5100",
        "colour-science, measured by NPL",
        "Colour matrix",
        "White balance: ",
        "Exposed × ",
        "photoelectrons at the value 1",
        "Read noise",
        "Clipped",
        "sRGB curve",
        "8 bits",
        "JPEG, quality",
    ):
        assert part in words
    plain = capture(grid).words()
    for part in ("noise", "JPEG", "bits", "Clipped", "White balance:", "Colour matrix"):
        assert part not in plain


# ---- what does not go ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (dict(cameras=("Kodak Brownie",)), "The camera 'Kodak Brownie' is not known"),
        (dict(illuminants=("moonlight",)), "The illuminant 'moonlight' is not known"),
        (dict(cameras=()), "No camera is left"),
        (dict(colour_matrix=True, illuminants=("A",)), "white_balance too"),
        (dict(colour_matrix=True, normalise=None), "white_balance too"),
        (dict(jpeg=(0, 90)), "quality of 1 to 100"),
        (dict(jpeg=101), "quality of 1 to 100"),
        (dict(exposure=0), "exposure must be above 0"),
        (dict(photoelectrons=(0, 10)), "photoelectrons must be above 0"),
        (dict(sensitivities="x.csv"), "for a preset"),
        (dict(leave_out=("Nikon 51",)), r"'Nikon 51' is to be left out.*nikon-5100-npl"),
        (dict(leave_out=(NIKON,)), "No camera is left"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_sentence(grid, settings, words):
    with pytest.raises(InputError, match=words) as error:
        capture(grid, **settings)
    assert "\n" not in str(error.value)


def test_cubes_that_do_not_fit_are_refused(grid, patch):
    with pytest.raises(InputError, match=r"31 bands.*\(30, 24, 20\)"):
        capture(grid).take(patch[1:], rng())
    patch[3, 2, 2] = np.nan
    with pytest.raises(InputError, match="not finite"):
        capture(grid, photoelectrons=100).take(patch, rng())
    with pytest.raises(InputError, match="sees nothing"):
        capture(np.arange(900.0, 1000, 10))
    with pytest.raises(InputError, match="True colour needs"):
        capture(np.arange(560.0, 701, 10), cameras=("cie-1931",))
