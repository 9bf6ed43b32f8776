"""Large files of weights are memory-mapped: the same values, read only when they are used."""

import os
import pickle
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from napari_hsr import Photograph, load_model
from napari_hsr.errors import FileError
from napari_hsr.inference import reconstruct_events
from napari_hsr.models import from_state_dict, model_file
from napari_hsr.models.architectures import mxrunet
from napari_hsr.models.checkpoint_import import import_checkpoint
from napari_hsr.models.model_file import save_model
from napari_hsr.models.optimised import mxrunet as fast_mxrunet
from napari_hsr.models.optimised.large_kernels import SharedConvolution
from napari_hsr.models.optimised_copy import prepared
from napari_hsr.models.state_dict import read_weights

from ..double_precision import assert_rounded_alike, in_double
from ..small_zoo import MXRUNET

LAYOUT = replace(MXRUNET, blocks=(1, 2, 1, 1))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files are not mapped on Windows")
on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="memory is counted as Linux does"
)


@pytest.fixture(autouse=True)
def every_file_is_large(monkeypatch):
    monkeypatch.setattr(model_file, "LARGE", 0)


def test_the_same_tensors(tmp_path):
    tensors = {
        "matrix": torch.rand(3, 5),
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 4),
        "half": torch.rand(9).half(),
        "flags": torch.tensor([True, False]),
    }
    save_file(tensors, tmp_path / "some.safetensors")
    found = read_weights(tmp_path / "some.safetensors")
    assert set(found) == set(tensors)
    for key, value in tensors.items():
        assert torch.equal(found[key], value)
        assert found[key].dtype == value.dtype


@on_linux
@pytest.mark.parametrize("least", [0, 10**6])
def test_a_smaller_file_is_not_mapped_so_that_it_may_be_cut_short(tmp_path, monkeypatch, least):
    path = tmp_path / "some.safetensors"
    save_file({"matrix": torch.rand(300, 50)}, path)
    monkeypatch.setattr(model_file, "LARGE", least)
    tensors = read_weights(path)
    assert tensors["matrix"].shape == (300, 50)
    assert (str(path) in Path("/proc/self/maps").read_text()) is (least == 0)


def test_views_and_tensors_of_several_names_are_written(tmp_path):
    matrix = torch.rand(4, 6)
    tensors = {
        "turned": matrix.T,
        "part": matrix[:, 2:4],
        "last": torch.rand(1, 3, 4, 4).to(memory_format=torch.channels_last),
        "a": matrix,
        "b": matrix,
    }
    card = load_model("rootpoly-srgb").card
    path = save_model(tmp_path / "views.safetensors", tensors, card)
    with safe_open(path, framework="pt") as file:
        assert set(file.metadata()) == {model_file.CARD_KEY}
        assert set(file.keys()) == set(tensors)
        for key, value in tensors.items():
            assert torch.equal(file.get_tensor(key), value)
    again = save_model(tmp_path / "again.safetensors", tensors, card)
    assert again.read_bytes() == path.read_bytes()


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "cut.safetensors"
    save_file({"matrix": torch.rand(30, 50)}, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileError, match=r"cut\.safetensors"):
        read_weights(path)


def resident_file_bytes():
    return 1024 * int(re.search(r"RssFile:\s+(\d+)", Path("/proc/self/status").read_text())[1])


@on_linux
def test_what_is_not_used_is_not_read(tmp_path):
    values = torch.rand(8, 2**20)
    save_file(
        {"first": values[:4].clone(), "second": values[4:].clone()}, tmp_path / "x.safetensors"
    )
    before = resident_file_bytes()
    found = read_weights(tmp_path / "x.safetensors")
    assert resident_file_bytes() - before < 4 * 2**20
    assert torch.equal(found["first"], values[:4])
    assert 12 * 2**20 < resident_file_bytes() - before < 20 * 2**20
    assert torch.equal(found["second"], values[4:])


def test_a_model_in_a_mapped_file(tmp_path, monkeypatch):
    """The exact module lies in the file, and so do the kernels that its copy shares."""
    monkeypatch.setattr(fast_mxrunet, "LARGE_KERNEL", 100)
    torch.manual_seed(0)
    weights = mxrunet.MXRUNet(LAYOUT).state_dict()
    weights["layers.5.conv2.2.gamma"].fill_(0.7)
    usual = from_state_dict(weights)
    card = usual.card.model_copy(update={"name": "large", "weights_sha256": usual.weights_sha256})
    model = load_model(save_model(tmp_path / "large.safetensors", weights, card))
    image = torch.rand(1, 3, 33, 46)
    expected, truth = usual.module(image), in_double(usual.module, image)
    copy = prepared(model, "float32")
    exact = {value.data_ptr() for value in model.module.parameters()}
    ours = [m for m in copy.modules() if isinstance(m, SharedConvolution)]
    assert ours
    assert all(part.kernel.data_ptr() in exact for part in ours)
    assert_rounded_alike(copy(image), expected, truth)
    assert_rounded_alike(model.module(image), expected, truth)
    (tmp_path / "large.safetensors").unlink()  # the system keeps it while it is mapped
    assert_rounded_alike(model.module(image), expected, truth)


@pytest.mark.parametrize("change", ["cut short", "written anew"])
def test_a_file_that_changes_while_its_model_is_in_use_is_told(tmp_path, change):
    """Cut short, it ended the process; written anew in its place, it changed the numbers without a word."""
    source = load_model("instant-photo")
    path = save_model(tmp_path / "large.safetensors", source.module.state_dict(), source.card)
    model = load_model(path)
    photograph = Photograph(np.full((24, 24, 3), 100, np.uint8), "srgb")
    options = {"device": "cpu", "tile": 8, "precision": "float32"}
    events = reconstruct_events(photograph, model, **options)
    assert next(events) is not None
    if change == "cut short":
        os.truncate(path, 0)
    else:
        content = path.read_bytes()
        path.write_bytes(content[:-8] + bytes(8))
        os.utime(path, (1, 1))
    with pytest.raises(
        FileError, match=r"large\.safetensors: it was changed while its model was in"
    ):
        list(events)
    assert pickle.loads(pickle.dumps(model.in_use)) is None


