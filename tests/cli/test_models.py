"""models: import, show, edit, remove, export and the catalogue, as a user types them."""

import json
import os

import numpy as np
import pytest
import torch

from napari_hsr import load_model
from napari_hsr.io import write
from napari_hsr.models import DEFAULT, card_of, list_models, user_models
from napari_hsr.models.architectures.restormer import Restormer
from napari_hsr.models.card import HELD_OUT, SUPER_RESOLUTION
from napari_hsr.models.published_weights import ENTRIES
from napari_hsr.photograph import Photograph


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    net = Restormer(width=8, depths=(1, 1, 1, 1, 1), hidden=(10, 21, 42, 85))
    path = tmp_path / "net.pth"
    torch.save({"state_dict": net.state_dict()}, path)
    return path


def test_from_a_file_to_a_cube(hsr, checkpoint, photograph, tmp_path):
    status, said, noted = hsr("models", "import", checkpoint, "--name", "mine")
    assert (status, "recognised as restormer, kept as mine" in said) == (0, True)
    assert "models edit mine --training-data … --licence …" in noted
    status, said, _ = hsr("models")
    assert said.index(f"{DEFAULT} (default)") < said.index("\nmine ")
    assert hsr("models", "list")[1] == said
    status, _, noted = hsr("predict", photograph(), "--model", "mine", "-o", tmp_path / "c.mat")
    assert (status, (tmp_path / "c.mat").exists()) == (0, True), noted


def test_the_list_has_figures_that_may_be_compared_and_limits(hsr):
    status, said, _ = hsr("models")
    lines = said.splitlines()
    figures = {line.split()[0]: line.split()[1:] for line in lines if line.endswith("[1]")}
    assert (status, list(figures)) == (0, [DEFAULT, "instant-photo", "rootpoly-srgb"])
    for name, found in figures.items():
        stated = card_of(name).figures[HELD_OUT]
        assert found[0] == f"{stated['psnr_db']:.2f}"
        assert found[2] == f"{stated['mrae']:.3f}"
    assert said.count("  [1]: 4 held-out images") == 1
    flat = " ".join(said.split())
    for card in list_models():
        assert flat.count(card.limits) >= 1


def test_what_is_stated_is_shown(hsr, checkpoint):
    status, _, noted = hsr(
        *("models", "import", checkpoint, "--name", "mine", "--wavelengths", "410:710:10"),
        *("--input-encoding", "sRGB", "--units", "reflectance", "--licence", "MIT"),
        *("--training-data", "ours", "--title", "Our model"),
    )
    assert (status, noted) == (0, "")
    cards = json.loads(hsr("models", "--json")[1])
    card = next(card for card in cards if card["name"] == "mine")
    assert (card["wavelengths_nm"][0], card["wavelengths_nm"][-1]) == (410, 710)
    assert (card["input_encoding"], card["units"], card["licence"]) == (
        "srgb",
        "reflectance",
        "MIT",
    )
    assert json.loads(hsr("models", "list", "--json")[1]) == cards
    assert {**json.loads(hsr("models", "show", "mine", "--json")[1]), "default": False} == card
    said = hsr("models", "show", "mine")[1]
    for text in ("mine: Our model", "410–710 nm", "Trained on: ours", "Architecture: restormer"):
        assert text in said
    assert card["weights_sha256"] == load_model("mine").weights_sha256
    assert card["weights_sha256"] in said


def test_an_entry_of_the_catalogue(hsr, checkpoint):
    asked = ("models", "import", checkpoint, "--name", "mine", "--as", "restormer-ntire2022")
    status, said, noted = hsr(*asked)
    assert (status, noted) == (0, "")
    assert "camera:basler-a2a5320-23ucbas" in said
    status, _, noted = hsr(*asked)
    assert status == 1
    assert "a model named mine already" in noted
    assert hsr(*asked, "--overwrite")[0] == 0


