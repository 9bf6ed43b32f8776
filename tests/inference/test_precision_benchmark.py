"""The error of lower precisions: measured, and kept in the card."""

import threading

import numpy as np
import pytest
import torch

from napari_hsr import load_model, reconstruct
from napari_hsr.errors import Cancelled, InputError, ModelError
from napari_hsr.inference import Measurement, measure, measure_events
from napari_hsr.inference.precision_benchmark import difference, keep
from napari_hsr.models import card_of, import_checkpoint, user_models
from napari_hsr.models.architectures import mstpp
from napari_hsr.progress import Progress

IMAGE = np.random.default_rng(0).random((24, 20, 3)).astype(np.float32)


@pytest.fixture
def model(tmp_path):
    """A small MST++ with random weights among the user's models."""
    torch.manual_seed(0)
    torch.save(mstpp.MSTPlusPlus(3, 31, 8, 1, (1, 1, 1)).state_dict(), tmp_path / "net.pth")
    return import_checkpoint(tmp_path / "net.pth", "mine")


def test_what_is_measured_is_the_difference_of_the_two_cubes(model):
    found = measure(model, IMAGE, device="cpu").errors["bfloat16"]
    exact, lower = (
        reconstruct(IMAGE, model, precision=p, device="cpu").data.astype(float)
        for p in ("float32", "bfloat16")
    )
    psnr = 10 * np.log10(np.abs(exact).max() ** 2 / np.mean((lower - exact) ** 2))
    assert found.psnr_db == pytest.approx(psnr, abs=0.006)
    assert found.max_abs == pytest.approx(np.abs(lower - exact).max(), rel=0.006)
    assert found.measured_on == "array, 24 × 20 pixels, on the CPU"


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
    with pytest.raises(ModelError, match="other weights than those"):
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
    assert found.measured_on == "small, 24 × 20 pixels, on the CPU"
    user_models.edit("mine", input_encoding="camera:nikon-d700")
    raw = measure("mine", device="cpu").errors["bfloat16"]
    assert raw.measured_on == (
        "small, 24 × 20 pixels, its linear values taken as camera:nikon-d700, on the CPU"
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
    assert len({p.total for p in steps}) == 1
    tiles = [steps[-1].total * n // 8 for n in range(9)]  # before and after each of both runs
    assert {p.done for p in steps} >= set(tiles)  # and in slow ones on the way
    assert steps[-1].done == steps[-1].total
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
