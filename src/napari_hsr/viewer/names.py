"""Names that the user gave to points, shapes and labels, kept among napari's features of them."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Numbers from here on are none that anybody gave to a point or label.
_LARGEST = 2.0**53
#: The column of names; of labels, the column that says which label a row is about.
NAME, INDEX = "name", "index"


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


def rename(layer: Any, key: int, name: str) -> None:
    """Give a point or shape (by row) or a label (by number) a name; an empty one takes it away."""
    names = given_names(layer)
    names[key] = name
    table = layer.features.copy()
    if type(layer).__name__ == "Labels" or hasattr(layer, "selected_label"):
        import pandas as pd

        if INDEX not in table:
            table = pd.DataFrame({INDEX: sorted(names)})
        elif key not in set(table[INDEX]):
            table = pd.concat([table, pd.DataFrame({INDEX: [key]})], ignore_index=True)
        table[NAME] = [names.get(label, "") for label in whole_numbers(table[INDEX])]
    else:
        table[NAME] = [names.get(row, "") for row in range(len(table))]
    layer.features = table
