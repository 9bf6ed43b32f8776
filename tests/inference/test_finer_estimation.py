"""What a super-resolution will take is said before it is begun."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch

from napari_hsr import Cube
from napari_hsr.errors import InputError
from napari_hsr.inference import estimate_super_resolution as estimate
from napari_hsr.inference import super_resolve_events
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.resample import find, refine_events


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return from_state_dict(CoarSR(4, width=8, blocks=1).state_dict())


def test_an_interpolation_takes_its_result_and_a_few_coarse_cubes():
    bicubic = find("bicubic-matlab")
    plain = estimate((31, 256, 256), bicubic, 4)
    assert plain.shape == (31, 1024, 1024)
    assert plain.bytes_output == 4 * 31 * 1024**2
    assert plain.tiles == 0
    refined = estimate((31, 256, 256), bicubic, 4, refine=True)
    assert refined.bytes_working - plain.bytes_working == 3 * 4 * 31 * 256**2
    assert refined.words() == (
        "The cube of 1024 × 1024 pixels in 31 bands takes 130 MB of memory, and computing it about "
        "158 MB more."
    )


class Counted(np.ndarray):
    """An array that counts how much of its kind is held at once."""

    held = most = 0

    def __array_finalize__(self, _parent):
        if self.flags.owndata:
            kind, size = type(self), self.nbytes
            kind.held += size
            kind.most = max(kind.most, kind.held)
            weakref.finalize(self, kind._gone, size)

    @classmethod
    def _gone(cls, size):
        cls.held -= size


def test_back_projection_stays_within_what_was_said_of_it():
    class Here(Counted):
        pass

    bicubic, rng = find("bicubic-matlab"), np.random.default_rng(0)
    coarse = Cube(rng.random((31, 40, 36), np.float32))
    fine = Cube(rng.random((31, 160, 144), np.float32))
    whole = 4 * coarse.data.size
    for _ in refine_events(
        fine, coarse, 4, iterations=3, place=lambda x: np.array(x).view(Here).copy()
    ):
        pass
    takes = estimate(coarse.shape, bicubic, 4, refine=True).bytes_working
    assert 5 * whole < Here.most <= takes


def test_what_the_network_leaves_behind_is_there_while_its_result_is_refined(model):
    bicubic, shape = find("bicubic-matlab"), (31, 300, 200)
    alone = estimate(shape, bicubic, 4, refine=True)
    after = estimate(shape, model, 4, refine=True, tile=16)
    assert after.bytes_working > alone.bytes_working + 20e6


def test_a_network_is_counted_with_the_bands_of_the_cube(model):
    few, many = (estimate((bands, 300, 200), model, 4, tile=64) for bands in (8, 31))
    assert many.tiles == few.tiles == 20
    assert "in 20 tiles" in many.words()
    assert many.bytes_working > few.bytes_working
    assert "from the whole image at once" in estimate((8, 20, 20), model, 4, tile="whole").words()


def test_the_number_of_tiles_is_that_of_the_run(model):
    cube = Cube(np.random.default_rng(0).random((5, 40, 33)))
    *_, result = super_resolve_events(cube, model, tile=16)
    assert result.tiles == estimate(cube.shape, model, 4, tile=16).tiles == 9


def test_an_option_that_does_not_fit_is_refused(model):
    with pytest.raises(InputError, match="float16"):
        estimate((5, 8, 8), model, 4, precision="float16")
