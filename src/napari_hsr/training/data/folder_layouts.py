"""Images of a folder, in the layouts that data sets have."""

from __future__ import annotations

import dataclasses
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.library_errors import translated
from napari_hsr.notices import Code, Notice
from napari_hsr.training.data import pairing
from napari_hsr.training.data.image_source import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_hsr.training.recipe.schema import DataSettings

#: Names of sub-folders that are a split already.
_TRAIN_FOLDERS = ("train", "training")
_HELD_OUT_FOLDERS = ("val", "valid", "validation", "heldout")
#: Depth at which the folder of a CAVE scene may be found: archive / scene / scene.
_CAVE_DEPTH = 3
_NTIRE_CUBES = re.compile(r"(train|valid|validation)(spectral|spec|hsi|hyper)$")
_NTIRE_RGB = re.compile(r"(train|valid|validation)(rgb|clean|realworld)$")
_EXPECTED = (
    "RGB and cube files of one stem, cubes alone, folders of CAVE scenes, or Train_RGB and "
    "Train_spectral were expected"
)


@dataclass(frozen=True)
class FolderImages:
    """The images of a folder.

    Parameters
    ----------
    folder : Path
    data : DataSettings
        ``layout`` and the names of its sub-folders.
    """

    folder: Path
    data: DataSettings

    def scenes(self) -> list[Scene]:
        """List the images; ``held_out`` is set if folders or lists split them.

        Raises
        ------
        FileError
            If there is no such folder, or no image in this layout.
        """
        folder = Path(os.path.expanduser(self.folder))
        if not folder.exists():
            raise FileError(folder, "there is no such folder of training images")
        if not folder.is_dir():
            raise FileError(folder, "a folder of training images was expected, this is a file")
        with translated(folder, "it cannot be searched", only=(OSError,)):
            found = list(_by_layout(folder, self.data))
        if not found:
            raise _no_images(folder, self.data.layout)
        return found

    @property
    def is_split(self) -> bool:
        """Whether sub-folders split the images into training and held-out ones."""
        return _split_folders(Path(os.path.expanduser(self.folder))) is not None


def _no_images(folder: Path, layout: str) -> FileError:
    photographs = sum(pairing.is_photograph(p) for p in pairing.files(folder))
    if photographs:
        return FileError(
            folder,
            f"it holds {photographs} photograph{'s' if photographs > 1 else ''} but no cube; "
            "training takes pairs of both, or cubes alone",
        )
    kind = "" if layout == "auto" else f" in the layout {layout!r}"
    return FileError(folder, f"no training images were found there{kind}: {_EXPECTED}")


def _by_layout(folder: Path, data: DataSettings) -> Iterator[Scene]:
    split = _split_folders(folder)
    if split is not None:
        for place, held_out in split:
            for scene in _by_layout(place, data):
                yield dataclasses.replace(scene, held_out=held_out)
        return
    ways = {"ntire": _ntire, "cave": _cave, "pairs": _pairs, "cubes": _cubes}
    if data.layout != "auto":
        yield from ways[data.layout](folder, data)
        return
    for way in (_ntire, _cave, _pairs, _folders):
        found = list(way(folder, data))
        if found:
            yield from found
            return
    below = _subfolders(folder)
    if len(below) == 1:  # the archive's own folder around it
        yield from _by_layout(next(iter(below.values())), data)


def _subfolders(folder: Path) -> dict[str, Path]:
    """Folders in a folder by their plain names."""
    return {
        pairing.plain(p.name): p
        for p in sorted(folder.iterdir())
        if p.is_dir() and not p.name.startswith((".", "__"))
    }


def _split_folders(folder: Path) -> list[tuple[Path, bool]] | None:
    """``train`` and ``val`` in a folder, and whether they are held out."""
    below = _subfolders(folder)
    train = [below[n] for n in _TRAIN_FOLDERS if n in below]
    held_out = [below[n] for n in _HELD_OUT_FOLDERS if n in below]
    if not (train and held_out):
        return None
    return [(p, False) for p in train] + [(p, True) for p in held_out]


def _ntire(folder: Path, data: DataSettings) -> Iterator[Scene]:
    """``Train_RGB``, ``Train_spectral``, perhaps ``Valid_…``, and lists in ``split_txt``."""
    places: dict[str, dict[str, Path]] = {"train": {}, "valid": {}}
    below = _subfolders(folder)
    for name, path in below.items():
        for kind, pattern in (("cube", _NTIRE_CUBES), ("rgb", _NTIRE_RGB)):
            hit = pattern.search(name)
            if hit:
                part = "train" if hit[1] == "train" else "valid"
                if kind == "rgb" and data.rgb_folder and path.name != data.rgb_folder:
                    continue
                if kind in places[part]:
                    raise FileError(
                        folder,
                        f"both {places[part][kind].name} and {path.name} fit; name the one that "
                        f"is meant in data.{kind}_folder",
                    )
                places[part][kind] = path
    if "cube" not in places["train"]:
        return
    lists = _lists(folder)
    for part, named in places.items():
        if "cube" not in named:
            continue
        for scene in _joined(named["cube"], named.get("rgb"), data):
            held_out = True if part == "valid" else None
            if lists and part == "train":
                key = pairing.key_of(scene.name)
                held_out = next((out for out, names in lists if key in names), None)
                if held_out is None:
                    continue
            elif places["valid"].get("cube") and part == "train":
                held_out = False
            yield dataclasses.replace(scene, held_out=held_out)


