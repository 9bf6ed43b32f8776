"""The spectral cube and its wavelengths: the two things that everything else passes on."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.arrays import as_spectral_image, sample, unmasked
from napari_hsr.errors import Hint, InputError
from napari_hsr.georeference import Place, resized_metadata
from napari_hsr.notices import ABOUT_WAVELENGTHS, Notice, as_notices, without
from napari_hsr.provenance import Provenance

#: The grid taken for a 31-band cube that names none; always announced as an assumption.
DEFAULT_WAVELENGTHS_NM = tuple(float(nm) for nm in range(400, 701, 10))

#: Wavelengths of light that any instrument separates, gamma rays to radio waves; others are damage.
SHORTEST_NM, LONGEST_NM = 1e-3, 1e9
#: Values beyond it are no measurement, and their squares, summed, exceed what float32 holds.
LARGEST_VALUE = 1e18

#: Up to this size the value range of a cube on disk is found exactly; larger ones are sampled.
EXACT_RANGE_BYTES = 64 * 2**20
#: Of a larger one, bands that are looked at, and values that are read where each brings all bands.
_MOST_SAMPLED, _MOST_VALUES = 256, 2**26


@told
@dataclass(frozen=True, eq=False)
class Wavelengths:
    """Band centres in nanometres, strictly ascending.

    Parameters
    ----------
    nm : sequence of float
        One value a band, finite, positive and strictly ascending.
    assumed : bool
        True where no file or user stated them: every door shows this to the user.

    Raises
    ------
    InputError
        If the values are empty, not finite, not positive or not strictly ascending.
    """

    nm: np.ndarray
    assumed: bool = False

    def __post_init__(self) -> None:
        nm = np.array(unmasked(self.nm), dtype=np.float64).ravel()
        if nm.size == 0:
            raise InputError("Wavelengths are empty: one value in nm is needed for each band.")
        if not np.isfinite(nm).all() or (nm <= 0).any():
            raise InputError("Wavelengths must be finite and positive, in nm.")
        if nm.min() < SHORTEST_NM or nm.max() > LONGEST_NM:
            raise InputError(
                f"Wavelengths lie between {SHORTEST_NM:g} and {LONGEST_NM:g} nm, not at "
                f"{nm.min() if nm.min() < SHORTEST_NM else nm.max():g} nm."
            )
        if (np.diff(nm) <= 0).any():
            at = int(np.flatnonzero(np.diff(nm) <= 0)[0])
            raise InputError(
                "Wavelengths must ascend strictly; "
                f"band {at + 1} is {nm[at]:g} nm and band {at + 2} is {nm[at + 1]:g} nm."
            )
        nm.flags.writeable = False
        object.__setattr__(self, "nm", nm)

    def __len__(self) -> int:
        return self.nm.size

    def __iter__(self) -> Iterator[float]:
        return iter(self.nm.tolist())

    def __getitem__(self, index: Any) -> Any:
        return self.nm[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False and dtype not in (None, self.nm.dtype):
            raise ValueError("a conversion of the wavelengths needs a copy")
        return np.array(self.nm, dtype=dtype) if dtype or copy else self.nm

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Wavelengths):
            return NotImplemented
        return self.assumed == other.assumed and np.array_equal(self.nm, other.nm)

    def __hash__(self) -> int:
        return hash((self.nm.tobytes(), self.assumed))

    def __repr__(self) -> str:
        return f"Wavelengths({self.describe()})"

    @property
    def step(self) -> float | None:
        """Spacing in nm if the grid is regular (to a tenth of the spacing), else None."""
        if self.nm.size < 2:
            return None
        step = (self.nm[-1] - self.nm[0]) / (self.nm.size - 1)
        ideal = self.nm[0] + step * np.arange(self.nm.size)
        return float(step) if np.abs(self.nm - ideal).max() <= 0.1 * step else None

    def nearest(self, nm: float) -> int:
        """Index of the band whose centre is nearest to ``nm``."""
        return int(np.abs(self.nm - nm).argmin())

    def matches(self, other: Wavelengths, tolerance_nm: float = 0.5) -> bool:
        """True if both grids have the same length and centres within ``tolerance_nm``."""
        return self.nm.size == other.nm.size and bool(
            np.abs(self.nm - other.nm).max() <= tolerance_nm
        )

    def describe(self) -> str:
        """For people: ``31 bands, 400–700 nm, every 10 nm``."""
        bands = f"{self.nm.size} band{'s' if self.nm.size > 1 else ''}"
        span = f"{self.nm[0]:g}–{self.nm[-1]:g} nm" if self.nm.size > 1 else f"{self.nm[0]:g} nm"
        step = f", every {self.step:.4g} nm" if self.step else ""
        return f"{bands}, {span}{step}{' (assumed)' if self.assumed else ''}"

    @classmethod
    def default(cls) -> Wavelengths:
        """400–700 nm every 10 nm, marked as assumed."""
        return cls(np.array(DEFAULT_WAVELENGTHS_NM), assumed=True)


@told
@dataclass(eq=False, repr=False)
class Cube:
    """A spectral image.

    Attributes
    ----------
    data : array, shape (bands, height, width), float32
        A NumPy array, a memory map, or a lazy array with the same shape, dtype and
        indexing (:class:`napari_hsr.io.lazy.LazyArray`); ``numpy.asarray`` loads it.
    wavelengths : Wavelengths or None
        Band centres in nm; None if they are not known (bands then go by index).
    units : str or None
        What the values are, if known: ``"reflectance"``, ``"W m-2 sr-1 nm-1"``…
    name : str
        A short name for lists, layers and file names.
    provenance : Provenance
        Where it comes from.
    metadata : dict
        JSON-like facts from the file (``bbl``, ``fwhm``, ``norm_factor``…).
    notices : tuple of Notice
        What the user must see: what was assumed or changed on reading. A plain string given
        here becomes a notice without a code of its own.
    place : Place or None
        Size and position of its pixels where they are not those of an image by itself: a cube
        that was made finer lies over the coarse one.

    Raises
    ------
    InputError
        If the array is not three-dimensional, has an empty axis, or the number of
        wavelengths differs from the number of bands.
    """

    data: Any
    wavelengths: Wavelengths | None = None
    units: str | None = None
    name: str = "cube"
    provenance: Provenance = field(default_factory=Provenance)
    metadata: dict[str, Any] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    place: Place | None = None
    _value_range: tuple[float, float] | None = field(default=None, repr=False)
    _ranged: bytes | None = field(default=None, init=False, repr=False)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "data":  # also by ``cube.data /= 10000``: the range is that of other values then
            value = as_spectral_image(value)
            object.__setattr__(self, "_value_range", None)
        object.__setattr__(self, name, value)

    def __post_init__(self) -> None:
        self._ranged = sample(self.data)
        self.notices = as_notices(self.notices)
        if self.wavelengths is not None and not isinstance(self.wavelengths, Wavelengths):
            self.wavelengths = Wavelengths(self.wavelengths)
        if self.wavelengths is not None and len(self.wavelengths) != self.data.shape[0]:
            raise InputError(
                f"{len(self.wavelengths)} wavelengths do not fit {self.data.shape[0]} bands."
            )

    def __repr__(self) -> str:
        known = f"{self.bands} bands" if self.wavelengths is None else self.wavelengths.describe()
        units = f", {self.units}" if self.units else ""
        return f"<Cube {self.name!r}: {known}, {self.shape[1]} × {self.shape[2]} pixels{units}>"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(bands, height, width)."""
        bands, height, width = self.data.shape
        return int(bands), int(height), int(width)

    @property
    def bands(self) -> int:
        """Number of bands."""
        return self.shape[0]

    @property
    def good_bands(self) -> np.ndarray:
        """Which bands are of use, (bands,) bool: not those that ``bbl`` in the metadata marks by 0.

        A list of another length, or one that leaves no band, counts as none.
        """
        listed = np.asarray(self.metadata.get("bbl", ()))
        if listed.shape != (self.bands,) or listed.dtype.kind not in "iufb" or not listed.any():
            return np.ones(self.bands, dtype=bool)
        good: np.ndarray = listed != 0
        return good

    @property
    def in_memory(self) -> bool:
        """True for a plain array, False for a memory map or a lazy array."""
        return isinstance(self.data, np.ndarray) and not isinstance(self.data, np.memmap)

    def nearest_band(self, nm: float) -> int:
        """The good band nearest to a wavelength, which must be known."""
        grid = self.wavelengths
        assert grid is not None  # asked for by wavelength only where they are known
        return min(np.flatnonzero(self.good_bands).tolist(), key=lambda band: abs(grid[band] - nm))

    @property
    def value_range(self) -> tuple[float, float]:
        """(minimum, maximum) of the finite values of the good bands, found once and remembered.

        Of an array in memory it is found again where a few of its values are no longer what they were.
        A cube that is not in memory and larger than :data:`EXACT_RANGE_BYTES` is sampled —
        every eighth band, at most about 256 x 256 pixels of each, and of more than some thousand
        bands fewer — so the range is then an estimate.
        """
        now = sample(self.data)
        if self._value_range is None or now != self._ranged:
            lows, highs = zip(*map(finite_range, self._planes()), strict=True)
            low, high = min(lows), max(highs)
            self._value_range, self._ranged = (low, high) if low <= high else (0.0, 0.0), now
        return self._value_range

    @property
    def range_is_exact(self) -> bool:
        """Whether :attr:`value_range` is that of all values of the good bands, not of a sample."""
        return self.in_memory or 4 * int(np.prod(self.shape)) <= EXACT_RANGE_BYTES

    def _planes(self) -> Iterable[np.ndarray]:
        if self.range_is_exact:
            for band in np.flatnonzero(self.good_bands).tolist():
                yield np.asarray(self.data[band])
            return
        stride = max(1, max(self.shape[1:]) // 256)
        good = np.flatnonzero(self.good_bands).tolist()
        chosen = sorted({*good[:: max(8, len(good) // _MOST_SAMPLED)], good[-1]})
        if not _by_rows(self.data):
            for band in chosen:
                yield np.asarray(self.data[band, ::stride, ::stride])
                release_pages(getattr(self.data, "source", self.data))
            return
        # a file by rows is passed through once, all bands of a pixel with it
        places, spectra = np.array(chosen) - good[0], max(1, _MOST_VALUES // self.bands)
        while -(-self.shape[1] // stride) * -(-self.shape[2] // stride) > spectra:
            stride += 1 + stride // 8
        at_once = min(16, max(1, spectra * stride // self.shape[2] // 8))
        for top in range(0, self.shape[1], at_once * stride):
            rows = slice(top, top + at_once * stride, stride)
            yield np.asarray(self.data[good[0] : good[-1] + 1, rows, ::stride])[places]
            release_pages(self.data)

    def replace(self, **changes: Any) -> Cube:
        """A copy with some attributes changed; a new array forgets the old value range."""
        if "data" in changes and "_value_range" not in changes:
            changes["_value_range"] = None
        return replace(self, **changes)

    def over_same_area(self, data: Any, **changes: Any) -> Cube:
        """A copy with more or fewer pixels over the same area: its place follows."""
        old, new = self.shape[1:], tuple(int(n) for n in data.shape[1:])
        metadata = resized_metadata(changes.pop("metadata", self.metadata), old, new)
        place = self.place if old == new else (self.place or Place()).resized(old, new)
        return self.replace(data=data, metadata=metadata, place=place, **changes)

    def with_wavelengths(self, nm: Iterable[float], assumed: bool = False) -> Cube:
        """A copy with these band centres (nm), without the notices about missing ones."""
        kept = without(self.notices, *ABOUT_WAVELENGTHS)
        return self.replace(wavelengths=Wavelengths(np.array(list(nm)), assumed), notices=kept)

    def summary(self) -> dict[str, Any]:
        """Plain values for JSON and for ``napari-hsr info``."""
        return {
            "kind": "cube",
            "name": self.name,
            "shape": list(self.shape),
            "dtype": "float32",
            "wavelengths_nm": None if self.wavelengths is None else list(self.wavelengths),
            "wavelengths_assumed": None if self.wavelengths is None else self.wavelengths.assumed,
            "units": self.units,
            "place": self.place.to_dict() if self.place is not None else None,
            "value_range": list(self.value_range),
            "value_range_is_estimate": not self.range_is_exact,
            "in_memory": self.in_memory,
            "provenance": self.provenance.to_dict(),
            "metadata": jsonable(self.metadata),
            "notices": [notice.text for notice in self.notices],
        }


def release_pages(array: Any) -> None:
    """Tell the system that pages of a memory map need not stay; they are read again if asked for.

    Arrays of other kinds, and maps that can be written to, are left alone.
    """
    advise = getattr(getattr(array, "_mmap", None), "madvise", None)
    if advise is not None and array.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        advise(mmap.MADV_DONTNEED)


def _by_rows(data: Any) -> bool:
    """Whether a few rows of all bands are cheaper to read than a band."""
    known = getattr(data, "by_rows", None)
    strides = getattr(data, "strides", None)
    if known is None and strides is not None:
        return bool(abs(strides[0]) < abs(strides[1]))
    return bool(known)


def any_finite(cube: Cube) -> bool:
    """Whether a value is finite; of a large cube on disk as much is seen as for its range."""
    return any(np.isfinite(plane).any() for plane in cube._planes())


def finite_range(values: np.ndarray) -> tuple[float, float]:
    """(minimum, maximum) of the finite values; (inf, -inf) if there are none."""
    low, high = float(values.min()), float(values.max())
    if np.isfinite(low) and np.isfinite(high):  # then all of them are: no second pass
        return low, high
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (np.inf, -np.inf)


def check_values(values: np.ndarray, name: str) -> None:
    """Refuse values that nothing can be computed from in 32-bit floats.

    Parameters
    ----------
    values : ndarray of floats
        NaN and infinity are missing values, and no matter.
    name : str
        Of the cube.

    Raises
    ------
    InputError
        Saying what they may be: as a rule a marker of missing values that the file does not state.
    """
    size = np.abs(values)
    if not (size > LARGEST_VALUE).any():
        return
    most = float(np.where(np.isfinite(size), size, 0).max())
    if most > LARGEST_VALUE:
        raise InputError(
            f"Values of {name} reach {most:.9g}, too large to compute with: if they stand for missing "
            "values, say so, else scale the cube.",
            hint=Hint.STATE_NO_DATA,
        )


def jsonable(value: Any) -> Any:
    """``value`` with arrays, NumPy scalars and tuples turned into what JSON can hold."""
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        plain = value.item()  # long doubles have no other number in Python
        return jsonable(float(plain) if isinstance(plain, np.floating) else plain)
    if isinstance(value, (list, tuple, set)):
        return [jsonable(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
