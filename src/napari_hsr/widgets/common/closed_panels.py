"""What panels leave behind: collected soon after they are closed, destroyed before the process ends."""

from __future__ import annotations

import atexit
import gc
import weakref
from typing import TYPE_CHECKING

from qtpy.QtCore import QCoreApplication, QEvent, QTimer

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

#: Time after which napari has let go of a panel that was closed, in ms.
GONE_MS = 500

_due = False
_open: weakref.WeakSet[QWidget] = weakref.WeakSet()


def collect_soon() -> None:
    """Collect garbage on the main thread in a while, once for all panels that are closed until then.

    Widgets and their slots refer to each other, so that reference counts alone do not free them.
    The collector comes by itself, but late: tens of panels, some MB each, would be waiting by then,
    and it may come on another thread, where widgets must not be destroyed.
    """
    global _due
    if not _due:
        _due = True
        QTimer.singleShot(GONE_MS, _collect)


def _collect() -> None:
    global _due
    _due = False
    gc.collect()


def destroy_at_exit(panel: QWidget) -> None:
    """Destroy a panel before the process ends, if it is still there.

    A script may end with windows open. PyQt6 then destroys them while it goes through the list of
    all its objects, which a panel's many children change meanwhile: with two windows that crashed.
    """
    _open.add(panel)


@atexit.register  # after PyQt6's own, since that is imported above, and therefore called before it
def _destroy_open() -> None:
    for panel in list(_open):
        try:
            panel.deleteLater()
        except RuntimeError:  # Qt has destroyed it, and only Python's half is left
            continue
        QCoreApplication.sendPostedEvents(panel, QEvent.Type.DeferredDelete)
