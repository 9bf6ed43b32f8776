"""A file of spectra that is dropped on the canvas, or opened as a file: it is drawn in Spectra."""

from __future__ import annotations

from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import HSRError
from napari_hsr.io import read_library
from napari_hsr.io.libraries import is_library, names_wavelengths
from napari_hsr.units import one_line
from napari_hsr.viewer.contributions import NOTHING, read_layers
from napari_hsr.viewer.preferred_reader import TABLES, naparis_own
from napari_hsr.viewer.unreadable import telling
from napari_hsr.viewer.workspace import open_panel

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike


def get_reader(path: str | list[str]) -> Callable[..., list] | None:
    """What opens a file of spectra; for several files, or those of another kind, what says so.

    Tables that do not name wavelengths are napari's: ours is asked for every table where a user prefers it.
    """
    paths = [path] if isinstance(path, str) else [fspath(one) for one in path]
    if len(paths) == 1 and Path(paths[0]).suffix.lower() in TABLES:
        spectra = is_library(paths[0]) and names_wavelengths(paths[0])
        return open_dropped if spectra else naparis_own
    if len(paths) == 1 and is_library(paths[0]):
        return open_dropped
    one = len(paths) == 1
    return telling(
        paths[0] if one else paths, "napari-hsr.open_library", _told if one else read_layers
    )


def _told(path: str | PathLike) -> list:
    """Say why a file is none of spectra; no panel is opened for that."""
    from napari.utils.notifications import show_error

    try:
        read_library(path)
    except HSRError as error:
        show_error(one_line(error))
        return NOTHING
    return open_dropped(path)


def open_dropped(path: str | PathLike) -> list:
    """Open the Spectra panel with the library; no layer comes of it."""
    import napari
    from napari.utils.notifications import show_error

    viewer = napari.current_viewer()
    panel = open_panel(viewer, "Spectra")
    try:
        library = panel.libraries.opened[panel.load_library(path)]
    except HSRError as error:
        show_error(one_line(error))
        return NOTHING
    said = f"{Path(path).name}: {len(library):,} {'spectrum' if len(library) == 1 else 'spectra'}, {library.wavelengths.describe()}."
    panel.message.show_info(f"{said} Match… lists them; ticked ones are drawn.")
    return NOTHING
