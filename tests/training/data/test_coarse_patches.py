"""Patches for finer cubes: the named degradation exactly, and a pure function of the step."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_hsr import resample
from napari_hsr.errors import InputError
from napari_hsr.training.data.coarse_patches import CoarsePatches
from napari_hsr.training.recipe.schema import Recipe

RNG = np.random.default_rng(4)
CUBES = [RNG.random((9, 96, 80), dtype=np.float32), RNG.random((9, 70, 96), dtype=np.float32)]
PLAIN = {"flips": False, "rotations": False}


def image(number, data=None):
    data = CUBES[number] if data is None else data
    return SimpleNamespace(name=f"scene{number}", cube=data)


def patches(images=(0, 1), *, least_bands=5, batch=None, augmentation=None, **coarse):
    recipe = Recipe(
        task="super-resolution",
        model={"architecture": "coarsr"},
        coarse={"scale": 4, **coarse},
        augmentation=PLAIN if augmentation is None else augmentation,
        batch=batch or {"size": 4, "patch": 8},
    )
    given = [image(i) if isinstance(i, int) else image(9, i) for i in images]
    return CoarsePatches(given, recipe, least_bands)


def place(fine, cube):
    """Where a fine patch was cut out of a cube."""
    at = np.argwhere(np.isclose(cube[0], fine[0, 0, 0], rtol=0, atol=1e-7))
    side = fine.shape[-1]
    for top, left in at:
        if np.array_equal(cube[:, top : top + side, left : left + side], fine):
            return top, left
    raise AssertionError("the patch is nowhere in the cube")


@pytest.mark.parametrize("kind", ["bicubic-matlab", "box", "gaussian", "gaussian:3"])
def test_a_coarse_patch_is_what_the_degradation_makes_of_the_surroundings(kind):
    """As if the whole cube had been made coarse, on the grid that the patch lies on."""
    batch = patches(degradations=(kind,)).batch(3)
    assert batch.inputs.shape == (4, 9, 8, 8)
    assert batch.cubes.shape == (4, 9, 32, 32)
    assert batch.inputs.dtype == batch.cubes.dtype == np.float32
    np.testing.assert_array_equal(batch.gains, 1)
    np.testing.assert_array_equal(batch.offsets, 0)
    for coarse, fine, name in zip(batch.inputs, batch.cubes, batch.names, strict=True):
        cube = CUBES[int(name[-1])]
        top, left = place(fine, cube)
        # eight more coarse pixels around, or the border: further than any kernel reaches
        up, back = (min(8, n // 4) * 4 for n in (top, left))
        wide = cube[:, top - up : top + 64, left - back : left + 64]
        wide = wide[:, : wide.shape[1] // 4 * 4, : wide.shape[2] // 4 * 4]
        whole = resample.shrink(wide.astype(np.float64), 4, kind)
        y, x = up // 4, back // 4
        inner = whole[:, y : y + 8, x : x + 8]
        np.testing.assert_allclose(coarse[:, 2:-2, 2:-2], inner[:, 2:-2, 2:-2], atol=2e-6)
        if up and back and top + 40 <= cube.shape[1] and left + 40 <= cube.shape[2]:
            np.testing.assert_allclose(coarse, inner, atol=2e-6)


def test_a_batch_depends_on_nothing_but_seed_and_step():
    settings = {"flips": True, "rotations": True, "scales": (1.0, 0.75), "exposure": 0.2}
    one, same = (patches(augmentation=settings, bands=6) for _ in range(2))
    one.batch(0)
    a, b = one.batch(5), same.batch(5)
    np.testing.assert_array_equal(a.inputs, b.inputs)
    np.testing.assert_array_equal(a.cubes, b.cubes)
    halves = [same.batch(5, rank, 2) for rank in (0, 1)]
    np.testing.assert_array_equal(a.inputs[::2], halves[0].inputs)
    np.testing.assert_array_equal(a.cubes[1::2], halves[1].cubes)
    assert not np.array_equal(a.inputs, one.batch(6).inputs)


@pytest.mark.parametrize("size", [1.0, 0.75, 0.5])
def test_turned_scaled_and_brightened_the_two_still_agree(size):
    """Far from the edges of the patch the fine one, made coarse, is the coarse one."""
    settings = {"flips": True, "rotations": True, "scales": (size,), "exposure": 0.3}
    batch = patches(batch={"size": 6, "patch": 8}, augmentation=settings).batch(1)
    for coarse, fine in zip(batch.inputs, batch.cubes, strict=True):
        again = resample.shrink(fine.astype(np.float64), 4)
        np.testing.assert_allclose(coarse[:, 3:-3, 3:-3], again[:, 3:-3, 3:-3], atol=5e-6)
    assert len({round(float(cube.mean()), 2) for cube in batch.cubes}) > 1


def test_neighbouring_bands_are_drawn():
    batch = patches((0,), bands=6, batch={"size": 16, "patch": 8}).batch(0)
    assert batch.inputs.shape == (16, 6, 8, 8)
    firsts = set()
    for fine in batch.cubes:
        for first in range(4):
            try:
                place(fine, CUBES[0][first : first + 6])
            except AssertionError:
                continue
            firsts.add(first)
    assert firsts == {0, 1, 2, 3}


def found_blur(coarse, fine):
    """σ in coarse pixels of the gaussian that made a coarse patch: the nearest of those tried."""
    fine, tried = fine.astype(np.float64), np.geomspace(0.4, 1.3, 25)
    differences = [
        np.abs(resample.shrink(fine, 4, f"gaussian:{4 * s}") - coarse)[:, 6:-6, 6:-6].max()
        for s in tried
    ]
    return tried[np.argmin(differences)]


def test_blurs_are_drawn_from_their_range_for_each_patch():
    """As far as patches of 16 pixels tell: their middle sees 6 coarse pixels around."""
    cube = RNG.random((5, 224, 224), dtype=np.float32)
    settings = {
        "degradations": ("gaussian",),
        "blur": (0.5, 1.0),
        "batch": {"size": 6, "patch": 16},
    }
    batch = patches((cube,), **settings).batch(2)
    sigmas = [found_blur(c, f) for c, f in zip(batch.inputs, batch.cubes, strict=True)]
    assert 0.48 <= min(sigmas) < max(sigmas) <= 1.04
    assert len({round(s, 3) for s in sigmas}) > 2
    again = patches((cube,), **settings).batch(2)
    np.testing.assert_array_equal(batch.inputs, again.inputs)


def test_a_blur_has_as_many_pixels_around_as_it_reaches():
    """As if the whole cube had been blurred: 15 coarse pixels of σ 2.5, not the two of bicubic."""
    cube = RNG.random((5, 192, 192), dtype=np.float32)
    settings = {"blur": (2.5, 2.5), "batch": {"size": 2, "patch": 16}}
    batch = patches((cube,), degradations=("gaussian",), **settings).batch(0)
    for coarse, fine in zip(batch.inputs, batch.cubes, strict=True):
        top, left = place(fine, cube)
        up, back = (n % 4 for n in (top, left))  # the grid that the patch lies on
        whole = cube[:, up : up + (192 - up) // 4 * 4, back : back + (192 - back) // 4 * 4]
        made = resample.shrink(whole.astype(np.float64), 4, "gaussian:10")
        y, x = top // 4, left // 4
        np.testing.assert_allclose(coarse, made[:, y : y + 16, x : x + 16], atol=2e-6)


def test_noise_is_a_fraction_of_the_highest_value_and_changes_nothing_else():
    """The fine patch, the degradation and the place stay those that a recipe without noise has."""
    cube = 3 * RNG.random((6, 96, 96), dtype=np.float32)
    settings = {"images": (cube,), "batch": {"size": 12, "patch": 16}}
    clean = patches(**settings).batch(4)
    noisy = patches(noise=(0.01, 0.03), noisy=0.5, **settings).batch(4)
    np.testing.assert_array_equal(clean.cubes, noisy.cubes)
    spreads = (noisy.inputs - clean.inputs).std(axis=(1, 2, 3)) / cube.max()
    grainy = spreads[spreads > 0]
    assert 0 < len(grainy) < 12
    assert 0.009 < grainy.min() < grainy.max() < 0.032
    assert grainy.max() > 1.2 * grainy.min()
    assert noisy.inputs.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"blur": (2.0, 0.5), "degradations": ("gaussian",)}, "blur runs from the least.*2 to 0.5"),
        ({"blur": (0.5, 2.0)}, "blur is of the degradation gaussian"),
        ({"blur": (0.01, 2.0), "degradations": ("gaussian",)}, "greater than or equal to 0.1"),
        ({"noise": (0.02, 0.01)}, "noise runs from the least to the largest"),
        ({"noise": (0.0, 2.0)}, "less than or equal to 0.5"),
        ({"noisy": 1.5}, "less than or equal to 1"),
    ],
)
def test_ranges_that_are_none_are_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        patches(**change)


def test_an_image_as_large_as_a_patch_is_taken_whole():
    small = RNG.random((5, 32, 32), dtype=np.float32)
    batch = patches((small,)).batch(0)
    np.testing.assert_array_equal(batch.cubes[0], small)
    np.testing.assert_allclose(batch.inputs[0], resample.shrink(small, 4), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"images": (RNG.random((9, 20, 64)),)}, r"scene9 has 64 x 20 pixels.*batch.patch to 5"),
        ({"bands": 4}, "coarse.bands is 4, but the network takes 5 bands or more"),
        ({"bands": 10}, "coarse.bands is 10.* the cubes have 9"),
        ({"images": (RNG.random((4, 64, 64)),)}, "takes cubes of 5 bands or more, these have 4"),
        ({"degradations": ("bicubik",)}, "no resampling 'bicubik'"),
        ({"images": ()}, "no image"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(change, sentence):
    with pytest.raises(InputError, match=sentence):
        patches(**change)
