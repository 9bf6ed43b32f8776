"""Which precision "auto" takes, and what the user is told of it."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from napari_hsr import load_model, reconstruct
from napari_hsr.errors import InputError
from napari_hsr.inference import precision, reconstruct_events
from napari_hsr.inference.estimates import product_speed, speed
from napari_hsr.models import bundled_models, import_checkpoint, user_models
from napari_hsr.models.architectures import mstpp
from napari_hsr.models.card import PrecisionError
from napari_hsr.notices import Code, has

from ..thorough import thorough

IMAGE = np.random.default_rng(0).random((24, 20, 3)).astype(np.float32)
CPU = torch.device("cpu")
GOOD = PrecisionError(
    psnr_db=51.25, max_abs=0.0083, measured_on="leaf.png, 8 × 9 pixels, on the CPU"
)
POOR = PrecisionError(psnr_db=44.9, max_abs=0.1, measured_on="leaf.png")


@pytest.fixture
def model(tmp_path):
    """A small MST++ with random weights among the user's models."""
    torch.manual_seed(0)
    torch.save(mstpp.MSTPlusPlus(3, 31, 8, 1, (1, 1, 1)).state_dict(), tmp_path / "net.pth")
    return import_checkpoint(tmp_path / "net.pth", "mine")


@pytest.fixture(params=[True, False], ids=["native", "not native"])
def native(request, monkeypatch):
    monkeypatch.setattr(precision, "computes_bfloat16", lambda device: request.param)
    return request.param


def measured(model, error):
    user_models.add_precision_errors(model.name, {"bfloat16": error}, model.weights_sha256)
    return load_model(model.name)


def result_of(model, asked="auto"):
    *_, result = reconstruct_events(IMAGE, model, precision=asked, device="cpu")
    return result


def test_auto_takes_bfloat16_where_it_was_measured_and_is_native(model, native):
    model = measured(model, GOOD)
    result = result_of(model)
    assert result.precision == ("bfloat16" if native else "float32")
    asked = reconstruct(IMAGE, model, precision=result.precision, device="cpu")
    np.testing.assert_array_equal(result.cube.data, asked.data)
    if native:
        assert result.notices[-1] == (
            "Computed in bfloat16: PSNR 51.2 dB against float32, largest difference 0.0083, "
            "measured on leaf.png, 8 × 9 pixels, on the CPU."
        )
        assert any("on the CPU in bfloat16" in step for step in result.cube.provenance.steps)
    else:
        assert result.notices[-1] == (
            "Computed in float32: bfloat16 would be no faster on this device."
        )


def test_auto_stays_exact_where_nothing_was_measured(model, native):
    result = result_of(model)
    assert result.precision == "float32"
    if native:
        assert "was not measured for this model" in result.notices[-1]
        assert "napari-hsr models measure mine" in result.notices[-1]


@pytest.mark.parametrize("native", [True], indirect=True)
def test_who_cannot_write_the_card_is_not_told_to_measure(model, native, monkeypatch):
    monkeypatch.setattr(bundled_models, "bundled", lambda: {"mine": None})
    assert result_of(model).notices[-1] == (
        "Computed in float32: the error of bfloat16 was not measured for this model."
    )


def test_the_notice_of_the_precision_is_known_by_its_code(model):
    image = np.full((24, 20, 3), 255, np.uint8)
    *_, result = reconstruct_events(image, model, tile=16, precision="bfloat16", device="cpu")
    assert [notice.code for notice in result.notices if notice.text.startswith("Computed in")] == [
        Code.TILES,
        Code.PRECISION,
    ]
    assert has(result.notices, Code.SATURATED)


@pytest.mark.parametrize("native", [True], indirect=True)
def test_auto_stays_exact_where_the_error_is_large(model, native):
    result = result_of(measured(model, POOR))
    assert result.precision == "float32"
    assert "measured at 44.9 dB against it, less than 45 dB" in result.notices[-1]


@pytest.mark.parametrize("native", [True], indirect=True)
def test_an_error_of_another_precision_is_none_of_bfloat16(model, native):
    user_models.add_precision_errors("mine", {"float16": GOOD}, model.weights_sha256)
    assert result_of(load_model("mine")).precision == "float32"


def test_what_is_asked_for_is_taken_and_its_error_said(model, native):
    lower = result_of(model, "bfloat16")
    assert lower.precision == "bfloat16"
    assert "its error was not measured" in lower.notices[-1]
    lower = result_of(measured(model, POOR), "bfloat16")
    assert lower.precision == "bfloat16"
    assert "PSNR 44.9 dB against float32" in lower.notices[-1]
    exact = result_of(model, "float32")
    assert exact.precision == "float32"
    assert not any("Computed in" in notice for notice in exact.notices)


