"""What lies beside the cube in a MATLAB, HDF5, NetCDF, zarr or NumPy file: wavelengths, lists, factors."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import embedded_record, json_facts, per_band_facts
from napari_hsr.io.decoding import APPLIED, NO_DATA_NAMES, is_factor, plain_name
from napari_hsr.io.hdf5.axes import text
from napari_hsr.io.scale_and_offset import is_nearly_one
from napari_hsr.io.unfolded_lists import unfolded
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_hsr.io.variable import Variable

#: Lists of texts that name the bands.
_BAND_NAMES = (
    "band_names", "bandnames", "band_name", "band_labels", "channel_names", "band", "long_name",
    "descriptions", "band_descriptions",
)  # fmt: skip
#: Single values worth keeping.
_SCALARS = ("norm_factor", "exposure", "integration_time", "illuminant", "units", "unit")
#: Attributes with the unit of a list of wavelengths.
_WAVELENGTH_UNITS = ("wavelength_units", "wavelength units", "wavelength_unit", "wavelengths_unit")
#: A table of bands has no more columns.
_MOST_COLUMNS = 6
#: Parts of names that lists of wavelengths have; NumPy's own for arrays without one among them.
_ALIKE = re.compile(r"wave.?len|wavelen|wavel|lambda|wvl|band_?cent|^arr_\d+$")


@dataclass
class Companions:
    """What lies beside the cube in the same file.

    Attributes
    ----------
    wavelengths, unit
        The list as stored, not yet in nm, and its unit where that is stated.
    metadata
        Single facts, by name.
    per_band
        Lists with a value a band: ``fwhm``, ``bbl``…
    width_unit
        That of ``fwhm``, where it has one of its own.
    no_data
        The numbers that stand for missing values.
    around
        What variables of one number, attributes and texts in JSON state of the array's numbers, by name.
    """

    wavelengths: np.ndarray | None = None
    unit: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    per_band: dict[str, Any] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    no_data: tuple[float, ...] = ()
    width_unit: str | None = None
    around: dict[str, Any] = field(default_factory=dict)


def companions(
    variables: list[Variable],
    cube: Variable,
    load: Callable[[str], Any],
    attributes: Mapping[str, Any] | None = None,
    attributes_of: Callable[[str], Mapping[str, Any]] | None = None,
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
    attributes_of : callable, optional
        Gives the attributes of a variable by name.
    """
    variables, load, attributes_of = unfolded(variables, load, attributes_of)
    beside = _Beside(
        variables,
        cube,
        load,
        _in_json(variables, cube, load) | dict(attributes or {}),
        attributes_of,
    )
    result = Companions()
    _take_wavelengths(beside, result)
    _take_unit(beside, result)
    _take_single_facts(beside, result)
    _take_factors(beside, result)
    result.notices += per_band_facts.misnamed(beside.numbers, beside.lists, beside.cube.shape)
    if result.wavelengths is not None:
        facts = per_band_facts.find(
            beside.lists, beside.attributes, load, result.wavelengths.size, attributes_of
        )
        result.per_band, result.width_unit = facts.values, facts.width_unit
        result.notices += facts.notices
    return result


def _in_json(
    variables: list[Variable], cube: Variable, load: Callable[[str], Any]
) -> dict[str, Any]:
    """What texts in JSON beside the cube state, except our own record."""
    found: dict[str, Any] = {}
    for variable in variables:
        alone = variable.is_text and math.prod(variable.shape) == 1
        if not alone or variable is cube or variable.short == embedded_record.KEY:
            continue
        for line in _flat(load(variable.name)):
            found |= json_facts.facts(json_facts.parsed(line))
    return found


