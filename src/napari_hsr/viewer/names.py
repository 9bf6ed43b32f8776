"""Names that the user gave to points, shapes and labels, kept among napari's features of them."""

from __future__ import annotations

from typing import Any

#: The column of names; of labels, the column that says which label a row is about.
NAME, INDEX = "name", "index"


def given_names(layer: Any) -> dict[int, str]:
    """By row from 0 for points and shapes, by label for labels; what has no name is left out."""
    table = layer.features
    if NAME not in table:
        return {}
    keys = table[INDEX] if INDEX in table else range(len(table))
    found: dict[int, str] = {}
    for key, name in zip(keys, table[NAME], strict=True):
        # napari hands the features of the last one on to those that are added
        if isinstance(name, str) and name and name not in found.values():
            found[int(key)] = name
    return found


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
        table[NAME] = [names.get(int(label), "") for label in table[INDEX]]
    else:
        table[NAME] = [names.get(row, "") for row in range(len(table))]
    layer.features = table
