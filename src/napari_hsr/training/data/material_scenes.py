"""Scenes painted with measured spectra, made while training, for objects that no imager has seen.

A patch is either a scene of its own — cells or leaves of a few materials, with texture, shading,
gloss and thin mixtures at their edges, or ground as seen from the air, where every pixel is a
mixture — or a patch of a training cube whose regions are painted
over with other spectra, which keeps the structure of real images. Everything follows from the
random generator that is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM, Cube, Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.training.data.image_source import Scene
from napari_hsr.training.data.material_tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike

    from napari_hsr.notices import Notice
    from napari_hsr.training.recipe.schema import MaterialsSettings, Recipe

#: Painted images where there are no others: their side in pixels, and how many there are.
SIDE, TRAINED, HELD_OUT = 128, 12, 6
#: Scenes are drawn this much finer and averaged, so that edges are mixtures.
_FINER = 2
#: Least brightness that shading leaves, and the strongest gloss, as fractions.
_DARKEST, _GLOSSIEST = 0.08, 0.25
#: Fraction of the scenes of their own that are mixtures in every pixel.
_MIXED = 0.3


class MaterialScenes:
    """Draws patches of reflectance painted with the spectra of tables.

    Parameters
    ----------
    tables : sequence of ndarray, each (spectra, bands)
        Reflectances of each source on the grid of the training, 0..1.
    settings : MaterialsSettings
    notices : tuple of Notice
        What was assumed, changed or left out of the tables.
    """

    def __init__(
        self,
        tables: Sequence[np.ndarray],
        settings: MaterialsSettings,
        notices: tuple[Notice, ...] = (),
    ):
        self.notices = notices
        self.tables = [np.asarray(table, dtype=np.float32) for table in tables]
        self.settings = settings

    def wanted(self, rng: np.random.Generator) -> bool:
        """Whether the next patch is painted instead of cut out of a training image."""
        return rng.random() < self.settings.share

    def paint(self, patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A painted patch of the size of another.

        Parameters
        ----------
        patch : ndarray, shape (bands, side, side)
            Of a training image; its regions are painted over in some of the draws.
        rng : Generator

        Returns
        -------
        ndarray, shape (bands, side, side), float32
            Not negative.
        """
        if rng.random() < self.settings.repainted:
            return self._repainted(patch, rng)
        return self.scene(patch.shape[1], rng)

    def _spectra(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Spectra of one source, as most pictures are of one kind of thing, or of all of them."""
        if rng.random() < 0.5:
            table = self.tables[rng.integers(len(self.tables))]
            found = table[rng.integers(len(table), size=count)]
        else:
            which = rng.integers(len(self.tables), size=count)
            found = np.stack([(t := self.tables[i])[rng.integers(len(t))] for i in which])
        # mixtures of two lie between measured ones
        partner = found[rng.permutation(count)]
        share = np.where(rng.random((count, 1)) < 0.5, 0.0, rng.random((count, 1)))
        made: np.ndarray = (found + share * (partner - found)).astype(np.float32)
        return made

    def scene(self, side: int, rng: np.random.Generator) -> np.ndarray:
        """Cells, leaves or mixtures of several materials, (bands, side, side) float32."""
        if rng.random() < _MIXED:
            return self._mixed(side, rng)
        fine = side * _FINER
        number = int(np.exp(rng.uniform(np.log(2), np.log(40))))
        labels = (_voronoi if rng.random() < 0.5 else _leaves)(fine, number, rng)
        spectra, others = self._spectra(number, rng), self._spectra(number, rng)
        # the share of a second material varies smoothly over most cells
        amount = rng.uniform(0, 1, number) * (rng.random(number) < 0.6)
        texture = _noise(fine, rng) * amount[labels]
        light = _shading(fine, rng) * (1 + 0.15 * rng.normal(0, 1, number)).clip(0.5, 1.5)[labels]
        grain = 1 + rng.uniform(0, 0.08) * rng.standard_normal((fine, fine))
        light = (light * grain).clip(_DARKEST * rng.random(), None)
        gloss = _gloss(fine, rng) * (rng.random(number) < 0.3)[labels]
        maps = np.zeros((2 * number, fine * fine), dtype=np.float32)
        at, where = labels.ravel(), np.arange(fine * fine)
        maps[2 * at, where] = ((1 - texture) * light).ravel()
        maps[2 * at + 1, where] = (texture * light).ravel()
        small = _reduced(maps.reshape(-1, fine, fine)), _reduced(gloss[None])
        both = np.stack([spectra, others], axis=1).reshape(2 * number, -1)
        cube = np.tensordot(both.T, small[0], axes=1) + small[1]
        made: np.ndarray = np.maximum(cube, 0).astype(np.float32)
        return made

    def _mixed(self, side: int, rng: np.random.Generator) -> np.ndarray:
        """Ground as coarse pixels see it: shares of a few materials, dark ones among them."""
        number = int(rng.integers(3, 9))
        dark = np.where(rng.random(number) < 0.3, np.exp(rng.uniform(-3.5, -0.5, number)), 1.0)
        spectra = self._spectra(number, rng) * dark[:, None]
        fields = np.stack([_noise(side, rng) for _ in range(number)])
        fields += rng.uniform(0, 0.3) * rng.standard_normal(fields.shape)
        shares = np.exp(np.exp(rng.uniform(1, 4)) * (fields - fields.max(axis=0)))
        shares /= shares.sum(axis=0)
        # each pixel of a material is a little brighter or darker than another
        shares *= 1 + rng.uniform(0, 0.2) * rng.standard_normal(shares.shape).clip(-3, 3)
        light = _shading(side, rng) if rng.random() < 0.5 else rng.uniform(0.4, 1.0)
        cube = np.tensordot(spectra.T, shares * light, axes=1)
        made: np.ndarray = np.maximum(cube, 0).astype(np.float32)
        return made

    def _repainted(self, patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A patch whose regions of like colour get other spectra, times their own brightness."""
        bands, side, _ = patch.shape
        brightness = patch.mean(axis=0)
        shape = ndimage.uniform_filter(patch, (0, 3, 3)) / (brightness + 0.02)
        number = int(rng.integers(2, 13))
        pixels = shape.reshape(bands, -1).T
        centres = pixels[rng.integers(len(pixels), size=number)]
        squares = (centres**2).sum(1) - 2 * pixels @ centres.T
        labels = squares.argmin(axis=1)
        nearest = np.sqrt(np.maximum((pixels**2).sum(1) + squares.min(1), 0))
        spectra, others = self._spectra(number, rng), self._spectra(number, rng)
        # within a region, colours that differ from its own lean to a second spectrum
        lean = (nearest / (nearest.max() + 1e-6) * rng.uniform(0, 2)).clip(0, 1)[:, None]
        painted = spectra[labels] + lean * (others - spectra)[labels]
        level = brightness.ravel()[:, None] / (patch.mean() + 0.01) * rng.uniform(0.4, 1.2)
        return np.ascontiguousarray((painted * level).T.reshape(bands, side, side))


@dataclass(frozen=True)
class PaintedImages:
    """Scenes to train and validate with where there are no images, but tables of spectra.

    A fifth of the spectra of each table paints the held-out scenes, and no others.
    """

    recipe: Recipe

    def scenes(self) -> Iterator[Scene]:
        """Scenes of :data:`SIDE` pixels a side, held out or to train on."""
        settings, seed = self.recipe.materials, self.recipe.seed
        assert settings is not None
        nm = np.asarray(self.recipe.data.wavelengths_nm or DEFAULT_WAVELENGTHS_NM)
        for held_out, count in ((False, TRAINED), (True, HELD_OUT)):
            painter = load_materials(settings, nm, seed, held_out=held_out)
            for number in range(1, count + 1):
                rng = np.random.default_rng([seed, held_out, number])
                cube = Cube(painter.scene(SIDE, rng), Wavelengths(nm), name=f"painted-{number:02d}")
                yield Scene(
                    f"{'held-out' if held_out else 'train'}-{number:02d}", cube, None, held_out
                )


def painted_images(recipe: Recipe) -> PaintedImages | None:
    """The source of painted images, if a recipe has tables of spectra."""
    return None if recipe.materials is None else PaintedImages(recipe)


def materials_of(recipe: Recipe, wavelengths_nm: ArrayLike | None) -> MaterialScenes | None:
    """What paints the patches of a training; all of them, if it has no images."""
    settings = recipe.materials
    if settings is None:
        return None
    if recipe.data.folder is not None or recipe.data.pairs:
        return load_materials(settings, wavelengths_nm, recipe.seed)
    alone = settings.model_copy(update={"share": 1.0})
    return load_materials(alone, wavelengths_nm, recipe.seed, held_out=False)


def load_materials(
    settings: MaterialsSettings,
    wavelengths_nm: ArrayLike | None,
    seed: int,
    *,
    held_out: bool | None = None,
) -> MaterialScenes:
    """Read the tables of a recipe on the wavelengths of its cubes.

    Parameters
    ----------
    settings : MaterialsSettings
    wavelengths_nm : array-like, shape (bands,)
    seed : int
        Of which spectra are taken, and which of them are held out.
    held_out : bool, optional
        Only a fifth of the spectra, or only the others; None: all.

    Raises
    ------
    InputError, FileError
        If a table cannot be read, holds other than reflectances, or too few of them.
    """
    if wavelengths_nm is None:
        raise InputError(
            "Materials are painted on known wavelengths: set data.wavelengths_nm of the cubes."
        )
    nm = np.asarray(wavelengths_nm, dtype=np.float64)
    rng = np.random.default_rng([seed, len(settings.tables)])
    tables: list[np.ndarray] = []
    notices: list[Notice] = []
    for path in settings.tables:
        table = read_table(path, nm, settings.scale)
        notices += table.notices
        chosen = rng.permutation(len(table.spectra))[: settings.most]
        if held_out is not None:
            fifth = max(2, len(chosen) // 5)
            chosen = chosen[:fifth] if held_out else chosen[fifth:]
        tables.append(table.spectra[chosen])
    return MaterialScenes(tables, settings, tuple(notices))


def _reduced(maps: np.ndarray) -> np.ndarray:
    number, fine, _ = maps.shape
    side = fine // _FINER
    made: np.ndarray = maps.reshape(number, side, _FINER, side, _FINER).mean(axis=(2, 4))
    return made


def _noise(side: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of a random roughness, (side, side), 0..1: a power law of frequency."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((side, side)))
    noise = np.fft.irfft2(spectrum / frequency ** rng.uniform(0.5, 2.0), s=(side, side))
    low, high = np.percentile(noise, (2, 98))
    made: np.ndarray = ((noise - low) / (high - low + 1e-9)).clip(0, 1)
    return made


def _voronoi(side: int, number: int, rng: np.random.Generator) -> np.ndarray:
    """Cells around random points, or a regular chart, (side, side) of int."""
    y, x = np.mgrid[0:side, 0:side]
    if rng.random() < 0.3:  # patches of a chart
        across = max(1, round(np.sqrt(number)))
        down = -(-number // across)
        chart: np.ndarray = ((y * down // side) * across + x * across // side).clip(0, number - 1)
        return chart
    points = rng.uniform(0, side, (number, 2))
    stretch = rng.uniform(0.5, 2.0)
    tree = cKDTree(points * (stretch, 1.0))
    grid = np.stack([y.ravel() * stretch, x.ravel()], axis=1)
    made: np.ndarray = tree.query(grid)[1].reshape(side, side)
    return made


def _leaves(side: int, number: int, rng: np.random.Generator) -> np.ndarray:
    """Ellipses that lie over each other, the dead-leaves model, (side, side) of int."""
    labels = np.zeros((side, side), dtype=int)
    y, x = np.mgrid[0:side, 0:side]
    radii = side * np.exp(rng.uniform(np.log(0.05), np.log(0.6), number))
    for label in np.argsort(-radii):
        centre, turn, flat = rng.uniform(0, side, 2), rng.uniform(0, np.pi), rng.uniform(0.3, 1)
        dy, dx = y - centre[0], x - centre[1]
        along = np.cos(turn) * dx + np.sin(turn) * dy
        over = -np.sin(turn) * dx + np.cos(turn) * dy
        labels[along**2 + (over / flat) ** 2 < radii[label] ** 2] = label
    return labels


def _shading(side: int, rng: np.random.Generator) -> np.ndarray:
    """Light over a scene, (side, side): a slope, often uneven, sometimes with a shadow."""
    y, x = np.mgrid[0:side, 0:side] / side
    slope = rng.normal(0, 0.4, 2)
    light: np.ndarray = rng.uniform(0.4, 1.0) * (1 + slope[0] * (y - 0.5) + slope[1] * (x - 0.5))
    if rng.random() < 0.7:
        light = light * (1 - rng.uniform(0, 0.7) * _noise(side, rng))
    if rng.random() < 0.3:
        turn = rng.uniform(0, 2 * np.pi)
        edge = np.cos(turn) * (x - 0.5) + np.sin(turn) * (y - 0.5) + rng.uniform(-0.3, 0.3)
        light = light * np.where(edge > 0, 1.0, rng.uniform(0.05, 0.6))
    return light


def _gloss(side: int, rng: np.random.Generator) -> np.ndarray:
    """White reflections, (side, side), 0 in most places."""
    if rng.random() < 0.5:
        return np.zeros((side, side))
    gloss: np.ndarray = (_noise(side, rng) - rng.uniform(0.3, 0.9)).clip(0, None)
    gloss *= _GLOSSIEST * rng.random()
    return gloss
