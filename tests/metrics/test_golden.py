"""Each original's own metric code, on seeded cubes, against our protocol of that name."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from napari_hsr.metrics import evaluate

GOLDEN = json.loads(
    (Path(__file__).parent / "golden" / "metrics_golden.json").read_text(encoding="utf-8")
)
# The originals add up in float32; identical definitions agree to about 1e-6.
TOLERANCE = 1e-5

#: Golden key → protocol, metric, and how the original treats several images:
#: "pooled" over all, "mean" of one figure per image, or "item" for a list of them.
MEANING = {
    "drcr.compute_MRAE(gt, clip(rec,0,1))": ("drcr", "mrae", "pooled"),
    "drcr.compute_RMSE(gt, clip(rec,0,1))": ("drcr", "rmse", "pooled"),
    "drcr.Loss_train(pred, gt)": ("drcr-train", "mrae", "pooled"),
    "mstpp.Loss_MRAE(pred, gt)": ("mstpp", "mrae", "pooled"),
    "mstpp.Loss_MRAE_custom(pred, gt)": ("mstpp-custom", "mrae", "pooled"),
    "mstpp.Loss_RMSE(pred, gt)": ("mstpp", "rmse", "pooled"),
    "mstpp.Loss_PSNR(pred, gt)": ("mstpp", "psnr", "mean"),
    "mxrunet.MRAE(pred, gt)": ("mxrunet", "mrae", "pooled"),
    "mxrunet.MRSELoss(pred, gt)": ("mxrunet", "mrse", "pooled"),
    "inr.calc_psnr(pred, gt)": ("inr", "psnr", "pooled"),
    "inr.ssim(pred, gt)": ("inr", "ssim", "mean"),
    "inr.sam(pred, gt) degrees": ("inr", "sam", "pooled"),
    "dualsr.PSNR(pred, gt) per item": ("dualsr", "psnr", "item"),
    "dualsr.SSIM(pred, gt) per item": ("dualsr", "ssim", "item"),
    "dualsr.SAM(pred, gt) per item, degrees": ("dualsr", "sam", "item"),
}


def images(case: dict) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction (images, bands, height, width), by the recipe in the golden file."""
    recipe: dict = {"np": np}
    exec(GOLDEN["input_recipe"], recipe)
    return recipe["pair"](
        case["seed"],
        tuple(case["shape"]),
        case["noise"],
        case.get("zeros", 0),
        case.get("out_of_range", False),
    )


def ours(prediction: np.ndarray, truth: np.ndarray, protocol, metric: str, kind: str):
    if kind == "pooled":
        # Images one below the other: the same samples and pixels, counted together.
        below = [np.concatenate(list(cube), axis=1) for cube in (prediction, truth)]
        return evaluate(*below, protocol=protocol)[metric]
    each = [
        evaluate(p, t, protocol=protocol)[metric] for p, t in zip(prediction, truth, strict=True)
    ]
    return each if kind == "item" else math.fsum(each) / len(each)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"seed {case['seed']}")
@pytest.mark.parametrize("key", MEANING)
def test_the_original_figure_is_reproduced(case, key):
    truth, prediction = images(case)
    expected = np.asarray(case["values"][key], dtype=float)  # "nan" and "inf" are spelled out
    found = np.asarray(ours(prediction, truth, *MEANING[key]))
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=0)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"seed {case['seed']}")
def test_inputs_are_those_of_the_originals(case):
    truth, prediction = images(case)
    assert truth.sum(dtype=np.float64) == case["gt_sum_check"]
    assert prediction.sum(dtype=np.float64) == case["pred_sum_check"]


def test_no_golden_value_is_left_out():
    keys = {key for case in GOLDEN["cases"] for key in case["values"]}
    assert keys == set(MEANING)
