"""Which writer napari begins with when layers are saved: ours, once there is a cube.

napari offers the writers of image layers in the order in which it found their plugins, and the first is
that of its dialog and of names without a type. Its own hands the array alone to tifffile: wavelengths and
origin would be lost. Ours passes on what is neither a cube nor a photograph of this package.
"""

from __future__ import annotations

import os
import re
import sys
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from npe2.manifest.contributions import WriterContribution

PLUGIN = "napari-hsr"
#: Types of files that ours is asked for whatever the layer holds.
_OURS = (".mat", ".hdr", ".h5", ".hdf5", ".zarr")


def prefer() -> None:
    """Put our writer before those of other plugins; nothing where it is not registered, or first already."""
    from npe2 import PluginManager

    manager = PluginManager.instance()
    order = [writer.plugin_name for writer in manager.iter_compatible_writers(["image"])]
    before = order[: order.index(PLUGIN)] if PLUGIN in order else []
    for plugin in dict.fromkeys(before):
        # disabling and enabling it would do the same, and take its samples out of the menu
        manager._contrib.reindex(manager.get_manifest(plugin))


def is_for_others(path: str | PathLike[str], data: Any, meta: dict[str, Any]) -> bool:
    """Whether a layer that came to our writer first is none of ours, by what it holds and its name's type."""
    from napari_hsr.viewer.layer_data import KEY, cube_from_parts

    if Path(path).suffix.lower() in _OURS:
        return False
    if KEY in (
        meta.get("metadata") or {}
    ):  # also our maps, and what napari made of a cube: one band, say
        return len(data.shape) == 2
    if meta.get("rgb"):  # napari writes no floats as PNG
        return not np.issubdtype(data.dtype, np.floating)
    return len(data.shape) != 3 or cube_from_parts(data, meta).wavelengths is None


def write_by_others(path: str | PathLike[str], data: Any, meta: dict[str, Any]) -> list[str] | None:
    """Write a layer as napari would without this package; None if no other plugin writes such a file.

    Raises
    ------
    InputError
        If a type is added to the name, and a file of that name is there.
    """
    name, suffix = fspath(path), Path(path).suffix.lower()
    for writer in _others():
        types = [kind.lower() for kind in writer.filename_extensions]
        if types and (not suffix or suffix in types):
            named = name if suffix else with_suffix(name, types[0])
            if len(data.shape) == 2:  # a map may not be computed yet
                data = np.asarray(data)
            alone = sum(each.max() for each in writer.layer_type_constraints()) <= 1
            args = (named, data, meta) if alone else (named, [(data, meta, "image")])
            written: list[str] | str | None = writer.exec(args=args)
            return [written] if isinstance(written, str) else written or []
    return None


def with_suffix(path: str | PathLike[str], suffix: str) -> str:
    """The path with this suffix if it has none: ``scan``, ``leaf 2024.05``; not if that is another file.

    Raises
    ------
    InputError
        If a file of that name is there, which the dialog has not asked about.
    """
    given = Path(path)
    if re.fullmatch(r"\.[A-Za-z]\w*", given.suffix):
        return fspath(path)
    named = given.with_name(given.name + suffix)
    if os.path.exists(named):
        raise InputError(f"{named.name} is there already: name it in full to replace it.")
    return fspath(named)


def one_of_several() -> bool:
    """Whether napari is going through layers that it saves together, into a folder that it fills at the end."""
    frame = sys._getframe(1)
    while frame.f_code.co_name != "write_layer_data_with_plugins":
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return True


def _others() -> Iterator[WriterContribution]:
    from npe2 import PluginManager

    every = PluginManager.instance().iter_compatible_writers(["image"])
    return (writer for writer in every if writer.plugin_name != PLUGIN)
