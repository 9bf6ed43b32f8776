"""Photographs of one size on common axes: a film, a time-lapse, a focal series, several positions."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from napari_hsr.errors import FileError, HSRError, InputError
from napari_hsr.notices import Notice, as_notices
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Frames(Protocol):
    """Where the photographs of a stack come from, in the order of its first axes."""

    def __len__(self) -> int:
        """How many there are."""

    def read(self, number: int, /) -> Photograph:
        """One of them, from 0; HSRError if it cannot be read. May be called from any thread."""


@dataclass(frozen=True)
class StackAxis:
    """One of the axes that the frames of a stack lie on.

    Attributes
    ----------
    name : str
        ``"time"``, ``"z"``, ``"frame"``…
    size : int
        Frames along it.
    step, start : float
        Spacing of the frames, and where the first one is, in ``unit``.
    unit : str
        A name that pint knows (``"second"``), or ``"pixel"`` for a number without a unit.
    """

    name: str
    size: int
    step: float = 1.0
    start: float = 0.0
    unit: str = "pixel"

    def at(self, number: int) -> float:
        """Where a frame lies, in :attr:`unit`."""
        return self.start + self.step * number

    def counted(self, number: int) -> float:
        """Where a frame stands in a plot or table: as :meth:`at`, mere numbers counted from 1.

        That is how messages, names of files and ``film.mp4:1`` count frames.
        """
        mere = not self.symbol and (self.start, self.step) == (0, 1)
        return self.at(number) + mere

    @property
    def label(self) -> str:
        """For the axis of a plot: ``time (s)``."""
        return f"{self.name} ({self.symbol})" if self.symbol else self.name

    @property
    def symbol(self) -> str:
        """The unit as it stands behind numbers: ``s``; empty for a number without a unit."""
        short = {"pixel": "", "second": "s", "minute": "min", "hour": "h", "micrometer": "µm"}
        return short.get(self.unit, self.unit)


@dataclass(eq=False, repr=False)
class PhotographStack:
    """Photographs of one size, read one at a time.

    Attributes
    ----------
    frames : Frames
        What reads them.
    axes : tuple of StackAxis
        The first axes; the product of their sizes is the number of frames.
    height, width : int
        Of each frame, in pixels.
    dtype : dtype
        Of the pixels: uint8, uint16 or floating point.
    encoding : str or None
        As for :class:`~napari_hsr.photograph.Photograph`, of all frames.
    name, provenance, notices, metadata
        As there.
    failures : dict of int to str
        Frames that could not be read, by number, and why; it grows while frames are read.

    Raises
    ------
    InputError
        If there is no frame, or the axes do not fit their number.
    """

    frames: Frames
    axes: tuple[StackAxis, ...]
    height: int
    width: int
    dtype: Any = np.uint8
    encoding: str | None = SRGB
    name: str = "stack"
    provenance: Provenance = field(default_factory=Provenance)
    notices: tuple[Notice, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.notices, self.dtype = as_notices(self.notices), np.dtype(self.dtype)
        count = len(self.frames)
        if count == 0:
            raise InputError(f"{self.name} holds no frame.")
        if math.prod(self.lead) != count:
            raise InputError(f"{self.name} has {count} frames, which axes {self.lead} do not hold.")

    def __repr__(self) -> str:
        frames = " × ".join(f"{axis.size} ({axis.name})" for axis in self.axes)
        return f"<PhotographStack {self.name!r}: {frames} of {self.height} × {self.width} pixels>"

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def lead(self) -> tuple[int, ...]:
        """Sizes of the first axes."""
        return tuple(axis.size for axis in self.axes)

    def indices(self) -> Iterator[tuple[int, ...]]:
        """The indices of all frames, the last axis fastest."""
        return np.ndindex(*self.lead)

    def number(self, index: tuple[int, ...] | int) -> int:
        """Which frame an index on the first axes means, from 0.

        Raises
        ------
        IndexError
            If there is no such frame.
        """
        index = (index,) if isinstance(index, (int, np.integer)) else tuple(index)
        if len(index) != len(self.axes):
            raise IndexError(f"{len(index)} indices do not fit {len(self.axes)} axes")
        number = 0
        for place, size in zip(index, self.lead, strict=True):
            if not -size <= place < size:
                raise IndexError(f"frame {place} is out of range for an axis of {size}")
            number = number * size + int(place) % size
        return number

    def photograph(self, index: tuple[int, ...] | int) -> Photograph:
        """One frame, in the encoding of the stack.

        Raises
        ------
        HSRError
            If it cannot be read, or has another size than the first; it is in :attr:`failures` then.
        """
        number = self.number(index)
        try:
            found = self.frames.read(number)
            if found.data.shape[:2] != (self.height, self.width):
                size = f"{found.height} x {found.width}"
                raise InputError(
                    f"{found.name} has {size} pixels, and the first frame of {self.name} "
                    f"{self.height} x {self.width}."
                )
        except HSRError as error:
            self.failures[number] = str(error)
            raise
        self.failures.pop(number, None)
        return replace(found, encoding=self.encoding)

    @property
    def data(self) -> StackArray:
        """The pixels (…, height, width, 3), read when they are asked for."""
        return StackArray(self)

    def summary(self) -> dict[str, Any]:
        """Plain values for JSON and for ``napari-hsr info``."""
        from napari_hsr.cube import jsonable

        return {
            "kind": "stack",
            "name": self.name,
            "shape": [*self.lead, self.height, self.width, 3],
            "dtype": str(self.dtype),
            "encoding": self.encoding,
            "axes": [
                {"name": a.name, "size": a.size, "step": a.step, "start": a.start, "unit": a.unit}
                for a in self.axes
            ],
            "provenance": self.provenance.to_dict(),
            "metadata": jsonable(self.metadata),
            "notices": [notice.text for notice in self.notices],
        }


class OnDemand:
    """What lazy arrays have beside their ``shape``, ``dtype`` and indexing."""

    dtype: np.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __deepcopy__(self, _memo: Any) -> Self:
        """Itself, as nobody can write to it: napari copies the array of a layer that is duplicated."""
        return self

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[...], dtype=dtype)

    def __getitem__(self, key: Any) -> np.ndarray:
        raise NotImplementedError


class StackArray(OnDemand):
    """The pixels of a stack (…, height, width, 3), read frame by frame when they are asked for.

    Indices are those of NumPy as far as integers, slices and ``...`` go. A frame that cannot be
    read is left empty (0, or NaN in floats), and stands in the failures of the stack.
    """

    def __init__(self, stack: PhotographStack):
        self.stack, self.dtype = stack, np.dtype(stack.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """(…, height, width, 3)."""
        return (*self.stack.lead, self.stack.height, self.stack.width, 3)

    def __getitem__(self, key: Any) -> np.ndarray:
        chosen, inside = split_index(key, self.shape, len(self.stack.axes))
        return gather(chosen, lambda index: self._frame(index)[inside])

    def _frame(self, index: tuple[int, ...]) -> np.ndarray:
        try:
            values = np.asarray(self.stack.photograph(index).data)
        except HSRError:  # told in the failures of the stack; the rest goes on
            empty = np.nan if self.dtype.kind == "f" else 0
            return np.full(self.shape[-3:], empty, self.dtype)
        return values.astype(self.dtype, copy=False)


def split_index(
    key: Any, shape: tuple[int, ...], lead: int
) -> tuple[list[int | range], tuple[Any, ...]]:
    """An index of an array as that of its first ``lead`` axes, and that of the others.

    Raises
    ------
    IndexError
        If it has too many parts, is out of range, or is neither of integers nor of slices in the
        first axes.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    if any(part is Ellipsis for part in parts):
        at = next(place for place, part in enumerate(parts) if part is Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(shape) - len(parts) + 1)
    if len(parts) > len(shape):
        raise IndexError(f"{len(parts)} indices do not fit {len(shape)} axes")
    parts += [slice(None)] * (len(shape) - len(parts))
    chosen: list[int | range] = []
    for part, size in zip(parts[:lead], shape[:lead], strict=True):
        if isinstance(part, slice):
            chosen.append(range(size)[part])
        elif np.ndim(part) == 0:
            if not -size <= int(part) < size:
                raise IndexError(f"index {int(part)} is out of range for an axis of {size}")
            chosen.append(int(part) % size)
        else:
            raise IndexError("frames are chosen by integers and slices")
    return chosen, tuple(parts[lead:])


