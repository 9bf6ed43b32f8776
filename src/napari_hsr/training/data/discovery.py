"""Which images there are to train on: found by the layout of a folder, named, or in memory."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cube import Cube
from napari_hsr.errors import FileError, InputError
from napari_hsr.photograph import Photograph
from napari_hsr.training.data import pairing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_hsr.training.recipe.schema import DataSettings

#: Sub-folders that are a split already.
_TRAIN_FOLDERS = ("train", "training")
_HELD_OUT_FOLDERS = ("val", "valid", "validation", "heldout")
#: How deep the folder of a CAVE scene may lie: archive / scene / scene.
_CAVE_DEPTH = 3
_NTIRE_CUBES = re.compile(r"(train|valid|validation)(spectral|spec|hsi|hyper)$")
_NTIRE_RGB = re.compile(r"(train|valid|validation)(rgb|clean|realworld)$")


@dataclass(frozen=True, eq=False)
class Scene:
    """One image to train on or to measure with.

    Attributes
    ----------
    name : str
        Unlike every other's.
    cube : Path, Cube or None
        None only where a photograph has no cube; then ``alone`` says so.
    rgb : Path, Photograph or None
        None where the photograph is to be simulated.
    held_out : bool or None
        None where it is still to be drawn.
    problem : str
        Why it cannot be used, in one sentence.
    alone : bool
        Its problem is no more than a missing partner: it is left out, the others are used.
    """

    name: str
    cube: Path | Cube | None
    rgb: Path | Photograph | None = None
    held_out: bool | None = None
    problem: str = ""
    alone: bool = False


#: A cube and its photograph in memory, such as two layers of the viewer.
Pair = tuple[Cube, Photograph | None]


def find(data: DataSettings, images: Sequence[Pair] = ()) -> list[Scene]:
    """The images that settings speak of, without reading their pixels.

    Parameters
    ----------
    data : DataSettings
        ``folder`` in one of the layouts, or ``pairs``; ``validation_folder`` for those held out.
    images : sequence of (Cube, Photograph or None), optional
        Further images, in memory.

    Returns
    -------
    list of Scene
        By name. ``held_out`` is set where folders or lists say so.

    Raises
    ------
    FileError
        If a folder or file is missing, or a folder holds no image in this layout.
    InputError
        If the settings name no images at all, or both a folder and pairs.
    """
    if data.folder is not None and data.pairs:
        raise InputError("Both data.folder and data.pairs are given; leave one of them out.")
    if data.folder is None and not data.pairs and not images:
        raise InputError("No images are named: give data.folder (--data DIR) or data.pairs.")
    found = [Scene(cube.name, cube, rgb) for cube, rgb in images]
    for pair in data.pairs:
        cube, rgb = _there(pair.cube), _there(pair.rgb)
        found.append(Scene(_name(cube, rgb), cube, rgb))
    if data.folder is not None:
        found += _folder(data.folder, data)
    if data.validation_folder is not None:
        found = [dataclasses.replace(s, held_out=False) for s in found if not s.held_out]
        found += [
            dataclasses.replace(s, held_out=True)
            for s in _folder(data.validation_folder, data)
            if s.held_out is not False or not _is_split(data.validation_folder)
        ]
    return _named_apart(_photographed(_once(found), data.simulate))


def _once(scenes: list[Scene]) -> list[Scene]:
    """Images that are trained on and held out at once, marked."""
    trained = {s.cube.resolve() for s in scenes if isinstance(s.cube, Path) and not s.held_out}
    both = "It is among the training images and among those held out."
    return [
        dataclasses.replace(s, problem=both)
        if s.held_out and isinstance(s.cube, Path) and s.cube.resolve() in trained
        else s
        for s in scenes
    ]


def _there(path: Path | None) -> Path | None:
    if path is None:
        return None
    path = path.expanduser()
    if not path.exists():
        raise FileError(path, "there is no such file or folder; it is named in data.pairs")
    return path


def _folder(folder: Path, data: DataSettings) -> list[Scene]:
    folder = Path(folder).expanduser()
    if not folder.exists():
        raise FileError(folder, "there is no such folder of training images")
    if not folder.is_dir():
        raise FileError(folder, "a folder of training images was expected, this is a file")
    try:
        found = list(_by_layout(folder, data))
    except OSError as error:
        raise FileError(folder, f"it cannot be looked through ({error.strerror})") from error
    if not found:
        photographs = sum(pairing.is_photograph(p) for p in pairing.files(folder))
        if photographs:
            raise FileError(
                folder,
                f"it holds {photographs} photograph{'s' if photographs > 1 else ''} but no cube; "
                "training takes pairs of both, or cubes alone",
            )
        kind = "" if data.layout == "auto" else f" in the layout {data.layout!r}"
        raise FileError(folder, f"no training images were found there{kind}: {_EXPECTED}")
    return found


_EXPECTED = (
    "RGB and cube files of one stem, cubes alone, folders of CAVE scenes, or Train_RGB and "
    "Train_spectral were expected"
)


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
    """``train`` and ``val`` in a folder, with whether they are held out."""
    below = _subfolders(folder)
    train = [below[n] for n in _TRAIN_FOLDERS if n in below]
    held_out = [below[n] for n in _HELD_OUT_FOLDERS if n in below]
    if not (train and held_out):
        return None
    return [(p, False) for p in train] + [(p, True) for p in held_out]


def _is_split(folder: Path) -> bool:
    return _split_folders(Path(folder).expanduser()) is not None


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
    """What ``split_txt/train_list.txt`` and ``valid_list.txt`` name."""
    found = []
    for name, held_out in (("valid_list.txt", True), ("train_list.txt", False)):
        for path in (folder / "split_txt" / name, folder / name):
            if path.is_file():
                lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
                names = (pairing.key_of(Path(line.strip()).stem) for line in lines if line.strip())
                found.append((held_out, frozenset(names)))
                break
    return found if len(found) == 2 else []


def _cave(folder: Path, data: DataSettings) -> Iterator[Scene]:
    """Folders of scenes; the preview beside the bands is no photograph unless asked for."""
    for place in _cave_places(folder, _CAVE_DEPTH):
        name = re.sub(r"_ms$", "", place.name, flags=re.IGNORECASE)
        preview = None
        if data.simulate is False:
            preview = next(iter(sorted(place.glob("*_RGB.bmp"))), None)
        yield Scene(name, place, preview)


def _cave_places(folder: Path, depth: int) -> Iterator[Path]:
    from napari_hsr.io import cave

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
    """A folder a scene, each with one cube and perhaps its photograph, whatever their names."""
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
    pairs, unclear, alone, lonely = pairing.match(cubes, photographs)
    for cube, rgb in pairs:
        yield Scene(_name(cube, rgb), cube, rgb)
    for cube, sentence in unclear:
        yield Scene(cube.stem, cube, problem=sentence)
    for cube in alone:
        yield Scene(cube.stem, cube)
    if cubes:  # a folder of photographs alone is no training set at all
        for photograph in lonely:
            yield Scene(
                photograph.stem,
                None,
                photograph,
                problem=f"No cube has the name of the photograph {photograph.name}.",
                alone=True,
            )


def _name(cube: Path, rgb: Path | None) -> str:
    """What both names have in common; the cube's own where there is no other."""
    if rgb is None or cube.stem.lower() == rgb.stem.lower():
        return cube.stem
    return pairing.name_of(cube.stem)


def _photographed(scenes: list[Scene], simulate: bool | None) -> list[Scene]:
    """Photographs dropped where all are simulated; cubes without one marked where not."""
    if simulate:
        return [dataclasses.replace(s, rgb=None) for s in scenes if s.cube is not None]
    needed = simulate is False or any(s.rgb is not None and s.cube is not None for s in scenes)
    if simulate is None and not needed:
        rgb_alone = [s for s in scenes if s.cube is None]
        if rgb_alone and len(rgb_alone) < len(scenes):  # photographs, and none of them fits
            needed = True
    if not needed:
        return scenes
    return [
        dataclasses.replace(s, problem=_no_photograph(s), alone=True)
        if s.rgb is None and s.cube is not None and not s.problem
        else s
        for s in scenes
    ]


def _no_photograph(scene: Scene) -> str:
    what = scene.cube.name
    return (
        f"No photograph has the name of the cube {what}; "
        "set data.simulate to true to simulate all of them."
    )


def _named_apart(scenes: list[Scene]) -> list[Scene]:
    """Every name once: by the folder that a file lies in, else by a number."""
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
