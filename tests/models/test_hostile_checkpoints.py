"""Checkpoints that ask for far more than weights do are refused before room is made for it."""

from __future__ import annotations

import io
import os
import pickle
import sys
import time
import zipfile
from collections import OrderedDict

import pytest
import torch

from napari_hsr.errors import FileError
from napari_hsr.models import pickle_steps
from napari_hsr.models.state_dict import read_weights, unwrap
from napari_hsr.models.torch_checkpoint import read_torch


def archive(path, content):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", content)
        file.writestr("archive/byteorder", b"little")
        file.writestr("archive/version", b"3\n")
    return path


def made(module, name, argument):
    """A pickle that calls something with one argument."""
    return (
        b"\x80\x02c" + f"{module}\n{name}\n".encode() + pickle.dumps((argument,), 2)[2:-1] + b"R."
    )


def dictionaries(depth):
    return b"\x80\x02" + b"}X\x01\0\0\0a" * depth + b"}" + b"s" * depth + b"."


COLLIDING = (
    b"\x80\x02}("
    + b"".join(pickle.dumps(i * (2**61 - 1) + 5, 2)[2:-1] + b"N" for i in range(5, 40))
    + b"u."
)


@pytest.mark.parametrize("content", [
    made("builtins", "bytearray", 6 * 10**9), made("torch", "HalfTensor", 2 * 10**9),
    made("torch", "FloatTensor", 10**9), made("numpy", "dtype", "V2000000000"),
    dictionaries(30_000), COLLIDING, pickle.dumps({"a" * (2**20 + 1): 1}, 2),
    b"\x80\x02(" + b"N" * 2_000_001 + b"t.",
])  # fmt: skip
def test_refused_before_a_step_is_taken(tmp_path, content):
    begin = time.process_time()
    with pytest.raises(FileError, match="so it was refused"):
        read_torch(archive(tmp_path / "x.pth", content))
    assert time.process_time() - begin < 10


def test_a_text_of_more_bytes_than_there_is_memory(tmp_path):
    (tmp_path / "x.pth").write_bytes(b"\x80\x05\x96\0\0\0\0\0\0\0\x01.")
    with pytest.raises(FileError, match="so it was refused"):
        pickle_steps.check(tmp_path / "x.pth", False)


def test_values_that_many_names_share():
    one = torch.zeros(1_000_000)
    with pytest.raises(ValueError, match="share"):
        unwrap({f"layer.{i}.weight": one for i in range(400)})
    half = torch.zeros(16, dtype=torch.float16).as_strided((1000, 1000), (0, 0))
    with pytest.raises(ValueError, match="share"):
        unwrap({f"layer.{i}.weight": half for i in range(200)})


def test_names_and_depth():
    tensor = torch.zeros(3)
    with pytest.raises(ValueError, match="characters"):
        unwrap({"module." * 1_000 + "w": tensor})
    nested = {"w": tensor}
    for _ in range(100):
        nested = {"state_dict": nested}
    with pytest.raises(ValueError, match="deep"):
        unwrap(nested)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.pth")
    with pytest.raises(FileError, match="a pipe"):
        read_weights(tmp_path / "x.pth")


@pytest.mark.parametrize("old", [False, True])
def test_weights_with_an_optimiser_pass(tmp_path, old):
    network = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(30)))
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 4)).sum().backward()
    optimiser.step()
    state = {"state_dict": OrderedDict(network.state_dict()), "optimizer": optimiser.state_dict()}
    stream = io.BytesIO()
    torch.save(state, stream, _use_new_zipfile_serialization=not old)
    (tmp_path / "x.pth").write_bytes(stream.getvalue())
    assert len(read_weights(tmp_path / "x.pth")) == 60
