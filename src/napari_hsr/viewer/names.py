"""Names that the user gave to points, shapes and labels, kept among napari's features of them."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.viewer.layer_data import unwrapped

#: Numbers from here on are none that anybody gave to a point or label.
_LARGEST = 2.0**53
#: The column of names; of labels, the column that says which label a row is about.
NAME, INDEX = "name", "index"
#: The columns of numbers.
PIN, SHAPE = "pin", "hsr_number"
#: In the metadata of a layer, the largest number that it gave.
_LARGEST_GIVEN = "napari_hsr_largest_number"
#: By layer, the numbers that its points or shapes had when they were last looked at.
_LIVING: weakref.WeakKeyDictionary[Any, set[int]] = weakref.WeakKeyDictionary()


def given_names(layer: Any) -> dict[int, str]:
    """By row from 0 for points and shapes, by label for labels; what has no name is left out."""
    table = layer.features
    if NAME not in table:
        return {}
    keys = whole_numbers(table[INDEX]) if INDEX in table else range(len(table))
    found: dict[int, str] = {}
    seen = set()
    for key, name in zip(keys, table[NAME], strict=True):
        # napari hands the features of the last one on to those that are added
        if isinstance(name, str) and name and name not in seen:
            seen.add(name)
            found[key] = name
    return found


def whole_numbers(column: Any) -> list[int]:
    """A column of a table that anybody may have written, as whole numbers; 0 for what is none."""
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)
    values = np.where(np.abs(values) < _LARGEST, values, 0)
    return [int(value) for value in values]


def numbered(layer: Any) -> tuple[list[int], list[int]]:
    """The numbers of points or shapes, row by row, and the rows that got theirs just now.

    They keep their numbers while others come and go. New ones get the next, also those added with
    napari's own tools, which have the features of another one. The number of one that was removed is
    not given again, as long as others are left.
    """
    column = _column(layer)
    known = column in layer.features
    numbers = whole_numbers(layer.features[column]) if known else [0] * len(layer.data)
    fresh, taken, most = [], set(), max([0, *numbers])
    for row, number in enumerate(numbers):
        if number <= 0 or number in taken:
            fresh.append(row)
        taken.add(number)
    given = layer.metadata.get(_LARGEST_GIVEN)
    if len(fresh) < len(numbers) and isinstance(given, int):
        most = max(most, given)
    if fresh:
        for step, row in enumerate(fresh, start=1):
            numbers[row] = most + step
        features = layer.features.copy()
        features[column] = numbers
        if known and NAME in features:  # a new one has the name of the one before
            features.loc[fresh, NAME] = ""
        layer.features = features
    layer.metadata[_LARGEST_GIVEN] = max([most, *numbers])
    _LIVING[unwrapped(layer)] = set(numbers)
    return numbers, fresh


def rows_changed(event: Any) -> None:
    """Take the number from what is added in the likeness of one that was removed: a layer's data event."""
    layer, column = event.source, _column(event.source)
    if layer not in _LIVING:
        return
    numbers = whole_numbers(layer.features[column]) if column in layer.features else []
    if str(event.action) != "added":
        _LIVING[layer] &= set(numbers)
        return
    alike = [at for at in event.data_indices if numbers and numbers[at] not in _LIVING[layer]]
    if alike:
        features = layer.features.copy()
        features.iloc[alike, features.columns.get_loc(column)] = 0
        layer.features = features


def _column(layer: Any) -> str:
    return SHAPE if hasattr(layer, "shape_type") else PIN


def row_of(layer: Any, number: int) -> int:
    """The row of a point or shape with a number; of labels, the label itself."""
    return number if _is_labels(layer) else numbered(layer)[0].index(number)


def _is_labels(layer: Any) -> bool:
    return type(layer).__name__ == "Labels" or hasattr(layer, "selected_label")


def rename(layer: Any, key: int, name: str) -> None:
    """Give a point or shape (by row) or a label (by number) a name; an empty one takes it away.

    Raises
    ------
    InputError
        If another one of the layer has the name: of two, the second would count as none.
    """
    names = given_names(layer)
    if name and any(there == name for at, there in names.items() if at != key):
        raise InputError(
            f"Another one of “{layer.name}” is called “{name}” already: choose another name."
        )
    names[key] = name
    table = layer.features.copy()
    if _is_labels(layer):
        import pandas as pd

        if INDEX not in table:
            table = pd.DataFrame({INDEX: sorted(names)})
        elif key not in set(table[INDEX]):
            table = pd.concat([table, pd.DataFrame({INDEX: [key]})], ignore_index=True)
        table[NAME] = [names.get(label, "") for label in whole_numbers(table[INDEX])]
    else:
        table[NAME] = [names.get(row, "") for row in range(len(table))]
    layer.features = table
