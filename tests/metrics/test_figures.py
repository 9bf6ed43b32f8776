"""Every metric against an independent reference: plain loops, or scikit-image."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from napari_hsr.errors import InputError
from napari_hsr.metrics import row_blocks
from napari_hsr.metrics.protocols import SsimRule

from . import scalars
from .pairs import OnDisk, pair, per_band


def samples(prediction, truth):
    return list(zip(prediction.ravel().tolist(), truth.ravel().tolist(), strict=True))


def pixels(prediction, truth):
    bands = truth.shape[0]
    return zip(
        prediction.reshape(bands, -1).T.tolist(), truth.reshape(bands, -1).T.tolist(), strict=True
    )


def angle(p, t):
    cosine = sum(a * b for a, b in zip(p, t, strict=True)) / (math.hypot(*p) * math.hypot(*t))
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def test_mrae_counts_what_exceeds_the_floor():
    prediction, truth = pair()
    truth[:, :4] = 0
    truth[2, 5, 5] = 0.9e-3 * truth.max()  # just below
    truth[3, 5, 5] = 1.1e-3 * truth.max()  # just above
    floor = 1e-3 * truth.max()
    terms = [abs(p - t) / t for p, t in samples(prediction, truth) if t > floor]
    assert scalars.mrae(prediction, truth) == pytest.approx(statistics.fmean(terms), rel=1e-12)
    assert len(terms) == truth.size - 5 * 4 * 19 - 1


def test_mrae_variants():
    prediction, truth = pair()
    truth[:, 3] = 0
    terms = [abs(p - t) / (t + 1e-3) for p, t in samples(prediction, truth)]
    found = scalars.mrae(prediction, truth, floor=None, epsilon=1e-3)
    assert found == pytest.approx(statistics.fmean(terms), rel=1e-12)
    replaced = [(p, t or 1e-4) for p, t in samples(prediction, truth)]
    terms = [abs(p - t) / t for p, t in replaced]
    found = scalars.mrae(prediction, truth, floor=None, zero=1e-4)
    assert found == pytest.approx(statistics.fmean(terms), rel=1e-12)
    assert scalars.mrae(prediction, truth, floor=None) == math.inf
    prediction[0, 3, 0] = 0  # 0 / 0
    assert math.isnan(scalars.mrae(prediction, truth, floor=None))


def test_mrae_of_a_black_truth_is_not_defined():
    prediction, truth = pair()
    assert math.isnan(scalars.mrae(prediction, 0 * truth))
    assert math.isnan(scalars.mrae(prediction, -truth))


def test_mrse():
    prediction, truth = pair()
    terms = [((p - t) / (t + 1e-8)) ** 2 for p, t in samples(prediction, truth)]
    assert scalars.mrse(prediction, truth) == pytest.approx(statistics.fmean(terms), rel=1e-12)


def test_rmse_against_scikit_image():
    prediction, truth = pair()
    p, t = prediction.astype(float), truth.astype(float)
    expected = math.sqrt(mean_squared_error(t, p))
    assert scalars.rmse(prediction, truth) == pytest.approx(expected, rel=1e-12)
    each = [math.sqrt(mean_squared_error(a, b)) for a, b in zip(t, p, strict=True)]
    np.testing.assert_allclose(per_band("rmse", prediction, truth), each, rtol=1e-12)


@pytest.mark.parametrize("peak", [1.0, 4095.0])
def test_psnr_against_scikit_image(peak):
    prediction, truth = pair()
    p, t = prediction.astype(float), truth.astype(float)
    expected = peak_signal_noise_ratio(t, p, data_range=peak)
    assert scalars.psnr(prediction, truth, peak=peak) == pytest.approx(expected, rel=1e-12)
    each = [peak_signal_noise_ratio(a, b, data_range=peak) for a, b in zip(t, p, strict=True)]
    np.testing.assert_allclose(per_band("psnr", prediction, truth, peak=peak), each, rtol=1e-12)
    found = scalars.psnr(prediction, truth, peak=peak, average="band")
    assert found == pytest.approx(statistics.fmean(each), rel=1e-12)


def test_sam_against_loops():
    prediction, truth = pair(noise=0.3)
    expected = statistics.fmean(angle(p, t) for p, t in pixels(prediction, truth))
    assert scalars.sam(prediction, truth) == pytest.approx(expected, rel=1e-9)


def test_sam_of_black_pixels():
    prediction, truth = pair(shape=(4, 3, 4))
    truth[:, 0] = 0  # four black truths,
    prediction[:, 0, :2] = 0  # two of them black in both
    prediction[:, 1, 0] = 0  # one black prediction of a lit pixel
    lit = [angle(p, t) for p, t in pixels(prediction, truth) if any(p) and any(t)]
    assert len(lit) == 7
    total = math.fsum(lit)
    expected = {
        "truth-excluded": (total + 90) / 8,
        "either-excluded": total / 7,
        "right-angle": (total + 5 * 90) / 12,
    }
    for rule, value in expected.items():
        assert scalars.sam(prediction, truth, zeros=rule) == pytest.approx(value, rel=1e-9)
    assert math.isnan(scalars.sam(prediction, 0 * truth))


def test_sam_keeps_only_bright_pixels_above_its_floor():
    prediction, truth = pair(shape=(4, 6, 6))
    truth[:, :2] *= np.float32(0.01)
    kept = [
        angle(p, t)
        for p, t in pixels(prediction, truth)
        if math.sqrt(sum(v * v for v in t) / 4) > 0.05
    ]
    assert 0 < len(kept) < 36
    expected = statistics.fmean(kept)
    assert scalars.sam(prediction, truth, floor=0.05) == pytest.approx(expected, rel=1e-9)


def test_sam_does_not_see_brightness():
    prediction, truth = pair()
    gain = np.random.default_rng(3).uniform(0.2, 5, truth.shape[1:])
    found = scalars.sam(prediction.astype(float) * gain, truth)
    assert found == pytest.approx(scalars.sam(prediction, truth), rel=1e-12)
    assert scalars.sam(truth.astype(float) * gain, truth) < 1e-13
    faint = scalars.sam(prediction.astype(float) * 1e-200, truth.astype(float) * 1e-200)
    assert faint == pytest.approx(scalars.sam(prediction, truth), rel=1e-12)
    assert scalars.sam(-truth, truth) == pytest.approx(180, abs=1e-12)


def test_small_angles_are_exact():
    truth = np.zeros((2, 1, 1))
    truth[0] = 1
    prediction = np.array([1.0, 1e-9]).reshape(2, 1, 1)
    # An arc cosine in float64 gives 0 here.
    assert scalars.sam(prediction, truth) == pytest.approx(math.degrees(1e-9), rel=1e-12)


def test_ssim_against_scikit_image_with_the_settings_of_wang():
    prediction, truth = pair(noise=0.2)
    each = [
        structural_similarity(
            t.astype(float),
            p.astype(float),
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for p, t in zip(prediction, truth, strict=True)
    ]
    np.testing.assert_allclose(per_band("ssim", prediction, truth), each, rtol=1e-10)
    assert scalars.ssim(prediction, truth) == pytest.approx(statistics.fmean(each), rel=1e-10)


def test_ssim_against_scikit_image_with_its_own_settings():
    prediction, truth = pair(noise=0.2)
    rule = SsimRule(window="uniform", taps=7, sample_covariance=True)
    each = [
        structural_similarity(t.astype(float), p.astype(float), data_range=2.0)
        for p, t in zip(prediction, truth, strict=True)
    ]
    found = scalars.ssim(prediction, truth, peak=2.0, rule=rule)
    assert found == pytest.approx(statistics.fmean(each), rel=1e-10)


def test_ssim_of_one_window_by_hand():
    prediction, truth = pair(shape=(1, 11, 11), noise=0.2)
    x, y = prediction[0].astype(float), truth[0].astype(float)
    line = [math.exp(-((i - 5) ** 2) / (2 * 1.5**2)) for i in range(11)]
    weights = np.outer(line, line) / sum(line) ** 2
    mx, my = (weights * x).sum(), (weights * y).sum()
    vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
    vxy = (weights * (x - mx) * (y - my)).sum()
    expected = (2 * mx * my + 1e-4) * (2 * vxy + 9e-4)
    expected /= (mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)
    assert scalars.ssim(prediction, truth) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("shape", [(2, 10, 30), (2, 30, 10), (1, 1, 1)])
def test_ssim_of_an_image_smaller_than_its_window_is_not_defined(shape):
    assert math.isnan(scalars.ssim(*pair(shape)))


def test_ergas_against_loops():
    prediction, truth = pair()
    terms = []
    for p, t in zip(prediction, truth, strict=True):
        mse = statistics.fmean((a - b) ** 2 for a, b in samples(p, t))
        terms.append(mse / statistics.fmean(t.ravel().tolist()) ** 2)
    expected = 100 * math.sqrt(statistics.fmean(terms))
    assert scalars.ergas(prediction, truth) == pytest.approx(expected, rel=1e-12)
    assert scalars.ergas(prediction, truth, ratio=4) == pytest.approx(expected / 4, rel=1e-12)
    dark = truth.copy()
    dark[1] = 0
    expected = 100 * math.sqrt(statistics.fmean(terms[:1] + terms[2:]))
    assert scalars.ergas(prediction, dark) == pytest.approx(expected, rel=1e-12)


def test_correlation_against_the_standard_library():
    prediction, truth = pair(noise=0.3)
    each = [
        statistics.correlation(p.ravel().tolist(), t.ravel().tolist())
        for p, t in zip(prediction, truth, strict=True)
    ]
    np.testing.assert_allclose(per_band("cc", prediction, truth), each, rtol=1e-10)
    assert scalars.cc(prediction, truth) == pytest.approx(statistics.fmean(each), rel=1e-10)
    prediction[2] = 0.5
    assert math.isnan(per_band("cc", prediction, truth)[2])
    expected = statistics.fmean(each[:2] + each[3:])
    assert scalars.cc(prediction, truth) == pytest.approx(expected, rel=1e-10)


def test_equal_cubes():
    _, truth = pair()
    assert scalars.psnr(truth, truth) == math.inf
    assert scalars.psnr(truth, truth, average="band") == math.inf
    for metric in (scalars.mrae, scalars.rmse, scalars.sam, scalars.ergas, scalars.mrse):
        assert metric(truth, truth) == 0, metric.__name__
    assert scalars.ssim(truth, truth) == pytest.approx(1, abs=1e-12)
    assert scalars.cc(truth, truth) == pytest.approx(1, abs=1e-12)


METRICS = [
    scalars.mrae,
    scalars.mrse,
    scalars.rmse,
    scalars.psnr,
    scalars.sam,
    scalars.ssim,
    scalars.ergas,
    scalars.cc,
]


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.__name__)
def test_blocks_give_what_the_whole_gives(metric, monkeypatch):
    prediction, truth = pair((3, 29, 17), noise=0.3)
    truth[:, 4:6, 3:9] = 0
    truth[1, 20, 7] = np.nan
    if metric is scalars.mrse:
        truth = np.abs(truth) + np.float32(0.1)
    whole = metric(prediction, truth)
    assert math.isfinite(whole)
    row = 3 * 17 * 8
    for rows in (1, 2, 7):
        monkeypatch.setattr(row_blocks, "BLOCK_BYTES", rows * row)
        assert metric(prediction, truth) == pytest.approx(whole, rel=1e-12), rows
        # From disk, in slabs that do not fall on the borders of blocks.
        monkeypatch.setattr(row_blocks, "SLAB_BYTES", 11 * row // 2)
        lazy = OnDisk(prediction), OnDisk(truth)
        assert metric(*lazy) == pytest.approx(whole, rel=1e-12), rows
        assert max(shape[1] for cube in lazy for shape in cube.reads) <= 17


class InChunks(OnDisk):
    """A cube on disk in chunks of 8 x 16 pixels."""

    chunks = 3, 8, 16


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.__name__)
def test_a_wide_image_is_read_in_the_order_of_its_chunks(metric, monkeypatch):
    prediction, truth = pair((3, 40, 150), noise=0.3)
    truth = np.abs(truth) + np.float32(0.1)
    whole = metric(prediction, truth)
    monkeypatch.setattr(row_blocks, "BLOCK_BYTES", 3 * 8 * 6**2)  # squares of 6 pixels
    monkeypatch.setattr(row_blocks, "SLAB_BYTES", 4 * 3 * 8 * 48)  # a strip of three chunks
    monkeypatch.setattr(row_blocks, "_SPAN_VALUES", 1)
    lazy = InChunks(prediction), InChunks(truth)
    assert metric(*lazy) == pytest.approx(whole, rel=1e-12)
    read = sum(np.prod(shape) for shape in lazy[0].reads)
    assert read < 2 * 1.7 * prediction.size  # two passes, and the margins of SSIM between strips


@pytest.mark.parametrize("border", ["valid", "zero"])
def test_ssim_in_blocks_of_one_row(border, monkeypatch):
    prediction, truth = pair((2, 16, 13), noise=0.2)
    rule = SsimRule(border=border)
    whole = scalars.ssim(prediction, truth, rule=rule)
    monkeypatch.setattr(row_blocks, "BLOCK_BYTES", 1)
    assert scalars.ssim(prediction, truth, rule=rule) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_do_not_count(metric, bad):
    prediction, truth = pair((3, 30, 14), noise=0.1)
    # Rows 0..11 are sound in both cubes; below, every window and pixel is touched.
    alone = metric(prediction[:, :12], truth[:, :12])
    prediction[:, 12::2] = bad
    truth[:, 13::2] = bad
    assert metric(prediction, truth) == pytest.approx(alone, rel=1e-12)


def test_one_missing_sample_is_left_out_alone():
    prediction, truth = pair((3, 6, 5))
    sound = [s for i, s in enumerate(samples(prediction, truth)) if i != 17]
    prediction.ravel()[17] = np.nan
    expected = math.sqrt(statistics.fmean((p - t) ** 2 for p, t in sound))
    assert scalars.rmse(prediction, truth) == pytest.approx(expected, rel=1e-12)


def test_integers_and_half_floats_are_counted_in_double_precision():
    p = np.array([[[60000, 1]]], dtype=np.uint16)
    t = np.array([[[1, 60000]]], dtype=np.uint16)
    assert scalars.rmse(p, t) == 59999  # no wrap around zero
    half = np.full((1, 40, 40), 2048, np.float16)
    assert scalars.rmse(half, half - 1) == 1


@pytest.mark.parametrize(
    ("prediction", "truth", "says"),
    [
        (np.zeros((3, 4)), np.zeros((3, 4)), "three axes"),
        (np.zeros((1, 0, 4)), np.zeros((1, 0, 4)), "empty"),
        (np.zeros((1, 2, 2), complex), np.zeros((1, 2, 2)), "prediction must hold real numbers"),
        (np.zeros((1, 2, 2)), np.full((1, 2, 2), "a"), "truth must hold real numbers"),
        ([[[1.0], [2.0, 3.0]]], np.zeros((1, 2, 2)), "a regular array"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(prediction, truth, says):
    with pytest.raises(InputError, match=says):
        scalars.rmse(prediction, truth)


def test_a_pair_has_one_shape():
    with pytest.raises(InputError, match=r"\(2, 3, 4\) and \(2, 3, 5\)"):
        row_blocks.Pair(np.zeros((2, 3, 4)), np.zeros((2, 3, 5)))
