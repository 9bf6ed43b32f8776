"""A spectral library: named spectra on one grid of wavelengths."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.arrays import unmasked
from napari_hsr.band_gaps import Bridged
from napari_hsr.cube import Wavelengths, jsonable
from napari_hsr.errors import InputError
from napari_hsr.notices import Code, Notice, as_notices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike

#: What :meth:`SpectralLibrary.normalised` divides a spectrum by.
NORMALISATIONS = ("max", "area", "vector")
#: Bands whose widths are not stated are no wider than this, in nm.
_WIDEST = 10.0
#: Full width at half maximum of a Gaussian in standard deviations.
_FWHM = float(np.sqrt(8 * np.log(2)))
#: Wavelengths in nm beyond the ends for which the last value stands too.
_REPEATED = 10.5


@told
@dataclass(frozen=True, eq=False, repr=False)
class SpectralLibrary:
    """Named spectra.

    Attributes
    ----------
    names : tuple of str
        One a spectrum, in the order of the file.
    wavelengths_nm : ndarray, shape (bands,), float64
        Band centres, strictly ascending.
    values : ndarray, shape (spectra, bands), float64
        NaN where a file marks a value as missing; reflectance is a fraction.
    units : str or None
        What the values are, if known: ``"reflectance"``, ``"W m-2 sr-1 nm-1"``…
    name : str
        A short name of the whole.
    metadata : dict
        JSON-like facts from the file; ``fwhm`` is in nm, one value a band.
    notices : tuple of Notice
        What was guessed or changed on reading.

    Raises
    ------
    InputError
        If there is no spectrum, or the sizes of names, wavelengths and values do not fit.
    """

    names: tuple[str, ...]
    wavelengths_nm: np.ndarray
    values: np.ndarray
    units: str | None = None
    name: str = "library"
    metadata: dict[str, Any] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        nm = Wavelengths(self.wavelengths_nm).nm
        values = np.array(unmasked(self.values), dtype=np.float64, ndmin=2)
        names = tuple(str(name) for name in self.names)
        if values.ndim != 2 or values.shape != (len(names), nm.size) or not names:
            size = " x ".join(map(str, values.shape))
            raise InputError(
                f"{len(names)} names and {nm.size} wavelengths do not fit spectra of {size} values."
            )
        values.flags.writeable = False
        for key, value in (("names", names), ("wavelengths_nm", nm), ("values", values)):
            object.__setattr__(self, key, value)
        object.__setattr__(self, "notices", as_notices(self.notices))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        return iter(zip(self.names, self.values, strict=True))

    def __getitem__(self, which: str | int) -> np.ndarray:
        """The values of a spectrum, by its name (the first of that name) or number from 0."""
        if isinstance(which, str):
            if which not in self.names:
                raise KeyError(f"no spectrum is called {which!r}")
            which = self.names.index(which)
        found: np.ndarray = self.values[which]
        return found

    def __repr__(self) -> str:
        spectra = f"{len(self)} spectr{'a' if len(self) > 1 else 'um'}"
        units = f", {self.units}" if self.units else ""
        return f"<SpectralLibrary {self.name!r}: {spectra}, {self.wavelengths.describe()}{units}>"

    @property
    def wavelengths(self) -> Wavelengths:
        """The grid as that of a cube."""
        return Wavelengths(self.wavelengths_nm)

    def replace(self, **changes: Any) -> SpectralLibrary:
        """A copy with some attributes changed."""
        return replace(self, **changes)

    def chosen(self, names: Sequence[str]) -> SpectralLibrary:
        """Some of the spectra, in the order of these names.

        Raises
        ------
        InputError
            If it has none of a name, or several.
        """
        values = np.stack([self.values[self.find(name)] for name in names])
        return self.replace(names=tuple(names), values=values)

    def find(self, name: str) -> int:
        """The number from 0 of the spectrum that is called so; of several, the second is ``"leaf (2)"``.

        Raises
        ------
        InputError
            If none is, or it is not said which of several.
        """
        given, _, number = name.removesuffix(")").rpartition(" (")
        if name not in self.names and number.isdecimal() and name.endswith(")"):
            places = [at for at, own in enumerate(self.names) if own == given]
            if len(places) > 1 and 1 <= int(number[:9]) <= len(places):
                return places[int(number[:9]) - 1]
        count = self.names.count(name)
        if count == 1:
            return self.names.index(name)
        if count > 1:
            raise InputError(
                f"{count} spectra of {self.name} are called {name!r}: say which, from '{name} (1)' to '{name} ({count})'."
            )
        have = ", ".join(self.names[:8]) + (" …" if len(self) > 8 else "")
        raise InputError(f"{self.name} has no spectrum called {name!r}; it has {have}.")

    def normalised(self, by: str = "max") -> SpectralLibrary:
        """Each spectrum divided by its largest value, its area or its length as a vector.

        Parameters
        ----------
        by : str
            ``"max"``; ``"area"``, the integral over wavelength in nm of the absolute values;
            ``"vector"``, the square root of the sum of squares. Missing values are left out.

        Raises
        ------
        InputError
            If ``by`` is none of these.
        """
        finite = np.where(np.isfinite(self.values), self.values, 0.0)
        if by == "max":
            divisor = np.abs(finite).max(axis=1)
        elif by == "area":
            divisor = np.array([_area(self.wavelengths_nm, row) for row in self.values])
        elif by == "vector":
            divisor = np.sqrt((finite**2).sum(axis=1))
        else:
            known = ", ".join(map(repr, NORMALISATIONS))
            raise InputError(f"Spectra are normalised by {known}, not by {by!r}.")
        divisor = np.where(divisor > 0, divisor, 1.0)
        return self.replace(values=self.values / divisor[:, None], units=f"relative ({by})")

    def on(
        self,
        wavelengths_nm: ArrayLike,
        widths_nm: ArrayLike | None = None,
        *,
        close_gaps: bool = False,
    ) -> SpectralLibrary:
        """The spectra on other wavelengths; single missing values are closed, ends repeated up to 10 nm.

        Finer spectra are averaged as each new band sees them: with a Gaussian of its width (that
        which the library's own ``fwhm`` lacks of it), or, where no widths are stated, with a triangle
        that falls to zero at its neighbours, at most 10 nm away (beside a gap over a line drawn there); coarser ones are interpolated linearly.

        Parameters
        ----------
        wavelengths_nm : array-like, shape (bands,)
            In nm, ascending.
        widths_nm : array-like, shape (bands,), optional
            Full widths at half maximum of the new bands in nm.
        close_gaps : bool
            Draw lines over all that is missing. By default bands in a gap wider than they are apart, and
            than one missing value, are NaN, and those that lie to a half in a gap of more than 20 nm between the library's bands.

        Returns
        -------
        SpectralLibrary
            A notice says where widths were assumed that may be wrong: of bands farther apart than 10 nm.

        Raises
        ------
        InputError
            If they are not covered, or a spectrum lacks more than half of its values.
        """
        nm, own = Wavelengths(np.asarray(wavelengths_nm, dtype=np.float64)).nm, self.wavelengths_nm
        known = np.isfinite(self.values)
        if (known.sum(axis=1) < max(2, own.size // 2)).any():
            raise InputError(f"A spectrum of {self.name} lacks more than half of its values.")
        if own[0] > nm[0] + _REPEATED or own[-1] < nm[-1] - _REPEATED:
            told = (
                f"The spectra of {self.name} reach from {own[0]:g} to {own[-1]:g} nm; "
                f"{nm[0]:g} to {nm[-1]:g} nm are needed."
            )
            micrometres = own[-1] < 30 < nm[0]
            raise InputError(f"{told} Are theirs in µm?" if micrometres else told)
        whole, gaps = self.values, np.zeros((len(self), nm.size), dtype=bool)
        if not known.all():
            rows = zip(self.values, known, strict=True)
            whole = np.stack([np.interp(own, own[ok], row[ok]) for row, ok in rows])
            if not close_gaps:
                gaps = np.stack([_in_gaps(nm, own[ok], own) for ok in known])
        if own.shape == nm.shape and np.allclose(own, nm, atol=0.01):
            return self.replace(values=np.where(gaps, np.nan, whole))
        at = np.clip(nm, own[0], own[-1])
        left = np.clip(np.searchsorted(own, at, side="right") - 1, 0, max(own.size - 2, 0))
        right = np.minimum(left + 1, own.size - 1)
        share = (at - own[left]) / np.where(right > left, own[right] - own[left], 1)
        made = whole[:, left] * (1 - share) + whole[:, right] * share
        if nm.size > 1 or widths_nm is not None:
            weights, seen, unknown = self._seen_by(nm, widths_nm)
            averaged = whole @ weights.T
            made[:, seen] = averaged[:, seen]
            if not close_gaps:
                gaps |= unknown
        made[gaps] = np.nan
        kept = {key: value for key, value in self.metadata.items() if key != "fwhm"}
        notices = self.notices
        if widths_nm is None and np.diff(own).mean() < _WIDEST:
            notices += _told_of_widths(nm)
        return self.replace(wavelengths_nm=nm, values=made, metadata=kept, notices=notices)

    def _seen_by(
        self, nm: np.ndarray, widths_nm: ArrayLike | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights (new bands, bands) whose rows sum to 1, which rows average, and which are unknown.

        Those that average too few do not; those that lie to a half in gaps between bands are not known.
        """
        bridged = Bridged.of(self.wavelengths_nm)
        own, apart = bridged.nm, np.gradient(bridged.nm)
        nearest = np.abs(nm[:, None] - own).argmin(axis=1)
        if widths_nm is None:
            gap = np.minimum(np.gradient(nm), _WIDEST)
            weights = np.maximum(0, 1 - np.abs(nm[:, None] - own) / gap[:, None])
            wide = apart[nearest] < 0.75 * gap
        else:
            widths = np.broadcast_to(np.asarray(widths_nm, dtype=np.float64), nm.shape)
            listed = self.metadata.get("fwhm")
            has = isinstance(listed, list) and len(listed) == self.wavelengths_nm.size
            known = np.asarray(listed if has else np.zeros(self.wavelengths_nm.size), np.float64)
            own_widths = bridged.of_own(known)[nearest]
            missing = np.sqrt(np.maximum(widths**2 - np.nan_to_num(own_widths) ** 2, 1e-12))
            weights = np.exp(-0.5 * (_FWHM * (nm[:, None] - own) / missing[:, None]) ** 2)
            wide = missing >= apart[nearest]
        weights = weights * apart
        total = weights.sum(axis=1)
        seen = wide & (total > 0)
        weights = weights / np.where(seen, total, 1)[:, None]
        unknown = np.where(
            seen, weights[:, bridged.unknown].sum(axis=1) >= 0.5, bridged.unknown[nearest]
        )
        return bridged.folded(weights), seen, unknown

    def summary(self) -> dict[str, Any]:
        """Plain values for JSON and for ``napari-hsr library``."""
        finite = self.values[np.isfinite(self.values)]
        return {
            "kind": "spectral library",
            "name": self.name,
            "names": list(self.names),
            "wavelengths_nm": self.wavelengths_nm.tolist(),
            "units": self.units,
            "value_range": [float(finite.min()), float(finite.max())] if finite.size else None,
            "metadata": jsonable(self.metadata),
            "notices": [notice.text for notice in self.notices],
        }


def numbered(names: Iterable[str]) -> tuple[str, ...]:
    """Names that tell apart what they name: the second ``leaf`` is ``leaf (2)``."""
    found: dict[str, None] = {}
    counts: dict[str, int] = {}
    for given in names:
        name = given
        while name in found:
            counts[given] = counts.get(given, 1) + 1
            name = f"{given} ({counts[given]})"
        found[name] = None
    return tuple(found)


def _area(nm: np.ndarray, values: np.ndarray) -> float:
    """The integral of absolute values, from one known value to the next."""
    known = np.isfinite(values)
    sizes = np.abs(values[known])
    return float((np.diff(nm[known]) * (sizes[1:] + sizes[:-1]) / 2).sum())


def _in_gaps(nm: np.ndarray, known: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Which new bands lie where values are missing, by more than one of them or than bands are apart."""
    right = np.searchsorted(known, nm, side="left")
    before, after = known[np.maximum(right - 1, 0)], known[np.minimum(right, known.size - 1)]
    there = np.abs(nm[:, None] - known).min(axis=1) < 0.01
    beyond = np.maximum(known[0] - nm, nm - known[-1])
    apart = np.gradient(nm) if nm.size > 1 else 0.0
    allowed = np.maximum(apart, 2.05 * float(np.median(np.diff(own))))
    found: np.ndarray = np.where(
        beyond > 0, beyond > _REPEATED, ~there & (after - before > allowed)
    )
    return found


def _told_of_widths(nm: np.ndarray) -> tuple[Notice, ...]:
    """A warning where bands are so far apart that their widths matter, and are not stated."""
    if nm.size < 2 or float(np.median(np.diff(nm))) <= 2 * _WIDEST:
        return ()
    text = (
        f"The widths of the bands are not stated: spectra of a library were averaged over {_WIDEST:g} nm "
        "around each, and bands of other widths see other values."
    )
    return (Notice.warning(Code.BAND_WIDTHS_ASSUMED, text),)
