"""Every method of resampling against other implementations or plain loops."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from napari_hsr.errors import InputError
from napari_hsr.resample import KINDS, enlarge, find, imresize, shrink
from napari_hsr.resample.methods import FWHM, down

GOLDEN = Path(__file__).parents[1] / "golden"
UPS = [name for name, kind in KINDS.items() if kind.up]


@pytest.fixture
def image():
    return np.random.default_rng(1).random((2, 24, 36))


def by_loops(line, outputs, scale, weight, reach, place):
    """One line resampled tap by tap, in plain Python."""
    made = []
    for j in range(outputs):
        centre = (j + 0.5) / scale - 0.5
        total = summed = 0.0
        for i in range(math.floor(centre - reach) - 2, math.ceil(centre + reach) + 3):
            at = place(i, len(line))
            if at is not None:
                w = weight(abs(i - centre))
                total, summed = total + w, summed + w * line[at]
        made.append(summed / total)
    return np.array(made)


def mirrored(i, n):
    while not 0 <= i < n:
        i = -1 - i if i < 0 else 2 * n - 1 - i
    return i


def keys(a, x):
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def along_both(image, one_line):
    rows = np.apply_along_axis(one_line, -2, image)
    return np.apply_along_axis(one_line, -1, rows)


@pytest.mark.parametrize(
    ("key", "scale"), [("x2", 2), ("x3", 3), ("x4", 4), ("d2", 1 / 2), ("d3", 1 / 3), ("d4", 1 / 4)]
)
def test_imresize_gives_the_golden_values(key, scale):
    with np.load(GOLDEN / "imresize.npz") as golden:
        made = imresize(golden["a"][..., 0], scale)
        assert made.shape == golden[key].shape[:2]
        np.testing.assert_allclose(made, golden[key][..., 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "scale"), [((7, 5), 0.3), ((11, 3), 1 / 4), ((5, 2), 2.5)])
def test_imresize_of_odd_sizes_equals_plain_loops(size, scale):
    image = np.random.default_rng(2).random(size)
    stretch = max(1, 1 / scale)

    def one_line(line):
        outputs = math.ceil(scale * len(line))
        return by_loops(
            line, outputs, scale, lambda x: keys(-0.5, x / stretch), 2 * stretch, mirrored
        )

    np.testing.assert_allclose(imresize(image, scale), along_both(image, one_line), atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_matlab_way_is_imresize(image, scale):
    np.testing.assert_array_equal(shrink(image, scale), imresize(image, 1 / scale))
    np.testing.assert_array_equal(enlarge(image, scale), imresize(image, scale))


@pytest.mark.parametrize("scale", [2, 3, 4, 6])
def test_opencv_s_bicubic_equals_plain_loops_and_torch_without_antialiasing(image, scale):
    import torch

    def repeated(i, n):
        return min(max(i, 0), n - 1)

    def one_line(line):
        return by_loops(line, len(line) // scale, 1 / scale, lambda x: keys(-0.75, x), 2, repeated)

    made = shrink(image, scale, "bicubic-opencv")
    np.testing.assert_allclose(made, along_both(image, one_line), atol=1e-12)
    tensor = torch.from_numpy(image)[None]
    for ratio, ours in ((1 / scale, made), (scale, enlarge(image, scale, "bicubic-opencv"))):
        theirs = torch.nn.functional.interpolate(tensor, scale_factor=ratio, mode="bicubic")
        np.testing.assert_allclose(ours, theirs[0], atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_torch_s_bicubic_is_torch_s_and_pillow_s_with_antialiasing(image, scale):
    import torch
    from PIL import Image

    tensor = torch.from_numpy(image)[None]
    for ratio, way in ((1 / scale, shrink), (scale, enlarge)):
        ours = way(image, scale, "bicubic-torch")
        theirs = torch.nn.functional.interpolate(
            tensor, scale_factor=ratio, mode="bicubic", antialias=True
        )
        np.testing.assert_allclose(ours, theirs[0], atol=1e-12)
        band = Image.fromarray(image[0].astype(np.float32))
        size = ours.shape[2], ours.shape[1]
        pillow = np.asarray(band.resize(size, Image.Resampling.BICUBIC))
        np.testing.assert_allclose(ours[0], pillow, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_box_is_the_mean_of_blocks_and_repeats_pixels(image, scale):
    from skimage.measure import block_reduce

    expected = block_reduce(image, (1, scale, scale), np.mean)
    np.testing.assert_allclose(shrink(image, scale, "box"), expected, atol=1e-14)
    repeated = np.kron(image, np.ones((1, scale, scale)))
    np.testing.assert_array_equal(enlarge(image, scale, "box"), repeated)


@pytest.mark.parametrize("sigma", [0.8, 1.6, 3.0])
def test_gaussian_at_odd_scales_is_scipy_s_blur_sampled_at_the_middle_pixel(image, sigma):
    from scipy.ndimage import gaussian_filter1d

    blurred = image
    for axis in (-2, -1):  # wider than ours, of which what is beyond six deviations is cut
        blurred = gaussian_filter1d(blurred, sigma, axis, mode="reflect", truncate=8)
    np.testing.assert_allclose(
        shrink(image, 3, f"gaussian:{sigma}"), blurred[:, 1::3, 1::3], atol=1e-7
    )


@pytest.mark.parametrize("scale", [2, 4])
def test_gaussian_at_even_scales_is_centred_between_pixels(image, scale):
    sigma = scale / FWHM  # what "gaussian" alone means

    def one_line(line):
        return by_loops(
            line,
            len(line) // scale,
            1 / scale,
            lambda x: math.exp(-0.5 * (x / sigma) ** 2),
            6 * sigma,
            mirrored,
        )

    expected = along_both(image, one_line)
    np.testing.assert_allclose(shrink(image, scale, "gaussian"), expected, atol=1e-7)
    np.testing.assert_allclose(shrink(image, scale, f"gaussian:{sigma}"), expected, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("name", [*KINDS, "gaussian:2"])
def test_pixel_centres_stay_where_they_are(name, scale):
    """A ramp of the fine coordinate comes down to the coordinates of the coarse centres."""
    ramp = np.arange(40.0 * scale)[:, None] + np.zeros((1, scale))
    centres = (np.arange(40) + 0.5) * scale - 0.5
    inside = slice(8, -8)
    np.testing.assert_allclose(shrink(ramp, scale, name)[inside, 0], centres[inside], atol=1e-6)
    if find(name).up:  # a = -0.75 bends a ramp, but alike on both sides of a pixel's centre
        coarse = np.arange(40.0)[:, None] + np.zeros((1, 2))
        fine = enlarge(coarse, scale, name)[:, 0].reshape(40, scale)
        np.testing.assert_allclose(fine.mean(1)[inside], coarse[inside, 0], atol=1e-9)
        skew = fine + fine[:, ::-1] - 2 * coarse[:, :1]
        np.testing.assert_allclose(skew[inside], 0, atol=1e-9)


@pytest.mark.parametrize("name", [*KINDS, "gaussian:2"])
def test_a_constant_stays_one_and_long_sides_in_blocks_equal_one_matrix(name):
    constant = np.full((6, 400), 0.37)
    np.testing.assert_allclose(shrink(constant, 2, name), 0.37, atol=1e-14)
    way = down(find(name), 400, 2)
    line = np.random.default_rng(3).random((1, 400))
    whole = np.zeros((200, 400))
    np.add.at(whole, (np.arange(200)[:, None], way.places), way.weights)
    np.testing.assert_allclose(way.apply(line, -1)[0], whole @ line[0], atol=1e-14)


@pytest.mark.parametrize("name", UPS)
def test_tensors_share_the_weights_and_keep_their_gradient(image, name):
    import torch

    tensor = torch.from_numpy(image).requires_grad_()
    for way in (shrink, enlarge):
        made = way(tensor, 2, name)
        np.testing.assert_allclose(made.detach(), way(image, 2, name), atol=1e-14)
        (gradient,) = torch.autograd.grad(made.sum(), tensor)
        # every weight of every output pixel sums to 1
        assert float(gradient.sum()) == pytest.approx(made.numel())
    assert enlarge(tensor.detach().float(), 2, name).dtype == torch.float32


def test_data_types(image):
    assert enlarge(image.astype(np.float32), 2).dtype == np.float32
    assert enlarge(image.astype(np.float16), 2).dtype == np.float32
    assert enlarge((255 * image).astype(np.uint8), 2).dtype == np.float64
    with pytest.raises(InputError, match="real numbers, not complex128"):
        enlarge(image + 0j, 2)


def test_names():
    assert find("matlab-bicubic") is find("bicubic-matlab") is find(" Bicubic_MATLAB ")
    assert find("gaussian:1.6").sigma == 1.6
    with pytest.raises(InputError, match=r"'bicubic'.*bicubic-matlab, bicubic-opencv"):
        find("bicubic")
    with pytest.raises(InputError, match="at most 1000 and"):  # its kernel had 1e308 weights
        find("gaussian:1e308")
    with pytest.raises(InputError, match=r"at least 0.1, not 'wide'"):
        find("gaussian:wide")
    with pytest.raises(
        InputError, match="gaussian can only degrade; to upsample, use bicubic-matlab"
    ):
        enlarge(np.ones((4, 4)), 2, "gaussian")


@pytest.mark.parametrize("scale", [0, -2, 2.5, 17, True, math.nan, "4"])
def test_a_scale_that_is_none(scale):
    with pytest.raises(InputError, match="whole number"):
        enlarge(np.ones((4, 4)), scale)


def test_a_size_that_does_not_divide_and_a_scale_of_one():
    with pytest.raises(InputError, match=r"13 × 8 pixels, which do not divide by 4: .* 12 × 8"):
        shrink(np.ones((13, 8)), 4)
    with pytest.raises(InputError, match="already at the target size"):
        enlarge(np.ones((4, 4)), 1)
    with pytest.raises(InputError, match="scale above 0"):
        imresize(np.ones((4, 4)), 0)
    with pytest.raises(InputError, match="two axes"):
        imresize(np.ones(4), 2)
