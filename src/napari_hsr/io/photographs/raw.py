"""Raw files of cameras: linear camera RGB through LibRaw, never the thumbnail in the file."""

from __future__ import annotations

import io
import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import helper_process, limits
from napari_hsr.io.library_errors import translated
from napari_hsr.io.photographs import dng_tags
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import Photograph, camera_encoding
from napari_hsr.provenance import Provenance

if TYPE_CHECKING:
    from pathlib import Path

_MAKE, _MODEL = 271, 272
#: Bytes of a raw file.
_LARGEST = 2 * 10**9
#: So much of a CR3 is searched for the box with the camera's name.
_HEAD = 2**20


def read(path: Path, choice: Choice = ANY) -> Photograph:
    """Read a raw file as linear RGB of its camera, uint16.

    The black level is subtracted, the white level is the full scale, channels are multiplied by
    the white balance that the camera noted (the least factor is 1; what exceeds the full scale is
    clipped), and the mosaic is interpolated (AHD), or its cells of 2 x 2 become one pixel with
    ``choice.half_size``. No tone curve, colour matrix or automatic brightness.

    Raises
    ------
    FileError
        If the library is not there, the file is damaged, or its camera has not three colours.
    """
    try:
        import rawpy  # noqa: F401 - its own process calls it
    except ModuleNotFoundError as error:
        raise FileError(
            path,
            'raw files of cameras need the library rawpy: pip install "napari-hsr[raw]"',
        ) from error
    facts, values = helper_process.call(helper_process.RAW, develop, path, choice.half_size)
    assert values is not None  # develop gives them, or refuses the file
    balance, told = _white_balance(facts["noted"], facts["daylight"])
    black, white, saturated = facts["black"], facts["white"], facts["saturated"]
    with translated(path, "it cannot be read"):
        content = limits.content(path, _LARGEST)
    model = camera_name(content)
    notices = [told, *dng_tags.damaged(content)]
    if model is None:
        text = "The file does not name its camera: state the encoding of its linear values."
        notices.append(Notice.warning(Code.ENCODING_UNKNOWN, text))
    if saturated > 0:
        share = "All" if saturated >= 0.995 else f"{100 * saturated:.2g}%"
        text = f"{share} of the sensor's pixels are at their limit: clipped."
        notices.append(Notice.warning(Code.PIXELS_CLIPPED, text))
    size = "cells of 2 × 2 pixels as one" if choice.half_size else "interpolated to full size"
    step = f"Developed by LibRaw: black {black[0]:g} and white {white} of the sensor, {size}."
    return Photograph(
        values,
        encoding=None if model is None else camera_encoding(model),
        name=path.stem,
        provenance=Provenance(input=path.name, steps=(step,)),
        notices=tuple(notices),
        metadata={
            "camera": model,
            "black_level": black,
            "white_level": white,
            "white_balance": [round(float(factor), 6) for factor in balance[:3]],
        },
    )


def develop(path: Path, half_size: bool) -> tuple[dict[str, Any], np.ndarray]:
    """Facts of a raw file, and its pixels through LibRaw; called in a process of its own."""
    import rawpy

    damaged = "the raw file is damaged, or of a camera that LibRaw does not know"
    with translated(path, damaged), rawpy.imread(str(path)) as raw:
        sensor = raw.sizes
        pixels = max(sensor.raw_width * sensor.raw_height, sensor.width * sensor.height)
        about = f"its sensor ({sensor.raw_width} x {sensor.raw_height} pixels)"
        limits.check_room(path, 10 * pixels, about)
        if raw.num_colors != 3:
            raise FileError(path, f"its camera has {raw.num_colors} colours; three were expected")
        facts: dict[str, Any] = {
            "noted": [float(factor) for factor in raw.camera_whitebalance],
            "daylight": [float(factor) for factor in raw.daylight_whitebalance],
            "black": [int(level) for level in raw.black_level_per_channel],
            "white": int(raw.white_level),
            "saturated": _saturated(raw),
        }
        if facts["white"] <= min(facts["black"]):
            raise FileError(
                path,
                f"its white level, {facts['white']}, is not above its black level, {min(facts['black'])}: "
                "nothing of the picture would be left",
            )
        values = raw.postprocess(
            gamma=(1, 1),
            no_auto_bright=True,
            adjust_maximum_thr=0.0,
            output_bps=16,
            output_color=rawpy.ColorSpace.raw,
            user_wb=_white_balance(facts["noted"], facts["daylight"])[0],
            half_size=half_size,
        )
    return facts, values


def _white_balance(by_camera: list[float], by_daylight: list[float]) -> tuple[list[float], Notice]:
    """Factors for R, G, B and the second G, the least of them 1, and where they come from."""
    noted = np.array(by_camera, dtype=np.float64)
    source = "the camera noted it"
    if not (np.isfinite(noted[:3]).all() and (noted[:3] > 0).all()):
        noted = np.array(by_daylight, dtype=np.float64)
        source = "of daylight, for the camera noted none"
    if not (np.isfinite(noted[:3]).all() and (noted[:3] > 0).all()):
        told = "The file has no white balance: channels are as the sensor recorded them."
        return [1.0] * 4, Notice.warning(Code.WHITE_BALANCE, told)
    noted /= noted[:3].min()
    if not noted[3] > 0:
        noted[3] = noted[1]
    red, green, blue = noted[:3]
    told = (
        f"White balance {source}: red × {red:.3g}, green × {green:.3g}, blue × {blue:.3g}; values "
        "are linear camera RGB."
    )
    return noted.tolist(), Notice.info(Code.WHITE_BALANCE, told)


def _saturated(raw: Any) -> float:
    """The share of pixels at the white level."""
    if raw.raw_image_visible is None or not raw.white_level:
        return 0.0
    return float((np.asarray(raw.raw_image_visible) >= raw.white_level).mean())


def camera_name(content: bytes) -> str | None:
    """The camera as a file's bytes name it: its model with the maker in front, once."""
    make, model = _make_and_model(content)
    if not model:
        return None
    maker = make.split()[0] if make else ""
    if maker and not model.lower().startswith(maker.lower()):
        return f"{maker} {model}"
    return model


def _make_and_model(content: bytes) -> tuple[str, str]:
    if content.startswith(b"FUJIFILMCCD-RAW"):
        return "Fujifilm", _text(content[28:60])
    if content[4:11] == b"ftypcrx":  # Canon's CR3: a TIFF contenter in the box CMT1
        at = content.find(b"CMT1", 0, _HEAD)
        return _tags(content[at + 4 :]) if at >= 0 else ("", "")
    return _tags(content)


def _tags(content: bytes) -> tuple[str, str]:
    """Make and model in a TIFF header; those of Olympus and Panasonic have another number."""
    import tifffile

    little = content[:2] == b"II"
    plain = (b"II*\0" if little else b"MM\0*") + content[4:]
    try:
        with tifffile.TiffFile(io.BytesIO(plain)) as file:
            tags = file.pages.first.tags
            found = [tags[n].value if n in tags else "" for n in (_MAKE, _MODEL)]
    except (tifffile.TiffFileError, struct.error, ValueError, IndexError):
        return "", ""  # no such header: the camera stays unnamed, which is said
    return _text(found[0]), _text(found[1])


def _text(value: Any) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return re.sub(r"\s+", " ", text.split("\0")[0]).strip()
