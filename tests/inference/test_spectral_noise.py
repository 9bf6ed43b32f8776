"""Noise of the bands: found, told and left out; what is no noise stays."""

import threading

import numpy as np
import pytest
import torch

from napari_hsr import Cube, super_resolve
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.inference.spectral_noise import meant_for_noise, without_noise
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.notices import Code, has

RNG = np.random.default_rng(0)
BANDS, SIDE = 16, 24
WAVELENGTHS = np.linspace(400, 700, BANDS)
#: Three smooth spectra and how much of each there is in a pixel.
SPECTRA = np.stack([1 + np.cos(np.linspace(k, 2 * k + 2, BANDS)) for k in range(3)])
CLEAN = np.tensordot(SPECTRA.T, RNG.random((3, SIDE, SIDE)), 1).astype(np.float32)
GRAIN = RNG.standard_normal(CLEAN.shape, dtype=np.float32)
NOISY = CLEAN + np.float32(0.1) * GRAIN


def of(data):
    return Cube(data, WAVELENGTHS)


def test_most_of_the_noise_is_left_out_and_its_size_is_told():
    cube, (told,) = without_noise(of(NOISY))
    left = np.sqrt(np.mean(np.square(cube.data - CLEAN)))
    assert left < 0.06  # three of sixteen directions keep theirs: 0.043
    assert told.code is Code.NOISE_LEFT_OUT
    estimated = float(told.text.partition("estimated at ")[2].partition(" ")[0])
    assert 0.09 < estimated < 0.12  # a little above: the others predict with noise of their own


def test_it_can_be_cancelled():
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        without_noise(of(NOISY), cancel)


def test_a_cube_with_hardly_any_noise_stays_as_it_is():
    for data in (CLEAN, CLEAN + np.float32(0.005) * GRAIN, np.ones_like(CLEAN)):
        cube = of(data)
        assert without_noise(cube) == (cube, ())


def test_too_few_pixels_do_not_tell_noise_from_detail():
    cube = of(NOISY[:, :4, :5])
    assert without_noise(cube) == (cube, ())


def test_a_rare_material_is_no_noise():
    data = NOISY.copy()
    data[7:9, 5, 6] += 1.5  # a narrow peak that no other pixel has
    cube = without_noise(of(data)).cube
    np.testing.assert_allclose(cube.data[:, 5, 6], data[:, 5, 6], atol=1e-6)
    assert np.abs(cube.data[:, 5, 7] - data[:, 5, 7]).max() > 0.05


@pytest.fixture
def network():
    """One that adds nothing to bicubic, as new ones do."""
    return lambda noise: _with_noise(from_state_dict(CoarSR(2, 4, 1, True).state_dict()), noise)


def _with_noise(model, noise):
    training = {"coarse": {"scale": 2, "degradations": ["box"], "noise": noise}}
    return from_state_dict(
        model.module.state_dict(), model.card.model_copy(update={"training": training})
    )


def test_it_is_left_out_before_networks_that_were_trained_on_it_unless_told_otherwise(network):
    knows, not_it = network([0.0, 0.02]), network([0.0, 0.0])
    assert (meant_for_noise(knows.card), meant_for_noise(not_it.card)) == (True, False)
    torch.manual_seed(0)
    without = super_resolve(without_noise(of(NOISY)).cube, "bicubic-torch", 2).data
    plain = super_resolve(of(NOISY), "bicubic-torch", 2).data
    for model, asked, expected in (
        (knows, None, without),
        (knows, False, plain),
        (not_it, None, plain),
        (not_it, True, without),
    ):
        made = super_resolve(of(NOISY), model, precision="float32", denoise=asked)
        told = [n.code for n in made.notices].count(Code.NOISE_LEFT_OUT)
        np.testing.assert_allclose(made.data, expected, atol=2e-4)
        assert told == (expected is without)


def test_on_disk_noise_stays_and_is_told(tmp_path, network):
    options = {"device": "cpu", "tile": 32, "output": tmp_path / "fine.zarr"}
    made = super_resolve(of(NOISY), network([0, 0.02]), **options)
    assert has(made.notices, Code.NOISE_STAYS)
    with pytest.raises(InputError, match="noise left out, in memory"):
        super_resolve(of(NOISY), network([0, 0.02]), denoise=True, **options)
