"""A known camera is obeyed by any network, through the same run as ever."""

import threading

import numpy as np
import pytest

from napari_hsr import Cancelled, Photograph, load_model, reconstruct
from napari_hsr.errors import InputError
from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.trust.run import band_of, colours_of, limits_of
from napari_hsr.notices import Code, has
from napari_hsr.progress import result_of
from napari_hsr.trust.exact_colours import AT_LEAST, EQUAL
from napari_hsr.trust.linear_camera import linear_camera
from napari_hsr.trust.measured_share import measured_share


@pytest.fixture(scope="module", params=["rootpoly-srgb", "mstpp-photo"])
def model(request):
    return load_model(request.param)


@pytest.fixture
def image():
    """8 bits, with a saturated patch and a black one."""
    image = np.random.default_rng(3).integers(20, 250, (30, 41, 3), dtype=np.uint8)
    image[:4, :4], image[4:8, :4] = (255, 255, 200), 0
    return image


def colours(cube, seen):
    return np.einsum("kc,khw->hwc", seen.matrix, cube.data.astype(np.float64))


def test_any_network_obeys_a_known_camera(model, image):
    rgb = (0.02 + 0.9 * np.random.default_rng(0).random((20, 23, 3))).astype(np.float32)
    events = reconstruct_events(
        Photograph(rgb, encoding="linear-srgb"), model, exact=True, camera="cie-1931"
    )
    result = result_of(events)
    seen = linear_camera("linear-srgb", tuple(model.wavelengths), "cie-1931")
    error = np.abs(colours(result.cube, seen) - rgb).max(-1) / rgb.max(-1)
    assert result.trust.colours.not_met == 0
    assert error.max() <= 1e-5
    assert result.cube.data.min() >= 0
    assert result.cube.value_range == (result.cube.data.min(), result.cube.data.max())
    plain = reconstruct(Photograph(rgb, encoding="linear-srgb"), model)
    missed = np.linalg.norm(colours(plain, seen) - rgb, axis=-1) / np.linalg.norm(rgb, axis=-1)
    np.testing.assert_allclose(result.trust.colours.residual, missed, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(result.trust.colours.share, measured_share(result.cube.data, seen))


def test_saturated_and_black_channels_are_inequalities(model, image):
    cube = reconstruct(Photograph(image, encoding="srgb"), model, exact=True, camera="cie-1931")
    seen = linear_camera("srgb", tuple(model.wavelengths), "cie-1931")
    found = colours(cube, seen)
    assert (found[:4, :4, :2] >= 1 - 1e-5).all()
    np.testing.assert_allclose(found[:4, :4, 2], ((200 / 255 + 0.055) / 1.055) ** 2.4, atol=1e-5)
    assert (found[4:8, :4] <= 0.5 / 255 / 12.92 + 1e-6).all()
    assert cube.data.min() >= 0


def test_a_clipped_channel_of_floating_point_is_an_inequality_too():
    """White beyond full scale: the network's own brighter answer stays."""
    seen = linear_camera("linear-srgb", tuple(load_model("rootpoly-srgb").wavelengths), "cie-1931")
    data = np.full((2, 3, 3), 0.4, np.float32)
    data[0, 0], data[0, 1] = (1.0, 0.4, 0.3), (1.5, 0.4, 0.3)
    photograph = Photograph(data, encoding="linear-srgb")
    _, says = colours_of(photograph, seen, slice(0, 2))
    assert says[:, 0].tolist() == [AT_LEAST, EQUAL, EQUAL]
    assert (says[:, 1:] == EQUAL).all()  # beyond full scale nothing was clipped
    assert limits_of(photograph, seen, 0, 0)[1].tolist()[0] == np.inf
    assert np.isfinite(limits_of(photograph, seen, 0, 1)[1]).all()


def test_what_was_done_is_told_and_kept(model, image):
    cube = reconstruct(Photograph(image, encoding="srgb"), model, exact=True, camera="cie-1931")
    record = cube.provenance.extra["trust"]
    assert record["exact"]
    assert record["camera_approximate"]
    assert 0 < record["measured_share_mean"] < 1
    assert any("photographed colours" in step for step in cube.provenance.steps)
    assert has(cube.notices, Code.COLOURS_EXACT)
    assert has(cube.notices, Code.ROW_SPACE_APPROXIMATE)
    looked = reconstruct(Photograph(image, encoding="srgb"), model, camera="cie-1931")
    plain = reconstruct(Photograph(image, encoding="srgb"), model)
    np.testing.assert_array_equal(looked.data, plain.data)  # looking changes nothing
    assert not looked.provenance.extra["trust"]["exact"]
    assert "trust" not in plain.provenance.extra


def test_exposure_goes_through(image):
    model = load_model("rootpoly-srgb")
    rgb = image.astype(np.float32) / 1024 + 0.01
    one, four = (
        reconstruct(
            Photograph(q * rgb, encoding="linear-srgb"), model, exact=True, camera="nikon-5100-npl"
        )
        for q in (1, 4)
    )
    np.testing.assert_allclose(four.data, 4 * one.data, rtol=2e-5, atol=1e-7)


def test_pixels_without_a_value_stay_so(image):
    rgb = np.maximum(image.astype(np.float32) / 255, 0.01)
    rgb[3, 5] = np.nan
    events = reconstruct_events(
        Photograph(rgb, encoding="linear-srgb"), "rootpoly-srgb", exact=True, camera="cie-1931"
    )
    result = result_of(events)
    assert np.isnan(result.cube.data[:, 3, 5]).all()
    assert (
        np.isnan(result.trust.colours.share).sum()
        == np.isnan(result.trust.colours.residual).sum()
        == 1
    )


def test_what_is_not_known_is_asked_for_before_any_work(image):
    photograph = Photograph(image, encoding="srgb")
    with pytest.raises(InputError, match="cie-1931"):
        reconstruct(photograph, "rootpoly-srgb", exact=True)
    with pytest.raises(InputError, match="table"):
        reconstruct(image / np.float32(255), "rootpoly-nikon-d700", exact=True)


def test_what_a_pixel_leaves_open(image):
    image[0, 0], image[1, 1] = (255, 120, 80), (0, 120, 80)
    seen = linear_camera("srgb", tuple(load_model("rootpoly-srgb").wavelengths), "cie-1931")
    photograph = Photograph(image, encoding="srgb")
    low, high = limits_of(photograph, seen, 0, 0)
    exact = ((np.array([120, 80]) / 255 + 0.055) / 1.055) ** 2.4
    rounding = 0.5 / 255 / 1.055 * 2.4 * exact ** (1.4 / 2.4)
    np.testing.assert_allclose(high[1:] - low[1:], 2 * (rounding + 0.02 * exact**0.5), rtol=0.02)
    assert (low[1:] < exact).all()
    assert (high[1:] > exact).all()
    assert high[0] == np.inf
    assert limits_of(photograph, seen, 1, 1)[0][0] == -np.inf
    floats = Photograph(image.astype(np.float32) / 255, encoding="srgb")
    assert (
        np.diff(limits_of(floats, seen, 5, 5), axis=0)
        < np.diff(limits_of(photograph, seen, 5, 5), axis=0)
    ).all()
    found = band_of(photograph, seen, 9, 9)
    exactly = reconstruct(photograph, "rootpoly-srgb", exact=True, camera="cie-1931")
    assert found.possible
    assert 0 < (found.upper - found.lower).mean() < 1
    assert found.outside(exactly.data[:, 9, 9]).mean() < 0.5
    assert found.outside(0 * exactly.data[:, 9, 9] + 1).any()


def test_it_can_be_cancelled(image, monkeypatch):
    monkeypatch.setattr("napari_hsr.inference.trust.run.STRIP_PIXELS", 41)
    cancel, seen = threading.Event(), []

    def stop(progress):
        if "colours" in progress.message:
            seen.append(progress)
            cancel.set()

    options = {"exact": True, "camera": "cie-1931", "progress": stop, "cancel": cancel}
    with pytest.raises(Cancelled):
        reconstruct(Photograph(image, encoding="srgb"), "rootpoly-srgb", **options)
    assert len(seen) == 1