def test_a_card_is_completed(hsr, checkpoint):
    hsr("models", "import", checkpoint, "--name", "mine")
    status, said, _ = hsr("models", "edit", "mine", "--licence", "CC0", "--units", "radiance")
    assert (status, "Licence: CC0" in said) == (0, True)
    assert "radiance" in hsr("models", "show", "mine")[1]
    status, _, noted = hsr("models", "edit", "mine")
    assert (status, "nothing was stated" in noted) == (2, True)


def test_the_list_has_a_line_for_each_model(hsr, checkpoint):
    hsr("models", "import", checkpoint, "--name", "mine", "--input-encoding", "srgb")
    status, said, noted = hsr("models", "list")
    assert (status, noted) == (0, "")
    at_hand, best_for, *_, others, _ = (part.splitlines() for part in said.strip().split("\n\n"))
    assert best_for[0] == "Best for:"
    assert at_hand[0].split() == ["MODEL", "FOR", "INPUT", "OUTPUT", "SIZE", "WEIGHTS"]
    assert len(at_hand) == 1 + len(list_models())
    mine = next(line for line in at_hand if line.startswith("mine "))
    size = user_models.file_of("mine").stat().st_size
    columns = [part for part in mine.split("  ") if part]
    assert [part.strip() for part in columns] == [
        *("mine", "photographs to cubes", "srgb", "31 bands, 400–700 nm"),
        *(f"{size / 1e3:.3g} kB", "imported: net.pth"),
    ]
    assert at_hand[1].endswith("bundled")
    here = {card.architecture for card in list_models() if card.name == "mine"}
    missing = [e for e in ENTRIES if e.architecture not in here]
    missing.sort(key=lambda entry: entry.task == SUPER_RESOLUTION)  # those for cubes below
    assert [line.split()[0] for line in others[-len(missing) :]] == [e.name for e in missing]
    assert len(others) == 3 + len(missing)  # what they are, in two lines, and a header
    assert "or train one" in others[0]
    for line, entry in zip(others[-len(missing) :], missing, strict=True):
        assert line.endswith(entry.page)


def test_out_and_away(hsr, checkpoint, tmp_path):
    hsr("models", "import", checkpoint, "--name", "mine")
    file = tmp_path / "handed.safetensors"
    status, said, _ = hsr("models", "export", "mine", "-o", file)
    assert (status, said.strip()) == (0, str(file))
    assert hsr("models", "export", "mine", "-o", file)[0] == 1
    assert hsr("models", "export", "mine", "-o", file, "--overwrite")[0] == 0
    assert hsr("models", "remove", "mine")[0] == 0
    assert "\nmine " not in hsr("models")[1]
    status, _, noted = hsr("models", "remove", "mine")
    assert (status, "no imported model named 'mine'" in noted) == (1, True)
    assert hsr("models", "import", file, "--name", "back")[0] == 0


class Evil:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_malicious_file_is_refused_in_one_sentence(hsr, tmp_path):
    torch.save(Evil(tmp_path / "proof"), tmp_path / "evil.pth")
    status, said, noted = hsr("models", "import", tmp_path / "evil.pth", "--name", "evil")
    assert (status, said) == (1, "")
    assert noted.startswith(f"napari-hsr: error: {tmp_path / 'evil.pth'}: ")
    assert "mkdir" in noted
    assert noted.count("\n") == 1
    assert not (tmp_path / "proof").exists()


def test_damage_in_the_store_is_a_note_beside_the_list(hsr, own_data):
    (own_data / "models").mkdir()
    (own_data / "models" / "broken.safetensors").write_bytes(b"no")
    status, said, noted = hsr("models")
    assert (status, DEFAULT in said) == (0, True)
    assert noted.startswith("note: A model is left out: ")
    assert noted.count("\n") == 1


def test_damage_in_the_store_is_a_note_whatever_becomes_of_the_command(
    hsr, own_data, photograph, tmp_path
):
    (own_data / "models").mkdir()
    (own_data / "models" / "broken.safetensors").write_bytes(b"no")
    wanted = "--model", "broken", "-o", tmp_path / "c.mat"
    for command in (("models", "show", "broken"), ("predict", photograph(), *wanted)):
        status, _, noted = hsr(*command)
        assert status == 1
        assert noted.count("note: A model is left out: ") == 1
        assert "There is no model or folder named 'broken'" in noted


