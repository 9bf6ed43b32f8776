"""One decoded image on disk, written whole or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import __version__, colour
from napari_hsr.cube import Cube
from napari_hsr.io import limits, whole_arrays
from napari_hsr.io.atomic import beside
from napari_hsr.io.detect import ENVI_BINARY_SUFFIXES
from napari_hsr.io.file_sets import files_beside
from napari_hsr.io.library_errors import translated
from napari_hsr.io.mapped import MappedArray
from napari_hsr.photograph import Photograph, unit_float
from napari_hsr.progress import stop_if
from napari_hsr.training.data import pairing
from napari_hsr.training.data.cache_disk import check_room, disk_errors
from napari_hsr.training.data.cache_sums import sum_of_facts, sums
from napari_hsr.training.data.image_source import Scene
from napari_hsr.training.data.scan import Facts, Scan, load, scan

if TYPE_CHECKING:
    import threading

#: Changes with the meaning of an entry's files.
FORMAT = 2
#: Half precision resolves faint values of a cube to 1e-5 of its brightest value if that lies
#: between these.
HALF_RANGE = (6e-3, 6e4)
#: Age in seconds from which a half-written entry was left by a run that was killed.
_LONG_AGO_S = 3600.0
#: Relative rounding error of half precision.
HALF_ERROR = 2.0**-11
#: Arrays of a scan that are kept beside the image.
_SMALL_COPIES = ("thumbnail", "sample", "preview")


@dataclass(frozen=True, eq=False)
class CachedImage:
    """One image, decoded.

    Attributes
    ----------
    name : str
    files : tuple of Path
        What it was decoded from; empty if it was in memory.
    sha256 : str
        Of the contents of these files, one after another, and of lists and notes beside them; or
        of the array.
    cube : ndarray, shape (bands, height, width), float16 or float32
        A view of a memory map that is stored as (height, width, bands).
    rgb : ndarray, shape (height, width, 3), float32, or None
        A memory map in the file's encoding, full scale 1.
    rgb_encoding : str or None
    thumbnail : ndarray, shape (bands, h, w), float32
        At most 64 pixels a side, by averaging.
    sample : ndarray, shape (bands, h, w), float32
        Of the same size, by taking single pixels.
    wavelengths_nm : tuple of float or None
        Of the cube's bands.
    value_range : tuple of float
        Of the cube.
    error : float
        The largest difference between ``cube`` and what was decoded.
    stamps : tuple
        Sizes and times of ``files`` when they were decoded.
    folder : Path or None
        Of the maps.
    """

    name: str
    files: tuple[Path, ...]
    sha256: str
    cube: np.ndarray
    rgb: np.ndarray | None
    rgb_encoding: str | None
    thumbnail: np.ndarray
    sample: np.ndarray
    wavelengths_nm: tuple[float, ...] | None = None
    value_range: tuple[float, float] = (0.0, 1.0)
    error: float = 0.0
    stamps: tuple[tuple[int, int], ...] = ()
    folder: Path | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the arrays: another process maps the files itself."""
        state = dict(self.__dict__)
        if self.folder is not None:
            state.update(cube=None, rgb=self.rgb is not None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["folder"] is not None:
            state["cube"], state["rgb"] = _mapped(state["folder"], state["rgb"])
        self.__dict__.update(state)


def _mapped(place: Path, photograph: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """The arrays of an entry: (bands, height, width), and (height, width, 3) if there is one."""
    cube = _map(place / "cube.npy")
    return cube.transpose(2, 0, 1), _map(place / "rgb.npy") if photograph else None


def _map(path: Path) -> np.ndarray:
    """An array of an entry, which is no end of the process if another program cuts its file short."""
    found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return found.view(MappedArray)


def files_of(image: Path | Cube | Photograph | None) -> tuple[Path, ...]:
    """The files an image consists of: the bands of a scene, header and binary of ENVI, all of a store."""
    if not isinstance(image, Path):
        return ()
    if image.is_dir():
        inside = sorted(p for p in image.rglob("*") if p.is_file())
        return tuple(p for p in inside if pairing.is_band(p)) or tuple(inside)
    if image.suffix.lower() == ".hdr":
        names = [image.stem, *(image.stem + s for s in ENVI_BINARY_SUFFIXES if s)]
        binaries = [image.with_name(n) for n in dict.fromkeys(names)]
        return (image, *(b for b in binaries if b.is_file() and b != image))
    return (image,)


def stamp_of(path: Path) -> tuple[int, int]:
    """(size, time) of a file; (-1, -1) if there is none."""
    try:
        state = path.stat()
    except OSError:
        return (-1, -1)
    return (state.st_size, state.st_mtime_ns)


class Entry:
    """The entry of one image in the cache.

    Parameters
    ----------
    scene : Scene
    place : Path
        The cache folder.
    wanted : tuple of float or None
        Wavelengths that it is resampled to.
    encoding : str or None
        Stated by the user for photographs.
    exact : bool
        Always float32: for held-out images.
    """

    def __init__(
        self,
        scene: Scene,
        place: Path,
        wanted: tuple[float, ...] | None,
        encoding: str | None,
        exact: bool,
    ):
        encoding = None if encoding is None else colour.normalise_encoding(encoding)
        self.scene, self.wanted, self.encoding, self.exact = scene, wanted, encoding, exact
        self.files = (*files_of(scene.cube), *files_of(scene.rgb))
        self.stamps = tuple(map(stamp_of, self.files))
        # a later version may read the same file otherwise
        how = [FORMAT, __version__, wanted, encoding, exact]
        where = json.dumps([[str(p.resolve()) for p in self.files], *how])
        notes = [(str(p), stamp_of(p)) for p in _beside(scene)]
        what = json.dumps([self.stamps, notes]) + _of_memory(scene) + " bad bands" * scene.bad_bands
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", scene.name)[-60:].strip(".-") or "image"
        self._same = f"{slug}-{_short_hash(where)}-"
        self.path = place / (self._same + _short_hash(what))

    def facts(self) -> Scan | None:
        """What was found when the image was decoded; None if the entry is missing or incomplete."""
        stored = self._stored()
        return None if stored is None else stored[0]

    def open(self, stop: threading.Event | None = None) -> CachedImage | None:
        """The image as memory maps; None if the entry is missing, incomplete or damaged.

        Raises
        ------
        Cancelled
            If ``stop`` is set: all of it is read once, and compared with its sums.
        """
        stored = self._stored()
        if stored is None:
            return None
        seen, about = stored
        try:
            if about["sums"] != sums(self.path, about["sums"], stop):
                return None
            cube, rgb = _mapped(self.path, self.scene.rgb is not None)
        except (OSError, ValueError, EOFError):
            return None
        return CachedImage(
            self.scene.name,
            self.files,
            about["sha256"],
            cube,
            rgb,
            seen.facts.rgb_encoding,
            seen.thumbnail,
            seen.sample,
            seen.facts.wavelengths_nm,
            seen.facts.cube_range,
            about["error"],
            self.stamps,
            self.path,
        )

    def _stored(self) -> tuple[Scan, dict[str, Any]] | None:
        """What was found in the image, and what else ``facts.json`` says of it."""
        try:
            about = json.loads(limits.content(self.path / "facts.json"))
            if about.pop("sum") != sum_of_facts(about):
                return None
            limits.check_regular(self.path / "small.npz")
            # opened here, because np.load does not close a damaged archive
            with (
                (self.path / "small.npz").open("rb") as file,
                np.load(file, allow_pickle=False) as small,
            ):
                copies = [small[name] for name in _SMALL_COPIES]
            return Scan(Facts.from_dict(about["facts"]), *copies), about
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
            return None
        except (zipfile.BadZipFile, RecursionError, EOFError):
            return None

    def write(self, stop: threading.Event | None = None) -> Scan:
        """Decode the image into the cache.

        Raises
        ------
        FileError
            If a source file cannot be read.
        CacheError
            If the disk is full, or the folder cannot be written to.
        Cancelled
            If ``stop`` is set; nothing is left half-written.
        """
        cube, rgb = load(self.scene)
        bands = len(self.wanted) if self.wanted else cube.bands
        sizes = ("<f4",) if self.exact else ("<f2", "<f4")
        place, temporary = self.path.parent, beside(self.path, "part")
        try:
            with disk_errors(place):
                temporary.mkdir(parents=True)
                self._clear_up(place)
                each = np.dtype(sizes[0]).itemsize * bands + (12 if rgb is not None else 0)
                check_room(place, cube.shape[1] * cube.shape[2] * each)
                for dtype in sizes:
                    seen, error = self._decode(cube, rgb, temporary, dtype, bands, stop)
                    if _half_will_do(max(map(abs, seen.facts.cube_range)), error):
                        break
                if rgb is not None:
                    with (temporary / "rgb.npy").open("wb") as opened:
                        whole_arrays.save(opened, unit_float(rgb.data))
                copies = {name: getattr(seen, name) for name in _SMALL_COPIES}
                np.savez(temporary / "small.npz", **copies)
                about = {
                    "facts": dataclasses.asdict(seen.facts),
                    "error": error,
                    "sha256": _sha256((*self.files, *_beside(self.scene)), cube, rgb, stop),
                    "sums": sums(temporary, (file.name for file in temporary.iterdir()), stop),
                }
                about["sum"] = sum_of_facts(about)
                (temporary / "facts.json").write_text(json.dumps(about), encoding="utf-8")
                self._put(temporary)
            return seen
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _decode(
        self,
        cube: Cube,
        rgb: Photograph | None,
        temporary: Path,
        dtype: str,
        bands: int,
        stop: threading.Event | None,
    ) -> tuple[Scan, float]:
        """Write ``cube.npy``; return what was found in the image, and the largest rounding error."""
        error = 0.0
        head = {"descr": dtype, "fortran_order": False, "shape": (*cube.shape[1:], bands)}
        with (temporary / "cube.npy").open("wb") as file:

            def sink(block: np.ndarray) -> None:
                nonlocal error
                with np.errstate(over="ignore", invalid="ignore"):
                    stored = block.astype(dtype)
                    if dtype == "<f2":
                        error = max(error, float(np.abs(stored - block).max()))
                file.write(stored.data)

            np.lib.format.write_array_header_1_0(file, head)
            seen = scan(cube, rgb, self.wanted, self.encoding, stop, sink)
            file.flush()
            os.fsync(file.fileno())
        return seen, error

    def _clear_up(self, place: Path) -> None:
        """Remove what killed runs left of this image."""
        for left in place.glob(f".{self._same}*.part"):
            if time.time() - left.stat().st_mtime > _LONG_AGO_S:
                shutil.rmtree(left, ignore_errors=True)

    def _put(self, temporary: Path) -> None:
        """Move the entry into its place in one step; remove those of older versions of the files."""
        if self.path.exists() and self.open() is None:
            shutil.rmtree(self.path)
        try:
            os.rename(temporary, self.path)
        except OSError:
            if self.open() is None:
                raise
        for older in self.path.parent.glob(f"{self._same}*"):
            if older != self.path:  # one that is still mapped may remain
                shutil.rmtree(older, ignore_errors=True)


def _half_will_do(brightest: float, error: float) -> bool:
    low, high = HALF_RANGE
    return low <= brightest <= high and error <= HALF_ERROR * brightest


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]


def _of_memory(scene: Scene) -> str:
    """A hash of the images in memory; empty if all are files."""
    held = [i for i in (scene.cube, scene.rgb) if isinstance(i, (Cube, Photograph))]
    if not held:
        return ""
    digest = hashlib.sha256()
    for image in held:
        about = image.encoding if isinstance(image, Photograph) else image.good_bands.tolist()
        digest.update(f"{image.data.shape} {image.data.dtype} {about}".encode())
        for part in image.data:
            digest.update(np.ascontiguousarray(part).data)
    if isinstance(scene.cube, Cube) and scene.cube.wavelengths is not None:
        digest.update(np.asarray(scene.cube.wavelengths).tobytes())
    return digest.hexdigest()


def _beside(scene: Scene) -> list[Path]:
    """Files that change what is read of an image, such as a list of wavelengths beside it."""
    return [p for i in (scene.cube, scene.rgb) if isinstance(i, Path) for p in files_beside(i)]


def _sha256(
    files: tuple[Path, ...], cube: Cube, rgb: Photograph | None, stop: threading.Event | None
) -> str:
    digest = hashlib.sha256()
    if not files:
        return _of_memory(Scene("", cube, rgb))
    for path in files:
        with translated(path, "it cannot be read", only=(OSError,)), path.open("rb") as file:
            while chunk := file.read(2**22):
                stop_if(stop)
                digest.update(chunk)
    return digest.hexdigest()
