"""The protocols of super-resolution against references written out here, loop by loop."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr.errors import InputError
from napari_hsr.metrics import evaluate
from napari_hsr.metrics.protocols import at_scale

from .pairs import pair


@pytest.fixture(params=[(5, 23, 19), (31, 33, 47)])
def cubes(request):
    """A prediction that leaves 0..1, and a truth, with black spectra in either and in both."""
    prediction, truth = pair(request.param, seed=4, noise=0.2)
    truth[:, 3, 7] = prediction[:, 3, 7] = 0  # in both
    truth[:, 15, 2] = 0
    prediction[:, 6, 9] = 0
    return prediction, truth


def gaussian_ssim(x, y):
    """Wang et al. 2004 by plain sums over every window of 11 × 11."""
    axis = np.arange(11) - 5
    window = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(plane):
        views = np.lib.stride_tricks.sliding_window_view(plane, (11, 11))
        return (views * window).sum((-1, -2))

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))


def test_dualsr(cubes):
    prediction, truth = (cube.astype(float) for cube in cubes)
    found = evaluate(*cubes, "dualsr")
    rmse = np.sqrt(np.mean((prediction - truth) ** 2))
    assert found["psnr"] == pytest.approx(20 * np.log10(1 / rmse), rel=1e-9)
    ssim = np.mean([gaussian_ssim(p, t) for p, t in zip(prediction, truth, strict=True)])
    assert found["ssim"] == pytest.approx(ssim, rel=1e-9)
    p, t = (np.where(cube == 0, 1e-12, cube) for cube in (prediction, truth))
    cosine = (p * t).sum(0) / np.linalg.norm(p, axis=0) / np.linalg.norm(t, axis=0)
    angles = np.degrees(np.arccos(cosine.clip(-1, 1)))
    without = angles.mean()
    angles[3, 7] = np.nan  # black in both: the original's arc cosine of a little more than 1
    angles[np.argwhere(np.isnan(angles))] = 0  # its own statement: rows 3 and 7 as a whole
    assert found["sam"] == pytest.approx(angles.mean(), rel=1e-7)
    assert found["sam"] < without
    assert tuple(found.values) == ("psnr", "sam", "ssim")


def test_dualsr_of_equal_cubes(cubes):
    found = evaluate(cubes[1], cubes[1], "dualsr")
    assert (found["psnr"], found["sam"]) == (100.0, 0.0)
    assert found["ssim"] == pytest.approx(1)


def test_sspsr(cubes):
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    prediction, truth = (cube.astype(float) for cube in cubes)
    found = evaluate(*cubes, "sspsr")
    bands = list(zip(truth, prediction, strict=True))
    expected = {
        "rmse": np.sqrt(np.mean((prediction - truth) ** 2)),
        "psnr_band": np.mean([peak_signal_noise_ratio(t, p, data_range=1) for t, p in bands]),
        "ssim": np.mean([structural_similarity(t, p, data_range=1) for t, p in bands]),
        "ergas": 100
        / 4
        * np.sqrt(np.mean([np.mean((t - p) ** 2) / t.mean() ** 2 for t, p in bands])),
        "cc": np.mean([np.corrcoef(t.ravel(), p.ravel())[0, 1] for t, p in bands]),
    }
    angles = []
    for t, p in zip(
        truth.reshape(len(truth), -1).T, prediction.reshape(len(truth), -1).T, strict=True
    ):
        lengths = np.linalg.norm(t) * np.linalg.norm(p)
        if lengths:
            angles.append(np.degrees(np.arccos(np.clip(t @ p / lengths, -1, 1))))
    assert len(angles) == truth[0].size - 3
    expected["sam"] = np.mean(angles)
    assert found.values == pytest.approx(expected, rel=1e-7)
    assert found.excluded["sam_black"] == 3


def test_the_scale_is_stated_for_ergas(cubes):
    four, eight = evaluate(*cubes, "sspsr"), evaluate(*cubes, at_scale("sspsr", 8))
    assert eight["ergas"] == pytest.approx(four["ergas"] / 2)
    assert "r = 8" in eight.protocol_text
    assert eight.protocol == "sspsr"
    with pytest.raises(InputError, match="dualsr has no ERGAS"):
        at_scale("dualsr", 4)
    with pytest.raises(InputError, match="must be above 0"):
        at_scale("sspsr", 0)


def test_the_rules_stand_in_every_table(cubes):
    said = " ".join(evaluate(*cubes, "dualsr").table().split())
    for words in (
        "protocol dualsr",
        "Nothing is clipped",
        "CoarSR's program cuts predictions to 0..1 before it calls them",
        "full scale 1; equal images count 100 dB",
        "zeros are replaced by 1e-12, and each image row whose number is a coordinate of a pixel "
        "that is black in both counts 0°, as in the original program",
        "a Gaussian window, 11 x 11, σ = 1.5",
        "windows inside the image only, and is the mean over windows and bands",
    ):
        assert words in said
    said = " ".join(evaluate(*cubes, "sspsr").table().split())
    for words in (
        "protocol sspsr",
        "Nothing is clipped",
        "The band PSNR is the mean of the bands' PSNR, full scale 1",
        "pixels with a black truth or a black prediction are left out",
        "a uniform window, 7 x 7",
        "r = 4",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((5, 8, 10), "the truth 32 x 40: make the pixels of the prediction 4 times as fine first"),
        ((5, 9, 10), "the truth 32 x 40, which do not divide"),
        ((5, 8, 20), "the truth 32 x 40, which do not divide"),
        ((5, 64, 80), "64 x 80 pixels .* the truth 32 x 40\\."),
    ],
)
def test_sizes_that_differ(shape, sentence):
    with pytest.raises(InputError, match=sentence):
        evaluate(np.ones(shape), np.ones((5, 32, 40)), "dualsr")
