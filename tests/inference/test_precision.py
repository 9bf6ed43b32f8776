"""Lower precisions: measured, kept in the card, and taken by "auto" only then."""

import threading

import numpy as np
import pytest
import torch

from napari_hsr import load_model, reconstruct
from napari_hsr.errors import Cancelled, InputError, ModelError
from napari_hsr.inference import Measurement, measure, measure_events, precision, reconstruct_events
from napari_hsr.inference.precision_benchmark import difference, keep
from napari_hsr.models import card_of, import_checkpoint, library, user_models
from napari_hsr.models.architectures import mstpp
from napari_hsr.models.card import PrecisionError
from napari_hsr.notices import Code, has
from napari_hsr.progress import Progress

IMAGE = np.random.default_rng(0).random((24, 20, 3)).astype(np.float32)
CPU = torch.device("cpu")
GOOD = PrecisionError(psnr_db=51.25, max_abs=0.0083, measured_on="leaf.png, 8 × 9 pixels, on cpu")
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


# --- what "auto" takes --------------------------------------------------------------------


def test_auto_takes_bfloat16_where_it_was_measured_and_is_native(model, native):
    model = measured(model, GOOD)
    result = result_of(model)
    assert result.precision == ("bfloat16" if native else "float32")
    asked = reconstruct(IMAGE, model, precision=result.precision, device="cpu")
    np.testing.assert_array_equal(result.cube.data, asked.data)
    if native:
        assert result.notices[-1] == (
            "Computed in bfloat16: PSNR 51.2 dB against float32, largest difference 0.0083, "
            "measured on leaf.png, 8 × 9 pixels, on cpu."
        )
        assert any("on cpu in bfloat16" in step for step in result.cube.provenance.steps)
    else:
        assert result.notices[-1] == (
            "Computed in float32: this device has no bfloat16 of its own."
        )


def test_auto_stays_exact_where_nothing_was_measured(model, native):
    result = result_of(model)
    assert result.precision == "float32"
    if native:
        assert "was not measured for this model" in result.notices[-1]
        assert "napari-hsr models measure mine" in result.notices[-1]


@pytest.mark.parametrize("native", [True], indirect=True)
def test_who_cannot_write_the_card_is_not_told_to_measure(model, native, monkeypatch):
    monkeypatch.setattr(library, "bundled", lambda: {"mine": None})
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
    ("known", "expected"), [({"amx_tile"}, True), ({"avx512_bf16"}, True), ({"avx2"}, False)]
)
def test_native_is_what_the_processor_has(monkeypatch, known, expected):
    for name in ("amx_tile", "avx512_bf16"):
        monkeypatch.setattr(
            torch.cpu, f"_is_{name}_supported", lambda name=name: name in known, raising=False
        )
    assert precision.computes_bfloat16(CPU) is expected
    for name in ("amx_tile", "avx512_bf16"):  # as an older torch
        monkeypatch.delattr(torch.cpu, f"_is_{name}_supported")
    assert precision.computes_bfloat16(CPU) is False
    assert precision.computes_bfloat16(torch.device("mps")) is False


@pytest.mark.parametrize(
    ("generation", "expected"), [((7, 5), False), ((8, 0), True), ((9, 0), True)]
)
def test_native_on_cuda(monkeypatch, generation, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: generation)
    assert precision.computes_bfloat16(torch.device("cuda:0")) is expected


# --- measuring ----------------------------------------------------------------------------


def test_what_is_measured_is_the_difference_of_the_two_cubes(model):
    found = measure(model, IMAGE, device="cpu").errors["bfloat16"]
    exact, lower = (
        reconstruct(IMAGE, model, precision=p, device="cpu").data.astype(float)
        for p in ("float32", "bfloat16")
    )
    psnr = 10 * np.log10(np.abs(exact).max() ** 2 / np.mean((lower - exact) ** 2))
    assert found.psnr_db == pytest.approx(psnr, abs=0.006)
    assert found.max_abs == pytest.approx(np.abs(lower - exact).max(), rel=0.006)
    assert found.measured_on == "array, 24 × 20 pixels, on cpu"


