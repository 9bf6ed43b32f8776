"""Photographs in PNG, JPEG, WebP and BMP files: pixels as stored, sRGB unless the file says otherwise."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import photograph as encodings
from napari_hsr.errors import FileError, GreyImageError
from napari_hsr.io import detect, embedded_record, ground_beside, helper_process, limits
from napari_hsr.io.library_errors import translated
from napari_hsr.io.photographs import (
    bmp_header,
    heif_boxes,
    icc,
    jpeg_damage,
    jpeg_frames,
    png_chunks,
    stated_colours,
)
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import Photograph
from napari_hsr.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Bytes of a JPEG or BMP file; those of cameras have a hundredth of it.
_LARGEST_PICTURE = 2 * 10**9


def read(path: Path, choice: Choice = ANY) -> Photograph:
    """Read a photograph at its full bit depth.

    Alpha is left out (with a notice if it mattered), palettes are expanded, the EXIF
    orientation is applied, a profile other than sRGB is named in a notice.

    Raises
    ------
    FileError
        If the file is damaged, grey, CMYK or empty.
    """
    with translated(path, "it cannot be read"):
        with path.open("rb") as file:
            start = file.read(len(png_chunks.SIGNATURE))
        if start == png_chunks.SIGNATURE:
            return _read_png(path, png_chunks.content(path), choice.full_scale)
        limits.check_count(path, path.stat().st_size, "bytes", _LARGEST_PICTURE)
        content = path.read_bytes()
    if detect.is_heif(content):
        return _read_heif(path)
    return _read_with_pillow(path, content, choice.full_scale)


def _read_png(path: Path, content: bytes, full_scale: float | None) -> Photograph:
    info = png_chunks.info(path, content)
    if info.grey:
        raise grey(path, one_band=re.search(r"_\d\d$", path.stem) is not None)
    limits.check_room(path, info.bytes, f"the picture ({info.width} x {info.height} pixels)")
    values = png_chunks.pixels(path, content) if info.colour_type != 3 else _palette(path, content)
    notices: list[Notice] = []
    metadata: dict[str, Any] = {"bit_depth": info.depth}
    encoding, profile = stated_colours.of_png(info, notices)
    notices += _others_left_out(info.pictures)
    ours = embedded_record.parse(info.text.get(embedded_record.stored_as(info.text)))
    if ours is None:
        values = upright(values, info.orientation)
        metadata |= ground_beside.of_photograph(path, info.orientation, notices)
    bits = info.significant_bits
    made = finish(
        path, values, encoding, notices, metadata, ours, bits, full_scale, profile=profile
    )
    if not info.damaged:
        return made
    named = ", ".join(dict.fromkeys(info.damaged))[:60]
    told = f"What the PNG file says in {named} is damaged, for its sum of check is wrong: colours may be others."
    return replace(made, notices=(*made.notices, Notice.warning(Code.MAYBE_DAMAGED, told)))


def _palette(path: Path, content: bytes) -> np.ndarray:
    from PIL import Image

    damaged = "the PNG file is damaged or cut short"
    with translated(path, damaged), _no_larger(path), Image.open(io.BytesIO(content)) as image:
        transparent = "transparency" in image.info
        return np.asarray(image.convert("RGBA" if transparent else "RGB"))


def _read_with_pillow(path: Path, content: bytes, full_scale: float | None) -> Photograph:
    from PIL import Image, ImageOps

    kind = "WebP" if detect.is_webp(content) else "BMP"
    kind = "JPEG" if content.startswith(b"\xff\xd8") else kind
    if kind == "JPEG":
        jpeg_frames.check_padding(path, content)
    metadata: dict[str, Any] = {"bit_depth": 8}
    damaged = f"the {kind} file is damaged or cut short"
    notices: list[Notice] = []
    unusual = jpeg_frames.unusual_frame(path, content) if kind == "JPEG" else None
    if unusual is not None:
        return _read_unusual_jpeg(path, content, unusual, full_scale)
    with translated(path, damaged), _no_larger(path), warnings.catch_warnings():
        # large is no attack here: cameras deliver more than Pillow's 89 megapixels
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        formats = ["JPEG", "MPO"] if kind == "JPEG" else [kind.upper()]
        with Image.open(io.BytesIO(content), formats=formats) as image:
            if kind == "WebP" and getattr(image, "n_frames", 1) > 1:
                raise FileError(
                    path, "this is a moving picture in WebP; one photograph was expected"
                )
            mode, profile = image.mode, image.info.get("icc_profile")
            size = f"{image.width} x {image.height} pixels"
            needed = image.width * image.height * 2 * len(image.getbands())
            limits.check_room(path, needed, f"the picture ({size})")
            if kind == "BMP":
                notices += bmp_header.check(path, content)
            _note_camera(image, metadata)
            stated = (
                icc.parse(profile) if profile else stated_colours.of_exif(image.getexif(), notices)
            )
            notices += _others_left_out(getattr(image, "n_frames", 1))
            image.load()
            orientation = image.getexif().get(0x112)
            metadata |= ground_beside.of_photograph(path, orientation, notices)
            turned = ImageOps.exif_transpose(image)
            values = np.asarray(turned.convert("RGB") if mode in ("P", "RGBX") else turned)
            if kind == "JPEG":
                notices += jpeg_frames.between_parts(content)
                notices += jpeg_damage.notices(content, image)
    if mode in ("L", "LA", "1", "I", "I;16", "F"):
        raise grey(path)
    if mode not in ("RGB", "RGBA", "P", "RGBX"):
        raise FileError(path, f"its colours are {mode}; a photograph in RGB was expected")
    return finish(path, values, encodings.SRGB, notices, metadata, None, profile=stated)


def _read_unusual_jpeg(
    path: Path, content: bytes, frame: jpeg_frames.Frame, full_scale: float | None
) -> Photograph:
    """A JPEG of 12 or 16 bits a sample, or one without loss, by libjpeg-turbo."""
    import imagecodecs
    from PIL import Image

    size = f"{frame.width} x {frame.height} pixels"
    limits.check_room(path, 8 * frame.width * frame.height, f"the picture ({size})")
    with translated(path, "the JPEG file is damaged or cut short"):
        values = imagecodecs.jpeg8_decode(content)
    if values.ndim == 2:
        raise grey(path)
    if values.shape[2] != 3:
        raise FileError(path, "its colours are CMYK; a photograph in RGB was expected")
    notices: list[Notice] = []
    exif, profile = Image.Exif(), frame.profile
    with translated(path, "what its camera wrote (EXIF) is damaged"):
        exif.load(frame.exif)
        orientation = exif.get(274)
    stated = icc.parse(profile) if profile else stated_colours.of_exif(exif, notices)
    values, known = upright(values, orientation), {"bit_depth": frame.bits}
    bits = frame.bits
    return finish(
        path, values, encodings.SRGB, notices, known, None, bits, full_scale, profile=stated
    )


def _read_heif(path: Path) -> Photograph:
    try:
        import pillow_heif  # noqa: F401 - its own process calls it
    except ImportError as error:
        raise FileError(
            path, 'this is a HEIC photograph; to read it, pip install "napari-hsr[heif]"'
        ) from error
    facts, values = helper_process.call(helper_process.HEIF, decode_heif, path)
    if values is None:
        raise grey(path)
    content, notices = bytes.fromhex(facts["profile"]), list[Notice]()
    encoding: str | None = encodings.SRGB
    profile = icc.parse(content) if content else None
    if profile is None and facts["code_points"]:
        encoding, profile = stated_colours.of_code_points(facts["code_points"], notices)
    notices += _others_left_out(facts["pictures"])
    if facts["left"]:
        told = f"{facts['left']} bytes behind the last part of the HEIC file, which are none, were left out."
        notices.append(Notice.warning(Code.BYTES_LEFT_OUT, told))
    known = {"bit_depth": facts["bit_depth"]}
    return finish(path, values, encoding, notices, known, None, profile=profile)


def _others_left_out(pictures: int) -> list[Notice]:
    """A notice of a file that holds several: an animation, a burst, two views, a map of brightness beside it."""
    if pictures < 2:
        return []
    told = f"The file holds {pictures} pictures: the first, which it gives as its own, was read."
    return [Notice.info(Code.OTHER_IMAGES_LEFT_OUT, told)]


def decode_heif(path: Path) -> tuple[dict[str, Any], np.ndarray | None]:
    """Facts and pixels of a HEIC file, None of one without colours; called in a process of its own."""
    import pillow_heif

    if detect.head_of(path, 12)[8:] == b"avif" and not pillow_heif.libheif_info().get("AVIF"):
        raise FileError(path, "this is an AVIF picture, which is not read; save it as PNG or JPEG")
    with translated(path, "the HEIC file is damaged or cut short"):
        opened = pillow_heif.open_heif(path, convert_hdr_to_8bit=False)
        width, height = opened.size
        limits.check_room(path, 8 * width * height, f"the picture ({width} x {height} pixels)")
        values = np.asarray(opened)  # turned upright by the decoder
        left = heif_boxes.bytes_behind(path)
    facts = {
        "bit_depth": int(opened.info.get("bit_depth", 8)),
        "pictures": len(opened),
        "profile": (opened.info.get("icc_profile") or b"").hex(),
        "code_points": _code_points(opened.info.get("nclx_profile")),
        "left": left,
    }
    return facts, None if values.ndim == 2 or values.shape[2] < 3 else values


def _code_points(stated: Any) -> list[int]:
    """Primaries and transfer of an ``nclx`` box as the library gives it; empty without one."""
    points = [stated[key] for key in _NCLX if key in stated] if isinstance(stated, dict) else []
    return [int(point) for point in points] if len(points) == 2 else []


_NCLX = ("color_primaries", "transfer_characteristics")


@contextmanager
def _no_larger(path: Path) -> Iterator[None]:
    """Say what Pillow refuses, which is no damage."""
    from PIL import Image

    try:
        yield
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise FileError(
            path, f"pictures of this format are read up to {most:.0f} megapixels; save it as TIFF"
        ) from error


def _note_camera(image: Any, metadata: dict[str, Any]) -> None:
    exif = image.getexif()
    for key, tag in (("camera_make", 271), ("camera", 272)):
        if isinstance(exif.get(tag), str) and exif[tag].strip("\0 "):
            metadata[key] = exif[tag].strip("\0 ")


_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # EXIF: from as stored to upright
    2: lambda v: v[:, ::-1],
    3: lambda v: v[::-1, ::-1],
    4: lambda v: v[::-1],
    5: lambda v: v.swapaxes(0, 1),
    6: lambda v: v.swapaxes(0, 1)[:, ::-1],
    7: lambda v: v.swapaxes(0, 1)[::-1, ::-1],
    8: lambda v: v.swapaxes(0, 1)[::-1],
}


def upright(values: np.ndarray, orientation: object) -> np.ndarray:
    """Rows and columns turned as the EXIF orientation (1 to 8) says."""
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return values if turn is None else turn(values)


#: Bits of cameras whose values are often kept in 16 without a word.
_CAMERA_BITS = (10, 12, 14)


def _over_full_range(
    values: np.ndarray, bits: int | None, full_scale: float | None, notices: list[Notice]
) -> np.ndarray:
    """Integers whose white is less than their type's largest, brought to the whole range."""
    if values.dtype.kind != "u":
        return values
    most, largest = int(values.max()), int(np.iinfo(values.dtype).max)
    if full_scale is None and bits is not None and bits < 8 * values.dtype.itemsize:
        # PNG asks writers to spread fewer bits over all of them; many do not
        full_scale = 2**bits - 1 if most < 2**bits else None
    if full_scale is not None:
        told = f"White is {full_scale:g} of {largest}: values were brought to the whole range."
        notices.append(Notice.info(Code.FULL_SCALE_APPLIED, told))
        spread = np.minimum(values * (largest / full_scale), largest)
        return np.rint(spread).astype(values.dtype)
    likely = [n for n in _CAMERA_BITS if bits is None and 2 ** (n - 1) <= most < 2**n]
    if values.dtype == np.uint16 and likely:
        told = (
            f"Values end at {most} of 65535: if the camera has {likely[0]} bits, the picture is "
            f"too dark as it is; state its full scale, {2 ** likely[0] - 1}."
        )
        notices.append(Notice.warning(Code.FULL_SCALE_DOUBTFUL, told))
    return values


