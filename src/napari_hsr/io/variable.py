"""What readers know of one array of a file before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Variable:
    """Name, shape and kind of one variable; ``dtype`` is None if it is no array of numbers.

    ``wavelengths`` is how many of them its own attributes list (HDF5), None without a list;
    ``stored_bytes`` what it takes in memory, where the format tells it beforehand; ``parts`` the names of
    the arrays of one band each that it is put together from; ``line``: of its two axes one is named as that of
    the bands, so that it is a line of pixels; ``fields``: names and types of those of an array of structures.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype | None
    kind: str
    wavelengths: int | None = None
    stored_bytes: int = 0
    parts: tuple[str, ...] = ()
    line: bool = False
    fields: tuple[tuple[str, np.dtype], ...] = ()

    @property
    def short(self) -> str:
        """The last part of the name, in lower case."""
        return self.name.rsplit("/", 1)[-1].lower()

    @property
    def real(self) -> bool:
        """True for arrays of real numbers."""
        return self.dtype is not None and self.dtype.kind in "fiub"

    @property
    def is_text(self) -> bool:
        """True for text, and for MATLAB cells, which may hold it."""
        return self.kind in ("char", "cell", "text") or self.kind[1:2] in ("U", "S")

    @property
    def has_three_axes(self) -> bool:
        """True for arrays with three axes, apart from further ones of length 1."""
        return len(self.shape) == 3 or (len(self.shape) > 3 and self.long_axes == 3)

    @property
    def long_axes(self) -> int:
        """Axes longer than one: 1 for a vector however it is stored."""
        return sum(n > 1 for n in self.shape)

    def describe(self) -> str:
        """``cube (31 x 512 x 512 float32)``."""
        size = " x ".join(str(n) for n in self.shape)
        # a damaged file may give a name of any length, in any characters
        name = "".join(c if c.isprintable() else "\ufffd" for c in self.name)
        name = name if len(name) <= 80 else f"{name[:77]}…"
        return f"{name} ({size} {self.kind})" if size else f"{name} ({self.kind})"