class _Beside:
    """The variables beside a cube, nearest last, by what they can hold; a later one of a name wins."""

    def __init__(
        self,
        variables: list[Variable],
        cube: Variable,
        load: Callable[[str], Any],
        attributes: Mapping[str, Any],
        attributes_of: Callable[[str], Mapping[str, Any]] | None,
    ) -> None:
        self.cube = cube
        self._attributes_of = attributes_of
        #: The variable that the wavelengths were taken of.
        self.taken: Variable | None = None
        self.variables = variables
        self.stated = attributes
        self.attributes = {str(key).lower(): value for key, value in attributes.items()}
        self._load = load
        self.near = sorted(
            (v for v in variables if v is not cube), key=lambda v: _nearness(v, cube)
        )
        self.lists = {v.short: v for v in self.near if v.real and v.long_axes <= 1 and v.shape}
        self.numbers = {v.short: v for v in self.near if v.real and math.prod(v.shape) == 1}
        self.texts = {v.short: v for v in self.near if not v.real and v.short in wl.KEYS}
        self.units: dict[str, str | None] = {}
        for variable in self.near:  # "Wavelength (nm)", "band_centers_nm"
            known, unit = wl.key_of(variable.short)
            if known and known not in self.lists and variable.real and variable.long_axes <= 1:
                self.lists[known], self.units[known] = variable, unit

    def value(self, variable: Variable) -> Any:
        return self._load(variable.name)

    def one(self, variable: Variable) -> Any:
        """A single text or number of a variable of one."""
        value = self._load(variable.name)
        return value if isinstance(value, (str, bytes)) else next(iter(_flat(value)), "")

    def flat(self, variable: Variable) -> np.ndarray:
        return np.ravel(np.asarray(self._load(variable.name)))

    def stated_unit(self) -> str:
        """What the attributes of the list that was taken give as its unit."""
        if self.taken is None or self._attributes_of is None:
            return ""
        stated = self._attributes_of(self.taken.name).items()
        lower = {str(key).lower(): value for key, value in stated}
        return text(lower.get("units")) or text(lower.get("unit"))

    def variable(self, key: str) -> Variable | None:
        """What :meth:`wavelengths` takes, where that is a variable."""
        return self.lists.get(key) or self.texts.get(key) or self.numbers.get(key)

    def wavelengths(self, key: str) -> tuple[np.ndarray, str | None] | None:
        """What stands under a usual name of wavelengths, numbers or not, and its unit."""
        if key in self.lists:
            return self.flat(self.lists[key]), self.units.get(key)
        if key in self.texts and not self.texts[key].kind.startswith("empty"):
            return _from_text(self.texts[key], self._load)
        one_band = self.cube.long_axes == 2 and key != "bands"
        if one_band and key in self.numbers:
            return self.flat(self.numbers[key]), None
        stated: Any = self.attributes.get(key)
        number = one_band and isinstance(stated, (int, float, np.number))
        if np.ndim(stated) >= 1 or number or isinstance(stated, (str, bytes)):
            return _parsed(_flat(stated))
        return None


def _take_wavelengths(beside: _Beside, result: Companions) -> None:
    """Under a usual name, in the names of the bands, or under a name like the usual ones."""
    for key in wl.KEYS:
        found = beside.wavelengths(key)
        if found is None:
            continue
        values, unit = found
        if values.dtype.kind not in "iufb":
            if key == "bands":  # names of bands, or whatever else
                continue
        elif _is_a_count(key, values, beside.cube):
            continue
        elif wl.are_band_numbers(values):
            result.metadata[key] = values.tolist()
            told = f"The variable '{key}' numbers the bands and gives no wavelengths."
            result.notices += (Notice.info(Code.WAVELENGTHS_UNUSABLE, told),)
            continue
        fits = values.size in beside.cube.shape
        if result.wavelengths is None or fits:
            result.wavelengths, result.unit = values, unit or wl.unit_in_name(key)
            beside.taken = beside.variable(key)
        if fits:
            return  # else a list under another name may
    if result.wavelengths is None:
        result.wavelengths, result.unit = _from_names(beside)
    if result.wavelengths is None:
        _take_alike(beside, result)


def _take_unit(beside: _Beside, result: Companions) -> None:
    """The unit of the wavelengths where their name has none: theirs, or that of an attribute of its own."""
    of_list = beside.stated_unit()
    if result.unit is None and wl.is_unit(of_list):
        result.unit = of_list
    for name in _WAVELENGTH_UNITS:
        stated = beside.attributes.get(name)
        stated = stated.decode("utf-8", "replace") if isinstance(stated, bytes) else stated
        if result.unit is None and isinstance(stated, str) and wl.is_unit(stated):
            result.unit = stated
    result.unit = result.unit or of_list or None  # what is no unit is told


def _take_single_facts(beside: _Beside, result: Companions) -> None:
    """Exposure, illuminant… and the numbers that stand for missing values."""
    spelled = {plain_name(key): key for key in beside.numbers}
    for key in _SCALARS:
        own = key if key in beside.numbers else spelled.get(plain_name(key))
        if own is not None:
            result.metadata[key] = beside.flat(beside.numbers[own])[0].item()
    for key, variable in beside.numbers.items():
        if plain_name(key) in NO_DATA_NAMES:
            result.no_data += (float(beside.flat(variable)[0]),)
    result.around = dict(beside.stated)
    for key, variable in (beside.lists | beside.numbers).items():
        if plain_name(key) in APPLIED or is_nearly_one(key):
            result.around[key] = beside.flat(variable)
    for variable in beside.near:  # numbers in texts, or what is none
        key, alone = variable.short, math.prod(variable.shape) <= 1
        if alone and not variable.real and plain_name(key) in (*APPLIED, *NO_DATA_NAMES):
            result.around[key] = beside.one(variable)


