"""A checkpoint that is dropped on the canvas, or opened as a file: its import is offered."""

from __future__ import annotations

from os import fspath
from typing import TYPE_CHECKING

from napari_hsr.viewer.contributions import NOTHING, read_layers
from napari_hsr.viewer.unreadable import telling
from napari_hsr.widgets.common.panel import main_window
from napari_hsr.widgets.models.import_answers import dropped_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from napari_hsr.widgets.models.import_checkpoint import ImportDialog

#: Dialogs that are open: without a window as their parent, nothing else would keep them.
_OPEN: set[ImportDialog] = set()


def get_reader(path: str | list[str]) -> Callable[[str | PathLike], list] | None:
    """What opens the import of a checkpoint; for several files what says that they are no stack."""
    paths = [path] if isinstance(path, str) else [fspath(one) for one in path]
    if dropped_checkpoint(paths) is not None:
        return offer_import
    return telling(paths, "napari-hsr.import_checkpoint", read_layers)


def offer_import(path: str | PathLike) -> list:
    """Open the dialog that imports a checkpoint; no layer comes of it."""
    from napari_hsr.widgets.common.models_changed import models_changed
    from napari_hsr.widgets.models.import_checkpoint import open_import

    dialog = open_import(main_window(), fspath(path))
    _OPEN.add(dialog)
    dialog.imported.connect(lambda _model: models_changed())
    dialog.finished.connect(lambda _result: _OPEN.discard(dialog))
    return NOTHING
