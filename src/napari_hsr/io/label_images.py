"""Label images, in which an integer at each pixel names its region: TIFF, PNG and NumPy files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits, numpy_files, places_apart, whole_arrays
from napari_hsr.io.atomic import replacing
from napari_hsr.io.library_errors import not_there, translated
from napari_hsr.io.tiff import decoding as tiff_decoding
from napari_hsr.io.tiff import geotiff, stale_note
from napari_hsr.io.tiff import page_chain as tiff_chain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_hsr.notices import Notice

#: Suffixes that :func:`read_labels` and :func:`write_labels` know.
READ_SUFFIXES = (".tif", ".tiff", ".png", ".npy")
WRITE_SUFFIXES = (".tif", ".tiff", ".npy")
#: The tag of TIFF and EXIF that says how an image is to be turned.
_ORIENTATION = 274


def read_labels(path: str | os.PathLike[str]) -> np.ndarray:
    """The labels of an image, integers (height, width); 0 is background.

    Raises
    ------
    FileError
        If the file is missing, of another kind, or holds no integers in two axes.
    """
    path = Path(os.path.expanduser(path))
    suffix = path.suffix.lower()
    limits.check_regular(path)
    if not path.is_file():
        raise not_there(path, "there is no such file")
    if suffix not in READ_SUFFIXES:
        raise FileError(path, f"label images are read from {', '.join(READ_SUFFIXES)}")
    with translated(path, "a label image was expected"):
        if suffix == ".npy":
            numpy_files.check_end(path)
            labels = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
        elif suffix == ".png":
            from PIL import Image

            with Image.open(path, formats=["PNG"]) as picture:
                size = f"the label image ({picture.width} x {picture.height} pixels)"
                limits.check_room(path, 4 * picture.width * picture.height, size)
                labels = np.asarray(picture)
                _check_upright(path, picture.getexif().get(_ORIENTATION))
        else:
            tiff_chain.check(path)
            with tiff_chain.opened(path) as file:
                tiff_chain.check_pages(path, file)
                tiff_chain.check_planes(path, file.series[0])
                tiff_decoding.guard(path, file)
                _check_upright(path, getattr(file.pages.first.tags.get(_ORIENTATION), "value", 1))
                limits.check_room(path, file.series[0].nbytes, "the label image")
                labels = file.series[0].asarray()
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "iub":
        size = " x ".join(map(str, labels.shape))
        raise FileError(
            path, f"integers (height, width) were expected, but this holds {labels.dtype} of {size}"
        )
    return labels


def place_notices(path: str | os.PathLike[str], metadata: Mapping[str, Any]) -> tuple[Notice, ...]:
    """A warning where a label image states another place on the ground than a cube.

    Parameters
    ----------
    path : path-like
        Of an image that :func:`read_labels` has read; a TIFF alone states a place.
    metadata : mapping
        Of the cube.
    """
    path = Path(os.path.expanduser(path))
    if path.suffix.lower() not in (".tif", ".tiff"):
        return ()
    import tifffile

    with translated(path, "a label image was expected"), tifffile.TiffFile(path) as file:
        tags = geotiff.read(file.pages.first)
    return places_apart.notices(metadata, {geotiff.KEY: tags} if tags else {})


def _check_upright(path: Path, orientation: Any) -> None:
    """A turned image is refused: cubes are as stored, whatever is said of how to show them."""
    if orientation in range(2, 9):
        raise FileError(
            path,
            f"it states orientation {orientation}, and labels are those of pixels as they are stored: save it upright, "
            "without one",
        )


def write_labels(
    labels: np.ndarray,
    path: str | os.PathLike[str],
    facts: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write a label image, whole or not at all.

    Parameters
    ----------
    labels : ndarray of int, shape (height, width)
    path : path-like
        ``.tif`` or ``.npy``.
    facts : mapping, optional
        What labels mean, as JSON in the description of a TIFF.
    metadata : mapping, optional
        Of the cube: where it says how it lies on the ground, a TIFF says so too.

    Raises
    ------
    FileError
        If the suffix is none of these, or the file cannot be written.
    """
    target = Path(os.path.expanduser(path))
    suffix = target.suffix.lower()
    if suffix not in WRITE_SUFFIXES:
        raise FileError(target, f"label images are written as {', '.join(WRITE_SUFFIXES)}")
    if suffix != ".npy":
        stale_note.check(target)
    with replacing(target) as temporary, temporary.open("wb") as file:
        if suffix == ".npy":
            whole_arrays.save(file, labels)
        else:
            import tifffile

            tifffile.imwrite(
                file,
                labels,
                photometric="minisblack",
                compression="zlib",
                description=json.dumps(facts or {}),
                metadata=None,
                extratags=geotiff.extra_tags(geotiff.stated(metadata or {})),
            )
    return target
