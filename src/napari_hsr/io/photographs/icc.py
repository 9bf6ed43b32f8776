"""From the colours of an ICC profile to sRGB, at any depth: matrix and tone curves, or tables.

Display P3, Adobe RGB, ProPhoto and most other RGB working spaces are of that kind (ICC.1:2022, 9.2:
``rXYZ`` … are the primaries adapted to D50, ``rTRC`` … the curves to linear light). Pillow and Little
CMS convert 8 bits only: of profiles of tables (``A2B0``, as scanners and printers have them) they convert a
grid of colours, between which other values are interpolated.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
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
#: Variants of sRGB's profile, whose curves are tables or whose black is moved, differ by less (of 1).
_SAME = 3 / 255
#: Determinants of colorants that are no three colours; those of sRGB have 0.2.
_FLAT = 1e-4


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
    try:
        tags = _tags(content)
        xyz = [unpack_from(">3i", tags[key], 8) for key in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = tuple(_curve(tags[key]) for key in (b"rTRC", b"gTRC", b"bTRC"))
    except (KeyError, ValueError, IndexError, struct_error):
        if re.search(r"\bs\s?rgb|iec\s?61966-2\W?1\b", name, re.IGNORECASE):
            return Profile(name, True)  # of tables, as ICC's own sRGB of version 4
        of_tables = content[16:20] == b"RGB " and b"A2B0" in content[128:4096]
        return Profile(name, False, table=content if of_tables else b"")
    colorants = np.array(xyz).T / 65536
    found = Profile(name, False, colorants, curves)
    if abs(np.linalg.det(colorants)) < _FLAT or not np.isfinite(curves).all():
        return Profile(name, False)  # damaged: all pictures would be of one colour, or of none
    return replace(found, is_srgb=_does_nothing(found))


def _does_nothing(profile: Profile) -> bool:
    """Whether colours come out as they are: the numbers say it, for a linear profile may be called sRGB too."""
    steps = np.linspace(0, 1, 9, dtype=np.float32)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    return bool(np.abs(to_srgb(colours, profile)[0] - colours).max() <= _SAME)


#: Chromaticities of red, green, blue and white.
Primaries = tuple[tuple[float, float], ...]
_D65 = (0.3127, 0.329)
SRGB: Primaries = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
ADOBE_RGB: Primaries = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65)
#: Primaries and curves by the code points of ITU-T H.273, as PNG (cICP) and HEIF (nclx) state them.
_NAMED = {
    1: ("BT.709", SRGB),
    9: ("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65)),
    11: ("DCI-P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351))),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65)),
}
_BT709, _SRGB_CURVE, _LINEAR = (1, 6, 14, 15), 13, 8
_GAMMAS = {4: 2.2, 5: 2.8}
#: Bradford's response of cones, and the white of profiles.
_CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])


def of_primaries(name: str, primaries: Primaries, curve: np.ndarray | None = None) -> Profile:
    """A profile of stated primaries and white, and a curve to linear light (by default sRGB's).

    Colours are adapted to D50 after Bradford, as in profiles (ICC.1:2022, annex E).
    """
    xyz = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    weights = np.linalg.solve(xyz[:, :3], xyz[:, 3])
    ratio = (_CONES @ _D50) / (_CONES @ xyz[:, 3])
    adapted = np.linalg.inv(_CONES) @ np.diag(ratio) @ _CONES @ (xyz[:, :3] * weights)
    curve = srgb_curve() if curve is None else curve
    return Profile(name, False, adapted, (curve,) * 3)


def srgb_curve() -> np.ndarray:
    """From values to linear light (IEC 61966-2-1), sampled evenly over 0..1."""
    x = np.linspace(0, 1, _SAMPLES)
    curve: np.ndarray = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return curve


def power_curve(exponent: float) -> np.ndarray:
    """``x ** exponent``, sampled evenly over 0..1."""
    curve: np.ndarray = np.linspace(0, 1, _SAMPLES) ** exponent
    return curve


def of_code_points(primaries: int, transfer: int) -> Profile | None:
    """The profile that code points of H.273 name; None where they name none that is converted."""
    if primaries not in _NAMED:
        return None
    name, corners = _NAMED[primaries]
    if transfer == _SRGB_CURVE:
        return Profile("sRGB", True) if primaries == 1 else of_primaries(name, corners)
    if transfer == _LINEAR:
        return of_primaries(f"{name}, linear", corners, power_curve(1.0))
    if transfer in _GAMMAS:
        return of_primaries(name, corners, power_curve(_GAMMAS[transfer]))
    if transfer in _BT709:
        x = np.linspace(0, 1, _SAMPLES)
        bent = np.where(x < 0.081, x / 4.5, ((x + 0.099) / 1.099) ** (1 / 0.45))
        return of_primaries(name, corners, bent)
    return None


def _tags(content: bytes) -> dict[bytes, bytes]:
    (count,) = unpack(">I", content[128:132])
    if count > 200 or content[16:20] != b"RGB ":
        raise ValueError("no profile of RGB")
    entries = (unpack(">4sII", content[132 + 12 * i : 144 + 12 * i]) for i in range(count))
    return {key: content[start : start + size] for key, start, size in entries}


def _curve(tag: bytes) -> np.ndarray:
    """A ``curv`` or ``para`` curve at :data:`_SAMPLES` places from 0 to 1."""
    with np.errstate(all="ignore"):  # what is not finite is called damaged
        return _sampled(tag)


def _sampled(tag: bytes) -> np.ndarray:
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
