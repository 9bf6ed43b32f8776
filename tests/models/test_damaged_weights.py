"""One bit changed anywhere in stored weights is found before they are used."""

from __future__ import annotations

import zipfile

import pytest
import torch

from napari_hsr.errors import FileError
from napari_hsr.models import load_model, user_models
from napari_hsr.models.checkpoint_import import examine, import_checkpoint
from napari_hsr.models.torch_checkpoint import read_torch
from napari_hsr.training.engine import checkpoint
from napari_hsr.user_folders import DATA_VARIABLE


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 0x40
    path.write_bytes(content)


def of_tensors(path):
    """Where in a checkpoint the values of its tensors lie."""
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if "/data/" in entry.filename]
        content = path.read_bytes()
        for entry in entries:
            head = entry.header_offset
            lengths = (int.from_bytes(content[head + k : head + k + 2], "little") for k in (26, 28))
            yield head + 30 + sum(lengths)


@pytest.fixture
def weights():
    model = load_model("rootpoly-srgb")
    return {key: value.clone() for key, value in model.module.state_dict().items()}


def test_a_checkpoint_of_torch(tmp_path, weights):
    path = tmp_path / "x.pth"
    torch.save(weights, path)
    places = list(of_tensors(path))
    assert len(places) >= len({value.data_ptr() for value in weights.values()})
    for at in places:
        torch.save(weights, path)
        flip(path, at + 1)
        with pytest.raises(FileError, match="damaged"):
            read_torch(path)
        with pytest.raises(FileError, match="damaged"):
            examine(path)


def test_the_checkpoint_of_a_training(tmp_path):
    state = {"weights": {"a": torch.arange(50.0), "b": torch.ones(3)}, "step": 7}
    path = checkpoint.save(tmp_path, state)
    assert checkpoint.read(tmp_path)["step"] == 7
    places = list(of_tensors(path))
    assert len(places) == 2
    for at in places:
        checkpoint.save(tmp_path, state)
        flip(path, at)
        with pytest.raises(FileError, match="damaged"):
            checkpoint.read(tmp_path)


@pytest.fixture
def damaged_model(tmp_path, monkeypatch, weights):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    path = tmp_path / "x.pth"
    torch.save(weights, path)
    import_checkpoint(path, "mine", wavelengths=load_model("rootpoly-srgb").wavelengths)
    file = user_models.file_of("mine")
    flip(file, file.stat().st_size - 3)
    return file


def test_the_hash_in_a_card_holds_for_every_door(tmp_path, damaged_model):
    before = damaged_model.read_bytes()
    doors = (
        lambda: load_model("mine"),
        lambda: examine(damaged_model),
        lambda: import_checkpoint(damaged_model, "again"),
        lambda: user_models.edit("mine", title="other"),
        lambda: user_models.export("mine", tmp_path / "out.safetensors"),
    )
    for door in doors:
        with pytest.raises(ValueError, match="changed or damaged"):
            door()
    assert damaged_model.read_bytes() == before
    assert not (tmp_path / "out.safetensors").exists()
    assert set(user_models.stored()) == {"mine"}
