"""One pass through an image: whether it is valid, what it contains, and a small copy of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import colour, io
from napari_hsr.conversion.wavelengths import band_weights
from napari_hsr.cube import Cube, Wavelengths, finite_range
from napari_hsr.errors import FileError, InputError
from napari_hsr.io.bands import without_bad_bands
from napari_hsr.io.library_errors import translated
from napari_hsr.photograph import Photograph, unit_float
from napari_hsr.progress import stop_if
from napari_hsr.training.data import packed_cave

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from napari_hsr.training.data.image_source import Scene

#: Values of a cube that are in memory at a time.
BLOCK_VALUES = 2**23
#: Longer side of the small copies in pixels, at most.
SMALL = 64


@dataclass(frozen=True)
class Facts:
    """What an image contains; plain values that JSON can store.

    ``rgb_size`` is (height, width); ``explained`` is the fraction of the photograph's variance
    that a linear map of the spectra explains, of its values as they are and decoded as sRGB; None
    if too few pixels are neither dark nor saturated.
    """

    height: int
    width: int
    bands: int
    wavelengths_nm: tuple[float, ...] | None
    assumed: bool
    resampled: str
    cube_range: tuple[float, float]
    not_finite: int
    rgb_size: tuple[int, int] | None = None
    rgb_range: tuple[float, float] | None = None
    rgb_not_finite: int = 0
    rgb_fault: str | None = None
    rgb_encoding: str | None = None
    rgb_notices: tuple[str, ...] = ()
    explained: tuple[float, float] | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Facts:
        """The inverse of :func:`dataclasses.asdict` through JSON."""
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)


@dataclass(frozen=True, eq=False)
class Scan:
    """What one pass through an image finds: facts, and small copies.

    Attributes
    ----------
    facts : Facts
    thumbnail : ndarray, shape (bands, h, w), float32
        By averaging: its mean is that of the image.
    sample : ndarray, shape (bands, h, w), float32
        Every n-th pixel: its noise and its extremes are those of the image.
    preview : ndarray, shape (h, w, 3), uint8
        For display, sRGB.
    """

    facts: Facts
    thumbnail: np.ndarray
    sample: np.ndarray
    preview: np.ndarray


def load(scene: Scene) -> tuple[Cube, Photograph | None]:
    """The images of a scene; large ones stay on disk.

    Raises
    ------
    FileError
        If a file cannot be read or holds the other kind of image.
    """
    if scene.cube is None:
        raise InputError(scene.problem or f"{scene.name} has no cube.")
    cube, rgb = scene.cube, scene.rgb
    if isinstance(cube, Path):
        image = packed_cave.read_packed(cube) if packed_cave.is_packed(cube) else io.read(cube)
        if not isinstance(image, Cube):
            raise FileError(cube, "a cube was expected, this is a photograph")
        cube = image if scene.bad_bands else without_bad_bands(image)
    if isinstance(rgb, Path):
        image = io.read(rgb)
        if not isinstance(image, Photograph):
            raise FileError(rgb, "a photograph was expected, this is a cube")
        rgb = image
    return cube, rgb


def grid_of(
    cube: Cube, wanted: tuple[float, ...] | None
) -> tuple[Wavelengths | None, np.ndarray | None, str]:
    """The grid that a cube is trained on, the matrix to it if any, and what is done, for users.

    A cube whose wavelengths are not known is taken to be on the wanted grid if it has as many
    bands.

    Raises
    ------
    InputError
        If the wanted grid reaches beyond the cube's, or the cube's is not known.
    """
    own = cube.wavelengths
    if wanted is None:
        return own, None, ""
    target = Wavelengths(np.asarray(wanted))
    if own is None or own.assumed:
        if cube.bands == len(target):
            return target, None, f"taken to be {target.describe()}, as stated"
        raise InputError(
            f"Its {cube.bands} bands name no wavelengths, so they cannot be resampled to "
            f"{target.describe()}."
        )
    if own.matches(target):
        return target, None, ""
    if target.nm[0] < own.nm[0] - 0.5 or target.nm[-1] > own.nm[-1] + 0.5:
        raise InputError(
            f"It has {own.describe()} and cannot be resampled to {target.describe()}, "
            "which reaches beyond."
        )
    words = f"resampled from {own.describe()} to {target.describe()}"
    return target, band_weights(cube, target), words


def blocks(
    cube: Cube, weights: np.ndarray | None = None, multiple: int = 1
) -> Iterator[np.ndarray]:
    """Rows of the cube, (rows, width, bands) float32, top to bottom, ``multiple`` or more."""
    bands, height, width = cube.shape
    step = max(1, BLOCK_VALUES // (bands * width * multiple)) * multiple
    for top in range(0, height, step):
        with translated(cube.provenance.input or cube.name, "it cannot be read"):
            block = np.asarray(cube.data[:, top : top + step], dtype=np.float32)
        if weights is not None:
            with np.errstate(invalid="ignore"):
                block = np.tensordot(weights, block, 1)
        yield np.ascontiguousarray(np.moveaxis(block, 0, -1))


def scan(
    cube: Cube,
    rgb: Photograph | None,
    wanted: tuple[float, ...] | None = None,
    encoding: str | None = None,
    stop: threading.Event | None = None,
    sink: Callable[[np.ndarray], None] | None = None,
) -> Scan:
    """Read an image once, block by block.

    Parameters
    ----------
    cube, rgb : Cube, Photograph or None
    wanted : tuple of float or None
        Wavelengths in nm to resample to.
    encoding : str or None
        Stated by the user; else the photograph's own.
    sink : callable, optional
        Called with each block of rows, (rows, width, bands) float32.

    Raises
    ------
    InputError
        If the cube cannot be resampled.
    Cancelled
        If ``stop`` is set.
    """
    grid, weights, words = grid_of(cube, wanted)
    _, height, width = cube.shape
    stride = -(-max(height, width) // SMALL)
    low, high, bad = np.inf, -np.inf, 0
    rows, means = [], []
    for block in blocks(cube, weights, stride):
        stop_if(stop)
        found = finite_range(block)
        low, high = min(low, found[0]), max(high, found[1])
        if not (np.isfinite(block.min()) and np.isfinite(block.max())):
            bad += int(block.size - np.isfinite(block).sum())
        rows.append(block[::stride, ::stride].copy())
        means.append(block_means(block, stride))
        if sink is not None:
            sink(block)
    small = np.concatenate(rows)
    about_rgb: dict[str, Any] = {}
    if rgb is not None:
        about_rgb = _of_photograph(rgb, encoding, small, (height, width), stride)
    facts = Facts(
        height,
        width,
        small.shape[2],
        None if grid is None else tuple(grid),
        grid is not None and grid.assumed,
        words,
        (low, high) if low <= high else (0.0, 0.0),
        bad,
        **about_rgb,
    )
    thumbnail = np.moveaxis(np.concatenate(means), -1, 0).copy()
    return Scan(facts, thumbnail, np.moveaxis(small, -1, 0).copy(), _preview(small, rgb, grid))


def block_means(block: np.ndarray, step: int, axes: tuple[int, int] = (0, 1)) -> np.ndarray:
    """Means over squares of ``step`` pixels; those at the lower and right edge may be cut."""
    for axis in axes:
        starts = np.arange(0, block.shape[axis], step)
        numbers = np.diff(np.append(starts, block.shape[axis])).astype(np.float32)
        with np.errstate(invalid="ignore"):
            block = np.add.reduceat(block, starts, axis=axis)
        block = block / numbers.reshape([-1 if a == axis else 1 for a in range(3)])
    return block


def _of_photograph(
    rgb: Photograph, encoding: str | None, small: np.ndarray, size: tuple[int, int], stride: int
) -> dict[str, Any]:
    stated = encoding if encoding is not None else rgb.encoding
    values = rgb.data
    bad = 0 if values.dtype.kind == "u" else int(values.size - np.isfinite(values).sum())
    low, high = finite_range(values)
    scale = float(np.iinfo(values.dtype).max) if values.dtype.kind == "u" else 1.0
    explained = None
    if values.shape[:2] == size and not bad:
        explained = explained_shares(small, unit_float(values[::stride, ::stride]))
    return {
        "rgb_size": (rgb.height, rgb.width),
        "rgb_range": (low / scale, high / scale) if low <= high else (0.0, 0.0),
        "rgb_not_finite": bad,
        "rgb_fault": colour.check_range(values, stated) if stated is not None else None,
        "rgb_encoding": stated,
        "rgb_notices": rgb.notices if encoding is None else (),
        "explained": explained,
    }


def explained_shares(spectra: np.ndarray, rgb: np.ndarray) -> tuple[float, float] | None:
    """Fraction of a photograph that a linear map of the spectra explains: as it is, and decoded.

    A camera is linear in the light, so the right decoding leaves much less unexplained.

    Parameters
    ----------
    spectra : ndarray, shape (h, w, bands)
    rgb : ndarray, shape (h, w, 3)
        As it lies in the file, 0..1.

    Returns
    -------
    (float, float) or None
        Shares of the variance, at most 1; None if fewer than 100 pixels can be judged.
    """
    top = max(float(rgb.max()), 1e-6)
    usable = (rgb > 0.004).all(-1) & (rgb < 0.98 * max(top, 1.0)).all(-1)
    usable &= np.isfinite(spectra).all(-1)
    if usable.sum() < 100:
        return None
    parts = np.array_split(spectra[usable].astype(np.float64), min(8, spectra.shape[-1]), axis=-1)
    features = np.stack([part.mean(-1) for part in parts], axis=-1)
    shares = []
    for values in (
        rgb[usable].astype(np.float64),
        colour.srgb_decode(rgb[usable].astype(np.float64)),
    ):
        solution, *_ = np.linalg.lstsq(features, values, rcond=None)
        rest = np.square(values - features @ solution).sum()
        total = np.square(values - values.mean(0)).sum()
        shares.append(float(1 - rest / max(total, 1e-12)))
    return shares[0], shares[1]


def _preview(small: np.ndarray, rgb: Photograph | None, grid: Wavelengths | None) -> np.ndarray:
    """A thumbnail of the photograph, or of the cube with its brightness adjusted."""
    if rgb is not None:
        stride = -(-max(rgb.height, rgb.width) // SMALL)
        values = np.nan_to_num(unit_float(rgb.data[::stride, ::stride]))
        linear = rgb.encoding not in (None, "srgb")
    else:
        values, linear = np.nan_to_num(_three_bands(small, grid)), True
    if linear:
        top = float(np.percentile(values, 99))
        values = colour.srgb_encode((values / (top or 1.0)).clip(0, 1))
    preview: np.ndarray = np.rint(values.clip(0, 1) * 255).astype(np.uint8)
    return preview


def _three_bands(small: np.ndarray, grid: Wavelengths | None) -> np.ndarray:
    if grid is not None:
        try:
            rendered: np.ndarray = small @ colour.rendering_matrix(grid.nm).astype(np.float32)
            return rendered
        except InputError:
            pass  # these bands give no true colour: show three of them instead
    bands = small.shape[-1]
    three: np.ndarray = small[..., [bands * 5 // 6, bands // 2, bands // 6]]
    return three