def grey(path: Path, one_band: bool = False) -> GreyImageError:
    """The fault that a grey image gives."""
    if one_band:
        hint = "if it is one band of a CAVE scene, open the folder"
    else:
        hint = (
            "a photograph in colour was expected; what a mosaic (snapshot) camera delivers raw, its "
            "maker's program turns into bands"
        )
    return GreyImageError(path, f"the image is grey, three colour channels are needed; {hint}")


def unknown_encoding(of: str) -> Notice:
    """The notice of a photograph that does not say what its values are."""
    return Notice.warning(
        Code.ENCODING_UNKNOWN, f"{of} says nothing of its encoding: state it before use."
    )


def _in_srgb(
    values: np.ndarray, profile: icc.Profile, notices: list[Notice], metadata: dict[str, Any]
) -> np.ndarray:
    """Colours of an ICC profile as sRGB; what was done is a notice."""
    from PIL import ImageCms

    metadata["icc_profile"] = profile.name
    if profile.is_srgb:
        return values
    if not profile.can_convert:  # damaged, or of another kind
        told = (
            f"The image carries the colour profile “{profile.name}”; its values were taken as sRGB."
        )
        notices.append(Notice.warning(Code.ENCODING_ASSUMED, told))
        return values
    try:
        colours, clipped = icc.to_srgb(values, profile)
    except ImageCms.PyCMSError:
        told = f"The colour profile “{profile.name}” is damaged; values were taken as sRGB."
        notices.append(Notice.warning(Code.ENCODING_ASSUMED, told))
        return values
    told = f"Colours were converted from the profile “{profile.name}” to sRGB"
    told += ", by its tables, to the precision of 8 bits" if profile.table else ""
    told += f"; {clipped} pixels have colours outside of it and were clipped." if clipped else "."
    notices.append(Notice.info(Code.COLOURS_CONVERTED, told))
    return colours


