"""Index maps: a spectral index of the catalogue, or band arithmetic, for each pixel."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.analysis.block_reading import derived, no_value, of_the_prior, parts
from napari_hsr.analysis.catalogue import BandRange, Catalogue, Index, catalogue, installed
from napari_hsr.analysis.expression import Expression, parse
from napari_hsr.arguments import told
from napari_hsr.colour.render import beyond_reflectance
from napari_hsr.errors import InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, result_of
from napari_hsr.quantities import Quantity, quantity_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping

    from napari_hsr.cube import Cube

_BAND = re.compile(r"b(\d+(?:_\d+)?)")
#: What float32 holds: maps are stored in it.
_GREATEST = float(np.finfo(np.float32).max)
#: A band within this distance in nm of the wavelength asked for is not worth a word.
_SAME_NM = 0.05


@dataclass(frozen=True)
class Offer:
    """An index of the catalogue, and why a cube cannot give it (None if it can)."""

    index: Index
    why_not: str | None


@dataclass(frozen=True)
class _Sources:
    """What the names of a formula stand for on one cube.

    Attributes
    ----------
    weights : dict of str to ndarray (bands,)
        A band, two to interpolate between, or all in a broad band, each with its share.
    constants : dict of str to float
    told : list of Notice
    """

    weights: dict[str, np.ndarray]
    constants: dict[str, float]
    told: list[Notice]


@told
def offers(cube: Cube) -> list[Offer]:
    """All indices of the catalogue, each with why this cube cannot give it.

    Raises
    ------
    InputError
        If spyndex is not installed, or the wavelengths of the cube are not known.
    """
    known = catalogue()
    _need_wavelengths(cube)
    return [
        Offer(one, _why_not(cube, one, parse(one.formula), known, {}))
        for one in known.indices.values()
    ]


def why_not(
    cube: Cube, what: str, constants: Mapping[str, float] | None = None, interpolate: bool = False
) -> str | None:
    """Why :func:`index` would refuse this, in one sentence; None if it would not. Reads no data."""
    try:
        _plan(cube, what, constants or {}, interpolate)
    except InputError as error:
        return str(error)
    return None


@told
def index(
    cube: Cube,
    what: str,
    *,
    constants: Mapping[str, float] | None = None,
    interpolate: bool = False,
    progress: Callable[[Progress], object] | None = None,
    cancel: threading.Event | None = None,
) -> Cube:
    """A spectral index, or band arithmetic, for each pixel.

    Parameters
    ----------
    cube : Cube
        In memory or lazy; only the bands that are needed are read, part by part.
    what : str
        The name of an index of spyndex's catalogue, such as ``"VARI"``, in any case unless names differ
        by it alone, or a formula of bands by wavelength in nm, such as ``"(b650 - b550) / (b650 + b550)"``; of a cube
        without wavelengths ``b1`` is the first band. Of an index, a broad band is the mean of all
        good bands of the cube inside it; its middle must lie within the cube.
    constants : mapping of str to float, optional
        Other values than the catalogue's for the constants of an index, such as ``{"L": 0.5}``.
    interpolate : bool
        Take a wavelength linearly between its two neighbours, not the nearest band.
    progress : callable, optional
        Called with each :class:`~napari_hsr.progress.Progress`.
    cancel : threading.Event, optional

    Returns
    -------
    Cube, shape (1, height, width)
        NaN where the index is not defined: a division by zero, missing values, or a result that
        float32 does not hold. Its notices say which bands were taken.

    Raises
    ------
    InputError
        If there is no such index, the formula cannot be read, or the cube lacks a band; the
        sentence names the wavelengths that are needed and those that are there.
    napari_hsr.errors.Cancelled
    """
    events = index_events(cube, what, constants=constants, interpolate=interpolate, cancel=cancel)
    return result_of(events, progress)


@told
def index_events(
    cube: Cube,
    what: str,
    *,
    constants: Mapping[str, float] | None = None,
    interpolate: bool = False,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | Cube]:
    """:func:`index` as events: progress, and last the map."""
    known, formula, sources = _plan(cube, what, constants or {}, interpolate)
    title = formula.text if known is None else known.name
    used = np.flatnonzero(np.any([w != 0 for w in sources.weights.values()], axis=0))
    data = np.empty((1, *cube.shape[1:]), np.float32)
    for rows, values, progress in parts(cube, used.tolist(), cancel, title):
        named = {name: _mixed(values, w[used]) for name, w in sources.weights.items()}
        found = formula.evaluate({**sources.constants, **named})
        data[0, rows] = np.where(np.abs(found) > _GREATEST, np.nan, found)
        yield progress
    notices = [*sources.told]
    if known is not None:
        notices += _about_scale(cube, formula, sources)
    notices += no_value(int(np.isnan(data).sum()), data.size)
    notices += of_the_prior(cube, "this map")
    taken = {
        name: (np.flatnonzero(w) + 1 if cube.wavelengths is None else cube.wavelengths.nm[w != 0])
        for name, w in sources.weights.items()
    }
    facts: dict[str, Any] = {
        "kind": "index",
        "formula": formula.text,
        "constants": sources.constants,
        "bands": {name: which.tolist() for name, which in taken.items()},
    }
    if known is not None:
        facts |= {"index": known.name, "title": known.title, "reference": known.reference}
    step = f"{title}: {formula.text}." if known is not None else f"Band arithmetic: {title}."
    yield derived(
        cube,
        data,
        title,
        step,
        units=None,
        facts=facts,
        notices=notices,
        names=[title],
    )


def _plan(
    cube: Cube, what: str, constants: Mapping[str, float], interpolate: bool
) -> tuple[Index | None, Expression, _Sources]:
    """The index if it is one, its formula, and where the values come from."""
    text = what.strip()
    if not text:
        raise InputError("Name an index, or write a formula such as (b650 - b550) / (b650 + b550).")
    if not _BAND.fullmatch(text.replace(".", "_")) and re.fullmatch(r"\w+", text):
        known = catalogue()
        found = known.named(text)
        if found is None:
            close = difflib.get_close_matches(text.upper(), known.indices, 3, 0.6)
            raise InputError(
                f"There is no index {text!r} in the catalogue"
                + (f"; similar ones are {', '.join(close)}." if close else ".")
            )
        _need_wavelengths(cube)
        formula = parse(found.formula)
        if reason := _why_not(cube, found, formula, known, constants):
            raise InputError(reason)
        unknown = sorted(set(constants) - set(formula.names))
        if unknown:
            raise InputError(f"{found.name} has no constant {unknown[0]!r}: it is {found.formula}.")
        return found, formula, _of_index(cube, found, formula, known, constants)
    formula = parse(text)
    if constants:
        raise InputError("Constants are those of an index; write numbers into a formula.")
    return None, formula, _of_formula(cube, formula, interpolate)


def _need_wavelengths(cube: Cube) -> None:
    if cube.wavelengths is None:
        raise InputError(
            f"The wavelengths of {cube.name} are not known, so no index of the catalogue can be "
            "made of it: set them first, or write a formula of its bands, b1 the first."
        )


# --- an index of the catalogue ----------------------------------------------------------------


def _inside(cube: Cube, band: BandRange) -> np.ndarray:
    """The good bands in a broad band, (bands,) bool; none if its middle is not in the cube."""
    assert cube.wavelengths is not None  # as _need_wavelengths has checked
    nm, good = cube.wavelengths.nm, cube.good_bands
    middle = (band.first_nm + band.last_nm) / 2
    found: np.ndarray = good & (nm >= band.first_nm) & (nm <= band.last_nm)
    if not nm[good][0] <= middle <= nm[good][-1]:
        found[:] = False
    return found


def _why_not(
    cube: Cube,
    one: Index,
    formula: Expression,
    known: Catalogue,
    constants: Mapping[str, float],
) -> str | None:
    """Why a cube cannot give an index, in one sentence."""
    lacking, open_ = [], []
    for name in formula.names:
        plain = name.removeprefix("lambda")
        if plain in known.bands:
            if not _inside(cube, known.bands[plain]).any():
                lacking.append(known.bands[plain].describe())
        elif name not in constants and name not in known.constants:
            open_.append(name)
    assert cube.wavelengths is not None
    if lacking:
        needs = " and ".join(dict.fromkeys(lacking))
        return f"{one.name} needs {needs}; {cube.name} has {cube.wavelengths.describe()}."
    if open_:
        return (
            f"{one.name} needs {', '.join(open_)}, which no band of a cube is: {one.formula}. "
            "State a value as a constant if there is one."
        )
    return None


def _of_index(
    cube: Cube,
    one: Index,
    formula: Expression,
    known: Catalogue,
    stated: Mapping[str, float],
) -> _Sources:
    assert cube.wavelengths is not None
    nm = cube.wavelengths.nm
    weights: dict[str, np.ndarray] = {}
    constants: dict[str, float] = {}
    words, narrower = [], False
    for name in formula.names:
        plain = name.removeprefix("lambda")
        if name in stated:
            constants[name] = float(stated[name])
        elif plain in known.bands:
            band = known.bands[plain]
            inside = _inside(cube, band)
            if name != plain:  # the wavelength of a band
                constants[name] = float(nm[inside].mean())
                continue
            weights[name] = inside / inside.sum()
            found = nm[inside]
            edge = (float(np.diff(nm).mean()) if nm.size > 1 else 0.0) + 1e-6
            partly = found[0] > band.first_nm + edge or found[-1] < band.last_nm - edge
            narrower |= partly
            span = f"{found[0]:g}–{found[-1]:g} nm" if found.size > 1 else f"{found[0]:g} nm"
            of = f" of {band.first_nm:g}–{band.last_nm:g} nm" if partly else ""
            words.append(
                f"{name} is the mean of {span}{of}" if found.size > 1 else f"{name} is {span}{of}"
            )
        else:
            constants[name] = known.constants[name]
    make = Notice.warning if narrower else Notice.info
    told = [make(Code.BANDS_CHOSEN, f"In {one.name}, {', '.join(words)}.")]
    assumed = [
        f"{k} = {v:g}" for k, v in constants.items() if k not in stated and k in known.constants
    ]
    if assumed:
        text = f"The catalogue's constants were taken: {', '.join(assumed)}."
        told.append(Notice.info(Code.CONSTANTS_ASSUMED, text))
    return _Sources(weights, constants, told)


# --- band arithmetic --------------------------------------------------------------------------


def _of_formula(cube: Cube, formula: Expression, interpolate: bool) -> _Sources:
    weights: dict[str, np.ndarray] = {}
    words = []
    for name in formula.names:
        found = _BAND.fullmatch(name)
        if found is None:
            raise InputError(
                f"{name!r} in the formula is no band: bands are written by their wavelength in nm, "
                "such as b650, or by their number where wavelengths are not known."
            )
        wanted = float(found[1].replace("_", "."))
        weights[name], how = _at(cube, wanted, interpolate)
        if how:
            words.append(f"{name.replace('_', '.')} is {how}")
    if not weights:
        raise InputError(f"The formula {formula.text!r} has no band in it, such as b650.")
    told = [Notice.info(Code.BANDS_CHOSEN, f"In the formula, {', '.join(words)}.")] if words else []
    return _Sources(weights, {}, told)


def _at(cube: Cube, wanted: float, interpolate: bool) -> tuple[np.ndarray, str]:
    """The weights of the bands for a wavelength, and in words what was taken if it is another."""
    weights = np.zeros(cube.bands)
    if cube.wavelengths is None:
        if wanted % 1 or not 1 <= wanted <= cube.bands:
            raise InputError(
                f"{cube.name} has the bands b1 to b{cube.bands}, and no b{wanted:g}: its "
                "wavelengths are not known."
            )
        weights[int(wanted) - 1] = 1.0
        return weights, ""
    bands = np.flatnonzero(cube.good_bands)
    nm = cube.wavelengths.nm[bands]
    ends = np.diff(nm)[[0, -1]] / 2 if nm.size > 1 else np.full(2, 5.0)
    if not nm[0] - ends[0] <= wanted <= nm[-1] + ends[1]:
        written = f"b{wanted:g}" if np.isfinite(wanted) else "A wavelength in the formula"
        raise InputError(
            f"{written} lies outside {cube.name}, which has {cube.wavelengths.describe()}."
        )
    if interpolate:
        weights[bands] = [np.interp(wanted, nm, unit) for unit in np.eye(nm.size)]
        both = [f"{cube.wavelengths[int(b)]:g}" for b in np.flatnonzero(weights)]
        return weights, f"interpolated between {both[0]} and {both[1]} nm" if both[1:] else ""
    band = cube.nearest_band(wanted)
    weights[band] = 1.0
    there = float(cube.wavelengths[band])
    return weights, f"the band at {there:g} nm" if abs(there - wanted) > _SAME_NM else ""


# --- values -----------------------------------------------------------------------------------


def _mixed(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted sum of the bands that have weight, in float64: NaN in others does no harm."""
    at = np.flatnonzero(weights)
    if at.size == 1 and weights[at[0]] == 1:
        only: np.ndarray = values[at[0]].astype(np.float64)
        return only
    mixed: np.ndarray = np.tensordot(weights[at], values[at].astype(np.float64), 1)
    return mixed


