"""Several photographs in one file: TIFFs of RGB pages, and animated GIFs."""

from __future__ import annotations

import math
import threading
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import photograph as encodings
from napari_hsr.byte_cache import ByteCache
from napari_hsr.errors import FileError, HSRError
from napari_hsr.io import limits
from napari_hsr.io.library_errors import translated
from napari_hsr.io.mapped import map_file
from napari_hsr.io.photographs.reader import finish
from napari_hsr.io.read_choice import Choice
from napari_hsr.io.stacks import gif_blocks
from napari_hsr.io.tiff import decoding as tiff_decoding
from napari_hsr.io.tiff import page_chain as tiff_chain
from napari_hsr.io.tiff import photographs
from napari_hsr.io.tiff.images import is_unconverted
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph_stack import PhotographStack, StackAxis
from napari_hsr.provenance import Provenance

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.photograph import Photograph

#: Decoded frames of a file that are kept, in bytes.
KEPT_BYTES = 64 * 2**20
_RGB, _YCBCR = 2, 6
#: Frames that come this much later or earlier than evenly are told.
_UNEVEN = 0.5
#: What the letters of tifffile's axes mean.
_AXES = {"T": "time", "Z": "z", "C": "channel", "I": "frame", "Q": "frame", "R": "position"}


# --- TIFF --------------------------------------------------------------------------------------


def is_stack(path: Path) -> bool:
    """Whether a TIFF holds more than one RGB image of one size."""
    try:
        with translated(path, "its pages cannot be listed"):
            tiff_chain.check(path)
            with tiff_chain.opened(path) as file:
                return _stack_shape(file) is not None
    except HSRError:  # reading the file says what is wrong
        return False


def _stack_shape(file: Any) -> tuple[str, tuple[int, ...]] | None:
    """Letters and sizes of the first axes of a stack of RGB pages; None if it is none."""
    page, series = file.pages.first, file.series[0]
    colour = page.photometric in (_RGB, _YCBCR) and page.shape[-1:] in ((3,), (4,))
    colour = colour and not is_unconverted(page)
    if not colour or series.axes[-3:] != "YXS" or len(series.shape) < 4:
        return None
    lead = tuple(int(n) for n in series.shape[:-3])
    return (series.axes[:-3], lead) if np.prod(lead) > 1 else None


class _TiffFrames:
    """Pages of a TIFF, each decoded when it is asked for."""

    def __init__(self, path: Path, pages: int, full_scale: float | None):
        self.path, self._pages, self._choice = path, pages, Choice(full_scale=full_scale)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._pages

    def read(self, number: int) -> Photograph:
        """One page."""
        about = f"page {number + 1} is damaged or cut short"
        with self._lock, translated(self.path, about), tiff_chain.opened(self.path) as file:
            series, page = file.series[0], file.pages.first
            if series.dataoffset is not None:  # one block: the pages may not stand in the file
                dtype = np.dtype(series.dtype).newbyteorder(file.byteorder)
                whole = map_file(self.path, dtype, tuple(series.shape), series.dataoffset)
                values = np.array(whole.reshape(self._pages, *series.shape[-3:])[number])
            else:
                tiff_decoding.guard(self.path, file)
                values = np.asarray(series.pages[number].asarray())
            values = values.astype(values.dtype.newbyteorder("="), copy=False)
            return photographs.of_pixels(self.path, file, page, values, choice=self._choice)


