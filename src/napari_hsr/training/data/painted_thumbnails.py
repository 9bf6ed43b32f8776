"""A picture of what is painted: the photographs that a training would see of its materials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cameras.random_camera import draw
from napari_hsr.colour.transfer import srgb_encode
from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM
from napari_hsr.errors import InputError
from napari_hsr.io import write
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.training.data.material_scenes import materials_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.training.recipe.schema import Recipe

#: Thumbnails across and down, their side in pixels, and the pixels between them.
ACROSS, DOWN, SIDE, BETWEEN = 6, 4, 96, 4


def write_thumbnails(recipe: Recipe, path: Path) -> Path:
    """Write photographs of painted scenes as one PNG file.

    Parameters
    ----------
    recipe : Recipe
        With ``materials`` and ``camera``.
    path : Path
        Ends in ``.png``; replaced if it is there.

    Raises
    ------
    InputError, FileError
        If a table cannot be painted with, or the file cannot be written.
    """
    nm = np.asarray(recipe.data.wavelengths_nm or DEFAULT_WAVELENGTHS_NM)
    painter = materials_of(recipe, nm)
    if painter is None or recipe.camera is None:
        raise InputError("The recipe paints no materials: set materials.tables.")
    rng = np.random.default_rng(recipe.seed)
    step = SIDE + BETWEEN
    sheet = np.full((DOWN * step - BETWEEN, ACROSS * step - BETWEEN, 3), 255, dtype=np.uint8)
    for number in range(ACROSS * DOWN):
        cube = painter.scene(SIDE, rng)
        capture = draw(recipe.camera, nm, rng, cube)
        seen = capture.take(cube, rng)
        seen = seen if capture.encoding == SRGB else srgb_encode(np.clip(seen, 0, 1))
        row, column = (step * n for n in divmod(number, ACROSS))
        sheet[row : row + SIDE, column : column + SIDE] = np.rint(255 * np.clip(seen, 0, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Photograph(sheet, SRGB), path)
    return path
