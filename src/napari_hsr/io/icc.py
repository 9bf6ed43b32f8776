"""From the colours of an ICC profile to sRGB, at any depth: matrix and tone curves, or tables.

Display P3, Adobe RGB, ProPhoto and most other RGB working spaces are of that kind (ICC.1:2022, 9.2:
``rXYZ`` … are the primaries adapted to D50, ``rTRC`` … the curves to linear light). Pillow and Little
CMS convert 8 bits only: of profiles of tables (``A2B0``, as scanners and printers have them) they convert a
grid of colours, between which other values are interpolated.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from struct import error as struct_error
from struct import unpack, unpack_from

import numpy as np

#: Rows of about this many pixels are converted at a time.
_PIXELS = 2**20
#: XYZ relative to D50 to linear sRGB: the inverse of the colorants of the sRGB profile (ICC).
_XYZ_TO_SRGB = np.linalg.inv(
    [[0.4360747, 0.3850649, 0.1430804],
     [0.2225045, 0.7168786, 0.0606169],
     [0.0139322, 0.0971045, 0.7141733]]
)  # fmt: skip
#: Parameters of a ``para`` curve by its type, in the order g a b c d e f.
_PARAMETERS = (1, 3, 4, 5, 7)
_SAMPLES = 4096


@dataclass(frozen=True)
class Profile:
    """What is used of a profile.

    Attributes
    ----------
    name : str
    is_srgb : bool
        Its values are sRGB's already.
    colorants : ndarray (3, 3) or None
        Columns are red, green and blue in XYZ; None for profiles of another kind.
    curves : tuple of ndarray
        Three curves to linear light, sampled evenly over 0..1.
    table : bytes
        The whole profile, where it is one of tables.
    """

    name: str
    is_srgb: bool
    colorants: np.ndarray | None = None
    curves: tuple[np.ndarray, ...] = ()
    table: bytes = b""

    @property
    def can_convert(self) -> bool:
        """Whether :func:`to_srgb` takes it."""
        return self.colorants is not None or bool(self.table)


def parse(content: bytes) -> Profile:
    """The profile in these bytes; one that cannot be read has the name "a damaged profile"."""
    from PIL import ImageCms

    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(content))
        name = ImageCms.getProfileDescription(opened).strip() or "a profile without a name"
    except (ImageCms.PyCMSError, OSError):
        return Profile("a damaged profile", False)
    if re.search(r"\bs\s?rgb|iec\s?61966", name, re.IGNORECASE):
        return Profile(name, True)
    try:
        tags = _tags(content)
        xyz = [unpack_from(">3i", tags[key], 8) for key in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = tuple(_curve(tags[key]) for key in (b"rTRC", b"gTRC", b"bTRC"))
    except (KeyError, ValueError, IndexError, struct_error):
        of_tables = content[16:20] == b"RGB " and b"A2B0" in content[128:4096]
        return Profile(name, False, table=content if of_tables else b"")
    return Profile(name, False, np.array(xyz).T / 65536, curves)


def _tags(content: bytes) -> dict[bytes, bytes]:
    (count,) = unpack(">I", content[128:132])
    if count > 200 or content[16:20] != b"RGB ":
        raise ValueError("no profile of RGB")
    entries = (unpack(">4sII", content[132 + 12 * i : 144 + 12 * i]) for i in range(count))
    return {key: content[start : start + size] for key, start, size in entries}


def _curve(tag: bytes) -> np.ndarray:
    """A ``curv`` or ``para`` curve at :data:`_SAMPLES` places from 0 to 1."""
    x = np.linspace(0, 1, _SAMPLES)
    if tag[:4] == b"curv":
        (count,) = unpack(">I", tag[8:12])
        if count == 0:
            return x
        values = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        if count == 1:
            power: np.ndarray = x ** (values[0] / 256)
            return power
        return np.interp(x, np.linspace(0, 1, count), values / 65535)
    if tag[:4] != b"para":
        raise ValueError("no curve")
    kind = unpack(">H", tag[8:10])[0]
    stated = np.frombuffer(tag, ">i4", _PARAMETERS[kind], 12) / 65536
    g, a, b, c, d, e, f = np.array([1.0, 1.0, 0, 0, 0, 0, 0])
    if kind == 0:
        g = stated[0]
    elif kind in (1, 2):  # the power above -b / a, a constant below
        g, a, b = stated[:3]
        d, e = -b / a, stated[3] if kind == 2 else 0.0
        f = e
    else:
        g, a, b, c, d = stated[:5]
        e, f = stated[5:] if kind == 4 else (0.0, 0.0)
    bent: np.ndarray = np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
    return bent


def to_srgb(values: np.ndarray, profile: Profile) -> tuple[np.ndarray, int]:
    """Values of a profile with colorants or tables in sRGB, in their own type, and how many pixels were clipped.

    Parameters
    ----------
    values : ndarray (height, width, 3), uint8, uint16 or float in 0..1
    profile : Profile
    """
    if profile.colorants is None:
        return _by_tables(values, profile), 0
    matrix = (_XYZ_TO_SRGB @ profile.colorants).T
    full = float(np.iinfo(values.dtype).max) if values.dtype.kind == "u" else 1.0
    out, clipped = np.empty_like(values), 0
    places = np.linspace(0, 1, _SAMPLES)
    rows = max(1, _PIXELS // values.shape[1])
    for top in range(0, values.shape[0], rows):
        part = values[top : top + rows] / full
        light = np.stack(
            [np.interp(part[..., i], places, profile.curves[i]) for i in range(3)], axis=-1
        )
        linear = light @ matrix
        clipped += int(((linear < -1e-3) | (linear > 1 + 1e-3)).any(-1).sum())
        linear = np.clip(linear, 0, 1)
        encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        encoded *= full
        out[top : top + rows] = np.rint(encoded) if full > 1 else encoded
    return out, clipped


def _by_tables(values: np.ndarray, profile: Profile) -> np.ndarray:
    """Little CMS converts colours 5 of 255 apart, in the perceptual intent; linear between them."""
    from PIL import Image, ImageCms
    from scipy.interpolate import RegularGridInterpolator

    steps = np.arange(0, 256, 5, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    picture = Image.fromarray(grid.reshape(len(steps), -1, 3))
    source, srgb = (
        ImageCms.ImageCmsProfile(io.BytesIO(profile.table)),
        ImageCms.createProfile("sRGB"),
    )
    converted = np.asarray(ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB"))
    axis, full = steps / 255, float(np.iinfo(values.dtype).max) if values.dtype.kind == "u" else 1.0
    between = RegularGridInterpolator((axis,) * 3, converted.reshape(grid.shape) / 255)
    out = np.empty_like(values)
    rows = max(1, _PIXELS // values.shape[1])
    for top in range(0, values.shape[0], rows):
        part = between(np.clip(values[top : top + rows] / full, 0, 1)) * full
        out[top : top + rows] = np.rint(part) if full > 1 else part
    return out