def gather(chosen: list[int | range], take: Any) -> np.ndarray:
    """What ``take(index)`` gives for all frames of a :func:`split_index`, stacked on its slices."""
    if not chosen:
        found: np.ndarray = take(())
        return found
    first, rest = chosen[0], chosen[1:]
    if isinstance(first, int):
        return gather(rest, lambda index: take((first, *index)))
    planes = [gather(rest, lambda index, at=at: take((at, *index))) for at in first]
    if planes:
        return np.stack(planes)
    return gather([0, *rest], take)[None][:0]


class ColoursOnDemand(OnDemand):
    """The three colours of an array (height, width, 3 or 4) of another program, read when they are asked for.

    Parameters
    ----------
    source : array
        dask, zarr, h5py: whatever is indexed by integers and slices.
    name : str
        What cannot be read, for a sentence.
    """

    def __init__(self, source: Any, name: str):
        self._source, self._name, self.dtype = source, name, np.dtype(source.dtype)
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, 3)."""
        return (*self._source.shape[:2], min(3, self._source.shape[2]))

    def __getitem__(self, key: Any) -> np.ndarray:
        _, (rows, columns, colours) = split_index(key, self.shape, 0)
        values = _read(lambda: self._source[rows, columns], self._lock, self._name, "a part of it")
        found: np.ndarray = values[..., :3][..., colours]
        return found


def _read(take: Callable[[], Any], lock: threading.Lock, name: str, what: str) -> np.ndarray:
    """An array by another program, which may raise anything: FileError then."""
    try:
        with lock:  # files behind such arrays seldom allow two threads
            return np.asarray(take())
    except HSRError:
        raise
    except Exception as error:
        raise FileError(name, f"{what} cannot be read ({error})") from error


class ArrayFrames:
    """Frames in an array (…, height, width, 3 or 4) that is there already, in memory or on disk.

    Parameters
    ----------
    data : array
        NumPy, dask, zarr: whatever is indexed so.
    name : str
        Of the stack.
    """

    def __init__(self, data: Any, name: str = "stack"):
        self.data, self._name = data, name
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return math.prod(self.data.shape[:-3])

    def read(self, number: int) -> Photograph:
        """One frame."""
        index = tuple(int(n) for n in np.unravel_index(number, self.data.shape[:-3]))
        values = _read(lambda: self.data[index], self._lock, self._name, f"frame {number + 1}")
        return Photograph(values[..., :3], name=f"{self._name} {number + 1}")


def stack_of_array(
    data: Any, encoding: str | None = SRGB, name: str = "stack", axes: Any = None, **facts: Any
) -> PhotographStack:
    """A stack of what lies in an array (…, height, width, 3 or 4).

    Raises
    ------
    InputError
        If its last axis is no colour, or there is no axis before the rows.
    """
    shape = tuple(data.shape)
    if len(shape) < 4 or shape[-1] not in (3, 4):
        raise InputError(f"A stack of photographs is (…, height, width, 3); this is {shape}.")
    if axes is None:
        names = ("frame",) if len(shape) == 4 else tuple(f"axis {n}" for n in range(len(shape) - 3))
        axes = tuple(StackAxis(n, size) for n, size in zip(names, shape[:-3], strict=True))
    frames = ArrayFrames(data, name)
    return PhotographStack(
        frames, tuple(axes), shape[-3], shape[-2], data.dtype, encoding, name, **facts
    )
