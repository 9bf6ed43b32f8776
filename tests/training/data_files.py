"""Small data sets on disk, in the layouts that people have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr import io
from napari_hsr.colour import rendering_matrix, srgb_encode
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.photograph import Photograph
from napari_hsr.training.recipe.schema import Recipe

if TYPE_CHECKING:
    from pathlib import Path

GRID = Wavelengths(range(400, 701, 10))
CAMERA = {"cameras": ["cie-1931"]}


def spectra(seed: int, height: int = 24, width: int = 20, grid: Wavelengths = GRID) -> np.ndarray:
    """Smooth spectra of many colours, (bands, height, width) float32 all inside sRGB."""
    rng = np.random.default_rng(seed)
    at = (np.asarray(grid) - 400) / 300
    primaries = np.exp(-(((at[:, None] - np.linspace(0.1, 0.9, 5)) / 0.2) ** 2))
    amounts = rng.random((5, height, width)) ** 2
    return (0.2 + 0.25 * np.einsum("bk,khw->bhw", primaries, amounts)).astype(np.float32)


def seen(cube: np.ndarray, grid: Wavelengths = GRID) -> np.ndarray:
    """Linear sRGB, (height, width, 3), as bright as fits into 0..1."""
    rgb = np.einsum("bhw,bc->hwc", cube, np.asarray(rendering_matrix(np.asarray(grid))))
    return (rgb.clip(0) / rgb.max()).astype(np.float32)


def write_cube(path: Path, data: np.ndarray, grid: Wavelengths = GRID) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return io.write(Cube(data, grid, name=path.stem), path)


def write_rgb(path: Path, data: np.ndarray, linear: bool = False) -> Path:
    """An 8-bit file of what a cube looks like; ``linear`` leaves the curve out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = seen(data)
    levels = np.rint((rgb if linear else srgb_encode(rgb)) * 255).astype(np.uint8)
    if path.suffix in (".jpg", ".bmp"):
        from PIL import Image

        Image.fromarray(levels).save(path)
        return path
    return io.write(Photograph(levels), path)


def write_pairs(folder: Path, count: int, **size: int) -> Path:
    """``scene0.npz`` and ``scene0.png`` and so on, in one folder."""
    for seed in range(count):
        data = spectra(seed, **size)
        write_cube(folder / f"scene{seed}.npz", data)
        write_rgb(folder / f"scene{seed}.png", data)
    return folder


def pack(path: Path, cube: np.ndarray, bits: int = 12) -> Path:
    """A packed scene: square-root codes, differences, zigzag, two planes of bytes."""
    codes = np.rint(np.sqrt(cube) * (2**bits - 1)).astype(np.int32)
    steps = np.diff(np.diff(codes, axis=0, prepend=0), axis=-1, prepend=0)
    zigzag = (steps << 1) ^ (steps >> 31)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path, planes=np.stack([zigzag & 255, zigzag >> 8]).astype(np.uint8), bits=np.array(bits)
    )
    return path


def recipe(folder: Path | None = None, **settings) -> Recipe:
    """A recipe that trains on small patches of the images of a folder."""
    data = settings.pop("data", {})
    if folder is not None:
        data = {"folder": folder, **data}
    settings.setdefault("model", {"start": "rootpoly-srgb"})
    settings.setdefault("batch", {"size": 4, "patch": 8})
    return Recipe.model_validate({"data": data, **settings})
