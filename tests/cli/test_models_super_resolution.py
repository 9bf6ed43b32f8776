"""A checkpoint of a network that makes the pixels of cubes finer, as a user meets it."""

import json

import numpy as np
import pytest
import torch

from napari_hsr import load_model, read, super_resolve
from napari_hsr.inference import super_resolve_events
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.models.card import DETAIL_ESTIMATED


@pytest.fixture
def checkpoint(tmp_path):
    """As the authors save it: in a wrapper, from a network on several devices."""
    torch.manual_seed(0)
    weights = {f"module.{k}": v for k, v in CoarSR(2, 4, 1).state_dict().items()}
    torch.save({"epoch": 85, "model": weights}, tmp_path / "net.pth")
    return tmp_path / "net.pth"


def test_it_is_imported_and_its_card_says_which_neighbours_help(hsr, checkpoint):
    status, said, noted = hsr("models", "import", checkpoint, "--name", "finer")
    assert (status, "recognised as coarsr, kept as finer" in said) == (0, True), noted
    said = " ".join(hsr("models", "show", "finer")[1].split())
    for text in (
        "finer: CoarSR ×2, from net.pth",
        "Input: a cube of coarse pixels, with any bands",
        "Output: the same bands in pixels 2 × as fine along each side",
        "bands 3, 1, 2 and 4 of the cube, counted from 0, as the authors' loop has it",
        DETAIL_ESTIMATED,
    ):
        assert text in said
    rows = [line for line in hsr("models", "list")[1].splitlines() if line.startswith("finer ")]
    assert len(rows) == 1
    assert "×2" in rows[0]
    card = json.loads(hsr("models", "show", "finer", "--json")[1])
    assert (card["input_encoding"], card["scale"]) == ("cube", 2)
    assert load_model("finer").scale == 2


def test_the_catalogue_tells_where_the_authors_publish(hsr, checkpoint):
    said = hsr("models", "catalogue")[1]
    assert "coarsr-dualsr: CoarSR" in said
    assert "Output: the bands of the input at a higher resolution" in said
    status, _, noted = hsr(
        "models", "import", checkpoint, "--name", "finer", "--as", "coarsr-dualsr"
    )
    assert status == 0, noted
    card = load_model("finer").card
    assert (card.task, card.scale) == ("super-resolution", 2)
    assert "said to be from https://github.com/qianngli/DualSR" in card.source


def test_photographs_are_refused_in_one_sentence(hsr, checkpoint, photograph, tmp_path):
    hsr("models", "import", checkpoint, "--name", "finer")
    status, _, noted = hsr("predict", photograph(), "--model", "finer", "-o", tmp_path / "cube.mat")
    assert status != 0
    assert (
        "finer raises the resolution of cubes; it cannot reconstruct one from a photograph."
        in noted
    )
    assert "Traceback" not in noted
    assert not (tmp_path / "cube.mat").exists()
    status, _, noted = hsr("models", "measure", "finer", "--image", photograph())
    assert status == 1
    assert "photograph is an RGB photograph: super-resolution takes a spectral cube" in noted
    assert len(noted.splitlines()) == 1
    status, _, noted = hsr("models", "measure", "finer", "--input-encoding", "srgb")
    assert (status, "the input encoding srgb cannot be stated" in noted) == (1, True)


def test_what_lower_precisions_cost_goes_into_its_card(hsr, tmp_path, cube_file, monkeypatch):
    from napari_hsr.inference import precision, precision_benchmark

    torch.manual_seed(0)
    torch.save(CoarSR(8, 4, 1).state_dict(), tmp_path / "net.pth")
    hsr("models", "import", tmp_path / "net.pth", "--name", "finer")
    monkeypatch.setattr(precision_benchmark, "COARSE_SIDE", 8)  # the chart needs more than that
    status, said, noted = hsr("models", "measure", "finer", "--device", "cpu")
    assert status == 0, noted
    words = load_model("finer").card.precision_errors["bfloat16"].words()
    assert words.endswith(
        "measured on chart, degraded to 1/8, 15 × 20 pixels, 31 bands, on the CPU"
    )
    assert f"finer in bfloat16: {words}" in said
    assert words in " ".join(hsr("models", "show", "finer")[1].split())
    status, said, _ = hsr("models", "measure", "finer", "--image", cube_file(), "--device", "cpu")
    error = load_model("finer").card.precision_errors["bfloat16"]
    assert (status, error.measured_on) == (0, "cube, 6 × 5 pixels, 31 bands, on the CPU")
    # taken by "auto" under the same rule as any other model's
    monkeypatch.setattr(precision, "computes_bfloat16", lambda device: True)
    cube = read(cube_file())
    for enough, used in ((error.psnr_db - 1, "bfloat16"), (error.psnr_db + 1, "float32")):
        monkeypatch.setattr(precision, "ENOUGH_DB", enough)
        *_, result = super_resolve_events(cube, "finer", device="cpu")
        assert result.precision == used
        assert any(f"Computed in {used}: " in notice for notice in result.notices)
    exact, lower = (
        super_resolve(cube, "finer", precision=p, device="cpu").data.astype(float)
        for p in ("float32", "bfloat16")
    )
    psnr = 10 * np.log10(np.abs(exact).max() ** 2 / np.mean((lower - exact) ** 2))
    assert error.psnr_db == pytest.approx(psnr, abs=0.01)


@pytest.mark.parametrize("action", ["import", "edit"])
def test_an_encoding_of_photographs_cannot_be_stated(hsr, checkpoint, action):
    hsr("models", "import", checkpoint, "--name", "finer")
    target = (checkpoint, "--name", "finer", "--overwrite") if action == "import" else ("finer",)
    status, _, noted = hsr("models", action, *target, "--input-encoding", "srgb")
    assert status != 0
    assert "finer takes cubes, not photographs: the input encoding srgb cannot be stated" in noted


def test_the_bands_that_it_was_trained_on_can_be_stated(hsr, checkpoint):
    hsr("models", "import", checkpoint, "--name", "finer")
    assert "are an assumption" in load_model("finer").card.limits
    status, _, noted = hsr("models", "edit", "finer", "--wavelengths", "410:950:20")
    assert status == 0, noted
    card = load_model("finer").card
    assert len(card.wavelengths_nm) == 28
    assert "are an assumption" not in card.limits