def _checkpoint(tmp_path, change=lambda value: value, **how):
    """A checkpoint of torch, and its weights as they must be found."""
    torch.manual_seed(0)
    weights = mxrunet.MXRUNet(LAYOUT).state_dict()
    weights = {k: change(v) if v.is_floating_point() else v for k, v in weights.items()}
    torch.save({"model": weights, "opt": None}, tmp_path / "net.pth", **how)
    return {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}


CHANGES = {
    "float32": lambda value: value,
    "float16": torch.Tensor.half,
    "float64": torch.Tensor.double,
    "channels_last": lambda v: v.to(memory_format=torch.channels_last) if v.ndim == 4 else v,
    "a part": lambda value: torch.cat([value, value])[len(value) :] if value.ndim else value,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_mapped_checkpoint_of_torch_has_the_same_tensors(tmp_path, change):
    expected = _checkpoint(tmp_path, CHANGES[change])
    found = read_weights(tmp_path / "net.pth")
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key].dtype == value.dtype
        assert torch.equal(found[key], value)
    model, exact = from_state_dict(found, share=True), from_state_dict(expected).module
    image = torch.ones(1, 3, 9, 14)
    assert_rounded_alike(model.module(image), exact(image), in_double(exact, image))
    assert model.weights_sha256 == from_state_dict(found).weights_sha256


@pytest.mark.parametrize("how", [{}, {"_use_new_zipfile_serialization": False}])
def test_an_imported_model_lies_in_its_own_file(tmp_path, monkeypatch, how):
    monkeypatch.setenv("NAPARI_HSR_DATA", str(tmp_path / "data"))
    expected = _checkpoint(tmp_path, torch.Tensor.half, **how)
    model = import_checkpoint(tmp_path / "net.pth", "mine")
    (tmp_path / "net.pth").write_bytes(b"\0" * (tmp_path / "net.pth").stat().st_size)
    for found in (model, load_model("mine")):
        for key, value in found.module.state_dict().items():
            assert torch.equal(value, expected[key])
    assert model.weights_sha256 == load_model("mine").card.weights_sha256


def test_a_small_file_may_be_changed_while_its_model_is_used(tmp_path, monkeypatch):
    monkeypatch.undo()
    weights = mxrunet.MXRUNet(LAYOUT).state_dict()
    usual = from_state_dict(weights)
    path = save_model(tmp_path / "small.safetensors", weights, usual.card)
    model = load_model(path)
    path.write_bytes(b"\0" * path.stat().st_size)
    for key, value in model.module.state_dict().items():
        assert torch.equal(value, weights[key])


@pytest.mark.skipif(sys.byteorder != "little", reason="torch writes its own byte order")
def test_a_checkpoint_of_another_byte_order_is_read_in_that(tmp_path):
    values = {"a": torch.rand(300), "b": torch.arange(5)}
    torch.save(values, tmp_path / "net.pth")
    with (
        zipfile.ZipFile(tmp_path / "net.pth") as old,
        zipfile.ZipFile(tmp_path / "other.pth", "w") as new,
    ):
        for entry in old.infolist():
            content = old.read(entry)
            number = entry.filename.rpartition("/")[2]
            if number == "byteorder":
                content = b"big"
            elif "/data/" in entry.filename:
                content = torch.frombuffer(bytearray(content), dtype=torch.uint8)
                width = 4 if content.numel() == 1200 else 8
                content = content.view(-1, width).flip(1).contiguous().numpy().tobytes()
            new.writestr(entry.filename, content)
    found = read_weights(tmp_path / "other.pth")
    assert all(torch.equal(found[key], value) for key, value in values.items())


_IMPORT = """
import re, sys
from pathlib import Path
from napari_hsr.models import model_file
from napari_hsr.models.checkpoint_import import import_checkpoint
def resident(what):
    return int(re.search(what + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
model_file.LARGE = 0
import_checkpoint(sys.argv[1], "first")
before, held = resident("VmRSS"), resident("RssAnon")
Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
model = import_checkpoint(sys.argv[2], "second")
print(resident("RssAnon") - held, resident("VmHWM") - before)
"""


@on_linux
@pytest.mark.parametrize(
    ("kind", "most"), [("float32", 1.2), pytest.param("float16", 1.7, marks=pytest.mark.thorough)]
)
def test_a_large_checkpoint_is_copied_into_memory_only_to_be_converted(tmp_path, kind, most):
    """The checkpoint is mapped, and of weights in half precision there is one copy in float32."""
    files, size = [], 0
    for width in (24, 800):
        module = mxrunet.MXRUNet(replace(LAYOUT, outer=(*LAYOUT.outer[:3], width)))
        weights = module.state_dict()
        size = sum(4 * value.numel() for value in weights.values())
        for key, value in weights.items():
            weights[key] = CHANGES[kind](value) if value.is_floating_point() else value
        files.append(tmp_path / f"{width}.pth")
        torch.save(weights, files[-1])
    assert size > 100 * 2**20
    environment = os.environ | {"NAPARI_HSR_DATA": str(tmp_path / "data"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _IMPORT, *files]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    held, peak = (1024 * int(number) for number in done.stdout.split())
    assert held < 0.1 * size, done.stdout  # the model lies in its file
    assert peak < most * size, done.stdout
