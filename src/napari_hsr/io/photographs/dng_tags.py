"""Tags that every DNG has and that its colours follow from: missing or damaged ones are told."""

from __future__ import annotations

import io
import math
import struct
from itertools import pairwise
from typing import Any

import numpy as np

from napari_hsr.notices import Code, Notice

_VERSION, _MODEL, _MATRIX = 50706, 50708, 50721
#: Tags that hold text, which ends in a NUL: maker, model, and the model's name without a language.
_TEXTS = {271: "Make", 272: "Model", _MODEL: "UniqueCameraModel"}
_SIGNED_RATIONAL, _TEXT = 10, 2
_SHORT_OR_RATIONAL = (3, 5)
#: Numbers of a matrix from XYZ to three colours.
_NUMBERS = 9
_NEUTRAL, _COLOURS = 50728, 3
#: Of the page with the sensor's values: samples of a pixel, and cells, levels of black, and of white.
_BITS, _SAMPLES, _CELLS, _BLACK, _WHITE = 258, 277, 50713, 50714, 50717
_READ = _TEXTS | {
    _BITS: "BitsPerSample",
    _NEUTRAL: "AsShotNeutral",
    _BLACK: "BlackLevel",
    _WHITE: "WhiteLevel",
}


def damaged(content: bytes) -> tuple[Notice, ...]:
    """A notice of them; none of a file that is no DNG.

    LibRaw takes another white level, or multipliers of its own, where they cannot be read, and does not say so.
    """
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            tags = file.pages.first.tags
            if not {_VERSION, _MODEL, _MATRIX} & {tag.code for tag in tags.values()}:
                return ()
            wrong = ["DNGVersion"] * (_VERSION not in tags)
            wrong += [name for number, name in _TEXTS.items() if not _ends(tags, number, content)]
            matrix = tags.get(_MATRIX)
            if matrix is None or (matrix.dtype, matrix.count) != (_SIGNED_RATIONAL, _NUMBERS):
                wrong.append("ColorMatrix1")
            if (neutral := tags.get(_NEUTRAL)) is not None and not _is_neutral(neutral):
                wrong.append("AsShotNeutral")
            pages = [file.pages.first, *(file.pages.first.pages or ())]
            wrong += [name for page in pages for name in _levels(page.tags)]
            wrong += [name for page in pages for name in _unread(content, page)]
            wrong += ["ImageLength"] * any(_of_another_size(page) for page in pages)
            wrong += ["others"] * any(_lie_over_each_other(page) for page in pages)
    except (tifffile.TiffFileError, struct.error, TypeError, ValueError, IndexError):
        return ()  # no such header; LibRaw has read another one
    if not wrong:
        return ()
    told = (
        f"Of a DNG's tags {' and '.join(wrong)} {'are' if wrong[1:] else 'is'} missing or damaged: "
        "its colours or size may be others than the camera recorded."
    )
    return (Notice.warning(Code.MAYBE_DAMAGED, told),)


def _is_neutral(tag: Any) -> bool:
    """Whether it holds a white in the camera's three colours."""
    if tag.count != _COLOURS or tag.dtype not in _SHORT_OR_RATIONAL:
        return False
    return bool((np.asarray(tag.value, dtype=np.float64) > 0).all())


def _levels(tags: Any) -> list[str]:
    """Levels of black and white that are not one for each cell or sample."""
    samples = int(tags[_SAMPLES].value) if _SAMPLES in tags else 1
    cells = math.prod(map(int, tags[_CELLS].value)) if _CELLS in tags else 1
    counts = {
        "BitsPerSample": (_BITS, samples),
        "BlackLevel": (_BLACK, cells * samples),
        "WhiteLevel": (_WHITE, samples),
    }
    stated = {name: tags.get(number) for name, (number, _) in counts.items()}
    return [n for n, tag in stated.items() if tag is not None and tag.count != counts[n][1]]


def _of_another_size(page: Any) -> bool:
    """Whether strips or tiles are more or fewer, or, where they are not packed, longer or shorter than the size asks for."""
    counts = page.databytecounts
    if len(counts) != math.prod(page.chunked):
        return True
    if page.compression != 1 or page.is_tiled or not isinstance(page.bitspersample, int):
        return False
    # some programs fill up what they write, to even numbers or to blocks, but not by rows; some keep 12 bits in 16
    rows = [-(-page.imagewidth * page.samplesperpixel * n // 8) for n in (page.bitspersample, 16)]
    return not any(0 <= sum(counts) - row * page.imagelength < row for row in rows)


def _lie_over_each_other(page: Any) -> bool:
    """Whether the value of a tag lies partly over another's, the directory, or pixels; two may be one and the same."""
    tiff, first = page.parent.tiff, page.offset
    end = first + tiff.tagnosize + len(page.tags) * tiff.tagsize + tiff.offsetsize
    values = {(tag.valueoffset, tag.valueoffset + tag.valuebytecount) for tag in page.tags.values()}
    pixels = zip(page.dataoffsets, page.databytecounts, strict=False)
    values |= {(place, place + count) for place, count in pixels}
    apart = sorted({(first, end), *(v for v in values if v[1] - v[0] > tiff.offsetsize)})
    return any(start < before for (_, before), (start, _) in pairwise(apart))


def _unread(content: bytes, page: Any) -> list[str]:
    """Tags of a page that tifffile left out, as their values do not lie in the file."""
    order = page.parent.byteorder
    (count,) = struct.unpack_from(f"{order}H", content, page.offset)
    content = content[page.offset + 2 :][: 12 * count]
    numbers = [number for (number,) in struct.iter_unpack(f"{order}H10x", content)]
    lost = [_READ[number] for number in numbers if number in _READ and number not in page.tags]
    # they ascend: a number that does not was another one
    return lost + ["others"] * (numbers != sorted(numbers))


def _ends(tags: Any, number: int, content: bytes) -> bool:
    """Whether a text, if there is one, ends as texts in TIFFs do."""
    tag = tags.get(number)
    if tag is None:
        return True
    end = tag.valueoffset + tag.valuebytecount
    text = content[tag.valueoffset : end]
    return tag.dtype == _TEXT and text[-1:] == b"\0" and b"\0" not in text.rstrip(b"\0")
