"""A checkpoint that is dropped on the canvas, or opened as a file: its import is offered."""

from __future__ import annotations

from os import fspath
from typing import TYPE_CHECKING

from napari_hsr.viewer.contributions import NOTHING
from napari_hsr.widgets.common.panel import main_window
from napari_hsr.widgets.models.import_answers import dropped_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from napari_hsr.widgets.models.import_checkpoint import ImportDialog

#: Dialogs that are open: without a window as their parent, nothing else would keep them.
_OPEN: set[ImportDialog] = set()


def get_reader(path: str | list[str]) -> Callable[[str | PathLike], list] | None:
    """What opens the import of a checkpoint; None for several files, or one of another kind."""
    paths = [path] if isinstance(path, str) else [fspath(one) for one in path]
    return None if dropped_checkpoint(paths) is None else offer_import


def offer_import(path: str | PathLike) -> list:
    """Open the dialog that imports a checkpoint; no layer comes of it."""
    from napari_hsr.widgets.common.models_changed import models_changed
    from napari_hsr.widgets.models.import_checkpoint import open_import

    dialog = open_import(main_window(), fspath(path))
    _OPEN.add(dialog)
    dialog.imported.connect(lambda _model: models_changed())
    dialog.finished.connect(lambda _result: _OPEN.discard(dialog))
    return NOTHING