def _about_scale(cube: Cube, formula: Expression, sources: _Sources) -> list[Notice]:
    """A warning where the values' scale changes the index and the values are not known as fractions.

    A unit alone is not believed: files of integers 0..10000 often say reflectance, and not their factor.
    """
    rng = np.random.default_rng(0)
    drawn = {name: rng.uniform(0.1, 0.9, 32) for name in sources.weights}
    one = formula.evaluate({**sources.constants, **drawn})
    two = formula.evaluate({**sources.constants, **{k: 2 * v for k, v in drawn.items()}})
    if np.allclose(one, two, equal_nan=True):
        return []
    if quantity_of(cube.units) is not Quantity.REFLECTANCE:
        known = f"is in {cube.units}" if cube.units else "is without units"
    elif beyond_reflectance(cube):
        known = f"is said to hold {cube.units}, but reaches {cube.value_range[1]:.4g}"
    else:
        return []
    told = f"{formula.text} depends on the scale of the values; {cube.name} {known}."
    return [Notice.warning(Code.SCALE_MATTERS, told)]


def names(cube: Cube) -> list[str]:
    """The names of the indices that a cube can give; empty without spyndex or wavelengths."""
    if cube.wavelengths is None or not installed():
        return []
    return [offer.index.name for offer in offers(cube) if offer.why_not is None]
