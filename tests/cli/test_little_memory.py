"""With too little memory a command says so in one sentence, whatever its library says."""

from __future__ import annotations

import pytest

from napari_hsr.cli.output import sentence


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("could not create a primitive"),
        RuntimeError("can't start new thread"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 5 bytes"),
        ImportError("x.so: failed to map segment from shared object"),
    ],
)
def test_what_libraries_say_of_it(error):
    import torch  # noqa: F401 - whose errors are told by their words

    assert "not enough memory" in sentence(error)
