"""A cube that was saved is held against its photograph again."""

from dataclasses import replace

import numpy as np
import pytest

from napari_hsr import Photograph, read, write
from napari_hsr.cameras.profiles import CameraProfile, save
from napari_hsr.errors import InputError
from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.trust import apply_camera_profile
from napari_hsr.inference.trust.evidence import Evidence
from napari_hsr.inference.trust.reopened import evidence_again
from napari_hsr.progress import result_of
from napari_hsr.provenance import Provenance


@pytest.fixture(scope="module")
def photograph():
    image = np.random.default_rng(1).integers(1, 250, (9, 14, 3), dtype=np.uint8)
    return Photograph(image, "srgb", "photo", Provenance(input="photo.png"))


@pytest.mark.parametrize("suffix", [".mat", ".tif", ".hdr"])
def test_intervals_are_those_of_the_day_it_was_made(photograph, suffix, tmp_path):
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb"))
    opened = read(write(result.cube, tmp_path / f"cube{suffix}"))
    again = evidence_again(opened, photograph)
    for end, before in zip(
        again.pixel(5, 6).curve.ranges["90%"],
        Evidence.of(result).pixel(5, 6).curve.ranges["90%"],
        strict=True,
    ):
        np.testing.assert_allclose(end, before, rtol=1e-5, atol=1e-7)


def test_an_exact_cube_has_no_interval_and_keeps_its_camera(photograph, tmp_path):
    xyz = replace(photograph, data=(photograph.data / 255).astype(np.float32), encoding="xyz-d65")
    options = {"exact": True, "camera": None}
    result = result_of(reconstruct_events(xyz, "rootpoly-srgb", **options))
    again = evidence_again(read(write(result.cube, tmp_path / "cube.mat")), xyz)
    assert not again.calibrated
    assert again.why_no_intervals
    assert again.linear_camera is not None


def test_another_photograph_and_another_model_are_refused(photograph):
    cube = result_of(reconstruct_events(photograph, "rootpoly-srgb")).cube
    other = replace(photograph, name="b", provenance=Provenance(input="b.png"))
    with pytest.raises(InputError, match=r"photo\.png.*b, 9 x 14"):
        evidence_again(cube, other)
    with pytest.raises(InputError, match="9 x 14"):
        evidence_again(cube, replace(photograph, data=photograph.data[:5]))
    made = cube.provenance
    old = cube.replace(provenance=replace(made, extra={}))  # which does not say it
    with pytest.raises(InputError, match="encoding"):
        evidence_again(old, replace(photograph, encoding=None))
    for changed, words in (
        (replace(made, model="gone"), "not here"),
        (replace(made, weights_sha256="0" * 64), "other weights"),
    ):
        with pytest.raises(InputError, match=words):
            evidence_again(cube.replace(provenance=changed), photograph)


@pytest.mark.parametrize("side", [2**24, 100])  # all pixels are looked at, or some
def test_a_photograph_that_was_changed_under_its_name_is_refused(photograph, side, monkeypatch):
    monkeypatch.setattr(apply_camera_profile, "_HASHED", side)
    cube = result_of(reconstruct_events(photograph, "rootpoly-srgb")).cube
    assert not evidence_again(cube, photograph).by_name
    brighter = replace(photograph, data=photograph.data + 1)
    with pytest.raises(InputError, match="its pixels are others"):
        evidence_again(cube, brighter)
    made = {k: v for k, v in cube.provenance.extra.items() if k != "photograph_pixels"}
    old = cube.replace(provenance=replace(cube.provenance, extra=made))
    assert evidence_again(old, brighter).by_name


def test_the_photograph_is_read_as_it_was_then(photograph, tmp_path):
    linear = replace(photograph, encoding="linear-srgb")
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb", encoding="linear-srgb"))
    assert result.cube.provenance.extra["encoding"] == "linear-srgb"
    opened = read(write(result.cube, tmp_path / "cube.mat"))
    expected = Evidence.of(result).pixel(5, 6).curve.ranges["90%"]
    for stated in ("srgb", "linear-srgb", None):
        again = evidence_again(opened, replace(photograph, encoding=stated))
        assert again.photograph.encoding == "linear-srgb"
        np.testing.assert_allclose(again.pixel(5, 6).curve.ranges["90%"], expected, rtol=1e-5)
    made = {k: v for k, v in opened.provenance.extra.items() if k != "encoding"}
    old = opened.replace(provenance=replace(opened.provenance, extra=made))
    assert evidence_again(old, photograph).photograph.encoding == "srgb"  # as it is stated now
    assert evidence_again(old, linear).photograph.encoding == "linear-srgb"


def test_it_is_seen_through_the_camera_profile_of_then(photograph, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_HSR_DATA", str(tmp_path))
    eye = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    gains = (0.5, 0.4, 0.3)
    kept = save(CameraProfile("mine", "srgb", gains, eye, "SpyderCHECKR", "D65", 1.0))
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb", camera="profile:mine"))
    extra = result.cube.provenance.extra
    assert (extra["encoding"], extra["camera_profile"]) == ("srgb", "mine")
    opened = read(write(result.cube, tmp_path / "cube.mat"))
    again = evidence_again(opened, photograph)
    np.testing.assert_allclose(
        again.pixel(5, 6).curve.ranges["90%"],
        Evidence.of(result).pixel(5, 6).curve.ranges["90%"],
        rtol=1e-5,
        atol=1e-7,
    )
    kept.unlink()
    with pytest.raises(InputError, match="no camera profile 'mine'"):
        evidence_again(opened, photograph)
