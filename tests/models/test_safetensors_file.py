"""Our writer against the library's: the same bytes, one tensor at a time."""

import io

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from napari_hsr.models import memory_mapping, safetensors_io


def written(tensors, about):
    file = io.BytesIO()
    safetensors_io.write(file, tensors, about)
    return file.getvalue()


@pytest.mark.parametrize("about", [{}, {"card": '{"é": "a\\"b/\\\\ \n\t\x1f\x7f €"}'}])
def test_the_library_s_bytes(about):
    torch.manual_seed(0)
    tensors = {
        "b.10": torch.rand(3, 5),
        "b.9": torch.rand(7),
        "B": torch.rand(1),
        "ünd": torch.rand(2, 2),
        "z\U0001f600": torch.rand(1),
        "z\uffff": torch.rand(1),
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 4),
    }
    for rank, dtype in enumerate(reversed(memory_mapping.TYPES.values())):
        tensors[f"of {rank}"] = torch.randint(0, 2, (rank % 4 + 1,)).to(dtype)
    assert written(tensors, about) == save(tensors, about or None)


def test_views_and_tensors_of_several_names(tmp_path):
    matrix = torch.rand(4, 6)
    tensors = {
        "turned": matrix.T,
        "part": matrix[:, 2:4],
        "last": torch.rand(1, 3, 4, 4).to(memory_format=torch.channels_last),
        "a": matrix,
        "b": matrix,
    }
    path = tmp_path / "views.safetensors"
    path.write_bytes(written(tensors, {"x": "y"}))
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"x": "y"}
        assert set(file.keys()) == set(tensors)
        for key, value in tensors.items():
            assert torch.equal(file.get_tensor(key), value)


def test_what_the_format_does_not_know_is_named():
    with pytest.raises(TypeError, match=r"torch\.complex64"):
        written({"a": torch.zeros(2, dtype=torch.complex64)}, {})