def _take_factors(beside: _Beside, result: Companions) -> None:
    """Factors that nothing applies are kept, and said."""
    for key in dict.fromkeys([*beside.lists, *beside.numbers, *beside.attributes]):
        variable = beside.numbers.get(key) or beside.lists.get(key)
        if not is_factor(key) or plain_name(key) in APPLIED:
            continue
        stated = beside.attributes[key] if variable is None else beside.value(variable)
        values = np.ravel(np.asarray(stated))
        if values.dtype.kind not in "iuf" or values.size not in (1, *beside.cube.shape):
            continue
        if values.size == 1:
            result.metadata[key] = values[0].item()
        if not set(values.tolist()) <= {0, 1}:
            what = "attribute" if variable is None else "variable"
            told = f"The {what} '{key}' ({values[0]:g}) was not applied: the numbers are as stored."
            result.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)


def _take_alike(beside: _Beside, result: Companions) -> None:
    """A list under an unusual name that can be nothing else, or the first column of a table of two."""
    shape = beside.cube.shape
    for variable in beside.near[::-1]:
        size = max(variable.shape, default=0)
        columns = len(variable.shape) == 2 and min(variable.shape) == 2 and size > 2
        known = variable.short in wl.KEYS or (not columns and _ALIKE.search(variable.short))
        if not (variable.real and known and size > 2 and size in shape):
            continue
        by_column = not columns and variable.long_axes == 2 and variable.short in wl.KEYS
        if not (columns or by_column or _is_table(variable)) and variable.long_axes != 1:
            continue
        values = np.asarray(beside.value(variable), dtype=np.float64)
        rising = [] if columns or values.ndim != 2 else _rising(values, size)
        if len(rising) == 1:  # of a table with further columns
            values, by_column = rising[0], False
        elif columns:
            both = values.T if values.shape[1] == 2 else values
            values = both[1] if wl.are_band_numbers(both[0]) else both[0]
        if by_column:
            values = _of_middle(np.squeeze(values), shape)
            told = f"“{variable.name}” has a list for each column of the detector: their mean was taken."
            result.notices += (Notice.warning(Code.OTHER, told),) * (values.size > 0)
        values = values.ravel()
        if values.size not in shape:
            continue
        steps = np.diff(values)
        ordered = bool((steps > 0).all() or (steps < 0).all()) and values.min() > 0
        if ordered and not wl.are_band_numbers(values):
            result.wavelengths = values
            result.unit, beside.taken = wl.unit_in_name(variable.short), variable
            told = f"The wavelengths are those of “{variable.name}”."
            result.notices += (Notice.info(Code.OTHER, told),)
            return


def _is_table(variable: Variable) -> bool:
    """Whether an array can be a table with a row, or a column, for each of many bands."""
    return (
        len(variable.shape) == 2
        and 2 < min(variable.shape) <= _MOST_COLUMNS < max(variable.shape) + 1
    )


def _rising(table: np.ndarray, size: int) -> list[np.ndarray]:
    """Columns of so many values that ascend or descend and do more than number the rows."""
    columns = table.T if table.shape[0] == size else table
    found = []
    for column in columns:
        steps = np.diff(column)
        ordered = bool((steps > 0).all() or (steps < 0).all()) and column.min() > 0
        if ordered and not wl.are_band_numbers(column):
            found.append(column)
    return found


def _of_middle(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The mean of the lists of all columns; empty where no axis holds lists that ascend or descend.

    From column to column they may ascend, too, but by little: of two axes the lists run along the one
    over which they go further.
    """
    lists = {}
    for axis in range(values.ndim if values.ndim == 2 else 0):
        steps = np.diff(values, axis=axis)
        if values.shape[axis] in shape and ((steps > 0).all() or (steps < 0).all()):
            mean: np.ndarray = values.mean(axis=1 - axis)
            lists[float(np.ptp(mean))] = mean
    return lists[max(lists)] if lists else np.empty(0)


def _nearness(variable: Variable, cube: Variable) -> tuple[bool, int, int]:
    """Ascending: as long as an axis of the cube, then in its folder, then in those around it."""
    own, of_cube = (v.name.strip("/").split("/")[:-1] for v in (variable, cube))
    shared = 0
    while own[shared : shared + 1] == of_cube[shared : shared + 1] != []:
        shared += 1
    return math.prod(variable.shape) in cube.shape, shared, -len(own)


def _from_names(beside: _Beside) -> tuple[np.ndarray | None, str | None]:
    """Wavelengths in the names of the bands, in a list of texts."""
    listed = [
        _flat(beside.value(v)) for v in beside.variables if v.short in _BAND_NAMES and v.is_text
    ]
    stated = [beside.attributes.get(key, 0) for key in _BAND_NAMES]
    listed += [_flat(value) for value in stated if np.ndim(value) == 1]
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
