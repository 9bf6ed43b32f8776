"""Scene folders of the CAVE set: 31 one-band PNGs, 400 to 700 nm in steps of 10 nm."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np

from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM, Cube, Wavelengths
from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.atomic import beside
from napari_hsr.io.library_errors import translated
from napari_hsr.io.photographs import png_chunks
from napari_hsr.provenance import Provenance

BANDS = 31
_BAND = re.compile(r"^(?P<scene>[^.].*)_(?P<band>\d{2})\.png$", re.IGNORECASE)
#: Suffixes of files that are spectral images by themselves.
_IMAGES = (".hdr", ".grd", ".mat", ".h5", ".hdf5", ".he5", ".nc", ".hspy", ".npy", ".npz")
#: A folder may hold the scene's folder, which the published archive nests once more.
_DEPTH = 2
#: Folders in a folder that are looked into: of thousands none is the scene's own.
_MOST_FOLDERS = 100
#: Names in a folder that are looked at to tell what else it holds.
_LOOKED_AT = 200


def looks_like_scene(folder: Path) -> bool:
    """True if the folder, or one nested in it, holds the bands of a scene.

    Names alone could be photographs (``IMG_01.png``, ``IMG_02.png``): unless they end in
    ``_ms`` as the set's do, at least half of the bands and a first one in grey are needed.
    """
    try:
        scenes = _scenes(folder)
        return any(_is_scene(name, files) for (_, name), files in scenes.items())
    except OSError:  # not ours to read
        return False


def _is_scene(name: str, files: dict[int, Path]) -> bool:
    if name.lower().endswith("_ms"):
        return True
    if 2 * sum(1 <= band <= BANDS for band in files) < BANDS:
        return False
    if not files[min(files)].is_file():  # a pipe would never end
        return False
    with files[min(files)].open("rb") as file:
        head = file.read(26)
    return head.startswith(png_chunks.SIGNATURE) and head[25:] in (b"\0", b"\4")


def _images_in(folder: Path) -> list[str]:
    """Spectral images in a folder, and in the folders in it, by the ends of their names."""
    found = []
    for inside in sorted(folder.iterdir())[:_LOOKED_AT]:
        for file in sorted(inside.iterdir())[:_LOOKED_AT] if inside.is_dir() else [inside]:
            if file.suffix.lower() in _IMAGES and not file.name.startswith("."):
                found.append(file.relative_to(folder).as_posix())
    return found


def read_scene(folder: Path) -> Cube:
    """Read a scene folder as a cube of reflectance, 0..1 (PNG value / full scale).

    The sRGB preview, ``Thumbs.db`` and other stray files are passed over; of 8-bit RGBA
    bands (``watercolors_ms``) one channel is taken. The wavelengths are those documented
    for the set.

    Raises
    ------
    FileError
        If the folder holds no scene or several, bands are missing, or they differ in size.
    """
    with translated(folder, "the folder cannot be read"):
        scenes = _scenes(folder)
    if not scenes:
        told = "the folder is no CAVE scene: 31 PNGs named like scene_ms_01.png were expected, or pictures in grey named by their wavelengths, like leaf_450nm.png"
        with translated(folder, "the folder cannot be read"):
            inside = _images_in(folder)
        if inside:  # as scanners write a capture: raw data, references and results
            listed = ", ".join(inside[:6]) + (" …" if len(inside) > 6 else "")
            told += f"; images lie in it, to be opened by their names: {listed}"
        raise FileError(folder, told)
    if len(scenes) > 1:
        names = ", ".join(sorted({name for _, name in scenes})[:6])
        raise FileError(
            folder, f"the folder holds {len(scenes)} scenes ({names}…); open one of them"
        )
    ((place, scene), files) = next(iter(scenes.items()))
    _check_bands(folder, files)
    planes: list[np.ndarray] = []
    depths: set[int] = set()
    for band in range(1, BANDS + 1):
        plane, depth = _band(files[band])
        if planes and plane.shape != planes[0].shape:
            raise FileError(
                files[band],
                f"this band has {_size(plane)} pixels, band 1 has {_size(planes[0])}",
            )
        planes.append(plane)
        depths.add(depth)
    bits = " and ".join(str(depth) for depth in sorted(depths))
    return Cube(
        np.stack(planes),
        Wavelengths(np.array(DEFAULT_WAVELENGTHS_NM)),
        units="reflectance",
        name=re.sub(r"_ms$", "", scene, flags=re.IGNORECASE),
        provenance=Provenance(
            input=place.name,
            steps=(f"31 one-band PNGs of {bits} bits, divided by their full scale.",),
        ),
    )


def _scenes(folder: Path, depth: int = _DEPTH) -> dict[tuple[Path, str], dict[int, Path]]:
    """Band files by (folder, scene), in this folder or, if there are none, further down."""
    scenes: dict[tuple[Path, str], dict[int, Path]] = {}
    below = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            found = _BAND.match(entry.name)
            if found and entry.is_file():
                bands = scenes.setdefault((folder, found["scene"]), {})
                bands[int(found["band"])] = Path(entry.path)
            elif entry.is_dir() and not entry.name.startswith((".", "__")):
                below.append(Path(entry.path))
    scenes = {key: bands for key, bands in scenes.items() if len(bands) > 1}
    if scenes or not depth:
        return scenes
    for nested in below[:_MOST_FOLDERS]:
        scenes.update(_scenes(nested, depth - 1))
        if len(scenes) > 6:  # a whole data set: enough to say so
            break
    return scenes


def _check_bands(folder: Path, files: dict[int, Path]) -> None:
    missing = [band for band in range(1, BANDS + 1) if band not in files]
    extra = [band for band in files if not 1 <= band <= BANDS]
    if missing:
        named = ", ".join(f"{band:02d}" for band in missing)
        raise FileError(
            folder, f"of the 31 bands of a CAVE scene {len(missing)} are missing: {named}"
        )
    if extra:
        raise FileError(
            folder, f"a CAVE scene has 31 bands, this folder has PNGs up to {max(files):02d}"
        )


def _band(file: Path) -> tuple[np.ndarray, int]:
    """One band as float32 in 0..1, and its bits."""
    with translated(file, "it cannot be read"):
        limits.check_regular(file)
        with file.open("rb") as opened:
            start = opened.read(len(png_chunks.SIGNATURE))
    if start != png_chunks.SIGNATURE:
        raise FileError(
            file, "a PNG was expected, but this is not one" if start else "the file is empty"
        )
    content = png_chunks.content(file)
    info = png_chunks.info(file, content)
    what = f"a scene of 31 bands of {info.width} x {info.height} pixels"
    limits.check_room(file, 4 * BANDS * info.width * info.height, what, BANDS * len(content))
    values = png_chunks.pixels(file, content)
    if values.ndim == 3:
        colours = values[..., : values.shape[2] - (values.shape[2] in (2, 4))]
        if (colours != colours[..., :1]).any():
            raise FileError(file, "this band is a colour image; one band in grey was expected")
        values = colours[..., 0]
    full = np.float32(np.iinfo(values.dtype).max)
    return values.astype(np.float32) / full, info.depth


def _size(plane: np.ndarray) -> str:
    return f"{plane.shape[1]} x {plane.shape[0]}"


def write_scene(cube: Cube, folder: Path) -> Path:
    """Write a cube in the layout of the set: 16-bit grey PNGs, value x 65535, clipped to 0..1.

    Parameters
    ----------
    cube : Cube
        31 bands, reflectance 0..1; what lies outside is clipped, NaN becomes 0.
    folder : Path
        The scene folder, ``balloons_ms``; it must not exist. It appears whole or not at all.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    FileError
        If the cube has other than 31 bands, or the folder exists or cannot be made.
    """
    import imagecodecs

    folder = Path(folder)
    if cube.bands != BANDS:
        raise FileError(folder, f"a CAVE scene has 31 bands, this cube has {cube.bands}")
    if folder.exists():
        raise FileError(folder, "it exists already; a scene is written to a new folder")
    temporary = beside(folder, "tmp")
    try:
        with translated(folder, "the folder cannot be written", only=(OSError,)):
            temporary.mkdir()
            for band in range(BANDS):
                plane = np.clip(np.nan_to_num(np.asarray(cube.data[band], np.float64)), 0, 1)
                codes = np.round(plane * 65535).astype(np.uint16)
                name = f"{folder.name}_{band + 1:02d}.png"
                (temporary / name).write_bytes(imagecodecs.png_encode(codes))
            os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder
