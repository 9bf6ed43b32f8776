"""Large files of weights are mapped: the same values, in memory only while they are read."""

import errno
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_hsr import load_model
from napari_hsr.errors import FileError
from napari_hsr.models import from_state_dict, memory_mapping
from napari_hsr.models.architectures import mxrunet
from napari_hsr.models.checkpoint_import import import_checkpoint
from napari_hsr.models.model_file import read_weights, save_model
from napari_hsr.models.optimised import large_kernels
from napari_hsr.models.optimised_copy import prepared

from ..double_precision import assert_exact

LAYOUT = mxrunet.Layout(
    channels=3,
    bands=31,
    stem=(4, 6, 8),
    inner=(8, 12, 16, 24),
    outer=(8, 12, 16, 24),
    blocks=(1, 2, 1, 1),
    bottleneck=False,
    attention=True,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files are not mapped on Windows")


@pytest.fixture(autouse=True)
def every_file_is_large(monkeypatch):
    monkeypatch.setattr(memory_mapping, "FROM", 0)


def _resident_file_bytes() -> int:
    return 1024 * int(re.search(r"RssFile:\s+(\d+)", Path("/proc/self/status").read_text())[1])


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
    assert memory_mapping.is_mapped(found["matrix"])
    assert not memory_mapping.is_mapped(tensors["matrix"])


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "cut.safetensors"
    save_file({"matrix": torch.rand(30, 50)}, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileError, match=r"cut\.safetensors"):
        read_weights(path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is counted as Linux does")
def test_released_memory_comes_back_from_the_file(tmp_path):
    values = torch.rand(8, 2**20)
    save_file(
        {"first": values[:4].clone(), "second": values[4:].clone()}, tmp_path / "x.safetensors"
    )
    found = read_weights(tmp_path / "x.safetensors")
    before = _resident_file_bytes()
    assert torch.equal(found["first"], values[:4])
    held = _resident_file_bytes()
    memory_mapping.release(found["first"])
    after = _resident_file_bytes()
    assert held - before > 12 * 2**20
    assert held - after > 12 * 2**20
    assert torch.equal(found["first"], values[:4])
    assert torch.equal(found["second"], values[4:])


def test_releasing_what_is_not_mapped_does_nothing():
    values = torch.rand(10_000)
    kept = values.clone()
    memory_mapping.release(values)
    assert torch.equal(values, kept)


def test_a_model_in_a_mapped_file(tmp_path, monkeypatch):
    """The exact module lies in the file, and so do the kernels that its copy shares."""
    monkeypatch.setattr(large_kernels, "SHARED_FROM", 100)
    torch.manual_seed(0)
    weights = mxrunet.MXRUNet(LAYOUT).state_dict()
    weights["layers.5.conv2.2.gamma"].fill_(0.7)
    usual = from_state_dict(weights)
    card = usual.card.model_copy(update={"name": "large", "weights_sha256": usual.weights_sha256})
    model = load_model(save_model(tmp_path / "large.safetensors", weights, card))
    assert all(memory_mapping.is_mapped(value) for value in model.module.state_dict().values())
    image = torch.rand(1, 3, 33, 46)
    for _ in range(2):  # the second time from released memory
        copy = prepared(model, "float32")
        ours = [m for m in copy.modules() if isinstance(m, large_kernels.SharedConvolution)]
        assert ours
        assert all(memory_mapping.is_mapped(part.kernel) for part in ours)
        assert_exact(copy(image), usual.module, image, 1e-5)
        # Kernels that lie elsewhere in a cache line may be added up in another order.
        assert_exact(model.module(image), usual.module, image, 0)
    (tmp_path / "large.safetensors").unlink()  # the system keeps it while it is mapped
    assert_exact(model.module(image), usual.module, image, 0)
    for key, value in usual.module.state_dict().items():
        assert torch.equal(model.module.state_dict()[key], value)


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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what is mapped")
@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_of_torch_is_mapped(tmp_path, change):
    expected = _checkpoint(tmp_path, CHANGES[change])
    found = read_weights(tmp_path / "net.pth")
    assert list(found) == list(expected)
    for _ in range(2):  # the second time from released memory
        for key, value in expected.items():
            assert memory_mapping.is_mapped(found[key])
            assert found[key].is_contiguous()
            assert found[key].dtype == value.dtype
            assert torch.equal(found[key], value)
            memory_mapping.release(found[key])


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


def test_no_room_to_widen_is_told_of_the_file(tmp_path, monkeypatch):
    _checkpoint(tmp_path, torch.Tensor.half)

    def full(dir):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(memory_mapping.tempfile, "TemporaryFile", full)
    with pytest.raises(FileError, match=r"net\.pth: its values cannot be widened.*No space left"):
        read_weights(tmp_path / "net.pth")


_IMPORT = """
import re, sys
from pathlib import Path
from napari_hsr.models import memory_mapping
from napari_hsr.models.checkpoint_import import import_checkpoint
def resident(what):
    return int(re.search(what + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
memory_mapping.FROM = 0
import_checkpoint(sys.argv[1], "first")
before = resident("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
import_checkpoint(sys.argv[2], "second")
print(resident("VmHWM") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is counted as Linux does")
@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_a_large_checkpoint_is_never_in_memory_as_a_whole(tmp_path, kind):
    """At most one of its tensors is, with what it was read from; two fifths are one alone."""
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
    assert 1024 * int(done.stdout) < 0.8 * size, done.stdout
