"""Files that our manifest claims by their names, and that none of our readers takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import HSRError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: The reader whose patterns hold those of others of ours too, as names that end in many letters.
_WIDEST = "napari-hsr.get_reader"


def window_is_in_use() -> bool:
    """Whether napari's event loop runs, or its command line opens files."""
    import napari

    if napari.current_viewer() is None:
        return False
    main = getattr(sys.modules.get("__main__"), "__spec__", None)
    if "napari.__main__" in sys.modules or getattr(main, "name", "") == "napari.__main__":
        return True
    from napari.qt import get_qapp

    return get_qapp().thread().loopLevel() > 0


def telling(
    path: str | Sequence[str], command: str, read: Callable[[Any], list]
) -> Callable[[Any], list] | None:
    """What says why a file is not opened, where napari would show a traceback of its own.

    napari asks for a reader by the name of a file alone; where ours then takes none, it tells that the file was
    refused, not why, and does not open the files behind it. A file that napari's own reader can read is
    handed on to it.

    Parameters
    ----------
    path : str or sequence of str
        More than one asks for a stack.
    command : str
        Of the reader that was asked.
    read : callable
        Shows the sentence of the fault that it meets, and gives no layer.

    Returns
    -------
    callable or None
        None in scripts, and where another plugin may read it: napari then offers that one.
    """
    from npe2 import PluginManager

    from napari_hsr.viewer.preferred_reader import PLUGIN, naparis_own

    if not window_is_in_use():
        return None
    one = path if isinstance(path, str) else path[0]
    readers = list(PluginManager.instance().iter_compatible_readers(one))
    plugins = {reader.plugin_name for reader in readers}
    ours = {reader.command for reader in readers if reader.plugin_name == PLUGIN}
    if plugins - {PLUGIN, "napari"} or (command == _WIDEST and ours - {_WIDEST}):
        return None
    if "napari" not in plugins:
        return read
    if one is not path:
        return None

    def of_napari_or_told(given: Any) -> list:
        try:
            return naparis_own(given)
        except HSRError:  # nobody reads it: ours says what was expected
            return read(given)

    return of_napari_or_told
