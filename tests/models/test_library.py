"""Models by name and by path, their cards, and files that are damaged."""

import json
import os
import struct

import numpy as np
import pytest
import torch

from napari_hsr import list_models, load_model
from napari_hsr.errors import FileError, ModelError
from napari_hsr.models import DEFAULT, ModelCard
from napari_hsr.models.bundled_models import FOLDER, bundled
from napari_hsr.models.model_file import (
    CARD_KEY,
    read_card,
    save_model,
    weights_sha256,
)
from napari_hsr.models.state_dict import read_weights


def test_models_on_board_the_default_first():
    cards = {card.name: card for card in list_models()}
    others = sorted(path.stem for path in FOLDER.glob("*.safetensors") if path.stem != DEFAULT)
    assert list(cards) == [DEFAULT, *others]
    encodings = {name: card.input_encoding for name, card in cards.items()}
    assert encodings["rootpoly-srgb"] == "linear-srgb"
    assert encodings["rootpoly-nikon-d700"] == encodings["mstpp-d700"] == "camera:nikon-d700"


@pytest.mark.parametrize("name", [n for n in bundled() if n.startswith("mstpp")])
def test_bundled_network_is_small_and_its_card_complete(name):
    """Half precision, under 8 MB; who made it, on what, how good, and what it cannot do."""
    card = load_model(name).card
    assert (FOLDER / f"{name}.safetensors").stat().st_size < 8_000_000
    assert "not stated" not in card.model_dump().values()
    assert card.training["precision_of_weights"] == "float16"
    assert len(card.training["data"]) == 20
    assert set(card.training["held_out"]) == {
        "egyptian_statue", "feathers", "glass_tiles", "sponges",
    }  # fmt: skip
    assert set(card.figures["the held-out images"]) >= {"psnr_db", "sam_deg", "mrae", "rmse"}


@pytest.mark.parametrize("name", ["rootpoly-srgb", "rootpoly-nikon-d700"])
def test_bundled_card_is_complete_and_small(name):
    model = load_model(name)
    assert model.name == name
    assert "not stated" not in model.card.model_dump().values()
    assert set(model.card.figures["four CAVE val scenes"]) == {
        "psnr_db", "psnr_band_db", "sam_deg", "mrae", "rmse",
    }  # fmt: skip
    np.testing.assert_array_equal(np.asarray(model.wavelengths), np.arange(400, 701, 10))
    assert not model.module.training
    assert (FOLDER / f"{name}.safetensors").stat().st_size < 24_000  # most of it the card
    headings = dict(model.card.sentences())
    assert "do not determine a spectrum" in headings["Limits"]


def test_a_loaded_model_is_handed_back_and_the_default_takes_any_photograph():
    model = load_model()
    assert (model.name, model.input_encoding) == (DEFAULT, "linear-srgb")
    assert load_model(model) is model


def test_unknown_name_lists_what_there_is():
    with pytest.raises(ModelError, match=r"no model or folder named 'mst'.*rootpoly-srgb"):
        load_model("mst")


def test_saved_model_loads_from_file_and_folder(tmp_path):
    model = load_model("rootpoly-srgb")
    card = model.card.model_copy(update={"name": "mine"})
    path = save_model(tmp_path / "m" / "mine.safetensors", model.module.state_dict(), card)
    for place in (path, path.parent, str(path.parent)):
        again = load_model(place)
        assert again.name == "mine"
        assert again.weights_sha256 == model.weights_sha256
        assert again.source == str(place)
    assert [p.name for p in path.parent.iterdir()] == ["mine.safetensors"]
    first = path.read_bytes()
    save_model(path, model.module.state_dict(), card)
    assert path.read_bytes() == first


def test_folder_with_none_or_several(tmp_path):
    with pytest.raises(ModelError, match="found none"):
        load_model(tmp_path)
    model = load_model("rootpoly-srgb")
    for name in ("a", "b"):
        save_model(tmp_path / f"{name}.safetensors", model.module.state_dict(), model.card)
    with pytest.raises(ModelError, match=r"found a\.safetensors, b\.safetensors"):
        load_model(tmp_path)


def test_hash_sees_values_names_and_shapes():
    base = {"a": torch.zeros(2, 3), "b": torch.ones(2)}
    hashes = {
        weights_sha256(sd)
        for sd in (
            base,
            base | {"a": torch.zeros(3, 2)},
            base | {"a": torch.zeros(2, 3).double()},
            base | {"b": torch.tensor([1.0, 2.0])},
            {"a": base["a"], "c": base["b"]},
        )
    }
    assert len(hashes) == 5
    assert weights_sha256(dict(reversed(base.items()))) == weights_sha256(base)


@pytest.mark.parametrize("content", [b"", b"not a model at all", struct.pack("<Q", 10**12)])
def test_damaged_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    for reader in (read_card, read_weights, load_model):
        with pytest.raises(
            FileError, match=r"broken\.safetensors: a safetensors file was expected"
        ):
            reader(path)


def _with_header(path, header):
    from safetensors.torch import save_file

    save_file({"exponents": torch.zeros(3, 3)}, path, header)
    return path


def test_card_missing_or_wrong(tmp_path):
    with pytest.raises(FileError, match="no model card"):
        load_model(_with_header(tmp_path / "a.safetensors", {"x": "y"}))
    with pytest.raises(FileError, match="not valid: title: Field required"):
        load_model(_with_header(tmp_path / "b.safetensors", {CARD_KEY: json.dumps({"name": "b"})}))
    card = load_model("rootpoly-srgb").card.model_dump(mode="json") | {"colour": "red"}
    with pytest.raises(FileError, match="colour"):
        load_model(_with_header(tmp_path / "c.safetensors", {CARD_KEY: json.dumps(card)}))


def test_card_that_contradicts_its_weights(tmp_path):
    model = load_model("rootpoly-srgb")
    short = model.card.model_copy(update={"wavelengths_nm": (400.0, 500.0), "intervals": None})
    path = save_model(tmp_path / "short.safetensors", model.module.state_dict(), short)
    with pytest.raises(ModelError, match="2 wavelengths"):
        load_model(path)
    other = model.card.model_copy(update={"architecture": "mst"})
    path = save_model(tmp_path / "other.safetensors", model.module.state_dict(), other)
    with pytest.raises(ModelError, match="names the architecture mst"):
        load_model(path)


def test_wavelengths_of_a_card_ascend():
    with pytest.raises(ValueError, match="ascend"):
        ModelCard(
            name="x", title="x", architecture="x", input_encoding="srgb", wavelengths_nm=(500, 400)
        )


@pytest.mark.parametrize("name", ["mstpp-photo", "coarsr-x4", "rootpoly-srgb"])
def test_a_model_is_shown_on_one_line(name):
    model = load_model(name)
    shown = repr(model)
    assert "\n" not in shown
    assert len(shown) < 120
    for part in (name, model.card.architecture, model.card.input_encoding):
        assert part in shown
    assert model.weights_sha256[:12] in shown
    for card in (repr(model.card), str(model.card)):
        assert "\n" not in card
        assert len(card) < 120
        assert name in card
    assert len(str(model.card.intervals)) < 60


@pytest.mark.skipif(os.name != "posix", reason="files of POSIX have permissions")
def test_weights_may_be_read_by_whom_other_files_may_be(tmp_path):
    model = load_model("rootpoly-srgb")
    path = save_model(tmp_path / "model.safetensors", model.module.state_dict(), model.card)
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
