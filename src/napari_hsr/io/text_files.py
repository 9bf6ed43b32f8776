"""Texts as files and as tables, the same on every system."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.io.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What a formula begins with.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_text(path: str | os.PathLike[str], text: str, *, shared: bool = False) -> Path:
    """Write a text in UTF-8, whole or not at all; the file's path, with ``~`` resolved.

    ``shared`` as for :func:`~napari_hsr.io.atomic.replacing`.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    target = Path(os.path.expanduser(path))
    with replacing(target, shared=shared) as temporary:
        # names of files may hold what is no Unicode
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    return target


def csv_text(rows: Iterable[Iterable[object]], separator: str = ",") -> str:
    """Rows of cells as comma-separated values, or with another sign between them."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue()


def name_cell(name: object) -> str:
    """A name as a cell: with an apostrophe in front where a spreadsheet would compute a formula.

    Names of files and layers may have been chosen by somebody else. One that is a number stays.
    """
    text = str(name)
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