@pytest.mark.parametrize("text", ["400:700", "400:700:0", "400:700:7", "a,b", "700:400:10"])
def test_wavelengths_that_are_none(hsr, checkpoint, text):
    status, _, noted = hsr("models", "import", checkpoint, "--name", "x", "--wavelengths", text)
    assert status in (1, 2)
    assert "wavelengths" in noted


def test_the_catalogue_is_shown(hsr):
    status, said, _ = hsr("models", "catalogue")
    assert status == 0
    for entry in ENTRIES:
        assert f"{entry.name}: {entry.title}\n" in said
        assert entry.page in said
    entries = json.loads(hsr("models", "catalogue", "--json")[1])
    assert [entry["name"] for entry in entries] == [entry.name for entry in ENTRIES]


# --- the error of lower precisions ---------------------------------------------------------


@pytest.fixture
def picture(tmp_path):
    values = np.random.default_rng(0).integers(5, 250, (24, 20, 3), dtype=np.uint8)
    return write(Photograph(values, name="leaf"), tmp_path / "leaf.png")


def test_what_lower_precisions_cost_goes_into_the_card(hsr, checkpoint, picture):
    hsr("models", "import", checkpoint, "--name", "mine")
    status, said, noted = hsr("models", "measure", "mine", "--image", picture, "--device", "cpu")
    assert (status, noted) == (0, "")
    error = card_of("mine").precision_errors["bfloat16"]
    words = error.words()
    assert said.splitlines()[0] == f"mine in bfloat16: {words}"
    assert "leaf, 24 × 20 pixels, on the CPU" in words
    assert "Written into the card of mine." in said
    assert ("auto takes bfloat16" in said) == (error.psnr_db >= 45)
    shown = " ".join(hsr("models", "show", "mine")[1].split())
    assert f"Error in bfloat16: {words}" in shown
    asked = ("models", "measure", "mine", "--image", picture, "--device", "cpu", "--json")
    told = json.loads(hsr(*asked)[1])
    assert told["precision_errors"]["bfloat16"] == error.model_dump()
    assert told["kept"] is True


def test_measuring_what_is_not_imported_writes_nothing(hsr, checkpoint, picture, tmp_path):
    hsr("models", "import", checkpoint, "--name", "mine")
    file = tmp_path / "out.safetensors"
    hsr("models", "export", "mine", "-o", file)
    before = file.read_bytes()
    status, said, noted = hsr("models", "measure", file, "--image", picture, "--device", "cpu")
    assert (status, "mine in bfloat16: PSNR" in said) == (0, True)
    assert "was not stored" in noted
    assert file.read_bytes() == before
    status, said, noted = hsr("models", "measure", "rootpoly-srgb")
    assert (status, said) == (1, "")
    assert "float32 only" in noted
    assert noted.count("\n") == 1


def test_the_source_is_told_once(hsr, checkpoint):
    hsr("models", "import", checkpoint, "--name", "mine", "--source", "a page of theirs")
    shown = hsr("models", "show", "mine")[1]
    assert shown.count("Source: a page of theirs") == 1
    assert "imported: a page of theirs" in hsr("models")[1]


def test_models_are_listed_for_people_and_for_programs(hsr):
    status, said, _ = hsr("models")
    assert status == 0
    assert f"{DEFAULT} (default)" in said
    line = next(line for line in said.splitlines() if line.startswith(DEFAULT))
    assert "31 bands, 400–700 nm" in line
    assert line.endswith("bundled")
    _, said, _ = hsr("models", "--json")
    cards = json.loads(said)
    assert [card["name"] for card in cards] == [card.name for card in list_models()]
    assert [card["name"] for card in cards if card["default"]] == [DEFAULT]
