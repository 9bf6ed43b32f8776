"""Flips, transposes and strips: each against the same thing written out."""

import numpy as np
import pytest
import torch

from napari_hsr.errors import InputError
from napari_hsr.inference import ensembles


def net(image):
    """Depends on position and direction, so that no view gives what another gives."""
    rows = torch.arange(image.shape[-2])[:, None] * 0.1
    columns = torch.arange(image.shape[-1]) * 0.03
    return torch.cat([image * (1 + rows + columns), image.cumsum(-1)], 1)


def result(passes):
    """What an ensemble ends with."""
    *_, last = passes
    return last


@pytest.fixture(scope="module")
def image():
    return torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(0))


def views(image):
    """The eight results, by NumPy: the dihedral group as quarter turns and one flip."""
    found = []
    for flip in (False, True):
        for turns in range(4):
            view = image.numpy()
            view = view[..., ::-1] if flip else view
            view = np.rot90(view, turns, (-2, -1))
            out = net(torch.from_numpy(view.copy())).numpy()
            out = np.rot90(out, -turns, (-2, -1))
            found.append(out[..., ::-1] if flip else out)
    return np.stack(found)


def test_single_is_the_network(image):
    assert torch.equal(result(ensembles.single(net, image)), net(image))


def test_mean_of_the_eight_views(image):
    found = result(ensembles.mean(net, image))
    np.testing.assert_allclose(found, views(image).mean(0), rtol=1e-6)
    assert not np.allclose(found, net(image))


def test_median_is_the_lower_of_the_middle_two(image):
    found = result(ensembles.median(net, image))
    np.testing.assert_array_equal(found, np.sort(views(image), 0)[3])
    assert not np.array_equal(found, np.median(views(image), 0))


@pytest.mark.parametrize("name", ["mean", "median"])
def test_half_precision_is_gathered_in_full(image, name):
    found = result(ensembles.find(name).run(lambda x: net(x).bfloat16(), image))
    assert found.dtype == torch.float32


def test_strips_are_two_passes(image):
    seen = []

    def watched(part):
        seen.append(part)
        return part + 10 * len(seen)

    found = result(ensembles.strips(watched, image))
    assert [tuple(part.shape) for part in seen] == [(1, 3, 3, 7), (1, 3, 3, 7)]
    expected = torch.cat([image[..., :3, :] + 10, image[..., 3:, :] + 20], -2)
    assert torch.equal(found, expected)


def test_the_lowest_image_for_strips(image):
    found = result(ensembles.strips(lambda x: x, image[..., :4, :]))
    assert torch.equal(found, image[..., :4, :])


def test_strips_of_a_network_that_enlarges(image):
    found = result(ensembles.strips(lambda x: x.repeat_interleave(2, -2), image))
    assert torch.equal(found, image.repeat_interleave(2, -2))


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_images_too_low_for_strips(rows):
    with pytest.raises(InputError, match=f"at least 4 rows; this one has {rows}"):
        result(ensembles.strips(net, torch.zeros(1, 3, rows, 4)))


@pytest.mark.parametrize("name", ensembles.ENSEMBLES)
def test_between_passes_there_is_time_to_report(image, name):
    ensemble = ensembles.find(name)
    *between, last = ensemble.run(net, image)
    assert between == [None] * (ensemble.passes - 1)
    assert last.shape == (1, 6, 5, 7)


def test_passes_over_inference_tensors(image):
    """Networks run in inference mode, passes outside of it."""

    def quiet(x):
        with torch.inference_mode():
            return net(x)

    for name in ensembles.ENSEMBLES:
        ensemble = ensembles.find(name)
        assert torch.equal(result(ensemble.run(quiet, image)), result(ensemble.run(net, image)))


def test_unknown_ensemble():
    with pytest.raises(InputError, match="no ensemble 'max'; there are: single, mean, median"):
        ensembles.find("max")