def _lists(folder: Path) -> list[tuple[bool, frozenset[str]]]:
    """The names in ``split_txt/valid_list.txt`` and ``train_list.txt``."""
    found = []
    for name, held_out in (("valid_list.txt", True), ("train_list.txt", False)):
        for path in (folder / "split_txt" / name, folder / name):
            if path.is_file():
                lines = limits.content(path).decode("utf-8-sig", "replace").splitlines()
                names = (pairing.key_of(Path(line.strip()).stem) for line in lines if line.strip())
                found.append((held_out, frozenset(names)))
                break
    return found if len(found) == 2 else []


def _cave(folder: Path, data: DataSettings) -> Iterator[Scene]:
    """Folders of scenes; the preview beside the bands is used only if ``simulate`` is false."""
    for place in _cave_places(folder, _CAVE_DEPTH):
        name = re.sub(r"_ms$", "", place.name, flags=re.IGNORECASE)
        preview = None
        if data.simulate is False:
            preview = next(iter(sorted(place.glob("*_RGB.bmp"))), None)
        yield Scene(name, place, preview)


def _cave_places(folder: Path, depth: int) -> Iterator[Path]:
    from napari_hsr.io.folders import cave

    entries = sorted(folder.iterdir())
    bands = sum(pairing.is_band(p) for p in entries)
    if bands > 1 and cave.looks_like_scene(folder):
        yield folder
        return
    for below in entries if depth else ():
        if below.is_dir() and not below.name.startswith((".", "__")):
            yield from _cave_places(below, depth - 1)


def _cubes(folder: Path, data: DataSettings) -> Iterator[Scene]:
    place = _named_folder(folder, data.cube_folder, "cube_folder") or folder
    for path in pairing.files(place):
        if not pairing.is_photograph(path):
            yield Scene(path.stem, path)


def _pairs(folder: Path, data: DataSettings) -> Iterator[Scene]:
    """Both kinds in one folder, or each in its own below it."""
    rgb = _named_folder(folder, data.rgb_folder, "rgb_folder")
    cube = _named_folder(folder, data.cube_folder, "cube_folder")
    if rgb is None or cube is None:
        below = _subfolders(folder)
        guessed = [p for n, p in below.items() if n in pairing.CUBE_FOLDERS and p != rgb]
        photographs = [p for n, p in below.items() if n in pairing.RGB_FOLDERS and p != cube]
        for kind, places in (("cube", guessed), ("rgb", photographs)):
            if len(places) > 1 and getattr(data, f"{kind}_folder") is None:
                names = " and ".join(p.name for p in places)
                raise FileError(
                    folder, f"{names} both fit; name the one that is meant in data.{kind}_folder"
                )
        cube = cube or (guessed[0] if guessed else None)
        rgb = rgb or (photographs[0] if photographs else None)
    yield from _joined(cube or folder, rgb, data)


def _folders(folder: Path, _data: DataSettings) -> Iterator[Scene]:
    """One folder per scene, each with one cube and at most one photograph of any name."""
    for name, place in _subfolders(folder).items():
        here = list(pairing.files(place))
        cubes = [p for p in here if not pairing.is_photograph(p)]
        photographs = [p for p in here if p not in cubes]
        if name not in pairing.CUBE_FOLDERS and len(cubes) == 1 and len(photographs) < 2:
            yield Scene(place.name, cubes[0], photographs[0] if photographs else None)


def _named_folder(folder: Path, name: str | None, key: str) -> Path | None:
    if name is None:
        return None
    place = folder / name
    if not place.is_dir():
        raise FileError(place, f"there is no such folder; it is named in data.{key}")
    return place


def _joined(cube_folder: Path, rgb_folder: Path | None, data: DataSettings) -> Iterator[Scene]:
    """The cubes of a folder with the photographs of another, or of the same one."""
    here = list(pairing.files(cube_folder))
    cubes = [p for p in here if not pairing.is_photograph(p)]
    if rgb_folder is None or rgb_folder == cube_folder:
        photographs = [p for p in here if p not in cubes]
    else:
        photographs = [p for p in pairing.files(rgb_folder) if pairing.is_photograph(p)]
    if data.simulate:
        photographs = []
    found = pairing.match(cubes, photographs)
    for cube, rgb in found.pairs:
        yield Scene(pairing.image_name(cube, rgb), cube, rgb)
    for cube, problem in found.unclear:
        yield Scene(cube.stem, cube, problem=problem)
    for cube in found.cubes:
        yield Scene(cube.stem, cube)
    for photograph in found.photographs if cubes else ():  # photographs only: no training set
        told = f"No cube has the name of the photograph {photograph.name}."
        problem = Notice.warning(Code.PHOTOGRAPH_WITHOUT_CUBE, told)
        yield Scene(photograph.stem, None, photograph, problem=problem)
