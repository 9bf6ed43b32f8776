"""Signs that a JPEG is damaged between its head and its end, where no checksum tells.

A changed bit leaves a stream of codes that decodes to something else. libjpeg meets codes that do not
exist, bytes left over and pixels that are missing in some of these, carries on and keeps it to itself;
so it is asked. A camera also keeps a small copy of the picture, which is compared with it. Most single
changed bits give neither sign.
"""

from __future__ import annotations

import io
from struct import unpack_from
from typing import Any

import numpy as np

from napari_hsr.notices import Code, Notice

#: Rows and columns in which a picture and its small copy are compared.
_GRID = (12, 16)
#: How far proportions of the two may differ, where one was not cut out of the other.
_PROPORTIONS = 0.03
#: Steps of 255 by which the two differ on average, brightness and contrast apart.
MOST_DIFFERENCE = 3.0
#: Tags of the place and length of the copy, and the type of both.
_START, _LENGTH, _LONG = 0x0201, 0x0202, 4


def notices(content: bytes, image: Any) -> list[Notice]:
    """What tells of damage, of the bytes of a JPEG and of its picture as Pillow decoded it."""
    found = []
    complaint = _complaint(content)
    if complaint:
        told = (
            f"The JPEG file may be damaged: its decoder carried on after “{complaint}”; look at the picture "
            "for shifted colours or blocks, or copy the file anew."
        )
        found.append(Notice.warning(Code.MAYBE_DAMAGED, told))
    difference = None if found else _difference(image)
    if difference is not None and difference > MOST_DIFFERENCE:
        told = (
            f"The picture differs from the small copy of it that the file holds, by {difference:.0f} of 255 on "
            "average: it was changed by a program that left the copy as it was, or the file is damaged."
        )
        found.append(Notice.warning(Code.MAYBE_DAMAGED, told))
    return found


def _complaint(content: bytes) -> str:
    """The first warning of libjpeg, empty without one; pixels are decoded at an eighth, which is quicker."""
    import simplejpeg

    small = {"colorspace": "RGB", "fastdct": True, "fastupsample": True}
    small |= {"min_height": 1, "min_width": 1, "min_factor": 8}
    try:
        simplejpeg.decode_jpeg(content, strict=True, **small)
    except ValueError as error:
        try:
            simplejpeg.decode_jpeg(content, strict=False, **small)
        except ValueError:
            return ""  # a kind that this library does not decode; Pillow did
        return str(error).strip()
    return ""


def _difference(image: Any) -> float | None:
    """How far a picture and its small copy differ; None without a copy, or if one was cut out of the other."""
    from PIL import Image

    copy = _small_copy(image.info.get("exif", b"")[6:])
    if not copy.startswith(b"\xff\xd8"):
        return None
    try:
        with Image.open(io.BytesIO(copy), formats=["JPEG"]) as opened:
            if max(opened.size) > 1024:
                return None  # no small copy
            small = opened.convert("L")
    except (OSError, SyntaxError):  # a copy that is damaged says nothing of the picture
        return None
    small = _without_bars(small, image.width / image.height)
    if small is None or min(small.size) < min(_GRID):
        return None
    size = _GRID[::-1] if image.width >= image.height else _GRID
    picture, other = (
        np.asarray(one.resize(size, Image.Resampling.BOX), dtype=np.float64).ravel()
        for one in (image.convert("L"), small)
    )
    if picture.std() < 1 or other.std() < 1:
        return None
    terms = np.stack([other, other**2, np.ones_like(other)], axis=1)  # brightness, contrast, gamma
    fitted = terms @ np.linalg.lstsq(terms, picture, rcond=None)[0]
    return float(np.abs(picture - fitted).mean())


def _small_copy(exif: bytes) -> bytes:
    """The JPEG that the second directory of EXIF points to; empty where none is whole."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return b""
    (first,) = unpack_from(f"{order}I", exif, 4)
    second = _directory(exif, order, first)[1]
    stated = _directory(exif, order, second)[0] if second else {}
    start, length = stated.get(_START, 0), stated.get(_LENGTH, 0)
    return exif[start : start + length] if start and start + length <= len(exif) else b""


def _directory(exif: bytes, order: str, at: int) -> tuple[dict[int, int], int]:
    """The whole numbers of a directory of EXIF by their tags, and where the next one begins (0 for none)."""
    if at + 2 > len(exif):
        return {}, 0
    (count,) = unpack_from(f"{order}H", exif, at)
    end = at + 2 + 12 * count
    if end + 4 > len(exif):
        return {}, 0
    entries = [unpack_from(f"{order}HHII", exif, at + 2 + 12 * i) for i in range(count)]
    (following,) = unpack_from(f"{order}I", exif, end)
    return {tag: value for tag, kind, _, value in entries if kind == _LONG}, int(following)


def _without_bars(small: Any, proportion: float) -> Any:
    """The small copy without the black bars that fill it up; None if its proportions are others."""
    width, height = small.size
    bar = 0
    if width / height > proportion * (1 + _PROPORTIONS):
        bar = round((width - height * proportion) / 2)
        edges = [(0, 0, bar, height), (width - bar, 0, width, height)]
        inside = (bar, 0, width - bar, height)
    elif width / height < proportion / (1 + _PROPORTIONS):
        bar = round((height - width / proportion) / 2)
        edges = [(0, 0, width, bar), (0, height - bar, width, height)]
        inside = (0, bar, width, height - bar)
    if not bar:
        return small
    if bar > min(small.size) // 4 or any(np.asarray(small.crop(e)).mean() > 16 for e in edges):
        return None
    return small.crop(inside)
