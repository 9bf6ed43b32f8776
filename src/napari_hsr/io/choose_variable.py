"""Choosing among the variables of a MATLAB, HDF5 or NumPy file: the cube, its wavelengths."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError, SeveralArraysError
from napari_hsr.io import alternatives
from napari_hsr.io.decoding import APPLIED, NO_DATA_NAMES, is_factor, plain_name
from napari_hsr.io.masks_beside import hides_pixels
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from napari_hsr.io.variable import Variable

#: Usual names of the cube, best first; compared without case.
CUBE_KEYS = (
    "cube", "hsi", "hypercube", "datacube", "hyper", "rad", "radiance", "ref", "refl",
    "reflectance", "spectral", "hrhsi", "hr_hsi", "msi", "gt", "bands", "img", "image",
    "data", "x", "z", "i", "array", "arr_0",
)  # fmt: skip
#: Names strong enough for a cube of one band, whose array has two axes.
ONE_BAND_KEYS = ("cube", "hsi", "rad", "ref")
#: Lists of texts that name the bands.
_BAND_NAMES = (
    "band_names", "bandnames", "band_name", "band_labels", "channel_names", "band", "long_name",
    "descriptions", "band_descriptions",
)  # fmt: skip
#: Facts worth keeping: one value, or one a band.
_SCALARS = ("norm_factor", "exposure", "integration_time", "illuminant", "units", "unit")
_PER_BAND = ("fwhm", "bbl", "good_wavelengths", "bad_bands", "badbands")


def choose_cube(
    path: Path, variables: list[Variable], ours: bool = False, wanted: str | None = None
) -> Variable:
    """The variable that holds the cube.

    Of the arrays with three axes, those with an axis as long as the list of wavelengths if
    there are any; of these the first of :data:`CUBE_KEYS`, else the only one. An
    array with two axes (MATLAB drops a last axis of length one) is a cube of one band only
    if the file says so: it is one of ``ours``, or one wavelength stands beside an array under
    one of :data:`ONE_BAND_KEYS`. Otherwise it may be a mask, a table or a picture.

    Raises
    ------
    FileError
        Listing what is inside, if there is none or more than one candidate.
    """
    if not variables:
        raise FileError(path, "a cube was expected, but the file holds no variables")
    parts = {name for v in variables for name in v.parts}
    possible = [v for v in variables if v.real and v.has_three_axes and v.name not in parts]
    alternatives.note_arrays(
        [alternatives.StoredArray(v.name, tuple(v.shape), v.kind) for v in possible]
    )
    chosen = (
        _likeliest(path, variables, ours) if wanted is None else _named(path, variables, wanted)
    )
    alternatives.note_chosen(chosen.name)
    return chosen


def _likeliest(path: Path, variables: list[Variable], ours: bool) -> Variable:
    """The variable that holds the cube, if the user does not say."""
    numeric = [v for v in variables if v.real]
    parts = {name for v in variables for name in v.parts}
    candidates = [v for v in numeric if v.has_three_axes and v.name not in parts]
    counts = _listed_wavelengths(variables)
    candidates = [v for v in candidates if _has_centres(v, counts)] or candidates
    for key in CUBE_KEYS:
        named = [v for v in candidates if v.short == key]
        if len(named) == 1 or alternatives.of_one_list([v.name for v in named]):
            return named[0]
    main = [v for v in candidates if not (_is_about(v, candidates) or hides_pixels(v.short))]
    if len(main) == 1 or alternatives.of_one_list([v.name for v in main]):
        return main[0]
    if candidates:
        raise SeveralArraysError(
            path,
            f"{len(candidates)} arrays could be the cube, none alone under a usual name such as "
            f"'cube': {_listing(candidates)}; name one, as in {path.name}:{candidates[0].name}",
        )
    for key in ONE_BAND_KEYS:
        planes = [v for v in numeric if v.short == key and len(v.shape) == 2]
        planes = [v for v in planes if ours or (v.wavelengths or (*counts, 0)[0]) == 1]
        if len(planes) == 1:
            return planes[0]
    # an odd number of axes, or numbers of another kind: the array itself says what is wrong
    for named_cube in (True, False):
        odd = [
            v
            for v in variables
            if v.dtype is not None
            and (v.short == "cube" or not named_cube)
            and (len(v.shape) > 3 or 0 in v.shape or v.dtype.kind == "c")
        ]
        if len(odd) == 1:
            return odd[0]
    told = f"no numeric array with three axes was found; it holds {_listing(variables)}"
    if any(v.real and v.long_axes == 2 and set(v.shape) & set(counts) for v in variables):
        told += ". A table of spectra is read as a library: read_library, or `napari-hsr library`"
    if any(v.kind in ("opaque", "object") or v.kind.endswith(" object") for v in variables):
        told += (
            ". MATLAB's objects are not read: save their arrays alone, such as DataCube and "
            "Wavelength of a hypercube"
        )
    raise FileError(path, told)


def _is_about(variable: Variable, others: list[Variable]) -> bool:
    """Whether it is the uncertainty, the flags… of another one: ``Rrs_unc`` beside ``Rrs``."""
    starts = [v.name for v in others if v is not variable and variable.name.startswith(v.name)]
    return any(_ABOUT.fullmatch(variable.name[len(start) :].lower()) for start in starts)


def _named(path: Path, variables: list[Variable], wanted: str) -> Variable:
    """The variable that the user names in full, or by the last part of its name."""
    for same in (
        [v for v in variables if v.name.strip("/") == wanted.strip("/")],
        [v for v in variables if v.short == wanted.lower()],
    ):
        if len(same) == 1:
            return same[0]
    arrays = [v for v in variables if v.real and len(v.shape) >= 2]
    raise FileError(path, f"it holds no array {wanted!r}, but {_listing(arrays or variables)}")


def left_out(path: Path, variables: list[Variable], chosen: Variable) -> tuple[Notice, ...]:
    """The notice of other arrays that could be a cube; none if there are none."""
    others = [v for v in variables if v.real and v.has_three_axes and v is not chosen]
    others = [v for v in others if v.name not in chosen.parts]
    others = [v for v in others if not (v.shape == chosen.shape and hides_pixels(v.short))]
    if not others:
        return ()
    told = (
        f"“{chosen.name}” was opened; left out: {_listing(others)}. "
        f"To open another one, name it: {path.name}:{others[0].name}."
    )
    return (Notice.warning(Code.OTHER_ARRAYS_LEFT_OUT, told),)


def _has_centres(variable: Variable, counts: list[int]) -> bool:
    """Whether an axis is as long as a list of wavelengths, its own if it has one."""
    listed = [variable.wavelengths] if variable.wavelengths else counts
    return bool(set(listed) & set(variable.shape))


def _listed_wavelengths(variables: list[Variable]) -> list[int]:
    """The lengths of the lists of wavelengths under the likeliest name; one number in 'bands' is none."""
    for key in wl.KEYS:
        sizes = [
            math.prod(v.shape)
            for v in variables
            if v.short == key and v.long_axes <= 1 and (v.real or v.is_text) and v.shape
        ]
        sizes = [size for size in sizes if size > (key == "bands")]
        if sizes:
            return sizes
    return []


def _listing(variables: list[Variable]) -> str:
    listed = ", ".join(v.describe() for v in variables[:12])
    return listed + (f" and {len(variables) - 12} more" if len(variables) > 12 else "")


@dataclass
class Companions:
    """What lies beside the cube in the same file."""

    wavelengths: np.ndarray | None
    unit: str | None
    metadata: dict[str, Any]
    per_band: dict[str, Any]
    notices: tuple[Notice, ...]
    no_data: tuple[float, ...] = ()


def companions(
    variables: list[Variable],
    cube: Variable,
    load: Callable[[str], Any],
    attributes: Mapping[str, Any] | None = None,
) -> Companions:
    """Wavelengths and small facts beside the cube, in variables or in attributes.

    Parameters
    ----------
    variables, cube
        All variables, and the one chosen.
    load : callable
        Gives the value of a variable by name.
    attributes : mapping, optional
        Attributes of the file and of the cube (HDF5).
    """
    attributes = {str(k).lower(): v for k, v in (attributes or {}).items()}
    result = Companions(None, None, {}, {}, ())
    near = sorted((v for v in variables if v is not cube), key=lambda v: _nearness(v, cube))
    vectors = {v.short: v for v in near if v.real and v.long_axes <= 1 and v.shape}
    single = {v.short: v for v in near if v.real and math.prod(v.shape) == 1}
    others = {v.short: v for v in near if not v.real and v.short in wl.KEYS}
    units = {}
    for variable in near:  # "Wavelength (nm)", "band_centers_nm"
        known, said = wl.key_of(variable.short)
        if known and known not in vectors and variable.real and variable.long_axes <= 1:
            vectors[known], units[known] = variable, said
    for key in wl.KEYS:
        unit = None
        if key in vectors:
            values, unit = np.ravel(np.asarray(load(vectors[key].name))), units.get(key)
        elif key in others and not others[key].kind.startswith("empty"):
            values, unit = _from_text(others[key], load)
        elif key in attributes and (
            np.ndim(attributes[key]) >= 1 or isinstance(attributes[key], (str, bytes))
        ):
            values, unit = _parsed(_flat(attributes[key]))
        else:
            continue
        if values.dtype.kind not in "iufb":
            if key == "bands":  # names of bands, or whatever else
                continue
        elif _is_a_count(key, values, cube):
            continue
        elif wl.are_band_numbers(values):
            result.metadata[key] = values.tolist()
            told = f"The variable '{key}' numbers the bands and gives no wavelengths."
            result.notices += (Notice.info(Code.WAVELENGTHS_UNUSABLE, told),)
            continue
        fits = values.size in cube.shape
        if result.wavelengths is None or fits:
            result.wavelengths, result.unit = values, unit or wl.unit_in_name(key)
        if fits:
            break  # else a list under another name may
    if result.wavelengths is None:
        result.wavelengths, result.unit = _from_names(variables, load, attributes)
    if result.wavelengths is None:
        _take_alike(near, cube, load, result)
    for key in _SCALARS:
        if key in single:
            result.metadata[key] = np.ravel(np.asarray(load(single[key].name)))[0].item()
    for key in dict.fromkeys([*single, *attributes]):
        if not is_factor(key) or (key not in single and plain_name(key) in APPLIED):
            continue
        values = np.ravel(np.asarray(load(single[key].name) if key in single else attributes[key]))
        if values.dtype.kind not in "iuf" or values.size not in (1, *cube.shape):
            continue
        if values.size == 1:
            result.metadata[key] = values[0].item()
        if not set(values.tolist()) <= {0, 1}:
            what = "variable" if key in single else "attribute"
            told = f"The {what} '{key}' ({values[0]:g}) was not applied: the numbers are as stored."
            result.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
    for key in single:
        if plain_name(key) in NO_DATA_NAMES:
            result.no_data += (float(np.ravel(np.asarray(load(single[key].name)))[0]),)
    for key in _PER_BAND:
        if result.wavelengths is None or not (key in vectors or key in attributes):
            continue
        stored = load(vectors[key].name) if key in vectors else attributes[key]
        values = np.ravel(np.asarray(stored))
        if values.dtype.kind not in "iufb":
            continue
        if values.size == result.wavelengths.size:
            known = {"good_wavelengths": "bbl"}.get(key, key)  # EMIT: 1 for those of use
            result.per_band[known] = np.asarray(values, float if known == "fwhm" else None).tolist()
        else:
            told = (
                f"'{key}' has {values.size} values for {result.wavelengths.size} bands: left out."
            )
            result.notices += (Notice.warning(Code.LIST_UNUSABLE, told),)
    return result


def _take_alike(
    near: list[Variable], cube: Variable, load: Callable[[str], Any], result: Companions
) -> None:
    """A list under an unusual name that can be nothing else, or the first column of a table of two."""
    for variable in near[::-1]:
        size = max(variable.shape, default=0)
        columns = len(variable.shape) == 2 and min(variable.shape) == 2 and size > 2
        known = variable.short in wl.KEYS or (not columns and _ALIKE.search(variable.short))
        if not (variable.real and known and size > 2 and size in cube.shape):
            continue
        by_column = not columns and variable.long_axes == 2 and variable.short in wl.KEYS
        if not (columns or by_column) and variable.long_axes != 1:
            continue
        values = np.asarray(load(variable.name), dtype=np.float64)
        if columns:
            both = values.T if values.shape[1] == 2 else values
            values = both[1] if wl.are_band_numbers(both[0]) else both[0]
        if by_column:
            values = _of_middle(np.squeeze(values), cube.shape)
            told = f"“{variable.name}” has a list for each column of the detector: their mean was taken."
            result.notices += (Notice.warning(Code.OTHER, told),) * (values.size > 0)
        values = values.ravel()
        if values.size not in cube.shape:
            continue
        steps = np.diff(values)
        ordered = bool((steps > 0).all() or (steps < 0).all()) and values.min() > 0
        if ordered and not wl.are_band_numbers(values):
            result.wavelengths, result.unit = values, wl.unit_in_name(variable.short)
            told = f"The wavelengths are those of “{variable.name}”."
            result.notices += (Notice.info(Code.OTHER, told),)
            return


#: Parts of names that lists of wavelengths have.
_ALIKE = re.compile(r"wave.?len|wavelen|wavel|lambda|wvl|band_?cent")
#: Ends of names of arrays that say something of another one.
_ABOUT = re.compile(
    r"[_-](unc|uncert\w*|err|error|errors|std|stdev|sigma|var|variance|mask|flags?|quality|qa|noise)"
)


def _of_middle(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The mean of the lists of all columns; empty where no axis holds lists that ascend or descend."""
    for axis in range(values.ndim if values.ndim == 2 else 0):
        steps = np.diff(values, axis=axis)
        if values.shape[axis] in shape and ((steps > 0).all() or (steps < 0).all()):
            mean: np.ndarray = values.mean(axis=1 - axis)
            return mean
    return np.empty(0)


