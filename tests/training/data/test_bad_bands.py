"""Bands that a file marks as bad are trained on only where a recipe asks for them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import Cube, Wavelengths, write
from napari_hsr.training.data.cache_entry import Entry
from napari_hsr.training.data.discovery import find
from napari_hsr.training.recipe.schema import DataSettings

NM = (400.0, 500.0, 600.0, 700.0)


@pytest.mark.parametrize(("asked", "bands"), [(False, 3), (True, 4)])
def test_bad_bands_of_training_images(tmp_path, asked, bands):
    data = np.random.default_rng(0).random((4, 9, 8), np.float32)
    cube = Cube(data, Wavelengths(NM), metadata={"bbl": [1, 0, 1, 1]}, units="reflectance")
    (tmp_path / "images").mkdir()
    write(cube, tmp_path / "images" / "a.hdr")
    settings = DataSettings(folder=tmp_path / "images", layout="cubes", bad_bands=asked)
    for asks_again in (asked, not asked):  # what one recipe keeps is not taken by the other
        (scene,) = find(settings.model_copy(update={"bad_bands": asks_again}))
        Entry(scene, tmp_path / "cache", None, None, True).write()
    (scene,) = find(settings)
    entry = Entry(scene, tmp_path / "cache", None, None, True)
    if entry.open() is None:  # the other recipe's came last
        entry.write()
    assert len(entry.open().wavelengths_nm) == bands
