"""The measured share, and the cameras it is of."""

import numpy as np
import pytest
from scipy.linalg import null_space

from napari_hsr.cameras import Camera
from napari_hsr.errors import InputError
from napari_hsr.trust.linear_camera import linear_camera
from napari_hsr.trust.measured_share import measured_share

from .conftest import NM


def test_what_the_camera_sees_is_measured_and_what_it_does_not_is_not(seen, rng):
    visible = seen.matrix @ rng.standard_normal((3, 5))
    invisible = null_space(seen.matrix.T) @ rng.standard_normal((28, 5))
    np.testing.assert_allclose(measured_share(visible, seen), 1)
    np.testing.assert_allclose(measured_share(invisible, seen), 0, atol=1e-12)
    visible, invisible = (v / np.linalg.norm(v, axis=0) for v in (visible, invisible))
    np.testing.assert_allclose(measured_share(3 * visible + invisible, seen), 0.9)


def test_it_does_not_depend_on_exposure_and_keeps_the_shape(seen, truth):
    share = measured_share(truth.reshape(31, 20, 20), seen)
    assert share.shape == (20, 20)
    np.testing.assert_allclose(measured_share(7 * truth, seen), share.ravel())
    assert ((share > 0) & (share < 1)).all()
    assert np.isnan(measured_share(np.zeros((31, 1)), seen)).all()


def test_the_camera_is_what_the_encoding_says_or_must_be_named(tmp_path):
    with pytest.raises(InputError, match="cie-1931"):
        linear_camera("srgb", NM)
    with pytest.raises(InputError, match=r"file\.csv:name"):
        linear_camera("camera:nikon-d700", NM)
    with pytest.raises(InputError, match="not that of"):
        linear_camera("camera:nikon-d700", NM, "nikon-5100-npl")
    assert not linear_camera("xyz-d65", NM).approximate
    assert linear_camera("srgb", NM, "cie-1931").approximate
    assert linear_camera("linear-srgb", NM, "nikon-5100-npl").approximate
    table = tmp_path / "mine.csv"
    table.write_text(
        "camera,wavelength,R,G,B\n" + "\n".join(f"X 1,{nm},1,{nm},{nm**2}" for nm in NM)
    )
    assert linear_camera("camera:x-1", NM, f"{table}:X 1").matrix.shape == (31, 3)
    own = Camera("anything", np.array(NM), np.eye(31)[:, :3] + 0.1)
    assert linear_camera("camera:mine", NM, own).name == "anything"


def test_white_has_the_colour_white_in_what_is_rendered():
    for camera in ("cie-1931", "nikon-5100-npl"):
        np.testing.assert_allclose(
            linear_camera("srgb", NM, camera).matrix.sum(axis=0), 1, atol=1e-9
        )
    white = linear_camera("xyz-d65", NM).matrix.sum(axis=0)
    np.testing.assert_allclose(white, (0.3127 / 0.329, 1, 0.3583 / 0.329), atol=1e-9)


def test_natural_spectra_are_what_corrections_look_like(seen):
    values, vectors = np.linalg.eigh(seen.second_moment)
    assert values.min() > 0
    assert np.isclose(np.trace(seen.second_moment), 1)
    assert values[-3:].sum() > 0.97  # three smooth shapes hold nearly all of it
    assert abs(np.diff(vectors[:, -1])).max() < 0.05
