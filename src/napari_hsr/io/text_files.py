"""Texts as files and as tables, the same on every system."""

from __future__ import annotations

import csv
import io
import os
import re
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


def decoded(content: bytes) -> str:
    """The text in UTF-8, in UTF-16 as spreadsheets save it, or in Latin-1 without control characters.

    Raises
    ------
    UnicodeDecodeError
        For what is no text.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if re.search(rb"[\x00-\x08\x0e-\x1f]", content):
            raise
        return content.decode("latin-1")


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