def finish(
    path: Path,
    values: np.ndarray,
    encoding: str | None,
    notices: list[Notice],
    metadata: dict[str, Any],
    ours: embedded_record.Record | None,
    bits: int | None = None,
    full_scale: float | None = None,
    fourth: str | None = None,
    profile: icc.Profile | None = None,
) -> Photograph:
    """Drop alpha and put the photograph together; a record of ours has the last word.

    ``bits`` is what the file states of its samples, ``full_scale`` what the user does, and ``fourth``
    the name of a fourth band that is no alpha. Colours of ``profile`` become sRGB.
    """
    if values.ndim == 3 and values.shape[2] == 4 and fourth is not None:
        told = (
            f"Its fourth band, {fourth}, was left out of the photograph; "
            "state the bands (0,1,2,3) to read all as a cube."
        )
        notices.append(Notice.warning(Code.OTHER_BAND_LEFT_OUT, told))
        values = values[..., :3]
    elif values.ndim == 3 and values.shape[2] == 4:
        alpha = values[..., 3]
        opaque = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1.0
        if not (alpha == opaque).all():
            told = "The image is partly transparent: alpha was left out."
            notices.append(Notice.info(Code.ALPHA_LEFT_OUT, told))
        values = values[..., :3]
    values = np.ascontiguousarray(values)
    if ours is not None:
        return Photograph(
            values,
            ours.encoding,
            ours.name or path.stem,
            ours.provenance,
            ours.notices,
            ours.metadata,
        )
    values = _over_full_range(values, bits, full_scale, notices)
    if profile is not None:
        values = _in_srgb(values, profile, notices, metadata)
    return Photograph(
        values,
        encoding,
        name=path.stem,
        provenance=Provenance(input=path.name),
        notices=tuple(notices),
        metadata=metadata,
    )