def test_into_the_card_and_back(model):
    found = measure("mine", IMAGE, device="cpu")
    before = card_of("mine")
    assert before.precision_errors == {}
    card = keep(found)
    assert card == card_of("mine") == load_model("mine").card
    assert card.precision_errors == found.errors
    assert card.model_copy(update={"precision_errors": {}}) == before
    assert load_model("mine").weights_sha256 == model.weights_sha256
    assert dict(card.sentences())["Error in bfloat16"] == found.errors["bfloat16"].words()
    user_models.edit("mine", licence="CC0")  # nothing of it is lost by that
    assert card_of("mine").precision_errors == found.errors


def test_other_weights_by_now_are_refused(model, tmp_path):
    found = measure(model, IMAGE, device="cpu")
    torch.manual_seed(1)
    torch.save(mstpp.MSTPlusPlus(3, 31, 8, 1, (1, 1, 1)).state_dict(), tmp_path / "net.pth")
    import_checkpoint(tmp_path / "net.pth", "mine", overwrite=True)
    with pytest.raises(ModelError, match="other weights by now"):
        keep(found)
    assert card_of("mine").precision_errors == {}


def test_a_model_in_a_file_keeps_its_card(model, tmp_path):
    file = user_models.export("mine", tmp_path)
    before = file.read_bytes()
    assert keep(measure(file, IMAGE, device="cpu")) is None
    assert file.read_bytes() == before
    assert card_of("mine").precision_errors == {}


def test_a_model_of_one_precision_is_not_measured():
    with pytest.raises(InputError, match=r"float32 only: there is no other precision to measure"):
        measure("rootpoly-srgb", IMAGE)


def test_the_sample_stands_in_for_raw_values_and_it_is_said(model, monkeypatch):
    from napari_hsr import Photograph, samples

    small = Photograph((IMAGE * 255).astype(np.uint8), name="small")
    monkeypatch.setattr(samples, "photograph", lambda: small)
    found = measure(model, device="cpu").errors["bfloat16"]
    assert found.measured_on == "small, 24 × 20 pixels, on cpu"
    user_models.edit("mine", input_encoding="camera:nikon-d700")
    raw = measure("mine", device="cpu").errors["bfloat16"]
    assert raw.measured_on == (
        "small, 24 × 20 pixels, its linear values taken as camera:nikon-d700, on cpu"
    )
    assert (raw.psnr_db, raw.max_abs) == (found.psnr_db, found.max_abs)
    with pytest.raises(InputError, match="raw values"):  # a photograph of the user's is not bent
        measure("mine", small, device="cpu")


def test_progress_and_cancelling(model):
    said = list(measure_events(model, IMAGE, device="cpu", tile=16))
    assert isinstance(said[-1], Measurement)
    steps = [p for p in said[:-1] if p.total]
    assert all(isinstance(p, Progress) for p in said[:-1])
    assert [p.done for p in steps] == sorted(p.done for p in steps)
    assert {p.total for p in steps} == {2 * 4}
    assert steps[-1].done == 2 * 4
    assert {p.message for p in steps} == {"Computing in float32", "Computing in bfloat16"}
    cancel = threading.Event()
    going = measure_events(model, IMAGE, device="cpu", cancel=cancel)
    while next(going).message != "Computing in bfloat16":
        pass
    cancel.set()
    with pytest.raises(Cancelled):
        list(going)


def test_float16_is_measured_on_a_gpu_only(model):
    from dataclasses import replace

    both = replace(model, precisions=("float32", "bfloat16", "float16"))
    found = measure(both, IMAGE, device="cpu")
    assert set(found.errors) == {"bfloat16"}
    assert "GPU only" in found.left_out["float16"]


def test_differences_that_are_none():
    cube = np.random.default_rng(1).random((3, 4, 5)).astype(np.float32)
    same = difference(cube, cube, "here")
    assert (same.psnr_db, same.max_abs) == (None, 0)
    assert "no difference" in same.words()
    broken = cube.copy()
    broken[1, 2, 3] = np.nan
    assert difference(broken, cube, "here") == "its result is not finite"
    broken[1, 2, 3] = np.inf
    assert difference(broken, cube, "here") == "its result is not finite"
    assert difference(cube, cube * 0, "here") == "the cube is black"


def test_psnr_by_hand():
    exact = np.full((2, 3, 3), 0.5, np.float32)
    exact[0, 0, 0] = -2
    found = exact.copy()
    found[1] += 0.25
    error = difference(found, exact, "here")
    assert error.max_abs == 0.25
    assert error.psnr_db == pytest.approx(10 * np.log10(4 / (0.0625 / 2)), abs=0.005)
