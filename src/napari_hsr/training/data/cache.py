"""Images are decoded once and kept as memory maps, so that data sets may exceed the memory.

Cubes are stored as (height, width, bands), so that a row of a patch is contiguous. The name of an
entry is a hash of the files' names, sizes and times and of the settings, so that a file that
changed is decoded again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError, InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import stop_if
from napari_hsr.training.data.cache_disk import FOLDER_VARIABLE, CacheError
from napari_hsr.training.data.cache_entry import CachedImage, Entry, stamp_of
from napari_hsr.training.events import Event, Noticed, Preparing
from napari_hsr.units import format_bytes, from_home
from napari_hsr.user_folders import cache_folder

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from napari_hsr.cube import Wavelengths
    from napari_hsr.training.data.findings import Findings
    from napari_hsr.training.recipe.schema import Recipe

__all__ = ["CacheError", "CachedImage", "Images", "build_events", "folder"]


@dataclass(frozen=True, eq=False)
class Images:
    """All images of a training.

    Attributes
    ----------
    train, held_out : list of CachedImage
    wavelengths : Wavelengths or None
        None if they are not known.
    folder : Path
        The cache folder.
    """

    train: list[CachedImage]
    held_out: list[CachedImage]
    wavelengths: Wavelengths | None
    folder: Path

    def copies(self) -> dict[str, str]:
        """Held-out images that training has under another name: the two names of each.

        Of the cubes, as they were decoded, samples are compared: a copy in another format is one, too.
        """
        trained = {_content(image): image.name for image in reversed(self.train)}
        found = ((image.name, trained.get(_content(image))) for image in self.held_out)
        return {name: other for name, other in found if other is not None}

    def changed(self) -> str | None:
        """A sentence about the first source file that has changed since; None if none has."""
        for image in (*self.train, *self.held_out):
            for path, stamp in zip(image.files, image.stamps, strict=True):
                if stamp_of(path) != stamp:
                    what = "changed" if path.exists() else "is gone"
                    return (
                        f"{path} {what} since the training began; it goes on with the image as "
                        "it was read then."
                    )
        return None


def folder(given: Path | None = None) -> Path:
    """The cache folder: as given, else ``NAPARI_HSR_CACHE``, else the user's cache."""
    chosen = given or os.environ.get(FOLDER_VARIABLE)
    return Path(os.path.expanduser(chosen)) if chosen else cache_folder() / "training"


def build_events(
    findings: Findings, recipe: Recipe, cancel: threading.Event | None = None
) -> Iterator[Event | Images]:
    """Decode images that are not in the cache yet, and open all of them.

    Yields
    ------
    Preparing, Noticed
    Images
        Last of all.

    Raises
    ------
    InputError
        If training cannot start with what was found.
    FileError
        If a file has changed since the inspection, or cannot be read.
    CacheError
        If the decoded images cannot be written.
    Cancelled
        If ``cancel`` is set.
    """
    findings.check()
    place = folder(recipe.data.cache)
    rows = [*findings.train, *findings.held_out]
    images = []
    for number, row in enumerate(rows):
        yield Preparing(number, len(rows), f"Decoding {row.name}")
        if row.scene is None:
            raise InputError(f"{row.name} was found without a source to decode.")
        entry = Entry(
            row.scene, place, recipe.data.wavelengths_nm, recipe.data.input_encoding, row.held_out
        )
        before = dict(zip(row.files, row.stamps, strict=True))
        now = dict(zip(entry.files, entry.stamps, strict=True))
        for path in {**before, **now}:
            if before.get(path) != now.get(path):
                raise FileError(path, "it changed after it was inspected; start again")
        image = entry.open(cancel)
        if image is None:
            entry.write(cancel)
            image = entry.open(cancel)
        stop_if(cancel)
        if image is None:
            raise CacheError(place, "an image that was decoded into it is gone")
        images.append(image)
    yield Preparing(len(rows), len(rows), "All images are decoded")
    yield Noticed(Notice.info(Code.IMAGES_DECODED, _summary(images, place)))
    number = len(findings.train)
    found = Images(images[:number], images[number:], findings.wavelengths, place)
    copies = found.copies()
    if copies:
        yield Noticed(Notice.warning(Code.HELD_OUT_IN_TRAINING, _about_copies(copies)))
    yield found


def _content(image: CachedImage) -> tuple[tuple[int, ...], bytes]:
    return image.cube.shape, image.sample.tobytes()


def _about_copies(copies: dict[str, str]) -> str:
    name, other = next(iter(copies.items()))
    more = f", and {len(copies) - 1} more" if len(copies) > 1 else ""
    return (
        f"The held-out image {name} is in training, too, as {other}{more}: figures of images that "
        "were trained on are better than those of new ones. Hold out others."
    )


def _summary(images: list[CachedImage], place: Path) -> str:
    size = sum(i.cube.nbytes + (0 if i.rgb is None else i.rgb.nbytes) for i in images)
    text = f"{len(images)} decoded images ({format_bytes(size)}) are kept in {from_home(place)}"
    halves = [i for i in images if i.cube.dtype == np.float16]
    if halves:
        worst = max(i.error / max(map(abs, i.value_range)) for i in halves)
        text += (
            f"; those for training in half precision, at most {100 * worst:.2g}% of the "
            "brightest value off"
        )
    return text + "."
