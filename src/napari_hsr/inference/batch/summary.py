"""How all items of a batch ended, as CSV or JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cube import jsonable
from napari_hsr.errors import InputError, explain
from napari_hsr.io.text_files import csv_text, name_cell, write_text

if TYPE_CHECKING:
    from os import PathLike

    from napari_hsr.inference.batch.queue import BatchResult, Row

#: Facts of a value that belong into a summary.
_OF_FILES = ("input", "output")


def write_summary(result: BatchResult, path: str | PathLike[str]) -> Path:
    """Write a table of all items as CSV or JSON, by the suffix of the name.

    Raises
    ------
    InputError
        If it is another suffix.
    OSError
        If it cannot be written.
    """
    target = summary_path(path)
    records: list[dict[str, Any]] = [
        {
            "name": row.name,
            "state": row.state.value,
            "seconds": round(row.seconds, 3),
            "notices": list(map(str, row.notices)),
            "error": explain(row.error) if row.error else "",
            **_files_of(row),
        }
        for row in result.rows
    ]
    if target.suffix.lower() == ".json":
        facts = {"seconds": result.seconds, "cancelled": result.cancelled, "items": records}
        text = json.dumps(jsonable(facts), indent=2, allow_nan=False) + "\n"
    else:
        heads = ["name", "state", "seconds", "error", *_OF_FILES, "notices"]
        told = (r | {"notices": " | ".join(r["notices"])} for r in records)
        cells = ({key: _cell(value) for key, value in row.items()} for row in told)
        text = csv_text([heads, *([row.get(head) for head in heads] for row in cells)])
    return write_text(target, text)


def summary_path(path: str | PathLike[str]) -> Path:
    """The file of a summary; InputError if its format is not known."""
    target = Path(os.path.expanduser(path))
    if target.suffix.lower() not in (".csv", ".json"):
        raise InputError(f"{target}: a summary is written as .csv or .json.")
    return target


def _cell(value: Any) -> Any:
    """Texts hold names of files: names, paths, errors, notices."""
    return name_cell(value) if isinstance(value, (str, os.PathLike)) else value


def _files_of(row: Row) -> dict[str, str]:
    found = {} if row.source is None else {"input": str(row.source)}
    facts = row.value if isinstance(row.value, dict) else {}
    return found | {key: facts[key] for key in _OF_FILES if key in facts}
