"""The entries of a library that are most like a spectrum, and which of them colours can tell apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.analysis.block_reading import of_the_prior
from napari_hsr.arguments import told
from napari_hsr.colour.transfer import srgb_decode, srgb_encode
from napari_hsr.errors import InputError
from napari_hsr.io.bands import widths_of
from napari_hsr.matching.entries import LEAST_BANDS, entries_on
from napari_hsr.matching.similarity import FUNCTIONS, MEASURES
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import LINEAR_SRGB
from napari_hsr.trust.feasible import PHOTOELECTRONS, tolerance
from napari_hsr.trust.linear_camera import CIE, LinearCamera, linear_camera

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.cameras import Camera
    from napari_hsr.cube import Cube
    from napari_hsr.matching.entries import Entries
    from napari_hsr.spectra import Curve
    from napari_hsr.spectral_library import SpectralLibrary

#: Names of entries that a sentence lists.
_LISTED = 5


@dataclass(frozen=True)
class Match:
    """One entry and how like it is.

    Attributes
    ----------
    name : str
    number : int
        From 0, in the library.
    angle : float
        Spectral angle in degrees.
    sid : float
        Spectral information divergence in nats.
    correlation : float
        -1..1.
    indistinguishable : bool
        Whether its colour differs from that of the best entry by less than the noise; False where
        the cube was measured band by band.
    """

    name: str
    number: int
    angle: float
    sid: float
    correlation: float
    indistinguishable: bool = False


@dataclass(frozen=True, eq=False)
class Matches:
    """The best entries of a library for one spectrum.

    Attributes
    ----------
    name, library : str
        Of the spectrum and of the library.
    by : str
        The measure that ordered them; one of :data:`~napari_hsr.matching.similarity.MEASURES`.
    best : tuple of Match
        The best first.
    entries, bands : int
        How many were compared, and by how many bands.
    indistinguishable : tuple of str or None
        Entries of the whole library that the colours of the photograph cannot tell from the best,
        the best of them first; None for a cube that was not reconstructed from a photograph.
    notices : tuple of Notice
    """

    name: str
    library: str
    by: str
    best: tuple[Match, ...]
    entries: int
    bands: int
    indistinguishable: tuple[str, ...] | None
    notices: tuple[Notice, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        alike = self.indistinguishable
        return {
            "spectrum": self.name,
            "library": self.library,
            "by": self.by,
            "entries": self.entries,
            "bands": self.bands,
            "best": [asdict(one) for one in self.best],
            "indistinguishable": None if alike is None else list(alike),
            "notices": [notice.text for notice in self.notices],
        }


@told
def match(
    curve: Curve,
    library: SpectralLibrary | Sequence[Curve] | Entries,
    *,
    by: str = "angle",
    most: int = 10,
    cube: Cube | None = None,
    camera: str | Camera | None = None,
    seen: LinearCamera | None = None,
    electrons: float = PHOTOELECTRONS,
) -> Matches:
    """The entries most like a spectrum.

    Parameters
    ----------
    curve : Curve
        Of a pixel or a region.
    library : SpectralLibrary, sequence of Curve, or Entries
        Brought to the bands of the curve; :func:`~napari_hsr.matching.entries_on` does that once
        for many curves.
    by : str
        ``"angle"``, ``"sid"`` or ``"correlation"``; all three are computed.
    most : int
        Entries to return.
    cube : Cube, optional
        That the curve was taken from: bands that it marks as bad are left out. If it was
        reconstructed from a photograph, the result says which entries its three numbers cannot tell apart.
    camera : str or Camera, optional
        That took the photograph; by default as the model's encoding says, else the CIE observer.
    seen : LinearCamera, optional
        The same, where it is known already.
    electrons : float
        Of a pixel at full scale: shot noise.

    Raises
    ------
    InputError
        If the measure is not known, or there are too few bands in common.
    """
    if by not in MEASURES:
        raise InputError(f"Spectra are matched by {', '.join(MEASURES)}, not by {by!r}.")
    if most < 1:
        raise InputError(f"At least one entry must be asked for, not {most}.")
    values = np.asarray(curve.mean, dtype=np.float64)
    if cube is not None and len(values) == cube.bands:
        values = np.where(cube.good_bands, values, np.nan)
    widths = None
    if cube is not None and len(values) == cube.bands:
        widths = widths_of(cube)
    entries = entries_on(library, curve.wavelengths_nm, len(values), widths)
    shared = np.isfinite(values) & np.isfinite(entries.values).any(axis=0)
    if shared.sum() < LEAST_BANDS:
        raise InputError(
            f"{curve.name} and the spectra of {entries.name} share {int(shared.sum())} bands with "
            f"values: {LEAST_BANDS} or more are needed."
        )
    figures = FUNCTIONS[by](values[None], entries.values)[0]
    order = np.argsort(figures if MEASURES[by][1] else -figures, kind="stable")
    order = order[np.isfinite(figures[order])]
    if not order.size:
        raise InputError(f"{curve.name} is like no spectrum of {entries.name}: one is all zero.")
    alike, notices = None, list[Notice]()
    if cube is not None and (notices := of_the_prior(cube, "a match")):
        seen = seen or _linear_camera_of(cube, camera)
        alike = order[_like_the_best(values, entries.values[order], seen, electrons)]
        notices += _told(entries.names, alike, len(entries), seen, electrons)
        notices += seen.notices
    if cube is not None:
        notices += entries.differing(cube)
    same = set() if alike is None or alike.size < 2 else set(alike.tolist())
    first = order[:most]
    shown = [
        FUNCTIONS[name](values[None], entries.values[first])[0]
        for name in ("angle", "sid", "correlation")
    ]
    best = tuple(
        Match(entries.names[at], int(at), float(a), float(sid), float(r), at in same)
        for at, a, sid, r in zip(first, *shown, strict=True)
    )
    return Matches(
        name=curve.name,
        library=entries.name,
        by=by,
        best=best,
        entries=len(entries),
        bands=int(shared.sum()),
        indistinguishable=None if alike is None else tuple(entries.names[i] for i in alike[1:]),
        notices=(*entries.notices, *notices),
    )


def _linear_camera_of(cube: Cube, camera: str | Camera | None) -> LinearCamera:
    """The camera behind the photograph, or the CIE observer where its sensitivities are not known."""
    nm = np.asarray(cube.wavelengths if cube.wavelengths is not None else ())
    encoding = str((cube.metadata.get("card") or {}).get("input_encoding") or LINEAR_SRGB)
    if not nm.size:
        raise InputError(f"{cube.name} has no wavelengths: set them, and then match.")
    if camera is not None:
        return linear_camera(encoding, nm, camera)
    try:
        return linear_camera(encoding, nm)
    except InputError:  # who took it is not known
        return linear_camera(LINEAR_SRGB, nm, CIE)


def _like_the_best(
    values: np.ndarray, entries: np.ndarray, seen: LinearCamera, electrons: float
) -> np.ndarray:
    """Which entries, the best being the first, have its colour within the noise.

    Brightness is none of an entry's: each is scaled so that its colour is as near as may be to that
    of the spectrum.
    """
    known = np.isfinite(entries[0]) & np.isfinite(values)
    matrix = seen.matrix[known]
    own = np.where(np.isfinite(values), values, 0)[known] @ matrix
    colours = entries[:, known] @ matrix
    size = (colours**2).sum(axis=1)
    gain = np.divide(colours @ own, size, out=np.zeros(len(size)), where=size > 0)
    colours *= gain[:, None]
    allowed = tolerance(own, electrons)
    if seen.encoding == LINEAR_SRGB and seen.approximate:  # eight bits of sRGB
        stored = srgb_encode(np.clip(own, 0, 1))
        low, high = (srgb_decode(np.clip(stored + half / 255, 0, 1)) for half in (-0.5, 0.5))
        allowed = allowed + (high - low) / 2
    near: np.ndarray = (np.abs(colours - colours[0]) <= allowed).all(axis=1)
    return near


def _told(
    names: tuple[str, ...], alike: np.ndarray, entries: int, seen: LinearCamera, electrons: float
) -> list[Notice]:
    best, others = names[alike[0]], [names[at] for at in alike[1:]]
    eye = f"By the three numbers of {seen.name}"
    noise = f"noise of {electrons:,.0f} electrons at full scale"
    if seen.encoding == LINEAR_SRGB and seen.approximate:
        noise += " and eight bits"
    if not others:
        told = (
            f"{eye}, {best} differs from the other {entries - 1:,} entries by more than {noise}; "
            "spectra outside the library may share its colour."
        )
    else:
        listed = ", ".join(others[:_LISTED]) + (" …" if len(others) > _LISTED else "")
        told = (
            f"{eye}, {len(others):,} of the other {entries - 1:,} entries cannot be told from "
            f"{best} within {noise}: {listed}."
        )
    return [Notice.warning(Code.INDISTINGUISHABLE, told)]
