"""Protocols: named, complete, in words that follow their data."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from napari_hsr.errors import InputError
from napari_hsr.metrics import LABELS, METRICS, PROTOCOLS, evaluate, get_protocol

from . import scalars
from .pairs import pair


def test_names_and_labels():
    expected = "default cave-val mstpp mstpp-validation drcr mxrunet inr dualsr sspsr ntire2022"
    assert set(expected.split()) <= set(PROTOCOLS)
    assert next(iter(PROTOCOLS)) == "default"
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())
    assert set(LABELS) == set(METRICS)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_gives_all_its_metrics(name):
    prediction, truth = pair((4, 300, 20 if name != "mstpp-validation" else 300))
    result = evaluate(prediction, truth, name)
    assert tuple(result.values) == PROTOCOLS[name].metrics
    assert all(math.isfinite(value) for value in result.values.values())
    assert result.protocol == name
    assert result.protocol_text == PROTOCOLS[name].description


def test_the_text_follows_the_rules():
    own = replace(PROTOCOLS["default"], name="own", peak=4095, crop=7, clip="both", ergas_ratio=8)
    assert "Both cubes are clipped to 0..4095; 7 pixels at each side" in own.description
    assert "full scale 4095" in own.description
    assert "r = 8" in own.description
    assert "floor" not in PROTOCOLS["default"].description
    assert "without a floor" in PROTOCOLS["drcr"].description
    assert "0.001 of its maximum" in PROTOCOLS["default"].description
    assert "above 0.02 count" in PROTOCOLS["cave-val"].description


def test_protocols_are_data():
    with pytest.raises(FrozenInstanceError):
        PROTOCOLS["default"].peak = 2
    with pytest.raises(InputError, match="Unknown metric 'snr'"):
        replace(PROTOCOLS["default"], metrics=("snr",))
    with pytest.raises(InputError, match="above 0"):
        replace(PROTOCOLS["default"], peak=0)


def test_a_name_that_does_not_exist_is_answered_with_those_that_do():
    with pytest.raises(
        InputError, match=r"no protocol 'mstp'.*did you mean mstpp.*default, cave-val"
    ):
        get_protocol("mstp")
    assert get_protocol("MSTPP") is PROTOCOLS["mstpp"]


def test_cave_val_clips_the_prediction():
    prediction, truth = pair((4, 20, 20), noise=0.4)
    assert prediction.min() < 0
    assert prediction.max() > 1
    result = evaluate(prediction, truth, "cave-val")
    inside = np.clip(prediction, 0, 1)
    assert result.rmse == pytest.approx(scalars.rmse(inside, truth), rel=1e-12)
    assert result.psnr == pytest.approx(scalars.psnr(inside, truth), rel=1e-12)
    band = scalars.psnr(inside, truth, average="band")
    assert result.psnr_band == pytest.approx(band, rel=1e-12)
    assert result.mrae == pytest.approx(scalars.mrae(inside, truth), rel=1e-12)
    assert result.sam == pytest.approx(scalars.sam(inside, truth, floor=0.02), rel=1e-12)


def test_mstpp_validation_counts_the_centre_only():
    prediction, truth = pair((3, 270, 280))
    result = evaluate(prediction, truth, "mstpp-validation")
    centre = (slice(None), slice(128, -128), slice(128, -128))
    inner = evaluate(prediction[centre], truth[centre], "mstpp")
    assert result.values == pytest.approx(inner.values, rel=1e-12)
    assert result.mrae != evaluate(prediction, truth, "mstpp").mrae


@pytest.mark.parametrize("shape", [(2, 256, 400), (2, 400, 256), (2, 10, 10)])
def test_an_image_too_small_for_the_crop_is_refused(shape):
    cube = np.ones(shape, np.float32)
    with pytest.raises(InputError, match=f"larger than 256 x 256 pixels; it is {shape[1]} x"):
        evaluate(cube, cube, "mstpp-validation")


def test_drcr_says_when_the_original_leaves_the_scene_out():
    prediction, truth = pair((3, 8, 8))
    assert not any("original" in note for note in evaluate(prediction, truth, "drcr").notes)
    truth[0, 0, 0] = 0
    result = evaluate(prediction, truth, "drcr")
    assert result.mrae == math.inf
    assert any("leaves out scenes" in note for note in result.notes)
    assert any("divides by the zeros" in note for note in result.notes)
