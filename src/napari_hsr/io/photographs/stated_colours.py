"""What photographs state of their colours outside of profiles: chunks of PNG, code points, EXIF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import photograph as encodings
from napari_hsr.io.photographs import icc
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.io.photographs import png_chunks

_SRGB_GAMMA = 1 / 2.2
_UNSPECIFIED = 2
_HDR = {16: "HDR (PQ)", 18: "HDR (HLG)"}

#: Folders and tags of EXIF, and the colour space "uncalibrated".
_EXIF_FOLDER, _INTEROPERABILITY, _COLOUR_SPACE, _UNCALIBRATED = 0x8769, 0xA005, 0xA001, 0xFFFF


def of_png(info: png_chunks.Info, notices: list[Notice]) -> tuple[str | None, icc.Profile | None]:
    """Encoding and profile, from the chunk that counts before the others (PNG 3, 4.3)."""
    if info.narrow_range:
        told = "The values of the file are of the narrow range of video, which is not widened: state its encoding."
        notices.append(Notice.warning(Code.ENCODING_UNKNOWN, told))
        return None, None
    if info.code_points is not None:
        return of_code_points(info.code_points, notices)
    if info.icc is not None:
        return encodings.SRGB, icc.parse(info.icc)
    other = info.primaries is not None and not np.allclose(info.primaries, icc.SRGB, atol=0.01)
    curved = info.gamma and abs(info.gamma / _SRGB_GAMMA - 1) > 0.05
    if info.srgb or not (other or curved):
        return encodings.SRGB, None
    if not other and info.gamma and abs(info.gamma - 1) < 0.01:
        told = "The PNG states a gamma of 1: its values were taken as linear light."
        notices.append(Notice.info(Code.ENCODING_ASSUMED, told))
        return encodings.LINEAR_SRGB, None
    corners = info.primaries if other and info.primaries is not None else icc.SRGB
    try:
        curve = icc.power_curve(1 / info.gamma) if info.gamma else None
        stated = f"gamma {info.gamma:g}" if info.gamma else "sRGB’s curve"
        name = f"{'stated' if other else 'sRGB’s'} primaries, {stated}"
        return encodings.SRGB, icc.of_primaries(name, corners, curve)
    except (np.linalg.LinAlgError, ZeroDivisionError):
        told = "The primaries that the PNG states are none; its values were taken as sRGB."
        notices.append(Notice.warning(Code.ENCODING_ASSUMED, told))
        return encodings.SRGB, None


def of_code_points(
    points: Sequence[int], notices: list[Notice]
) -> tuple[str | None, icc.Profile | None]:
    """Encoding and profile that two code points of H.273 name, primaries and transfer; unknown for HDR."""
    primaries, transfer = points
    if _UNSPECIFIED in (primaries, transfer):
        return encodings.SRGB, None
    profile = icc.of_code_points(primaries, transfer)
    if profile is not None:
        return encodings.SRGB, profile
    kind = _HDR.get(transfer, f"{primaries}/{transfer} of H.273")
    told = f"The colours of the file are {kind}, which is not converted: state its encoding."
    notices.append(Notice.warning(Code.ENCODING_UNKNOWN, told))
    return None, None


def of_exif(exif: Any, notices: list[Notice]) -> icc.Profile | None:
    """Adobe RGB, as cameras state it (DCF 2.0: uncalibrated, interoperability R03); None for sRGB."""
    inside = exif.get_ifd(_EXIF_FOLDER)
    if inside.get(_COLOUR_SPACE) != _UNCALIBRATED:
        return None
    index = exif.get_ifd(_INTEROPERABILITY).get(1, "")
    index = index.decode("ascii", "replace") if isinstance(index, bytes) else str(index)
    if index.strip("\0 ") == "R03":
        return icc.of_primaries("Adobe RGB (1998)", icc.ADOBE_RGB, icc.power_curve(563 / 256))
    told = "The camera states other colours than sRGB and does not say which; sRGB was taken."
    notices.append(Notice.warning(Code.ENCODING_ASSUMED, told))
    return None
