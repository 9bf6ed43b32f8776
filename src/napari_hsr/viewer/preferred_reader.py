"""Which reader napari takes for a file: asked once, then ours where nobody decided otherwise.

napari asks for a reader wherever several plugins could open a file, as its own can for every
JPEG. Its preferences (Preferences ▸ Plugins) end that: one entry for each pattern of names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.io import limits
from napari_hsr.io.detect import PATTERNS
from napari_hsr.io.library_errors import translated

if TYPE_CHECKING:
    from collections.abc import Sequence

PLUGIN = "napari-hsr"
#: napari keeps its own layers in these, and other plugins stacks: each user decides.
SHARED_SUFFIXES = (".tif", ".tiff", ".npy", ".npz", ".zarr")
#: Of spectrometers: no layer comes of them.
OF_SPECTRA = (".asd", ".sed", ".sig", ".jdx", ".dx")
#: Tables, which are of points, shapes or tracks too: each user decides, and those that name no wavelengths are handed
#: on to napari's own reader.
TABLES = (".csv", ".tsv")


def prefer() -> str | None:
    """Enter our reader for all suffixes for which no reader was chosen yet.

    Returns
    -------
    str or None
        A sentence for the user; None if nothing was left to enter.
    """
    from napari.settings import get_settings

    plugins = get_settings().plugins
    chosen = dict(plugins.extension2reader)
    suffixes = [p[1:] for p in PATTERNS if p.startswith("*.") and p[1:] not in SHARED_SUFFIXES]
    suffixes += OF_SPECTRA
    patterns = [f"*{s}" for suffix in suffixes for s in (suffix, suffix.upper())]
    new = {pattern: PLUGIN for pattern in patterns if pattern not in chosen}
    if not new:
        return None
    plugins.extension2reader = chosen | new
    return (
        f"From now on {PLUGIN} opens spectral files and photographs without a question; "
        "Preferences ▸ Plugins changes that for each suffix."
    )


def naparis_own(path: str | Sequence[str]) -> list[Any]:
    """The layers that napari's own reader makes of a file that is neither cube nor photograph.

    Raises
    ------
    FileError
        If it makes none, as of an empty table, or could wait for ever, as for a pipe.
    """
    from npe2 import io_utils

    paths = [path] if isinstance(path, str) else [*path]
    for one in paths:
        limits.check_regular(one)
    with translated(paths[0], "napari's own reader cannot read it either"):
        return list(io_utils.read(paths, stack=False, plugin_name="napari"))
