"""A cube that was saved is held against its photograph again."""

from dataclasses import replace

import numpy as np
import pytest

from napari_hsr import Photograph, read, write
from napari_hsr.errors import InputError
from napari_hsr.inference import reconstruct_events
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
    with pytest.raises(InputError, match="encoding"):
        evidence_again(cube, replace(photograph, encoding=None))
    made = cube.provenance
    for changed, words in (
        (replace(made, model="gone"), "not here"),
        (replace(made, weights_sha256="0" * 64), "other weights"),
    ):
        with pytest.raises(InputError, match=words):
            evidence_again(cube.replace(provenance=changed), photograph)
