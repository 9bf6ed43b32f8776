"""Which images there are to train on: those of all sources, with unique names."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import Hint, InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.training.data.folder_layouts import FolderImages
from napari_hsr.training.data.image_source import (
    ImagesInMemory,
    ImageSource,
    NamedPairs,
    Scene,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.training.data.image_source import Pair
    from napari_hsr.training.recipe.schema import DataSettings

__all__ = ["ImageSource", "Scene", "find", "sources"]

_IN_BOTH = Notice.warning(
    Code.TRAINED_AND_HELD_OUT, "It is among the training images and among those held out."
)


def find(
    data: DataSettings, images: Sequence[Pair] = (), painted: ImageSource | None = None
) -> list[Scene]:
    """Find the images of a recipe, without reading their pixels.

    Parameters
    ----------
    data : DataSettings
        ``folder`` in one of the layouts, or ``pairs``; ``validation_folder`` for those held out.
    images : sequence of (Cube, Photograph or None), optional
        Further images, in memory.
    painted : ImageSource, optional
        Used if there are no others.

    Returns
    -------
    list of Scene
        By name. ``held_out`` is set if folders or lists say so.

    Raises
    ------
    FileError
        If a folder or file is missing, or a folder has no image in this layout.
    InputError
        If the settings name no images at all, or both a folder and pairs.
    """
    found = [scene for source in sources(data, images, painted) for scene in source.scenes()]
    if data.validation_folder is not None:
        source = FolderImages(data.validation_folder, data)
        held_out = [s for s in source.scenes() if s.held_out is not False or not source.is_split]
        found = [dataclasses.replace(s, held_out=False) for s in found if not s.held_out]
        found += [dataclasses.replace(s, held_out=True) for s in held_out]
    if data.bad_bands:
        found = [dataclasses.replace(s, bad_bands=True) for s in found]
    return _with_unique_names(_with_photographs(_marked_if_in_both(found), data.simulate))


def sources(
    data: DataSettings, images: Sequence[Pair], painted: ImageSource | None = None
) -> list[ImageSource]:
    """The sources of training images that a recipe names: the place to add another kind.

    Raises
    ------
    InputError
        If there are none, or both a folder and pairs.
    """
    if data.folder is not None and data.pairs:
        raise InputError("Both data.folder and data.pairs are given; leave one of them out.")
    if data.folder is None and not data.pairs and not images:
        if painted is not None:
            return [painted]
        raise InputError(
            "No images are named: give data.folder or data.pairs.", hint=Hint.NAME_IMAGES
        )
    found: list[ImageSource] = [ImagesInMemory(images), NamedPairs(data.pairs)]
    if data.folder is not None:
        found.append(FolderImages(data.folder, data))
    return found


def _marked_if_in_both(scenes: list[Scene]) -> list[Scene]:
    """Images that are both trained on and held out get that as their problem."""
    trained = {s.cube.resolve() for s in scenes if isinstance(s.cube, Path) and not s.held_out}
    return [
        dataclasses.replace(s, problem=_IN_BOTH)
        if s.held_out and isinstance(s.cube, Path) and s.cube.resolve() in trained
        else s
        for s in scenes
    ]


def _with_photographs(scenes: list[Scene], simulate: bool | None) -> list[Scene]:
    """Photographs dropped if all are simulated; else cubes without one get that as problem."""
    if simulate:
        return [dataclasses.replace(s, rgb=None) for s in scenes if s.cube is not None]
    with_cube = [s for s in scenes if s.cube is not None]
    paired = any(s.rgb is not None for s in with_cube)
    # photographs, none of which fits a cube: not a reason to simulate
    unmatched = simulate is None and 0 < len(with_cube) < len(scenes)
    if not (simulate is False or paired or unmatched):
        return scenes
    return [
        dataclasses.replace(s, problem=_no_photograph(s.cube.name))
        if s.rgb is None and s.cube is not None and not s.problem
        else s
        for s in scenes
    ]


def _no_photograph(cube: str) -> Notice:
    return Notice.warning(
        Code.CUBE_WITHOUT_PHOTOGRAPH,
        f"No photograph has the name of the cube {cube}; "
        "set data.simulate to true to simulate all of them.",
    )


def _with_unique_names(scenes: list[Scene]) -> list[Scene]:
    """Repeated names get their folder in front, else a number behind."""
    taken: set[str] = set()
    result = []

    def order(scene: Scene) -> tuple[bool, str, str]:
        source = scene.cube or scene.rgb
        return bool(scene.held_out), scene.name, str(source) if isinstance(source, Path) else ""

    for scene in sorted(scenes, key=order):
        name = scene.name
        source = scene.cube if scene.cube is not None else scene.rgb
        if name in taken and isinstance(source, Path):
            name = f"{source.parent.name}/{name}"
        number = 2
        while name in taken:
            name = f"{scene.name}-{number}"
            number += 1
        taken.add(name)
        result.append(dataclasses.replace(scene, name=name))
    return result
