"""Names of encodings, reasons not to convert, and ranges of values."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import colour as ours
from napari_hsr.errors import InputError
from napari_hsr.photograph import Photograph


def test_a_camera_converts_to_itself_alone():
    rgb = np.random.default_rng(3).random((4, 3)).astype(np.float32)
    same = ours.convert(rgb, "camera:Nikon_D700", "camera:nikon-d700")
    np.testing.assert_array_equal(same, rgb)
    with pytest.raises(InputError, match=r"sRGB photograph cannot.*nikon-d700.*raw values"):
        ours.convert(rgb, "srgb", "camera:nikon-d700")


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        (None, "linear-srgb", ["state it", "srgb, linear-srgb", "not known"]),
        (
            "srgb",
            "camera:nikon-d700",
            ["sRGB", "raw values", "state their encoding: camera:nikon-d700"],
        ),
        ("camera:nikon-d700", "linear-srgb", ["nikon-d700", "linear sRGB", "profile"]),
        ("camera:nikon-d700", "camera:canon-eos-5d", ["nikon-d700", "canon-eos-5d"]),
        ("hsv", "srgb", ["'hsv'", "srgb", "linear-srgb", "xyz-d65", "camera:<name>"]),
        ("srgb", None, ["not stated"]),
    ],
)
def test_reasons_not_to_convert_are_one_sentence(source, target, words):
    reason = ours.why_not_convert(source, target)
    assert all(word in reason for word in words), reason
    assert reason.endswith(".")
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("sRGB", "srgb"),
        (" SRGB ", "srgb"),
        ("linear", "linear-srgb"),
        ("linear_sRGB", "linear-srgb"),
        ("XYZ", "xyz-d65"),
        ("xyz-d65", "xyz-d65"),
        ("camera:Nikon_D700", "camera:nikon-d700"),
        ("CAMERA:my own thing", "camera:my-own-thing"),
        ("nikon-d700", "camera:nikon-d700"),
        ("Canon_EOS-1D_X_Mark_II", "camera:canon-eos-1d-x-mark-ii"),
    ],
)
def test_encodings_have_one_spelling(text, encoding):
    assert ours.normalise_encoding(text) == encoding
    assert ours.normalise_encoding(encoding) == encoding


@pytest.mark.parametrize("text", ["", "hsv", "camera:", "camera", "redness"])
def test_unknown_encodings_are_refused(text):
    with pytest.raises(InputError):
        ours.normalise_encoding(text)


def test_every_encoding_has_a_label():
    assert set(ours.ENCODINGS) == {"srgb", "linear-srgb", "xyz-d65"}
    assert "nikon-d700" in ours.encoding_label("camera:nikon-d700")
    assert ours.encoding_label(None) == "not known"


def test_float_photographs_outside_their_range_are_named():
    data = np.linspace(0, 255, 300, dtype=np.float32).reshape(10, 10, 3)
    reason = ours.why_not_values(Photograph(data, name="leaf"))
    assert "leaf" in reason
    assert "0 to 255" in reason
    assert "divide by 255" in reason
    assert ours.check_range(data / 255, "srgb") is None
    assert ours.check_range(data.astype(np.uint8), "srgb") is None
    assert "divide by 4095" in ours.check_range(data * 16, "linear")


@pytest.mark.parametrize(
    ("low", "high", "fits"), [(-0.09, 1.4, True), (-0.2, 1, False), (0, 1.6, False)]
)
def test_a_small_overshoot_is_let_pass(low, high, fits):
    data = np.array([[[low, 0.5, high]]])
    assert (ours.check_range(data, "srgb") is None) is fits
    assert ours.check_range(data, "linear-srgb") is None


def test_missing_pixels_do_not_count_but_a_photograph_of_nothing_else_does():
    data = np.full((3, 3, 3), 0.5)
    data[0, 0] = np.nan
    data[1, 1] = np.inf
    assert ours.check_range(data, "srgb") is None
    assert "no finite value" in ours.check_range(np.full((2, 2, 3), np.nan), "srgb")
