"""Which files of a folder are photographs, which are cubes, and which belong together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from napari_hsr.errors import HSRError
from napari_hsr.io import READ_SUFFIXES, can_read
from napari_hsr.io.detect import ENVI_BINARY_SUFFIXES, header_beside
from napari_hsr.io.tiff import page_chain
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

#: Tags that say what a file is, not what it shows; removed from the ends of its name.
_RGB_TAGS = ("rgb", "srgb", "clean", "realworld", "real_world", "real", "photo", "photograph",
              "image", "img", "camera", "jpg", "input")  # fmt: skip
_CUBE_TAGS = ("hsi", "hs", "ms", "msi", "cube", "spectral", "spectra", "spec", "hyper", "gt",
               "hyperspectral", "refl", "reflectance", "target", "mat")  # fmt: skip
_TRAILING = re.compile(rf"(?<=.)[-_. ](?:{'|'.join(_RGB_TAGS + _CUBE_TAGS)})$", re.IGNORECASE)
_LEADING = re.compile(r"^(?:s?rgb|hsi|hs|ms|msi|cube|img|image|photo)[-_. ](?=.)", re.IGNORECASE)
_PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".heic", ".heif")
_BAND_OF_A_SCENE = re.compile(r"_\d\d\.png$", re.IGNORECASE)

#: Names of sub-folders, without case, hyphens and the like.
RGB_FOLDERS = frozenset(
    ("rgb", "rgbs", "srgb", "image", "images", "img", "imgs", "photo", "photos", "photograph",
     "photographs", "input", "inputs", "jpg", "jpeg", "png", "clean", "realworld", "camera")
)  # fmt: skip
CUBE_FOLDERS = frozenset(
    ("hsi", "hsis", "hs", "cube", "cubes", "spectral", "spectra", "spec", "hyperspectral", "ms",
     "msi", "gt", "groundtruth", "mat", "envi", "target", "targets", "reflectance")
)  # fmt: skip


def plain(name: str) -> str:
    """A folder's name in lower case, letters and digits only: ``Train_RGB`` → ``trainrgb``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def name_of(stem: str) -> str:
    """What a file shows: its stem without the tags that say what it is.

    ``scene01_RealWorld`` → ``scene01``, ``hsi_scene01`` → ``scene01``; never empty.
    """
    text = stem
    while True:
        shorter = _LEADING.sub("", _TRAILING.sub("", text))
        if not shorter or shorter == text:
            return text
        text = shorter


def key_of(stem: str) -> str:
    """:func:`name_of` in lower case, by which files are matched."""
    return name_of(stem).lower()


def files(folder: Path) -> Iterator[Path]:
    """The images directly in a folder, by name; an ENVI image by its header."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        suffix = path.suffix.lower()
        if suffix in ENVI_BINARY_SUFFIXES and (not suffix or header_beside(path)):
            continue
        if suffix in READ_SUFFIXES and can_read(path):
            yield path


def is_photograph(path: Path) -> bool:
    """Whether a file is a photograph, by its suffix or its header."""
    suffix = path.suffix.lower()
    if suffix in _PHOTO_SUFFIXES:
        return True
    if suffix == ".npy":
        return _is_photograph_array(path)
    if suffix in (".tif", ".tiff"):
        return _is_photograph_tiff(path)
    return False


def _is_photograph_array(path: Path) -> bool:
    import numpy as np

    try:
        shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
    except (ValueError, OSError, EOFError):
        return False  # the reader of cubes says what is wrong
    return len(shape) == 3 and shape[2] in (3, 4) and min(shape[:2]) > 4


def _is_photograph_tiff(path: Path) -> bool:
    from napari_hsr.io.library_errors import translated

    try:
        with translated(path, "the TIFF file is damaged"), page_chain.opened(path) as tiff:
            page = tiff.pages.first
            return len(tiff.pages) == 1 and page.samplesperpixel in (3, 4)
    except HSRError:
        return False  # the reader of cubes says what is wrong


def is_band(path: Path) -> bool:
    """Whether a name is that of one band of a CAVE scene, ``balloons_ms_01.png``."""
    return _BAND_OF_A_SCENE.search(path.name) is not None


class Matches(NamedTuple):
    """Cubes and photographs of a folder, joined by their names.

    ``pairs`` are (cube, photograph); ``unclear`` cubes that several files fit, each with its
    problem; ``cubes`` and ``photographs`` those without a partner.
    """

    pairs: list[tuple[Path, Path]]
    unclear: list[tuple[Path, Notice]]
    cubes: list[Path]
    photographs: list[Path]


def match(cubes: Iterable[Path], photographs: Iterable[Path]) -> Matches:
    """Join cubes and photographs of one stem; else of one stem without its tags."""
    cubes, photographs = list(cubes), list(photographs)
    pairs: list[tuple[Path, Path]] = []
    unclear: list[tuple[Path, Notice]] = []
    for key in (lambda path: path.stem.lower(), lambda path: key_of(path.stem)):
        photographs_by_key, cubes_by_key = _grouped(photographs, key), _grouped(cubes, key)
        cubes = []
        for name, group in cubes_by_key.items():
            found = photographs_by_key.pop(name, [])
            if not found:
                cubes += group
            elif len(group) == len(found) == 1:
                pairs.append((group[0], found[0]))
            else:
                unclear.append((group[0], _unclear(group, found)))
        photographs = [p for group in photographs_by_key.values() for p in group]
    return Matches(sorted(pairs), unclear, sorted(cubes), sorted(photographs))


def _grouped(paths: list[Path], key: Callable[[Path], str]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(key(path), []).append(path)
    return groups


def image_name(cube: Path, rgb: Path | None) -> str:
    """What both names have in common; the cube's own name if there is no other file."""
    if rgb is None or cube.stem.lower() == rgb.stem.lower():
        return cube.stem
    return name_of(cube.stem)


def _unclear(cubes: list[Path], photographs: list[Path]) -> Notice:
    def named(paths: list[Path], what: str) -> str:
        names = ", ".join(p.name for p in paths[:3])
        return f"{len(paths)} {what}{'s' if len(paths) > 1 else ''} ({names})"

    return Notice.warning(
        Code.PAIR_UNCLEAR,
        f"{named(photographs, 'photograph')} and {named(cubes, 'cube')} share one name: "
        "name the folders of those that are meant in data.rgb_folder and data.cube_folder.",
    )
