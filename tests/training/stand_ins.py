"""Stand-ins for cached images, and a little world in which a colour has one spectrum."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_hsr.cube import Wavelengths
from napari_hsr.training.recipe.schema import Recipe
from napari_hsr.training.runs import processes

from ..patience import PATIENCE

GRID = Wavelengths(range(400, 701, 10))
FAKE = Path(__file__).with_name("fake_training.py")


def fake_trainings(monkeypatch):
    """For a fixture: what it yields makes trainings fake ones from then on, as ``behave("wait")``."""
    started = []

    def behave(how: str) -> None:
        def command(output, resume=False):
            started.append(Path(output))
            return [sys.executable, str(FAKE), str(output), how, *(["--resume"] * resume)]

        monkeypatch.setattr(processes, "command", command)

    yield behave
    for output in started:
        processes.Run(output).kill()
        # The process object would complain when it is collected.
        if (known := processes._started.pop(output, None)) is not None:
            known.wait(PATIENCE)


@dataclass
class Image:
    """What is used of ``training.cache.CachedImage``."""

    name: str
    cube: np.ndarray
    rgb: np.ndarray | None = None
    rgb_encoding: str | None = "linear-srgb"
    sha256: str = "0" * 64
    files: tuple[Path, ...] = ()

    @property
    def thumbnail(self) -> np.ndarray:
        return np.ascontiguousarray(self.cube[:, ::2, ::2])


def smooth_cube(seed: int, height: int = 24, width: int = 20, bands: int = 31) -> np.ndarray:
    """Spectra of three smooth primaries, mixed at random: (bands, h, w) float32 in 0..1."""
    rng = np.random.default_rng(seed)
    at = np.linspace(0, 1, bands)
    primaries = np.exp(-(((at[:, None] - np.array([0.2, 0.5, 0.85])) / 0.2) ** 2))
    amounts = rng.random((3, height, width)) * np.linspace(0.2, 0.9, width)
    return np.einsum("bk,khw->bhw", primaries, amounts).astype(np.float32).clip(0, 1)


def photographed(cube: np.ndarray) -> np.ndarray:
    """Linear sRGB of a cube on :data:`GRID` without noise, not negative, (h, w, 3) float32."""
    from napari_hsr.colour import rendering_matrix

    matrix = np.asarray(rendering_matrix(np.asarray(GRID), "D65"))
    return np.einsum("bhw,bc->hwc", cube, matrix).clip(0).astype(np.float32)


def image(seed: int, **size: int) -> Image:
    """One image with its photograph."""
    cube = smooth_cube(seed, **size)
    return Image(f"scene{seed}", cube, photographed(cube))


def recipe(**settings) -> Recipe:
    """A recipe that starts from the regression model on board."""
    settings.setdefault("model", {"start": "rootpoly-srgb"})
    settings.setdefault("engine", {"device": "cpu"})
    return Recipe.model_validate(settings)
