"""A byte order that the numbers contradict is told; nothing is swapped, and nothing told of good files."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import read
from napari_hsr.notices import Code, has

ROWS, COLUMNS = np.mgrid[:40, :50] / 50
RNG = np.random.default_rng(5)
SCENE = np.stack([0.3 + 0.2 * np.sin(5 * ROWS + b) * COLUMNS for b in range(6)])
SCENE = SCENE + 0.002 * RNG.standard_normal(SCENE.shape)
TYPES = {"i2": 2, "i4": 3, "f4": 4, "f8": 5, "u2": 12, "u4": 13}
AXES = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}


def envi(path, values, dtype, order, stated, interleave="bsq"):
    turned = values.transpose(AXES[interleave]).astype(f"{order}{dtype}")
    (path / "scan.img").write_bytes(turned.tobytes())
    bands, lines, samples = values.shape
    said = "" if stated is None else f"byte order = {stated}\n"
    (path / "scan.hdr").write_text(
        f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\nheader offset = 0\n"
        f"data type = {TYPES[dtype]}\ninterleave = {interleave}\n{said}"
    )
    return path / "scan.hdr"


@pytest.mark.parametrize("interleave", AXES)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("order", "right"), [("<", 0), (">", 1)])
def test_the_wrong_order_is_told(tmp_path, interleave, dtype, order, right):
    values = SCENE if dtype[0] == "f" else SCENE * 10000
    path = envi(tmp_path, values, dtype, order, right, interleave)
    assert not has(read(path).notices, Code.BYTE_ORDER_DOUBTFUL)
    path = envi(tmp_path, values, dtype, order, 1 - right, interleave)
    (told,) = (n for n in read(path).notices if n.code is Code.BYTE_ORDER_DOUBTFUL)
    assert f"byte order = {right}" in told


def test_an_order_that_is_not_stated_is_questioned_too(tmp_path):
    path = envi(tmp_path, SCENE * 10000, "u2", ">", None)
    assert has(read(path).notices, Code.BYTE_ORDER_DOUBTFUL)


@pytest.mark.parametrize(
    "values",
    [
        RNG.integers(0, 40, (6, 40, 50)),  # a dark frame
        RNG.integers(0, 2**15, (6, 40, 50)),
        np.where(SCENE > 0.35, -9999, SCENE * 10000),
        np.full((6, 40, 50), 256),
        np.round(SCENE * 255) * 256,  # eight bits in sixteen
        np.zeros((6, 40, 50)),
        SCENE[:, :1, :4] * 1000,
    ],
)
def test_right_files_are_left_alone(tmp_path, values):
    for dtype in ("i2", "i4", "f4"):
        path = envi(tmp_path, values, dtype, "<", 0)
        assert not has(read(path).notices, Code.BYTE_ORDER_DOUBTFUL)