def read_tiff(path: Path, full_scale: float | None = None) -> PhotographStack:
    """A TIFF of several RGB pages of one size; ``full_scale`` as for :func:`napari_hsr.read`.

    Raises
    ------
    FileError
        If it is damaged, or holds no such pages.
    """
    tiff_chain.check(path)
    with translated(path, "the TIFF file is damaged or cut short"), tiff_chain.opened(path) as file:
        of_pages = tiff_chain.check_pages(path, file)
        tiff_chain.check_planes(path, file.series[0])
        shape, first = _stack_shape(file), file.pages.first
        dtype = np.dtype(first.dtype)
        spacing = _spacing(file)
    if shape is None:
        raise FileError(path, "a stack of RGB pages of one size was expected")
    letters, lead = shape
    count = int(np.prod(lead))
    limits.check_room(path, int(first.nbytes), "a page", path.stat().st_size // max(count, 1))
    plain = dtype in (np.uint8, np.uint16)
    if not plain and dtype.kind != "f":
        raise FileError(path, f"frames are of 8 or 16 bits or floats, and these are {dtype}")
    axes = [
        StackAxis(_AXES.get(letter, "frame"), size, *spacing.get(letter, (1.0, 0.0, "pixel")))
        for letter, size in zip(letters, lead, strict=True)
    ]
    frames, failures = _TiffFrames(path, count, full_scale), dict[int, str]()
    one = _first(frames, failures)
    return PhotographStack(
        frames,
        tuple(axes),
        one.height,
        one.width,
        one.data.dtype,
        one.encoding,
        path.stem,
        Provenance(input=path.name),
        (*one.notices, *of_pages),
        one.metadata,
        failures,
    )


def _first(frames: _TiffFrames, failures: dict[int, str]) -> Photograph:
    """The first page that can be read; why those before it cannot is added to ``failures``.

    Raises
    ------
    FileError
        If none can be read: what is wrong with the last.
    """
    for number in range(len(frames)):
        try:
            return frames.read(number)
        except FileError as error:
            failures[number] = str(error)
            if number == len(frames) - 1:
                raise
    raise AssertionError("there is a page")


def _spacing(file: Any) -> dict[str, tuple[float, float, str]]:
    """(step, start, unit) of the axes that ImageJ states."""
    stated, found = file.imagej_metadata or {}, {}
    for letter, key, unit in (("T", "finterval", "second"), ("Z", "spacing", "")):
        step = stated.get(key)
        if isinstance(step, (int, float)) and 0 < step < math.inf:
            unit = unit or {"um": "micrometer", "micron": "micrometer"}.get(
                str(stated.get("unit", "")).replace("\\u00B5m", "um"), "pixel"
            )
            found[letter] = (float(step), 0.0, unit)
    return found


# --- GIF ---------------------------------------------------------------------------------------


def even_step(seconds: np.ndarray) -> tuple[float, tuple[Notice, ...]]:
    """The mean time from one frame to the next, and a notice where they come much earlier or later."""
    step = float(seconds.mean()) if seconds.size else 1.0
    if not seconds.size or np.abs(seconds / step - 1).max() <= _UNEVEN:
        return step, ()
    told = (
        f"Its frames come every {seconds.min():.3g} to {seconds.max():.3g} s; the time axis takes the mean, "
        f"{step:.3g} s."
    )
    return step, (Notice.info(Code.FRAMES_UNEVEN, told),)


class _GifFrames:
    """Pictures of an animation: each is drawn over the one before, so they are kept for a while."""

    def __init__(self, path: Path, count: int):
        self.path, self._count = path, count
        self._kept: ByteCache[np.ndarray] = ByteCache(KEPT_BYTES)
        self._lock = threading.Lock()
        self._image: Any = None

    def __len__(self) -> int:
        return self._count

    def read(self, number: int) -> Photograph:
        """One picture."""
        with self._lock:
            values = self._kept.get(number)
            if values is None:
                values = self._decoded(number)
                self._kept.put(number, values)
        return finish(self.path, values, encodings.SRGB, [], {"bit_depth": 8}, None)

    def _decoded(self, number: int) -> np.ndarray:
        from PIL import Image

        with translated(self.path, f"frame {number + 1} is damaged or cut short"):
            if self._image is None:
                content = BytesIO(self.path.read_bytes())  # no file is left open
                self._image = Image.open(content, formats=["GIF"])
            self._image.seek(number)
            return np.asarray(self._image.convert("RGB"))


def read_gif(path: Path) -> PhotographStack:
    """An animated GIF; a still one is a stack of one frame.

    Raises
    ------
    FileError
        If it is damaged.
    """
    from PIL import Image

    with (
        translated(path, "the GIF file is damaged or cut short"),
        Image.open(path, formats=["GIF"]) as image,
    ):
        limits.check_room(path, 3 * image.width * image.height, "a frame")
        count = int(getattr(image, "n_frames", 1))
        height, width = image.height, image.width
    blocks = gif_blocks.pictures(path.read_bytes())
    # browsers show a picture that does not say how long for a tenth of a second
    seconds = np.array([delay or 10 for delay in blocks.delays[: max(count - 1, 1)]]) / 100
    step, notices = even_step(seconds)
    axis = StackAxis("time", count, step, 0.0, "second")
    if not blocks.complete:
        told = (
            f"The GIF file is damaged or cut short: frames found: {count}, and others may be missing, "
            "since nothing says that it ends there."
        )
        notices += (Notice.warning(Code.MAYBE_DAMAGED, told),)
    return PhotographStack(
        _GifFrames(path, count),
        (axis,),
        height,
        width,
        np.uint8,
        encodings.SRGB,
        path.stem,
        Provenance(input=path.name),
        notices,
    )