def test_a_model_of_one_precision_has_nothing_to_say(native):
    assert precision.choose(load_model("rootpoly-srgb"), "auto", CPU) == ("float32", None)
    with pytest.raises(InputError, match="float32 only"):
        precision.choose(load_model("rootpoly-srgb"), "bfloat16", CPU)


def test_the_bound_itself_is_enough():
    assert GOOD.within(51.25)
    assert not GOOD.within(51.26)
    assert PrecisionError(psnr_db=None, max_abs=0, measured_on="x").within(1000)


@pytest.mark.parametrize(
    ("known", "gain", "expected"),
    [
        ({"amx_tile"}, 7.0, True),
        ({"avx512_bf16"}, 1.8, True),
        ({"avx512_bf16"}, 0.6, False),  # as some processors do without AMX
        ({"amx_tile"}, 0.2, False),  # forbidden, so emulated
        ({"avx2"}, 7.0, False),
    ],
)
def test_native_is_what_the_processor_has_and_is_faster_in(monkeypatch, known, gain, expected):
    asked = []
    monkeypatch.setattr(precision, "onednn_has_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "bfloat16_gain", lambda there: asked.append(set(there)) or gain)
    for name in ("amx_tile", "avx512_bf16"):
        monkeypatch.setattr(
            torch.cpu, f"_is_{name}_supported", lambda name=name: name in known, raising=False
        )
    assert precision.computes_bfloat16(CPU) is expected
    assert asked == ([] if known == {"avx2"} else [known])
    monkeypatch.setattr(precision, "onednn_has_bfloat16", lambda: False)  # forbidden, so emulated
    assert precision.computes_bfloat16(CPU) is False
    monkeypatch.setattr(precision, "onednn_has_bfloat16", lambda: True)
    for name in ("amx_tile", "avx512_bf16"):  # as an older torch
        monkeypatch.delattr(torch.cpu, f"_is_{name}_supported")
    assert precision.computes_bfloat16(CPU) is False
    assert precision.computes_bfloat16(torch.device("mps")) is False


def test_the_gain_is_measured_once_and_kept_for_what_may_be_used(monkeypatch):
    measured = iter([(7.0, 1.0), (1.0, 5.0), (2.0, 4.0)])
    monkeypatch.setattr(product_speed, "_seconds", lambda: next(measured))
    for name in speed.INSTRUCTION_LIMITS:
        monkeypatch.delenv(name, raising=False)
    for _ in range(2):
        assert product_speed.bfloat16_gain(["amx_tile", "avx512_bf16"]) == 7
        speed.forget()  # as another process, which reads the file
    assert product_speed.bfloat16_gain(["avx512_bf16"]) == 0.2
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")
    assert product_speed.bfloat16_gain(["amx_tile", "avx512_bf16"]) == 0.5


def test_the_gain_is_of_one_thread_and_leaves_the_others():
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        exact, lower = product_speed._seconds()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert exact > 0
    assert lower > 0


@pytest.mark.parametrize("allowed", thorough(["AVX2", "AVX512_CORE"], always=["AVX2"]))
def test_what_the_library_of_products_emulates_is_not_taken(allowed, tmp_path):
    code = (
        "import torch; from napari_hsr.inference.precision import computes_bfloat16; "
        "print(computes_bfloat16(torch.device('cpu')))"
    )
    limits = {"ONEDNN_MAX_CPU_ISA": allowed, speed.FILE_VARIABLE: str(tmp_path / "speed.json")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={**os.environ, **limits}, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize(
    ("generation", "expected"),
    [((6, 1), ""), ((7, 5), "float16"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")],
)
def test_native_on_cuda(model, monkeypatch, generation, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: generation)
    card = torch.device("cuda:0")
    assert precision.fastest(card) == expected
    assert precision.computes_bfloat16(card) == (expected == "bfloat16")
    lower = {"bfloat16": GOOD, "float16": GOOD}
    user_models.add_precision_errors("mine", lower, model.weights_sha256)
    found = precision.choose(load_model("mine"), "auto", card)
    assert found.precision == (expected or "float32")
    asked = precision.choose(load_model("mine"), "float16", card)
    assert asked.precision == "float16"


def test_float16_is_for_graphics_cards(model):
    with pytest.raises(InputError, match="float16 is computed on a GPU only"):
        reconstruct(IMAGE, model, precision="float16", device="cpu")
