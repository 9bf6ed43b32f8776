"""Which files of a folder are photographs, which are cubes, and which belong together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_hsr.errors import HSRError
from napari_hsr.io import READ_SUFFIXES, can_read
from napari_hsr.io.detect import ENVI_BINARY_SUFFIXES, header_beside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: Words that say what a file is, not what it shows; taken from the ends of its name.
_RGB_WORDS = ("rgb", "srgb", "clean", "realworld", "real_world", "real", "photo", "photograph",
              "image", "img", "camera", "jpg", "input")  # fmt: skip
_CUBE_WORDS = ("hsi", "hs", "ms", "msi", "cube", "spectral", "spectra", "spec", "hyper", "gt",
               "hyperspectral", "refl", "reflectance", "target", "mat")  # fmt: skip
_TRAILING = re.compile(rf"(?<=.)[-_. ](?:{'|'.join(_RGB_WORDS + _CUBE_WORDS)})$", re.IGNORECASE)
_LEADING = re.compile(r"^(?:s?rgb|hsi|hs|ms|msi|cube|img|image|photo)[-_. ](?=.)", re.IGNORECASE)
_PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
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
    """A folder's name in small letters and digits only: ``Train_RGB`` → ``trainrgb``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def name_of(stem: str) -> str:
    """What a file shows: its stem without the words that say what it is.

    ``scene01_RealWorld`` → ``scene01``, ``hsi_scene01`` → ``scene01``; never empty.
    """
    text = stem
    while True:
        shorter = _LEADING.sub("", _TRAILING.sub("", text))
        if not shorter or shorter == text:
            return text
        text = shorter


def key_of(stem: str) -> str:
    """:func:`name_of` in small letters, by which files are matched."""
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
    """Whether a file is a photograph, by its suffix, its head or the words in its name."""
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
        return False  # taken as a cube, whose reader says what is wrong
    return len(shape) == 3 and shape[2] in (3, 4) and min(shape[:2]) > 4


def _is_photograph_tiff(path: Path) -> bool:
    from napari_hsr.io.library_errors import translated

    try:
        import tifffile

        with translated(path, "the TIFF file is damaged"), tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            return len(tiff.pages) == 1 and page.samplesperpixel in (3, 4)
    except HSRError:
        return False  # taken as a cube, whose reader says what is wrong


def is_band(path: Path) -> bool:
    """Whether a name is that of one band of a CAVE scene, ``balloons_ms_01.png``."""
    return _BAND_OF_A_SCENE.search(path.name) is not None


def match(
    cubes: Iterable[Path], photographs: Iterable[Path]
) -> tuple[list[tuple[Path, Path]], list[tuple[Path, str]], list[Path], list[Path]]:
    """Join cubes and photographs of one stem; else of one stem without its words.

    Returns
    -------
    pairs : list of (cube, photograph)
    unclear : list of (cube, sentence)
        More than one file fits.
    cubes, photographs : list of Path
        Those without a partner.
    """
    cubes, photographs = list(cubes), list(photographs)
    pairs: list[tuple[Path, Path]] = []
    unclear: list[tuple[Path, str]] = []
    for key in (lambda p: p.stem.lower(), lambda p: key_of(p.stem)):
        left_cubes: list[Path] = []
        by_key: dict[str, list[Path]] = {}
        for photograph in photographs:
            by_key.setdefault(key(photograph), []).append(photograph)
        same: dict[str, list[Path]] = {}
        for cube in cubes:
            same.setdefault(key(cube), []).append(cube)
        for name, group in same.items():
            found = by_key.pop(name, [])
            if not found:
                left_cubes += group
            elif len(group) == len(found) == 1:
                pairs.append((group[0], found[0]))
            else:
                unclear.append((group[0], _unclear(group, found)))
        cubes = left_cubes
        photographs = [p for group in by_key.values() for p in group]
    pairs.sort()
    return pairs, unclear, sorted(cubes), sorted(photographs)


def _unclear(cubes: list[Path], photographs: list[Path]) -> str:
    def named(paths: list[Path], what: str) -> str:
        return f"{len(paths)} {what}{'s' if len(paths) > 1 else ''} ({', '.join(p.name for p in paths[:3])})"

    return (
        f"{named(photographs, 'photograph')} and {named(cubes, 'cube')} share one name: "
        "name the folders of those that are meant in data.rgb_folder and data.cube_folder."
    )
