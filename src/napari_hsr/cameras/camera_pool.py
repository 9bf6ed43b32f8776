"""The cameras that a photograph may draw from."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from pathlib import Path

from napari_hsr.cameras.sensitivities import Camera, get_camera, read_cameras
from napari_hsr.colour.encodings import slug
from napari_hsr.errors import InputError

_TABLE = re.compile(r"(?P<path>.+\.(?:csv|txt|tsv))(?::(?P<name>.+))?", re.IGNORECASE)


def camera_pool(cameras: tuple[str, ...], leave_out: tuple[str, ...] = ()) -> tuple[Camera, ...]:
    """Cameras by name, and all those of a table for ``table.csv:*``.

    Tables are read once, and again when their file changes.

    Parameters
    ----------
    cameras : tuple of str
        As :func:`napari_hsr.cameras.get_camera` takes them, or ``table.csv:*``.
    leave_out : tuple of str
        Names of cameras that are taken out, in any spelling that has the same slug.

    Returns
    -------
    tuple of Camera
        The same objects for the same arguments.

    Raises
    ------
    InputError, FileError
        If a name or table is not known, a name left out is in none of them, or none is left.
    """
    return _pool(tuple(cameras), tuple(leave_out), tuple(_stamp(text) for text in cameras))


def _stamp(text: str) -> tuple[int, int] | None:
    table = _TABLE.fullmatch(str(text).strip())
    try:
        status = Path(table["path"]).stat() if table else None
    except OSError:
        return None  # reading it says in words what is wrong
    return (status.st_mtime_ns, status.st_size) if status else None


@lru_cache(maxsize=32)
def _pool(cameras: tuple[str, ...], leave_out: tuple[str, ...], _stamps: tuple) -> tuple:
    found: dict[str, Camera] = {}
    for text in cameras:
        table = _TABLE.fullmatch(text.strip())
        if table and table["name"] and table["name"].strip() == "*":
            for camera in read_cameras(table["path"]).values():
                found.setdefault(camera.slug, camera)
        else:
            camera = get_camera(text)
            found.setdefault(camera.slug, camera)
    for name in leave_out:
        if found.pop(slug(name), None) is None:
            near = difflib.get_close_matches(slug(name), found, n=1, cutoff=0.0)
            hint = f"; the nearest name is {near[0]}" if near else ""
            raise InputError(
                f"The camera {name!r} is to be left out, but is not among the cameras{hint}."
            )
    if not found:
        raise InputError("No camera is left to take photographs with: name one in cameras.")
    return tuple(found.values())
