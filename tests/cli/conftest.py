"""Small photographs and cubes for the commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_hsr.cli import main
from napari_hsr.cube import Cube
from napari_hsr.io import write
from napari_hsr.photograph import Photograph

if TYPE_CHECKING:
    from pathlib import Path


def strict(text: str):
    """JSON as the standard has it: NaN and Infinity are refused."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def photograph(tmp_path: Path):
    """Writes an 8-bit photograph of 6 x 5 pixels: ``photograph("sub/a.png", seed=1)``."""

    def make(name: str = "photo.png", seed: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(seed).integers(5, 250, (6, 5, 3), dtype=np.uint8)
        return write(Photograph(values), path)

    return make


@pytest.fixture
def cube_file(tmp_path: Path):
    """Writes a cube of 31 x 6 x 5: ``cube_file("a.mat", add=0.1)``."""

    def make(name: str = "cube.mat", add: float = 0.0, shape=(31, 6, 5)) -> Path:
        values = np.random.default_rng(3).uniform(0.1, 0.8, shape).astype(np.float32) + add
        nm = np.linspace(400, 700, shape[0])
        return write(Cube(values, nm, units="reflectance"), tmp_path / name)

    return make


@pytest.fixture
def hsr(capsys):
    """Runs a command: ``status, out, err = hsr("info", path)``."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as left:  # argparse
            status = left.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run