def _nearness(variable: Variable, cube: Variable) -> tuple[bool, int, int]:
    """Ascending: as long as an axis of the cube, then in its folder, then in those around it."""
    own, of_cube = (v.name.strip("/").split("/")[:-1] for v in (variable, cube))
    shared = 0
    while own[shared : shared + 1] == of_cube[shared : shared + 1] != []:
        shared += 1
    return math.prod(variable.shape) in cube.shape, shared, -len(own)


def _from_names(
    variables: list[Variable], load: Callable[[str], Any], attributes: dict[str, Any]
) -> tuple[np.ndarray | None, str | None]:
    """Wavelengths in the names of the bands, in a list of texts."""
    listed = [_flat(load(v.name)) for v in variables if v.short in _BAND_NAMES and v.is_text]
    listed += [
        _flat(attributes[key]) for key in _BAND_NAMES if np.ndim(attributes.get(key, 0)) == 1
    ]
    for names in listed:
        found, unit = wl.from_band_names(names)
        if found is not None:
            return np.array(found), unit
    return None, None


def _from_text(variable: Variable, load: Callable[[str], Any]) -> tuple[np.ndarray, str | None]:
    """Wavelengths in text or in cells; where they are not understood, what was there."""
    if variable.is_text:
        values, unit = _parsed(_flat(load(variable.name)))
        if values.size:
            return values, unit
    return np.array([variable.describe()]), None


def _parsed(flat: list[Any]) -> tuple[np.ndarray, str | None]:
    found = wl.from_texts(flat)
    return found if found is not None else (np.array(flat), None)


def _flat(value: Any) -> list[Any]:
    """Numbers and texts in nested arrays of objects, as one list."""
    array = np.asarray(value)
    if array.dtype.kind == "O":
        if array.ndim == 0:
            return [str(value)]
        return [inner for item in array.ravel() for inner in _flat(item)]
    flat = np.ravel(array).tolist()
    return [item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in flat]


def _is_a_count(key: str, values: np.ndarray, cube: Variable) -> bool:
    """``bands = 31`` says how many there are, not where they lie."""
    if values.size != 1 or len(cube.shape) != 3:
        return False
    return 1 not in cube.shape or (key == "bands" and float(values[0]) == 1)
