"""Where training images come from: what a source has to give, and the two that need no search.

:func:`napari_hsr.training.data.discovery.sources` lists the sources of a recipe; another kind of
images, such as scenes that are generated, is another class with :meth:`ImageSource.scenes`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from napari_hsr.io.library_errors import not_there
from napari_hsr.notices import Code, Notice
from napari_hsr.training.data import pairing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.photograph import Photograph
    from napari_hsr.training.recipe.schema import PairSettings

    #: A cube and its photograph in memory, such as two layers of the viewer.
    Pair = tuple[Cube, Photograph | None]

#: Problems of an image that training can start without.
LEFT_OUT = (
    Code.CUBE_WITHOUT_PHOTOGRAPH,
    Code.PHOTOGRAPH_WITHOUT_CUBE,
    Code.NOT_IN_SPLIT_FILE,
)


@dataclass(frozen=True, eq=False)
class Scene:
    """One image to train on or to validate with.

    Attributes
    ----------
    name : str
        Unique among the images of a training.
    cube : Path, Cube or None
        None only for a photograph without a cube, which then is its problem.
    rgb : Path, Photograph or None
        None if the photograph is to be simulated.
    held_out : bool or None
        None if this is still to be decided.
    problem : Notice or None
        Why it cannot be used; :data:`LEFT_OUT` are the codes that do not stop a training.
    bad_bands : bool
        Bands that the file marks as bad (``bbl``) are trained on like the others.
    """

    name: str
    cube: Path | Cube | None
    rgb: Path | Photograph | None = None
    held_out: bool | None = None
    problem: Notice | None = None
    bad_bands: bool = False


class ImageSource(Protocol):
    """A source of images."""

    def scenes(self) -> Iterable[Scene]:
        """List the images without reading pixels.

        Cubes may be files, or cubes whose ``data`` is loaded or generated when it is sliced.
        Names need not be unique yet; ``held_out`` is set if the source decides it.

        Raises
        ------
        FileError
            If a file or folder is missing or cannot be read.
        """
        ...


@dataclass(frozen=True)
class ImagesInMemory:
    """Images that are given as they are."""

    images: Sequence[Pair]

    def scenes(self) -> Iterator[Scene]:
        """One scene a pair, named for its cube."""
        return (Scene(cube.name, cube, rgb) for cube, rgb in self.images)


@dataclass(frozen=True)
class NamedPairs:
    """Pairs of files that a recipe names one by one."""

    pairs: Sequence[PairSettings]

    def scenes(self) -> Iterator[Scene]:
        """One scene a pair, named for what both files have in common."""
        for pair in self.pairs:
            cube = _existing(pair.cube)
            rgb = None if pair.rgb is None else _existing(pair.rgb)
            yield Scene(pairing.image_name(cube, rgb), cube, rgb)


def _existing(path: Path) -> Path:
    path = Path(os.path.expanduser(path))
    if not path.exists():
        raise not_there(path, "there is no such file or folder; it is named in data.pairs")
    return path
