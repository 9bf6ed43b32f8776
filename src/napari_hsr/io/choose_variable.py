"""Choosing among the variables of a MATLAB, HDF5 or NumPy file: the cube, its wavelengths."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError, SeveralArraysError
from napari_hsr.io import alternatives
from napari_hsr.io.masks_beside import hides_pixels
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.io.variable import Variable

#: Usual names of the cube, best first; compared without case.
CUBE_KEYS = (
    "cube", "hsi", "hypercube", "datacube", "hyper", "rad", "radiance", "ref", "refl",
    "reflectance", "spectral", "hrhsi", "hr_hsi", "msi", "gt", "bands", "img", "image",
    "data", "x", "z", "i", "array", "arr_0",
)  # fmt: skip
#: Names strong enough for a cube of one band, whose array has two axes.
ONE_BAND_KEYS = ("cube", "hsi", "rad", "ref", "reflectance", "radiance")
#: Ends of names of arrays that say something of another one.
_ABOUT = re.compile(
    r"[_-](unc|uncert\w*|err|error|errors|std|stdev|sigma|var|variance|mask|flags?|quality|qa|noise)"
)

#: Names of arrays that say where each pixel lies.
_OF_PLACES = ("lat", "lon", "latitude", "longitude", "x", "y", "easting", "northing", "elevation")
#: Names of white and dark references beside a scan.
_REFERENCE = re.compile(
    r"(white|dark|black|flat|background)([_ ]?(ref|reference|frame|panel|field|current|cube|data))?s?|"
    r"(ref|reference)[_ ]?(white|dark)|wref|dref"
)


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
    main = [v for v in main if not _REFERENCE.fullmatch(v.short)] or main
    if len(main) == 1 or alternatives.of_one_list([v.name for v in main]):
        return main[0]
    if candidates:
        raise SeveralArraysError(
            path,
            f"{len(candidates)} arrays could be the cube, none alone under a usual name such as "
            f"'cube': {_listing(candidates)}; name one, as in {path.name}:{candidates[0].name}",
        )
    plane = _of_two_axes(numeric, counts, ours)
    if plane is not None:
        return plane
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


def _of_two_axes(numeric: list[Variable], counts: list[int], ours: bool) -> Variable | None:
    """A line of pixels, or the only band: an array with two axes of which the file says so."""
    planes = [v for v in numeric if len(v.shape) == 2 and v.long_axes > 1]
    lines = [v for v in planes if v.line and not hides_pixels(v.short)]
    lines = [v for v in lines if not _is_about(v, lines)]
    for key in CUBE_KEYS:
        named = [v for v in lines if v.short == key]
        if len(named) == 1:
            return named[0]
    if lines:
        return lines[0] if len(lines) == 1 else None
    planes = [v for v in numeric if len(v.shape) == 2]
    alone = [v for v in numeric if v.short in wl.KEYS and v.short != "bands" and not v.long_axes]
    count = 1 if alone else (*counts, 0)[0]
    for key in ONE_BAND_KEYS:
        named = [v for v in planes if v.short == key]
        named = [v for v in named if ours or (v.wavelengths or count) == 1]
        if len(named) == 1:
            return named[0]
    images = [v for v in planes if v.long_axes == 2 and not hides_pixels(v.short)]
    images = [v for v in images if not (v.short in _OF_PLACES or _is_about(v, images))]
    return images[0] if len(images) == 1 and (images[0].wavelengths or count) == 1 else None


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
