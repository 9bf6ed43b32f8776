"""Large files of weights are mapped: the same values, in memory only while they are read."""

import re
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_hsr import load_model
from napari_hsr.errors import FileError
from napari_hsr.models import from_state_dict, mapped
from napari_hsr.models.architectures import mxrunet
from napari_hsr.models.architectures.fast import shared
from napari_hsr.models.checkpoint import read_weights, save_model
from napari_hsr.models.prepared import prepared

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
    monkeypatch.setattr(mapped, "FROM", 0)


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
    assert mapped.is_mapped(found["matrix"])
    assert not mapped.is_mapped(tensors["matrix"])


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
    mapped.release(found["first"])
    after = _resident_file_bytes()
    assert held - before > 12 * 2**20
    assert held - after > 12 * 2**20
    assert torch.equal(found["first"], values[:4])
    assert torch.equal(found["second"], values[4:])


def test_releasing_what_is_not_mapped_does_nothing():
    values = torch.rand(10_000)
    kept = values.clone()
    mapped.release(values)
    assert torch.equal(values, kept)


def test_a_model_in_a_mapped_file(tmp_path, monkeypatch):
    """The exact module lies in the file, and so do the kernels that its copy shares."""
    monkeypatch.setattr(shared, "SHARED_FROM", 100)
    torch.manual_seed(0)
    weights = mxrunet.MXRUNet(LAYOUT).state_dict()
    weights["layers.5.conv2.2.gamma"].fill_(0.7)
    usual = from_state_dict(weights)
    card = usual.card.model_copy(update={"name": "large", "weights_sha256": usual.weights_sha256})
    model = load_model(save_model(tmp_path / "large.safetensors", weights, card))
    assert all(mapped.is_mapped(value) for value in model.module.state_dict().values())
    image = torch.rand(1, 3, 33, 46)
    expected = usual.module(image)
    for _ in range(2):  # the second time from released memory
        copy = prepared(model, "float32")
        ours = [m for m in copy.modules() if isinstance(m, shared.SharedConvolution)]
        assert ours
        assert all(mapped.is_mapped(part.kernel) for part in ours)
        torch.testing.assert_close(copy(image), expected, rtol=1e-4, atol=1e-4)
        assert torch.equal(model.module(image), expected)
    (tmp_path / "large.safetensors").unlink()  # the system keeps it while it is mapped
    assert torch.equal(model.module(image), expected)
